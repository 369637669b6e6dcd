"""Codecs that cut an image into tiles, each of them a signal of its own.

A network fits every tile and evaluates it again, a coder turns what was fitted
into symbols, and the symbols are range coded.
"""

from typing import Any, Protocol

import numpy as np

from inrjax.codec import (
  base,
  container,
  entropy,
  errors,
  request,
  signals,
  tile_network,
  tiling,
)

# The loop that meets a rate tries this many settings at most.
_MAX_TRIALS = 12


class Coder(Protocol):
  """From symbols to bytes and fast parameters. `t` is the setting."""

  @property
  def num_settings(self) -> int:
    """Number of settings; coarse to fine."""
    ...

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L]` fast parameters."""
    ...

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every tile, `[rows, columns]`."""
    ...

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends `[rows, columns, L']` symbols to a stream."""
    ...

  def read(
    self, coder: entropy.Decoder, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """Reads `[rows, columns, L']` symbols."""
    ...

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps."""
    ...


class Fitted(Protocol):
  """An image after the fit."""

  def symbols(self, t: int) -> np.ndarray:
    """`[rows, columns, L']` symbols at a setting."""
    ...


class TiledCodec(base.BaseCodec):
  """The part that codecs of tiles share.

  Attributes:
    spec: the network, the tiles and the fit.
    coder: from symbols to bytes and back.
  """

  spec: tile_network.TileSpec
  coder: Coder
  _network: tile_network.TileNetwork

  @property
  def channels(self) -> int:
    """C of the images it codes."""
    return self.spec.network.out_dim

  @property
  def num_settings(self) -> int:
    """Number of step sizes."""
    return self.coder.num_settings

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every image, `[rows, columns, L']`."""
    return [self._symbols(record)[0] for record in self._unpack(data)]

  def _facts(self, kind: str) -> dict[str, Any]:
    """What `info` says of every codec of tiles."""
    return {
      "model_id": self.model_id,
      "codec": kind,
      "coder": type(self.coder).__name__,
      "channels": self.channels,
      "tile": self.spec.side,
      "values_per_tile": self._network.num_stored,
      "spec": self.spec.to_json(),
      "card": self.card,
    }

  @property
  def _default_shape(self) -> tuple[int, int, int]:
    side = self.spec.image_side or self.spec.side
    return (side, side, self.channels)

  def _record(
    self,
    fitted: Fitted,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    coder = entropy.Encoder()
    self.coder.write(coder, fitted.symbols(t), t)
    return container.SignalRecord(
      spec, self._header(t), coder.finish(), name=name
    )

  def _record_within(
    self,
    fitted: Fitted,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    limit = bpp * np.prod(spec.shape[:2]) / 8
    low, high = 0, self.num_settings - 1
    best, smallest = None, None
    for _ in range(_MAX_TRIALS):
      if low > high:
        break
      t = (low + high + 1) // 2
      record = self._record(fitted, spec, name, t)
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
      and len(records[0].payload) <= base.COMPACT_BYTES
    )
    stream = container.Stream(
      self.model_id, tuple(records), "compact" if compact else "full"
    )
    return container.pack(stream, default_shape=self._default_shape)

  def _unpack(self, data: bytes) -> list[container.SignalRecord]:
    stream = container.unpack(
      data, model_id=self.model_id, default_shape=self._default_shape
    )
    return list(stream.signals)

  def _symbols(self, record: container.SignalRecord) -> tuple[np.ndarray, int]:
    """Symbols and setting of a record."""
    t = self._setting(record)
    if record.side:
      raise errors.CorruptBitstreamError(
        f"The stream has {len(record.side)} bytes of side information, this "
        "model writes none."
      )
    height, width = signals.check_image_spec(record.spec, self.channels)
    grid = tiling.tile_grid((height, width, self.channels), self.spec.side)
    coder = entropy.Decoder(record.payload)
    symbols = self.coder.read(coder, grid, t)
    coder.finish()
    return symbols, t

  def _estimate(self, record: container.SignalRecord) -> float:
    symbols, t = self._symbols(record)
    return float(self.coder.cost(symbols.astype(np.int64), t).sum())

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
    if not np.all(np.isfinite(values)):
      raise errors.CorruptBitstreamError(
        "The symbols give values that are not finite: the stream is damaged."
      )
    values = values.reshape(*count, *values.shape[1:])
    return signals.from_unit(
      tiling.assemble(values, rows, columns), record.spec
    )
