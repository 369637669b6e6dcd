"""How near fits of signals come to them, before and after quantisation."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from experiments import build, evaluation, picture_quality, test_time
from inrjax.adapt import loop
from inrjax.codec import grid_codec, grid_network, kinds
from inrjax.coords import masked, patches_nd
from inrjax.evaluate import lpips, signal_errors
from inrjax.meta import method as method_lib
from inrjax.types import Array, Context

# Of the statistics of fixed widths: blocks, and half the range in standard
# deviations.
_MAX_TRAINING_BLOCKS = 4096
_NUM_DEVIATIONS = 3.0


class Fitted(NamedTuple):
  """The fit of one signal.

  Attributes:
    psnrs: `[steps + 1]`, before every step and after the last.
    values: what the last step has led to, of the signal's shape, in [0, 1].
  """

  psnrs: npt.NDArray[np.float32]
  values: npt.NDArray[np.float32]


# Of what training learned and signals; see `make_fit`.
Fit = Callable[[method_lib.Outer, Any], Iterator[Fitted]]


def of_fits(
  network: grid_network.GridNetwork,
  units: Iterable[np.ndarray],
  coords: np.ndarray,
  *,
  kind: str,
) -> evaluation.Record:
  """Means over signals of what fits reach, nothing quantised.

  Args:
    network: of the codec.
    units: signals `[*shape, C]` in [0, 1], NaN where a value is missing.
    coords: `[N, D]` of a block, or of a whole field.
    kind: of the signals.

  Returns:
    "psnr" of the values that are there, with 1 as peak; and what `of_kind`
    gives.
  """
  rows = []
  for unit in units:
    blocks = to_blocks(network, unit, len(coords))
    fast = fit_blocks(network, blocks, coords)
    rows.append(_row(network, unit, fast, coords, kind))
  return means(rows)


def of_mean(
  training: Iterable[kinds.Signal],
  signals: Sequence[kinds.Signal],
  *,
  value_range: tuple[float, float],
) -> evaluation.Record:
  """How near the mean of the training signals comes, without a bit.

  What a learned codec knows of fields on one grid begins with their mean, which
  a codec of images does not know.

  Args:
    training: signals of one shape, NaN where a value is missing.
    signals: those of the test, of the same shape.
    value_range: whose extent is PSNR's peak.

  Returns:
    "psnr" and "rmse", means over the signals.
  """
  total = np.zeros(signals[0].values.shape)
  count = np.zeros(signals[0].values.shape)
  for one in training:  # One at a time: there may be many.
    total += np.nan_to_num(one.values)
    count += np.isfinite(one.values)
  mean = total / np.maximum(count, 1)
  rows = []
  for one in signals:
    found = signal_errors.signal_errors(
      one.values,
      mean,
      value_range=value_range,
      present=np.isfinite(one.values),
    )
    rows.append({"psnr": found.psnr, "rmse": found.root_mean_square})
  return means(rows)


def fixed_width(
  network: grid_network.GridNetwork,
  training: Iterable[np.ndarray],
  units: Sequence[np.ndarray],
  coords: np.ndarray,
  *,
  kind: str,
  num_bits: Sequence[int],
  seed: int,
) -> list[evaluation.Record]:
  """Rates and errors as the papers have them (COIN++, C.3.3 to C.3.5).

  Every fitted value is rounded to b bits between 3 standard deviations on
  either side of its mean, both over fits of training signals. Rates are no
  files': they count the values alone.

  Differs from the paper: statistics are of some thousand blocks, drawn evenly
  from the training signals, where it takes all.

  Args:
    network: of the codec.
    training: training signals `[*shape, C]` in [0, 1].
    units: the signals that are measured, likewise.
    coords: `[N, D]` of a block, or of a whole field.
    kind: of the signals.
    num_bits: values of b.
    seed: of the choice of training blocks.

  Returns:
    One record for each b: "nominal_bpp" counts b bits for each value and place,
    "estimated_bpp" the cross-entropy under the training values' distribution;
    and what `of_fits` gives.
  """
  rng = np.random.default_rng(seed)
  chosen = []
  given = [to_blocks(network, unit, len(coords)) for unit in training]
  share = -(-_MAX_TRAINING_BLOCKS // max(1, len(given)))
  for blocks in given:
    some = np.sort(rng.permutation(len(blocks))[:share])
    chosen.append(fit_blocks(network, blocks[some], coords))
  known = np.concatenate(chosen)
  found = [
    fit_blocks(network, to_blocks(network, unit, len(coords)), coords)
    for unit in units
  ]
  num_places = sum(unit[..., 0].size for unit in units)
  records = []
  for bits in num_bits:
    rounded = evaluation.fixed_width(
      known, num_bits=bits, num_deviations=_NUM_DEVIATIONS
    )
    values, costs = zip(*map(rounded, found), strict=True)
    rows = [
      _row(network, unit, one, coords, kind)
      for unit, one in zip(units, values, strict=True)
    ]
    records.append(
      {
        "num_bits": bits,
        "nominal_bpp": bits * sum(one.size for one in found) / num_places,
        "estimated_bpp": float(sum(one.sum() for one in costs) / num_places),
      }
      | means(rows)
    )
  return records


def _row(
  network: grid_network.GridNetwork,
  unit: np.ndarray,
  fast: np.ndarray,
  coords: np.ndarray,
  kind: str,
) -> evaluation.Record:
  """What fast parameters `[n, L]` of a signal's blocks make of it."""
  decoded = from_blocks(network, network.values(fast, coords), unit.shape)
  found = signal_errors.signal_errors(
    unit, decoded, value_range=(0, 1), present=present_of(unit)
  )
  return {"psnr": found.psnr} | of_kind(kind, unit, decoded)


def to_blocks(
  network: grid_network.GridNetwork, unit: np.ndarray, num_points: int
) -> np.ndarray:
  """The blocks `[n, N, C]` of a signal `[*shape, C]`."""
  blocks = patches_nd.to_blocks(unit, network.spec.sides or unit.shape[:-1])
  flat: np.ndarray = blocks.reshape(len(blocks), num_points, -1)
  return flat


def from_blocks(
  network: grid_network.GridNetwork, values: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
  """The signal of that shape `[*shape, C]` of blocks `[n, N, C]`."""
  sides = network.spec.sides or shape[:-1]
  blocks = values.reshape(len(values), *sides, shape[-1])
  return patches_nd.from_blocks(blocks, shape[:-1])


def fit_blocks(
  network: grid_network.GridNetwork, blocks: np.ndarray, coords: np.ndarray
) -> np.ndarray:
  """Fast parameters `[n, L]` of blocks, of what is not missing of them.

  Args:
    network: of the codec.
    blocks: `[n, N, C]` in [0, 1]; NaN where a value is missing, of any channel.
    coords: `[N, D]`.
  """
  there = present_of(blocks)
  if there is None:
    return network.fit(blocks, coords)
  filled = np.where(there, blocks, np.float32(0))
  return network.fit(filled, coords, present=there[..., 0])


def present_of(values: np.ndarray) -> npt.NDArray[np.bool_] | None:
  """Where values `[..., C]` are, in all channels; None if none is missing.

  Args:
    values: of any type; NaN is missing.

  Returns:
    `[..., 1]`, or None.
  """
  missing = np.isnan(values).any(axis=-1, keepdims=True)
  return ~missing if missing.any() else None


def of_files(
  codec: grid_codec.GridCodec,
  signals: Sequence[kinds.Signal],
  *,
  quality: float,
  effort: str,
) -> evaluation.Record:
  """Rate of one file of all signals, and errors, at one quality.

  Args:
    codec: the codec.
    signals: what is compressed; fields on one grid are steps in time of one
      signal, as in their files.
    quality: 0 to 100.
    effort: of the encoder.

  Returns:
    Bits per place with and without headers and metadata; means over the signals
    of PSNR, with the model's range as peak, and of the error in their unit; the
    largest error of all; and what `of_kind` gives. Places count
    whether or not their value is missing, errors only where there is one; the
    mask of what is missing is among the metadata.
  """
  together = _stacked(signals)
  encoded = codec.compress_signals(together, quality=quality, effort=effort)
  rows, largest = [], 0.0
  decoded = codec.decompress_signals(encoded)
  for before, after in zip(together, decoded, strict=True):
    plan = codec.plan(codec.check_signal(before), before.metadata)
    pairs = (s.values.reshape(plan.shape) for s in (before, after))
    for original, result in zip(*pairs, strict=True):
      found = signal_errors.signal_errors(
        original,
        result,
        value_range=plan.interval,
        present=present_of(original),
      )
      largest = max(largest, found.max_absolute)
      rows.append(
        {"psnr": found.psnr, "rmse": found.root_mean_square}
        | of_kind(before.kind, original, result)
      )
  num_places = sum(s.values.size for s in signals) / codec.channels
  rates = codec.rates(encoded)
  return {
    "quality": quality,
    "bpp": 8 * len(encoded) / num_places,
    "payload_bpp": 8 * sum(r.payload for r in rates) / num_places,
    **means(rows),
    "max_error": largest,
  }


@build.of_config()
def make_fit(
  config: build.Section,
  method: method_lib.Method,
  coords: np.ndarray,
  *,
  gradient: str,
) -> Fit:
  """Fits of all weights by inner steps, as methods with long ones are tested.

  Args:
    config: the whole config; `evaluate.fit` says how many steps.
    method: the method as trained.
    coords: `[N, D]`.
    gradient: see `test_time.make_method`.

  Returns:
    A function of what training learned and signals `[*shape, C]` in [0, 1], of
    N points each and NaN where a value is missing, to the fit of each.
  """
  part = test_time.make_method(config, method, gradient)
  points = jnp.asarray(coords)
  task_tile = config["outer"]["task_tile"]
  per_call = config["evaluate"]["signals_per_call"]
  # Nothing is drawn: a fit sees all points.
  key = jax.random.key(config["seed"])

  @functools.partial(jax.jit, static_argnums=2)
  def fit(outer: method_lib.Outer, values: Any, some_missing: bool) -> Any:
    def one(signal: Array) -> tuple[Array, Array]:
      context: Any = Context(points, signal)
      if some_missing:
        context = masked.masked_context(points, signal)
      adapted = part.adapt(key, outer, {}, context)
      decoded = test_time.decode(part, outer.shared, adapted.fast, points)
      return adapted.losses, decoded

    return loop.over_signals(one, task_tile=task_tile)(values)

  # The method keeps arrays of its own; they must not be made in a trace.
  assert method.partition and part.partition

  def fits(outer: method_lib.Outer, units: Any) -> Iterator[Fitted]:
    for start in range(0, len(units), per_call):
      some = [units[i] for i in range(start, min(start + per_call, len(units)))]
      values = np.stack([unit.reshape(len(coords), -1) for unit in some])
      some_missing = bool(np.isnan(values).any())
      losses, decoded = jax.device_get(fit(outer, values, some_missing))
      for unit, loss, one in zip(some, losses, decoded, strict=True):
        yield Fitted(-10 * np.log10(loss), one.reshape(unit.shape))

  return fits


def of_kind(
  kind: str,
  original: np.ndarray,
  decoded: np.ndarray,
  weights: lpips.LpipsWeights | None = None,
) -> evaluation.Record:
  """What only signals of one kind are measured by.

  Args:
    kind: of the signal.
    original: `[*shape, C]`.
    decoded: of the same shape; of occupancy, above one half is occupied.
    weights: of LPIPS, or None.

  Returns:
    Of occupancy "accuracy" and "intersection_over_union"; of clips the means
    over frames of `picture_quality.of_clip`.
  """
  if kind == "video":
    return picture_quality.of_clip(original, decoded, weights)
  if kind != "occupancy":
    return {}
  union = signal_errors.intersection_over_union(original, decoded)
  return {
    "accuracy": signal_errors.voxel_accuracy(original, decoded),
    "intersection_over_union": union,
  }


def means(rows: Sequence[evaluation.Record]) -> evaluation.Record:
  """Means of records with the same entries."""
  return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}


def _stacked(signals: Sequence[kinds.Signal]) -> Sequence[kinds.Signal]:
  """Fields on one grid as one signal; others as they are."""
  first = signals[0]
  if first.kind != "field" or any(
    s.metadata != first.metadata for s in signals
  ):
    return signals
  metadata = {**first.metadata, "dims": ["time", *first.metadata["dims"]]}
  values = np.stack([signal.values for signal in signals])
  return [first._replace(values=values, metadata=metadata)]
