"""Classical codecs of signals of any kind behind one small value.

A `SignalCodec` is two callables and a list of settings, a `Comparison` says how
signals of one kind are compared, and `signal_curve` makes a curve of both. What
the codecs are is in `field_codecs`, `shape_codecs` and `audio_codecs`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import (
  metrics,
  overhead,
  rate_distortion,
  signal_errors,
)

SignalT = TypeVar("SignalT")
Array = npt.NDArray[Any]
# One signal may take several: a volume is a file for each slice.
Files = tuple[bytes, ...]


def all_payload(files: Files) -> overhead.Split:
  """Counts every byte as payload: of formats that are not taken apart."""
  return overhead.Split(0, 0, sum(map(len, files)))


@dataclasses.dataclass(frozen=True)
class SignalCodec(Generic[SignalT]):
  """A codec as a value; see `classical.ImageCodec`.

  Attributes:
    name: for legends and tables.
    settings: from the lowest rate to the highest.
    encode: `(signal, setting)` to the files that code it.
    decode: `(files, shape of the signal)` to the signal; a codec whose files
      hold the shape does not look at it.
    split: files to what their bytes are spent on.
  """

  name: str
  settings: tuple[float, ...]
  encode: Callable[[SignalT, float], Files]
  decode: Callable[[Files, tuple[int, ...]], SignalT]
  split: Callable[[Files], overhead.Split] = all_payload

  def rate(self, files: Files, num_places: int) -> rate_distortion.Rate:
    """What files cost, headers included.

    Args:
      files: what `encode` returned.
      num_places: places of the signal: samples, grid points, voxels.

    Returns:
      The rate; a "pixel" is a place (COIN++, footnote 3).
    """
    parts = self.split(files)
    return rate_distortion.Rate(
      num_pixels=num_places,
      total=parts.total,
      header=parts.header,
      side_information=parts.side_information,
      payload=parts.payload,
    )


def _itself(signal: SignalT) -> Sequence[SignalT]:
  return (signal,)


@dataclasses.dataclass(frozen=True)
class Comparison(Generic[SignalT]):
  """How signals of one kind are compared.

  Attributes:
    errors: of `(original, decoded)`.
    num_places: of a signal.
    scores: further numbers of `(original, decoded)` by name, such as accuracy.
    parts: a signal as the equal parts that count one by one, such as the steps
      in time of a series of fields; one by default.
  """

  errors: Callable[[SignalT, SignalT], signal_errors.SignalErrors]
  num_places: Callable[[SignalT], int]
  scores: Mapping[str, Callable[[SignalT, SignalT], float]] = dataclasses.field(
    default_factory=dict
  )
  parts: Callable[[SignalT], Sequence[SignalT]] = _itself


def of_arrays(
  value_range: tuple[float, float] | None = None,
  *,
  unit: str = "",
  scores: Mapping[str, Callable[[Array, Array], float]] | None = None,
  parts: Callable[[Array], Sequence[Array]] = _itself,
) -> Comparison[Array]:
  """Compares arrays `[..., C]` value by value.

  What is NaN in the original is missing and in no error; places count all the
  same, whether or not there is a value.

  Args:
    value_range: whose difference is PSNR's peak; None takes the range of each
      original.
    unit: of the values.
    scores: as `Comparison` has them.
    parts: as `Comparison` has them.
  """

  def errors(original: Array, decoded: Array) -> signal_errors.SignalErrors:
    missing = np.isnan(original)
    return signal_errors.signal_errors(
      original,
      decoded,
      value_range=value_range or own_range(original),
      unit=unit,
      present=~missing if missing.any() else None,
    )

  def num_places(signal: Array) -> int:
    return int(np.prod(signal.shape[:-1]))

  return Comparison(errors, num_places, scores or {}, parts)


def own_range(signal: Array) -> tuple[float, float]:
  """Lowest and highest value, the second above the first in any case.

  Args:
    signal: finite but for NaN, which is skipped; of any shape but empty.
  """
  low, high = float(np.nanmin(signal)), float(np.nanmax(signal))
  return low, high if low < high else low + max(1.0, abs(low))


class Row(NamedTuple):
  """What one signal, or part of one, has at one setting.

  Attributes:
    rate: its share of the files.
    errors: of its values.
    scores: further numbers by name.
  """

  rate: rate_distortion.Rate
  errors: signal_errors.SignalErrors
  scores: dict[str, float]


def measure_signal(
  codec: SignalCodec[SignalT],
  signal: SignalT,
  setting: float,
  comparison: Comparison[SignalT],
) -> list[Row]:
  """Codes, decodes and compares one signal.

  Args:
    codec: any codec.
    signal: what it codes.
    setting: of the codec.
    comparison: how signals of this kind are compared.

  Returns:
    A row for each part of the signal, which share the rate.

  Raises:
    ValueError: for a signal or a setting that the codec refuses.
  """
  files = codec.encode(signal, setting)
  decoded = codec.decode(files, tuple(getattr(signal, "shape", ())))
  pairs = list(
    zip(comparison.parts(signal), comparison.parts(decoded), strict=True)
  )
  rate = codec.rate(files, comparison.num_places(signal)).share(len(pairs))
  return [
    Row(
      rate,
      comparison.errors(before, after),
      {name: of(before, after) for name, of in comparison.scores.items()},
    )
    for before, after in pairs
  ]


def signal_curve(
  codec: SignalCodec[SignalT],
  signals: Iterable[SignalT],
  settings: Sequence[float] | None = None,
  *,
  comparison: Comparison[SignalT],
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over signals at each setting.

  Args:
    codec: any codec.
    signals: at least one; their shapes may differ.
    settings: which; all of the codec's by default.
    comparison: how signals of this kind are compared.
    meta: of the curve.

  Returns:
    One point per setting. `bpp` is bits per place; `extra` has the mean root
    mean square error ("rmse") and the largest error of all ("max_error") in
    the signals' unit, and means of the comparison's scores.
  """
  chosen = tuple(codec.settings if settings is None else settings)
  rows: dict[float, list[Row]] = {setting: [] for setting in chosen}
  for signal in signals:
    for setting in chosen:
      rows[setting] += measure_signal(codec, signal, setting, comparison)
  curve = rate_distortion.aggregate(
    codec.name,
    {
      setting: [signal_errors.measurement(r.errors, r.rate) for r in same]
      for setting, same in rows.items()
    },
    description="mean at fixed settings; bpp is bits per place",
    meta=meta,
  )
  points = tuple(
    dataclasses.replace(point, extra=extras(rows[float(point.setting or 0)]))
    for point in curve.points
  )
  return dataclasses.replace(curve, points=points)


def extras(rows: Sequence[Row]) -> dict[str, float]:
  """Errors in the signals' unit, and scores, over signals.

  Args:
    rows: at least one, with the same scores.
  """
  return {
    "rmse": metrics.mean([row.errors.root_mean_square for row in rows]),
    "max_error": max(row.errors.max_absolute for row in rows),
    **{
      name: metrics.mean([row.scores[name] for row in rows])
      for name in rows[0].scores
    },
  }
