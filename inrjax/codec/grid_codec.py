"""A codec of sound, fields, volumes and arrays: signals to bytes and back.

As COIN++ (thesis ch. 5) does it: a signal is cut into blocks of one, two or
three axes (or is a whole field on the sphere), the inner loop fits the
modulations of a network to each, and these are quantised and range coded.
Beyond the paper: one model serves a range of rates, codes are those of
`transform`, metadata of the signal's file are kept, values may be missing, and
corrections can guarantee a largest error.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import (
  base,
  container,
  entropy,
  errors,
  grid_coder,
  grid_network,
  grid_plan,
  grid_record,
  grid_spec,
  kinds,
  model_check,
  model_file,
  request,
  residuals,
  side_info,
)
from inrjax.meta import method as method_lib

# Inner steps beyond the model's own; of several fits a block takes the best.
EFFORTS: dict[str, tuple[int, ...]] = {
  "fast": (0,),
  "medium": (0, 7),
  "slow": (0, 7, 47),
}
DEFAULT_QUALITY = 50
_MAX_TRIALS = 8
# Every how many settings one is tried where corrections follow.
_STRIDE = 6


class _Fitted(NamedTuple):
  """A signal after the fit.

  Attributes:
    signal: as it came.
    plan: how it is cut.
    fast: `[n, L]`.
    present: mask, see `side_info`.
    side: metadata and mask as bytes.
    max_error: to keep, or None.
  """

  signal: kinds.Signal
  plan: grid_plan.Plan
  fast: np.ndarray
  present: np.ndarray | None
  side: bytes
  max_error: float | None


class GridCodec(base.BaseCodec):
  """Compresses signals that are no images, with one modulated network.

  Attributes:
    spec: network, blocks and fit.
    coder: from fast parameters to bytes.
  """

  efforts = tuple(EFFORTS)
  default_quality = DEFAULT_QUALITY

  def __init__(
    self,
    spec: grid_spec.GridSpec,
    outer: method_lib.Outer,
    coder: grid_coder.GridCoder,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together; see `grid_fit.fit_grid_codec` for making one.

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
    self._network = grid_network.GridNetwork(spec, outer)
    self.model_id = model_id or model_file.to_bytes(*self._model())[1]

  @property
  def channels(self) -> int:
    """C of the signals it codes."""
    return self.spec.network.out_dim

  @property
  def num_settings(self) -> int:
    """Number of step sizes."""
    return self.coder.num_settings

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return {
      "model_id": self.model_id,
      "codec": "grid",
      "kinds": list(self.spec.kinds),
      "channels": self.channels,
      "values_per_block": self._network.num_stored,
      "spec": self.spec.to_json(),
      "card": self.card,
    }

  def compress_signals(
    self,
    signals: Sequence[kinds.Signal],
    *,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
    max_error: float | None = None,
  ) -> bytes:
    """Compresses signals into one container.

    Args:
      signals: of the kinds, the unit and the sample rate of the model.
      quality: 0 (coarsest) to 100; `default_quality` if no rate is given.
      bpp: highest rate of every signal in bits per place (a sample, a pixel, a
        voxel), as the length of a file of its own.
      effort: `fast`, `medium` or `slow`.
      max_error: largest absolute error of any value, in the unit of the values;
        corrections are stored that keep it. 0 is lossless, for integers. Not
        together with bpp; without a quality the one of the smallest file.

    Returns:
      The bytes of an `.inr` file.

    Raises:
      UnsupportedSignalError: for a signal the model does not code, or a
        largest error that its type does not resolve.
      CodecError: if the rate cannot be reached.
      ValueError: for arguments out of range.
    """
    request.check_compression(
      signals,
      names=None,
      quality=quality,
      bpp=bpp,
      effort=effort,
      efforts=self.efforts,
    )
    if bpp is not None and max_error is not None:
      raise ValueError("Give bpp or max_error, not both.")
    checked = [kinds.checked(signal) for signal in signals]
    specs = [self.check_signal(signal) for signal in checked]
    request.check_total(specs)
    records = []
    for signal, spec in zip(checked, specs, strict=True):
      name = signal.name and container.safe_name(signal.name, signal.kind)
      fitted = self._fit_signal(signal, spec, effort, max_error)
      if bpp is not None:
        records.append(self._record_within(fitted, spec, name, bpp))
      elif max_error is not None and quality is None:
        records.append(self._smallest_record(fitted, spec, name))
      else:
        t = self._index(quality)
        records.append(self._record(fitted, spec, name, t))
    return self._pack(records)

  def decompress_signals(self, data: bytes) -> list[kinds.Signal]:
    """Decodes a container.

    Returns:
      Signals with the names, types, metadata and missing values of those that
      went in.

    Raises:
      CorruptBitstreamError: if the bytes are damaged.
      WrongModelError: if they belong to another model.
    """
    return [self._decode_signal(record) for record in self._unpack(data)]

  def compress_many(
    self,
    arrays: Sequence[np.ndarray],
    *,
    names: Sequence[str] | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """Compresses arrays, for models that serve the kind `array`.

    Arguments and errors are those of `compress_signals`.
    """
    if names is not None and len(names) != len(arrays):
      raise ValueError(f"{len(names)} names for {len(arrays)} arrays.")
    given: Sequence[str | None] = names or [None] * len(arrays)
    signals = [
      kinds.Signal("array", np.asarray(array), name=name)
      for array, name in zip(arrays, given, strict=True)
    ]
    return self.compress_signals(
      signals, quality=quality, bpp=bpp, effort=effort
    )

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every signal, `[blocks, L']`."""
    return [self._read(record).symbols for record in self._unpack(data)]

  def check_signal(self, signal: kinds.Signal) -> container.SignalSpec:
    """The specification of a signal that the model codes.

    Args:
      signal: checked by `kinds.checked`.

    Raises:
      UnsupportedSignalError: if it does not code it.
    """
    name = signal.name or f"The {signal.kind}"
    if signal.kind not in self.spec.kinds:
      raise errors.UnsupportedSignalError(
        f"{name} is of kind {signal.kind}, and the model serves "
        f"{', '.join(self.spec.kinds)}: use a model for its kind."
      )
    if self.spec.unit and signal.unit != self.spec.unit:
      raise errors.UnsupportedSignalError(
        f"{name} is in {signal.unit or 'no unit'}, and the model codes values "
        f"in {self.spec.unit}: convert the values, or use another model."
      )
    rate = self.spec.sample_rate
    if rate is not None and signal.metadata.get("rate") != rate:
      raise errors.UnsupportedSignalError(
        f"{name} has {signal.metadata.get('rate')} samples a second, the model "
        f"{rate}: resample it (on the command line, --convert), or use another "
        "model."
      )
    shape = signal.values.shape
    if grid_plan.arranged(self.spec, shape) is None:
      raise errors.UnsupportedSignalError(
        f"{name} has shape {shape}, the model codes {self.spec.num_axes} axes "
        f"and {self.channels} channel(s)."
      )
    value_range = kinds.own_range(signal.kind, signal.values)
    return container.SignalSpec(
      signal.kind, shape, signal.values.dtype.name, value_range
    )

  def plan(self, spec: container.SignalSpec, metadata: Any) -> grid_plan.Plan:
    """How a signal is cut; see `grid_plan.make_plan`."""
    return grid_plan.make_plan(
      self.spec, spec, metadata, num_codes=self.coder.num_codes
    )

  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = {"codec": "grid", "spec": self.spec.to_json(), "card": self.card}
    learned = {k: tree for k, tree in self._outer._asdict().items() if tree}
    return config, self.coder.arrays() | model_file.flatten(learned, "outer")

  def _fit_signal(
    self,
    signal: kinds.Signal,
    spec: container.SignalSpec,
    effort: str,
    max_error: float | None,
  ) -> _Fitted:
    plan = self.plan(spec, signal.metadata)
    if max_error is not None:
      grid_record.limits(plan, max_error)
    present = side_info.present_of(signal.values, plan.grid)
    side = side_info.write(side_info.SideInfo(signal.metadata, present))
    blocks, masks = grid_plan.to_blocks(plan, signal.values, present)
    fits = np.stack(
      [
        self._network.fit(blocks, plan.coords, present=masks, extra_steps=extra)
        for extra in EFFORTS[effort]
      ]
    )
    found = [self._error(fit, blocks, masks, plan) for fit in fits]
    best = np.argmin(found, axis=0)
    if not np.isfinite(np.min(found, axis=0)).all():
      raise errors.UnsupportedSignalError(
        f"The fit to {signal.name or 'the ' + signal.kind} diverges: its values"
        f" are from {spec.interval}, the model's from {plan.interval}."
      )
    fast = fits[best, np.arange(len(best))]
    return _Fitted(signal, plan, fast, present, side, max_error)

  def _error(
    self,
    fast: np.ndarray,
    blocks: np.ndarray,
    masks: np.ndarray | None,
    plan: grid_plan.Plan,
  ) -> np.ndarray:
    """`[n]` squared errors; infinite where a fit diverged."""
    values = self._network.values(fast, plan.coords)
    with np.errstate(over="ignore", invalid="ignore"):
      squares = np.square(values - blocks)
      if masks is not None:
        squares = np.where(masks[..., np.newaxis], squares, 0)
      total = squares.sum(axis=(1, 2))
    return np.where(np.isfinite(total), total, np.inf)

  def _predict(
    self, symbols: np.ndarray, t: int, plan: grid_plan.Plan
  ) -> np.ndarray:
    """`[signals, *grid, C]` float64 in the signal's unit."""
    fast = self.coder.dequantise(symbols, t)
    unit = self._network.values(fast, plan.coords)
    if not np.isfinite(unit).all():
      raise errors.CorruptBitstreamError(
        "The symbols give values that are not finite: the stream is damaged."
      )
    return grid_plan.from_blocks(plan, unit)

  def _record(
    self,
    fitted: _Fitted,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    coder = entropy.Encoder()
    symbols = self.coder.quantise(fitted.fast, t)
    self.coder.write(coder, symbols, t)
    header = grid_record.header(t, fitted.max_error)
    if fitted.max_error is not None:
      corrections = self._corrections(fitted, symbols, t)
      residuals.write(coder, corrections, self.coder.tables)
    return container.SignalRecord(
      spec, header, coder.finish(), fitted.side, name
    )

  def _corrections(
    self, fitted: _Fitted, symbols: np.ndarray, t: int
  ) -> np.ndarray:
    """`[values present]` symbols that keep the bound, which is checked."""
    plan, max_error = fitted.plan, fitted.max_error
    assert max_error is not None
    limits = grid_record.limits(plan, max_error)
    there = grid_plan.places(plan, fitted.present)
    predicted = self._predict(symbols, t, plan)[there]
    original = fitted.signal.values.reshape(plan.shape)[there]
    corrections = residuals.quantise(original, predicted, limits)
    decoded = grid_plan.typed(plan, predicted + limits.step * corrections)
    difference = original.astype(np.float64) - decoded.astype(np.float64)
    largest = float(np.abs(difference).max())
    if largest > max_error:
      raise errors.CodecError(
        f"The largest error is {largest:g}, above {max_error:g}, in spite of "
        "the corrections; allow a larger one."
      )
    return corrections

  def _record_within(
    self,
    fitted: _Fitted,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    limit = bpp * fitted.plan.num_places / 8
    low, high = 0, self.num_settings - 1
    best, smallest = None, math.inf
    for _ in range(_MAX_TRIALS):
      if low > high:
        break
      t = (low + high + 1) // 2
      record = self._record(fitted, spec, name, t)
      size = len(self._pack([record]))
      smallest = min(size, smallest)
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

  def _smallest_record(
    self, fitted: _Fitted, spec: container.SignalSpec, name: str | None
  ) -> container.SignalRecord:
    """Of some settings the one whose corrections make up for most."""
    tried = [
      self._record(fitted, spec, name, t)
      for t in range(0, self.num_settings, _STRIDE)
    ]
    return min(tried, key=lambda record: len(record.payload))

  def _pack(self, records: list[container.SignalRecord]) -> bytes:
    compact = (
      len(records) == 1
      and records[0].name is None
      and not records[0].side
      and len(records[0].header) == 1
      and len(records[0].payload) <= base.COMPACT_BYTES
    )
    profile = "compact" if compact else "full"
    return container.pack(
      container.Stream(self.model_id, tuple(records), profile)
    )

  def _unpack(self, data: bytes) -> list[container.SignalRecord]:
    return list(container.unpack(data, model_id=self.model_id).signals)

  def _read(self, record: container.SignalRecord) -> grid_record.Content:
    return grid_record.read(record, self.spec, self.coder)

  def _estimate(self, record: container.SignalRecord) -> float:
    content = self._read(record)
    symbols = content.symbols.astype(np.int64)
    bits = float(self.coder.cost(symbols, content.t).sum())
    if content.corrections is not None:
      corrections = content.corrections.astype(np.int64)
      bits += residuals.cost(corrections, self.coder.tables)
    return bits

  def _decode_signal(self, record: container.SignalRecord) -> kinds.Signal:
    content = self._read(record)
    plan, info = content.plan, content.info
    values = self._predict(content.symbols, content.t, plan)
    there = grid_plan.places(plan, info.present)
    if content.limits is not None and content.corrections is not None:
      values[there] += content.limits.step * content.corrections
    typed = grid_plan.typed(plan, values)
    if info.present is not None:
      typed[~there] = np.nan
    attributes = info.metadata.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    return kinds.Signal(
      record.spec.kind,
      typed.reshape(record.spec.shape),
      info.metadata,
      str(attributes.get("units", "")),
      record.name,
    )

  def _decode(
    self,
    record: container.SignalRecord,
    scale: float,
    region: tuple[int, int, int, int] | None,
  ) -> np.ndarray:
    if scale != 1 or region is not None:
      raise errors.CodecError(
        "Scales and regions are for images; decode the whole signal."
      )
    return self._decode_signal(record).values

  def _fit(self, unit: np.ndarray, effort: str) -> Any:
    raise NotImplementedError  # `compress_many` goes its own way.


def from_model_file(content: model_file.ModelFile) -> GridCodec:
  """The codec of a model file's content.

  Raises:
    LookupError, TypeError, ValueError: if a part is missing or unusable.
  """
  spec = grid_spec.from_json(content.config["spec"])
  trees = model_file.unflatten(content.arrays, "outer")
  outer = method_lib.Outer(
    *(trees.get(name, {}) for name in method_lib.Outer._fields)
  )
  model_check.check_outer(spec, outer)
  num_stored = grid_network.GridNetwork(spec, outer).num_stored
  return GridCodec(
    spec,
    outer,
    grid_coder.from_arrays(content.arrays, num_stored),
    card=content.config.get("card", {}),
    model_id=content.model_id,
  )
