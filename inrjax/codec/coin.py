"""COIN as an image codec: the file holds the image's own network.

The model file is the architecture alone; nothing is learned beforehand. An
image takes one recipe-header byte, the index of the width b (none if the model
lists one), and the weights as `inrjax.codec.coin_weights` writes them. The
compact profile has no room for side information: there it leads the payload.
"""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from inrjax.codec import (
  coin_fit,
  coin_spec,
  coin_weights,
  container,
  errors,
  image_codec,
  model_file,
  request,
  signals,
  tiling,
)

# The widest weights, as in the paper: narrower ones cost more than they save.
DEFAULT_QUALITY = 100
# Parts of the model's number of Adam steps. They begin alike, and the best
# iterate is kept: before rounding, more effort is never worse.
EFFORTS = {"fast": 0.04, "medium": 0.2, "slow": 1.0}
# The weights of one image of at most this many bytes take the compact profile.
_COMPACT_BYTES = 4096
# Rows of the output that are evaluated before they become integers.
_ROW_VALUES = 1 << 22


class CoinCodec:
  """Compresses each image into the weights of a network of its own.

  Differs from the paper: the coordinates are centres of pixels
  (`inrjax.coords.grid`), and widths below 16 bits are entropy-coded.
  """

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

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes the model file; raises `OutputFileError` if it cannot."""
    model_file.save_model(path, self._content(), {})

  def compress(
    self,
    array: np.ndarray,
    *,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """Compresses one image; arguments as for `compress_many`."""
    return self.compress_many([array], quality=quality, bpp=bpp, effort=effort)

  def compress_many(
    self,
    arrays: Sequence[np.ndarray],
    *,
    names: Sequence[str] | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """Compresses images into one container.

    Args:
      arrays: `[H, W, C]` or `[H, W]`; uint8, uint16, or float in [0, 1].
      names: stored with the images.
      quality: 0 to 100, the narrowest to the widest weights that the model
        lists; `DEFAULT_QUALITY` if no rate is given.
      bpp: highest rate in bits per pixel of every image, as the length of a
        file of its own; the widest weights that keep it are taken.
      effort: `fast`, `medium` or `slow`: a twenty-fifth, a fifth, or all of
        the model's number of Adam steps. Every step sees the whole image.

    Returns:
      The bytes of an `.inr` file.

    Raises:
      UnsupportedSignalError: for an image the model does not code.
      CodecError: if the rate cannot be reached.
      ValueError: for arguments out of range.
    """
    request.check_compression(
      arrays,
      names=names,
      quality=quality,
      bpp=bpp,
      effort=effort,
      efforts=EFFORTS,
    )
    checked = [signals.to_unit(array, self.channels) for array in arrays]
    request.check_total([spec for _, spec in checked])
    records = []
    for index, (unit, spec) in enumerate(checked):
      name = None if names is None else container.safe_name(names[index], "")
      params = self._fit(unit, effort)
      if bpp is None:
        t = self._index(quality)
        records.append(self._record(params, spec, name, t))
      else:
        records.append(self._record_within(params, spec, name, bpp))
    return self._pack(records)

  def decompress(
    self,
    data: bytes,
    *,
    scale: float = 1.0,
    region: tuple[int, int, int, int] | None = None,
  ) -> np.ndarray:
    """The image of a container with one; arguments as `decompress_many`."""
    decoded = self.decompress_many(data, scale=scale, region=region)
    if len(decoded) != 1:
      raise errors.CodecError(
        f"The file holds {len(decoded)} images; use decompress_many."
      )
    return decoded[0][1]

  def decompress_many(
    self,
    data: bytes,
    *,
    scale: float = 1.0,
    region: tuple[int, int, int, int] | None = None,
  ) -> list[tuple[str | None, np.ndarray]]:
    """Decodes a container.

    Args:
      data: the bytes of an `.inr` file.
      scale: output pixels per pixel, in (0, 64].
      region: (y0, x0, y1, x1) in pixels of the coded image; nothing else is
        evaluated.

    Returns:
      Names (None where there is none) and images, of the type and range of
      what went in.

    Raises:
      CorruptBitstreamError: if the bytes are damaged.
      WrongModelError: if they belong to another model.
      CodecError: for a region outside the image.
      ValueError: for a scale out of range.
    """
    request.check_scale(scale)
    return [
      (record.name, self._decode(record, scale, region))
      for record in self._unpack(data)
    ]

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every image, `[1, 1, L]`."""
    return [
      self._symbols(record)[0].symbols[None, None]
      for record in self._unpack(data)
    ]

  def rates(self, data: bytes) -> list[image_codec.RateParts]:
    """Where the bytes go, image by image."""
    records = self._unpack(data)
    coded = sum(len(r.payload) + len(r.side) for r in records)
    header = (len(data) - coded) / len(records)
    parts = []
    for record in records:
      quantised, num_bits = self._symbols(record)
      payload, side = len(record.payload), len(record.side)
      estimate = self._coder.cost(quantised.symbols, num_bits)
      parts.append(
        image_codec.RateParts(
          header + payload + side, header, side, payload, estimate
        )
      )
    return parts

  def _content(self) -> dict[str, Any]:
    return {"codec": "coin", "spec": self.spec.to_json(), "card": self.card}

  def _fit(self, unit: np.ndarray, effort: str) -> np.ndarray:
    """Weights `[L]` of an image `[H, W, C]` in [0, 1]."""
    num_steps = max(1, round(EFFORTS[effort] * self.spec.num_steps))
    # The same image always gives the same file.
    keys = jax.random.split(jax.random.key(0), 1)
    return self._network.fit(keys, unit[None], num_steps=num_steps)[0]

  def _index(self, quality: float | None) -> int:
    """Index of the width of a quality."""
    value = DEFAULT_QUALITY if quality is None else quality
    return round(value / 100 * (len(self.spec.num_bits) - 1))

  def _record(
    self,
    params: np.ndarray,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    num_bits = self.spec.num_bits[t]
    quantised = self._coder.quantise(params, num_bits)
    header = bytes([t]) if len(self.spec.num_bits) > 1 else b""
    payload = self._coder.write(quantised.symbols, num_bits)
    return container.SignalRecord(spec, header, payload, quantised.side, name)

  def _record_within(
    self,
    params: np.ndarray,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    """The widest weights whose file has at most `bpp` bits per pixel."""
    limit = bpp * np.prod(spec.shape[:2]) / 8
    sizes = []
    for t in reversed(range(len(self.spec.num_bits))):
      record = self._record(params, spec, name, t)
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
      and len(leading.payload) <= _COMPACT_BYTES
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
    widths = self.spec.num_bits
    expected = 1 if len(widths) > 1 else 0
    t = record.header[0] if record.header else 0
    if len(record.header) != expected or t >= len(widths):
      raise errors.CorruptBitstreamError(
        f"The stream's codec header {record.header.hex()!r} is not one this "
        "model writes."
      )
    return widths[t]

  def _symbols(
    self, record: container.SignalRecord
  ) -> tuple[coin_weights.Quantised, int]:
    """Rounded weights of a record, and their width."""
    signals.check_image_spec(record.spec, self.channels)
    num_bits = self._num_bits(record)
    symbols = self._coder.read(record.payload, num_bits)
    return coin_weights.Quantised(symbols, record.side), num_bits

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
