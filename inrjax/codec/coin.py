"""COIN as an image codec: the file holds the image's own network.

The model file is the architecture alone; nothing is learned beforehand. An
image takes one recipe-header byte, the index of the width b (none if the model
lists one), and the weights as `inrjax.codec.coin_weights` writes them. The
compact profile has no room for side information: there it leads the payload.
"""

from typing import Any

import jax
import numpy as np

from inrjax.codec import (
  base,
  coin_fit,
  coin_spec,
  coin_weights,
  container,
  errors,
  model_file,
  request,
  signals,
  tiling,
)

# The widest weights, as in the paper: narrower ones cost more than they save.
DEFAULT_QUALITY = 100
# Parts of the model's number of Adam steps. They begin alike, and the best
# iterate is kept: before rounding, more effort is never worse (where the last
# steps do not prepare for it).
EFFORTS = {"fast": 0.04, "medium": 0.2, "slow": 1.0}
# Rows of the output that are evaluated before they become integers.
_ROW_VALUES = 1 << 22


class CoinCodec(base.BaseCodec):
  """Compresses each image into the weights of a network of its own.

  Its settings are the widths of weights that the model lists. Efforts are a
  twenty-fifth, a fifth, or all of the model's number of Adam steps, every step
  on the whole image.

  Differs from the paper: the coordinates are centres of pixels
  (`inrjax.coords.grid`), and widths below 16 bits are entropy-coded.
  """

  efforts = EFFORTS
  default_quality = DEFAULT_QUALITY

  def __init__(
    self,
    spec: coin_spec.CoinSpec,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together.

    Args:
      spec: the architecture.
      card: JSON values that describe the model to its users.
      model_id: identity of the model, computed if not known.
    """
    self.spec = spec
    self.card = dict(card or {})
    self._network = coin_fit.CoinNetwork(spec)
    self._coder = coin_weights.WeightCoder(
      self._network.is_bias, self._network.leaf
    )
    self.model_id = model_id or model_file.to_bytes(self._content(), {})[1]

  @property
  def channels(self) -> int:
    """C of the images it codes."""
    return self.spec.network.out_dim

  @property
  def num_settings(self) -> int:
    """Number of widths."""
    return len(self.spec.num_bits)

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return {
      "model_id": self.model_id,
      "codec": "coin",
      "channels": self.channels,
      "values_per_image": self.spec.num_params,
      "spec": self.spec.to_json(),
      "card": self.card,
    }

  def file_of(
    self, params: np.ndarray, image: np.ndarray, *, num_bits: int
  ) -> bytes:
    """The file of an image whose network has been fitted already.

    Args:
      params: `[L]` weights and biases, as `coin_fit.CoinNetwork.fit` gives.
      image: what they were fitted to, for its size and type.
      num_bits: one of the model's widths.

    Raises:
      ValueError: for a width that is none of the model's, or parameters of
        another network, or that are not finite.
    """
    if params.shape != (self.spec.num_params,) or not np.all(
      np.isfinite(params)
    ):
      raise ValueError(
        f"params are {self.spec.num_params} finite numbers, got the shape "
        f"{params.shape}: did the fit diverge?"
      )
    if num_bits not in self.spec.num_bits:
      raise ValueError(
        f"num_bits is {num_bits}; this model has {self.spec.num_bits}."
      )
    _, spec = signals.to_unit(image, self.channels)
    t = self.spec.num_bits.index(num_bits)
    return self._pack([self._record(params, spec, None, t)])

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every image, `[1, 1, L]`."""
    return [
      self._symbols(record)[0].symbols[None, None]
      for record in self._unpack(data)
    ]

  def _content(self) -> dict[str, Any]:
    return {"codec": "coin", "spec": self.spec.to_json(), "card": self.card}

  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return self._content(), {}

  def _fit(self, unit: np.ndarray, effort: str) -> np.ndarray:
    """Weights `[L]` of an image `[H, W, C]` in [0, 1]."""
    num_steps = max(1, round(EFFORTS[effort] * self.spec.num_steps))
    # The same image always gives the same file.
    keys = jax.random.split(jax.random.key(0), 1)
    return self._network.fit(keys, unit[None], num_steps=num_steps)[0]

  def _record(
    self,
    fitted: np.ndarray,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    num_bits = self.spec.num_bits[t]
    quantised = self._coder.quantise(fitted, num_bits)
    payload = self._coder.write(quantised.symbols, num_bits)
    return container.SignalRecord(
      spec, self._header(t), payload, quantised.side, name
    )

  def _record_within(
    self,
    fitted: np.ndarray,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    """The widest weights whose file has at most `bpp` bits per pixel."""
    limit = bpp * np.prod(spec.shape[:2]) / 8
    sizes = []
    for t in reversed(range(self.num_settings)):
      record = self._record(fitted, spec, name, t)
      sizes.append(len(self._pack([record])))
      if sizes[-1] <= limit:
        return record
    raise errors.CodecError(
      f"{bpp:g} bpp are {limit:.0f} bytes, this network takes {min(sizes)} at "
      "least: ask for a higher rate, or use a smaller architecture."
    )

  def _pack(self, records: list[container.SignalRecord]) -> bytes:
    first = records[0]
    leading = first._replace(side=b"", payload=first.side + first.payload)
    if (
      len(records) == 1
      and first.name is None
      and len(leading.payload) <= base.COMPACT_BYTES
    ):
      return container.pack(
        container.Stream(self.model_id, (leading,), "compact")
      )
    return container.pack(container.Stream(self.model_id, tuple(records)))

  def _unpack(self, data: bytes) -> list[container.SignalRecord]:
    stream = container.unpack(data, model_id=self.model_id)
    if stream.profile != "compact":
      return list(stream.signals)
    (record,) = stream.signals
    length = coin_weights.side_length(self._num_bits(record))
    side, payload = record.payload[:length], record.payload[length:]
    return [record._replace(side=side, payload=payload)]

  def _num_bits(self, record: container.SignalRecord) -> int:
    """The width that a record's header names."""
    return self.spec.num_bits[self._setting(record)]

  def _symbols(
    self, record: container.SignalRecord
  ) -> tuple[coin_weights.Quantised, int]:
    """Rounded weights of a record, and their width."""
    signals.check_image_spec(record.spec, self.channels)
    num_bits = self._num_bits(record)
    symbols = self._coder.read(record.payload, num_bits)
    return coin_weights.Quantised(symbols, record.side), num_bits

  def _estimate(self, record: container.SignalRecord) -> float:
    quantised, num_bits = self._symbols(record)
    return self._coder.cost(quantised.symbols, num_bits)

  def _decode(
    self,
    record: container.SignalRecord,
    scale: float,
    region: tuple[int, int, int, int] | None,
  ) -> np.ndarray:
    height, width = signals.check_image_spec(record.spec, self.channels)
    y0, x0, y1, x1 = request.checked_region(
      (height, width, self.channels), scale, region
    )
    params = self._coder.dequantise(*self._symbols(record))
    # The image is one tile, as far as positions are concerned.
    rows, columns = (
      tiling.sample_axis(n, n, scale=scale, start=a, stop=b).positions[0]
      for n, a, b in ((height, y0, y1), (width, x0, x1))
    )
    step = max(1, _ROW_VALUES // (len(columns) * self.channels))
    parts = []
    for first in range(0, len(rows), step):
      values = self._network.values(params, rows[first : first + step], columns)
      if not np.all(np.isfinite(values)):
        raise errors.CorruptBitstreamError(
          "The weights give values that are not finite: the stream is damaged."
        )
      parts.append(signals.from_unit(values, record.spec))
    return np.concatenate(parts)


def from_model_file(content: model_file.ModelFile) -> CoinCodec:
  """The codec of a COIN's model file.

  Raises:
    CorruptBitstreamError: if the content is not what `CoinCodec.save` writes.
  """
  card = content.config.get("card", {})
  spec = content.config.get("spec")
  if content.arrays or not isinstance(card, dict) or not isinstance(spec, dict):
    raise errors.CorruptBitstreamError(
      "The model file of a COIN holds an architecture and a card, and no "
      "arrays; this one is damaged or of another version."
    )
  return CoinCodec(
    coin_spec.from_json(spec), card=card, model_id=content.model_id
  )
