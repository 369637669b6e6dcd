"""How near fits of signals come to them, before and after quantisation."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from experiments import build, evaluation, test_time
from inrjax.adapt import loop
from inrjax.codec import grid_codec, grid_network, kinds
from inrjax.coords import patches_nd
from inrjax.evaluate import signal_errors
from inrjax.meta import method as method_lib
from inrjax.types import Array, Context

# `(outer, signals) -> PSNR [n, steps + 1]`, see `make_fit`.
Fit = Callable[[method_lib.Outer, Any], npt.NDArray[np.float32]]


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
    units: signals `[*shape, C]` in [0, 1].
    coords: `[N, D]` of a block, or of a whole field.
    kind: of the signals.

  Returns:
    "psnr", with 1 as peak; of occupancy also what `of_cells` gives.
  """
  rows = []
  for unit in units:
    shape = unit.shape[:-1]
    blocks = patches_nd.to_blocks(unit, network.spec.sides or shape)
    flat = blocks.reshape(len(blocks), len(coords), -1)
    values = network.values(network.fit(flat, coords), coords)
    decoded = patches_nd.from_blocks(values.reshape(blocks.shape), shape)
    found = signal_errors.signal_errors(unit, decoded, value_range=(0, 1))
    rows.append({"psnr": found.psnr} | of_cells(kind, unit, decoded))
  return _means(rows)


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
    largest error of all; of occupancy also what `of_cells` gives.
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
        original, result, value_range=plan.interval
      )
      largest = max(largest, found.max_absolute)
      rows.append(
        {"psnr": found.psnr, "rmse": found.root_mean_square}
        | of_cells(before.kind, original, result)
      )
  num_places = sum(s.values.size for s in signals) / codec.channels
  rates = codec.rates(encoded)
  return {
    "quality": quality,
    "bpp": 8 * len(encoded) / num_places,
    "payload_bpp": 8 * sum(r.payload for r in rates) / num_places,
    **_means(rows),
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
    N places each, to the PSNR `[n, steps + 1]` of each before every step and
    after the last.
  """
  part = test_time.make_method(config, method, gradient)
  points = jnp.asarray(coords)
  task_tile = config["outer"]["task_tile"]
  per_call = config["evaluate"]["signals_per_call"]
  # Nothing is drawn: a fit sees all points.
  key = jax.random.key(config["seed"])

  @jax.jit
  def fit(outer: method_lib.Outer, values: Any) -> Any:
    def one(signal: Array) -> Array:
      return part.adapt(key, outer, {}, Context(points, signal)).losses

    return loop.over_signals(one, task_tile=task_tile)(values)

  # The method keeps arrays of its own; they must not be made in a trace.
  assert method.partition and part.partition

  def psnrs(outer: method_lib.Outer, units: Any) -> npt.NDArray[np.float32]:
    losses = []
    for start in range(0, len(units), per_call):
      some = range(start, min(start + per_call, len(units)))
      values = np.stack([units[i].reshape(len(coords), -1) for i in some])
      losses.append(np.asarray(fit(outer, values)))
    found: npt.NDArray[np.float32] = -10 * np.log10(np.concatenate(losses))
    return found

  return psnrs


def of_cells(
  kind: str, original: np.ndarray, decoded: np.ndarray
) -> evaluation.Record:
  """Accuracy and intersection over union of occupancy, {} of other kinds.

  Args:
    kind: of the signal.
    original: `[*shape, C]`.
    decoded: `[*shape, C]`; above one half is occupied.
  """
  if kind != "occupancy":
    return {}
  union = signal_errors.intersection_over_union(original, decoded)
  return {
    "accuracy": signal_errors.voxel_accuracy(original, decoded),
    "intersection_over_union": union,
  }


def _means(rows: Sequence[evaluation.Record]) -> evaluation.Record:
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
