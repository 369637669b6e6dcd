"""The image codec of a modulated network: arrays to bytes and back.

An image is cut into tiles, the inner loop fits the network's modulations to
each, a latent coder turns them into symbols, and the symbols are range coded.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import (
  coders,
  container,
  entropy,
  errors,
  model_file,
  request,
  signals,
  tile_encoder,
  tile_network,
  tiling,
)
from inrjax.codec import spec as spec_lib
from inrjax.meta import method as method_lib

# One signal of at most this many payload bytes takes the compact profile.
_COMPACT_BYTES = 4096
DEFAULT_QUALITY = 50
EFFORTS = tuple(tile_encoder.EFFORTS)
# The loop that meets a rate tries this many step indices at most.
_MAX_TRIALS = 12


class RateParts(NamedTuple):
  """Where the bytes of one signal go.

  Attributes:
    total: bytes, the shares of the container's header included.
    header: of these, everything but the next two.
    side: side information.
    payload: coded symbols.
    estimated_bits: cost of the symbols under the entropy model.
  """

  total: float
  header: float
  side: int
  payload: int
  estimated_bits: float


class ImageCodec:
  """Compresses images with one model, at a range of rates."""

  def __init__(
    self,
    spec: spec_lib.ModulatedSpec,
    outer: method_lib.Outer,
    coder: coders.Coder,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together; see `fitting.fit_codec` for making one.

    Args:
      spec: network and inner loop.
      outer: what training learned.
      coder: from fast parameters to bytes.
      card: JSON values that describe the model to its users.
      model_id: identity of the model, computed if not known.
    """
    self.spec = spec
    self.coder = coder
    self.card = dict(card or {})
    self._outer = outer
    self._network = tile_network.TileNetwork(spec, outer)
    self.model_id = model_id or model_file.to_bytes(*self._content())[1]

  @property
  def channels(self) -> int:
    """C of the images it codes."""
    return self.spec.network.out_dim

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return {
      "model_id": self.model_id,
      "codec": "modulated",
      "coder": type(self.coder).__name__,
      "channels": self.channels,
      "tile": self.spec.side,
      "values_per_tile": self._network.num_stored,
      "spec": self.spec.to_json(),
      "card": self.card,
    }

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes the model file; raises `OutputFileError` if it cannot."""
    model_file.save_model(path, *self._content())

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
      quality: 0 (coarsest) to 100; `DEFAULT_QUALITY` if no rate is given.
      bpp: highest rate in bits per pixel of every image, as the length of a
        file of its own.
      effort: `fast`, `medium` or `slow`.

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
      encoder = tile_encoder.TileEncoder(
        self._network, self.coder, unit, effort
      )
      if bpp is None:
        records.append(self._record(encoder, spec, name, self._index(quality)))
      else:
        records.append(self._record_within(encoder, spec, name, bpp))
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
      region: (y0, x0, y1, x1) in pixels of the coded image; only the tiles
        that it touches are evaluated.

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
    stream = self._unpack(data)
    return [
      (record.name, self._decode(record, scale, region))
      for record in stream.signals
    ]

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every image, `[rows, columns, L']`."""
    return [self._symbols(r)[0] for r in self._unpack(data).signals]

  def rates(self, data: bytes) -> list[RateParts]:
    """Where the bytes go, image by image."""
    stream = self._unpack(data)
    coded = sum(len(r.payload) + len(r.side) for r in stream.signals)
    header = (len(data) - coded) / len(stream.signals)
    parts = []
    for record in stream.signals:
      symbols, t = self._symbols(record)
      payload, side = len(record.payload), len(record.side)
      estimate = float(self.coder.cost(symbols.astype(np.int64), t).sum())
      parts.append(
        RateParts(header + payload + side, header, side, payload, estimate)
      )
    return parts

  def _content(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = {
      "codec": "modulated",
      "spec": self.spec.to_json(),
      "card": self.card,
    }
    learned = {k: tree for k, tree in self._outer._asdict().items() if tree}
    return config, self.coder.arrays() | model_file.flatten(learned, "outer")

  @property
  def _default_shape(self) -> tuple[int, int, int]:
    side = self.spec.image_side or self.spec.side
    return (side, side, self.channels)

  def _index(self, quality: float | None) -> int:
    """Step index of a quality."""
    value = DEFAULT_QUALITY if quality is None else quality
    return round(value / 100 * (self.coder.num_settings - 1))

  def _record(
    self,
    encoder: tile_encoder.TileEncoder,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    coder = entropy.Encoder()
    self.coder.write(coder, encoder.symbols(t), t)
    header = bytes([t]) if self.coder.num_settings > 1 else b""
    return container.SignalRecord(spec, header, coder.finish(), name=name)

  def _record_within(
    self,
    encoder: tile_encoder.TileEncoder,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    """The finest setting whose file has at most `bpp` bits per pixel."""
    limit = bpp * np.prod(spec.shape[:2]) / 8
    low, high = 0, self.coder.num_settings - 1
    best, smallest = None, None
    for _ in range(_MAX_TRIALS):
      if low > high:
        break
      t = (low + high + 1) // 2
      record = self._record(encoder, spec, name, t)
      size = len(self._pack([record]))
      smallest = size if smallest is None else min(size, smallest)
      if size <= limit:
        best, low = record, t + 1
      else:
        high = t - 1
    if best is None:
      raise errors.CodecError(
        f"{bpp:g} bpp are {limit:.0f} bytes, the coarsest setting takes "
        f"{smallest}: ask for a higher rate."
      )
    return best

  def _pack(self, records: list[container.SignalRecord]) -> bytes:
    compact = (
      len(records) == 1
      and records[0].name is None
      and len(records[0].payload) <= _COMPACT_BYTES
    )
    stream = container.Stream(
      self.model_id, tuple(records), "compact" if compact else "full"
    )
    return container.pack(stream, default_shape=self._default_shape)

  def _unpack(self, data: bytes) -> container.Stream:
    return container.unpack(
      data, model_id=self.model_id, default_shape=self._default_shape
    )

  def _symbols(self, record: container.SignalRecord) -> tuple[np.ndarray, int]:
    """Symbols and step index of a record."""
    settings = self.coder.num_settings
    expected = 1 if settings > 1 else 0
    t = record.header[0] if record.header else 0
    if len(record.header) != expected or t >= settings or record.side:
      raise errors.CorruptBitstreamError(
        f"The stream's codec header {record.header.hex()!r} is not one this "
        "model writes."
      )
    height, width = signals.check_image_spec(record.spec, self.channels)
    grid = tiling.tile_grid((height, width, self.channels), self.spec.side)
    coder = entropy.Decoder(record.payload)
    symbols = self.coder.read(coder, grid, t)
    coder.finish()
    return symbols, t

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
    symbols, t = self._symbols(record)
    side = self.spec.side
    rows = tiling.sample_axis(height, side, scale=scale, start=y0, stop=y1)
    columns = tiling.sample_axis(width, side, scale=scale, start=x0, stop=x1)
    chosen = symbols[np.ix_(rows.tiles, columns.tiles)]
    fast = self.coder.dequantise(chosen.reshape(-1, chosen.shape[-1]), t)
    count = (len(rows.tiles), len(columns.tiles))
    values = self._network.values(
      fast,
      np.repeat(rows.positions, count[1], axis=0),
      np.tile(columns.positions, (count[0], 1)),
    )
    values = values.reshape(*count, *values.shape[1:])
    return signals.from_unit(
      tiling.assemble(values, rows, columns), record.spec
    )
