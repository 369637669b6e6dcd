"""What a trained method reaches, and the papers' estimate of what it costs.

Reconstruction after adaptation, then quantised as in appendix D.1 of Schwarz &
Teh (2022): every kept modulation normalised by its training statistics, clipped
to omega deviations, rounded to b bits. The rate is their estimate, not the
length of a file: b bits for each value, and beside it the cross-entropy of the
test symbols under the distribution of the training symbols.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import flatten_util

from experiments import test_time
from inrjax import evaluate, quantize
from inrjax.adapt import loop
from inrjax.coords import patches
from inrjax.meta import method as method_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Context

# Files of a run's working folder: what it reached, and all its settings.
RESULTS = "evaluation.json"
CONFIG = "config.json"

# One result, as JSON can hold it.
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Cut:
  """How an image becomes signals of one side, and back (section `signal`).

  Attributes:
    side: P.
    tiled: True cuts any image into P x P tiles; False takes it whole, and it
      must be P x P.
  """

  side: int
  tiled: bool

  def split(self, image: np.ndarray) -> np.ndarray:
    """Image `[H, W, C]` to signals `[n, P, P, C]`."""
    if self.tiled:
      return patches.to_patches(image, self.side)
    if image.shape[:2] != (self.side, self.side):
      raise ValueError(
        f"An image is {image.shape[0]} x {image.shape[1]}; signal.side is "
        f"{self.side}. Resize it (data.source.resize) or set signal.tiled."
      )
    return image[np.newaxis]

  def join(self, signals: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Signals `[n, P, P, C]` to an image of the size of `like`."""
    return patches.from_patches(signals, *like.shape[:2])


class Adapter:
  """Fits signals and puts them together again, by one compiled program each."""

  def __init__(
    self,
    method: method_lib.Method,
    as_context: Callable[[Any], Context],
    *,
    side: int,
    channels: int,
    signals_per_call: int,
    task_tile: int | None,
  ):
    """Compiles on the first use.

    Args:
      method: with the inner steps and the averaging of test time.
      as_context: signal to context.
      side: P.
      channels: C.
      signals_per_call: signals adapted in one call.
      task_tile: of them, how many at once (`loop.over_signals`).
    """
    coords = as_context(jnp.zeros((side, side, channels))).coords
    # The method keeps arrays of its own; they must not be made in a trace.
    assert method.partition

    def fit(outer: method_lib.Outer, signals: Any) -> Any:
      def one(signal: Any) -> Any:
        context = as_context(signal)
        adapted = method.adapt(jax.random.key(0), outer, {}, context)
        return flatten_util.ravel_pytree(adapted.fast)[0]

      return loop.over_signals(one, task_tile=task_tile)(signals)

    def decode(outer: method_lib.Outer, fast: Any) -> Any:
      _, unravel = flatten_util.ravel_pytree(method.initial_fast(outer))

      def one(flat: Any) -> Any:
        # In tiles: of a large image all activations would be in memory.
        return test_time.decode(method, outer.shared, unravel(flat), coords)

      return loop.over_signals(one, task_tile=task_tile)(fast)

    self._fit, self._decode = jax.jit(fit), jax.jit(decode)
    self._side = side
    self._per_call = signals_per_call

  def fit(self, outer: method_lib.Outer, signals: np.ndarray) -> np.ndarray:
    """Signals `[n, P, P, C]` uint8 to fast parameters `[n, L]` float32."""
    fit = functools.partial(self._fit, outer)
    return in_calls(fit, signals, self._per_call)

  def decode(self, outer: method_lib.Outer, fast: np.ndarray) -> np.ndarray:
    """Fast parameters `[n, L]` to signals `[n, P, P, C]` uint8."""
    decode = functools.partial(self._decode, outer)
    values = evaluate.as_uint8(in_calls(decode, fast, self._per_call))
    return values.reshape(len(fast), self._side, self._side, -1)


def fit_quality(
  make_adapter: Callable[..., Adapter],
  outer: method_lib.Outer,
  cut: Cut,
  images: Sequence[np.ndarray],
  *,
  num_steps: Iterable[int],
  ema_decays: Iterable[float],
) -> list[Record]:
  """PSNR after adaptation, nothing quantised.

  Args:
    make_adapter: `(num_steps, ema_decay) -> Adapter`.
    outer: what training learned.
    cut: how images become signals.
    images: `[H, W, C]` uint8 each.
    num_steps: inner steps to try.
    ema_decays: alphas of MSCN D.2 to try; 1 is the last iterate.

  Returns:
    One record per pair.
  """
  records = []
  for steps, decay in itertools.product(num_steps, ema_decays):
    adapter = make_adapter(steps, decay)
    decoded = [
      cut.join(_through(adapter, outer, cut.split(image)), image)
      for image in images
    ]
    records.append(
      {"num_steps": steps, "ema_decay": decay} | quality(images, decoded)
    )
  return records


def quantised_quality(
  adapter: Adapter,
  outer: method_lib.Outer,
  cut: Cut,
  images: Sequence[np.ndarray],
  training_signals: np.ndarray,
  kept: np.ndarray,
  *,
  num_bits: Iterable[int],
  num_deviations: Iterable[float],
) -> list[Record]:
  """Rate (estimated) and PSNR for every pair of bits and range, D.1.

  Args:
    adapter: fits and decodes.
    outer: what training learned.
    cut: how images become signals.
    images: test images, `[H, W, C]` uint8 each.
    training_signals: `[n, P, P, C]` uint8 that the statistics come from.
    kept: `[L]` bool, the fast parameters that are stored.
    num_bits: values of b.
    num_deviations: values of omega.

  Returns:
    One record per pair: "nominal_bpp" counts b bits for each value,
    "estimated_bpp" the cross-entropy.
  """
  known = adapter.fit(outer, training_signals)[:, kept]
  found = [adapter.fit(outer, cut.split(image))[:, kept] for image in images]
  num_pixels = [image.shape[0] * image.shape[1] for image in images]
  records = []
  for bits, omega in itertools.product(num_bits, num_deviations):
    rounded = fixed_width(known, num_bits=bits, num_deviations=omega)
    decoded, nominal, estimated = [], [], []
    for image, one, count in zip(images, found, num_pixels, strict=True):
      values, costs = rounded(one)
      fast = np.zeros((len(one), kept.size), np.float32)
      fast[:, kept] = values
      decoded.append(cut.join(adapter.decode(outer, fast), image))
      nominal.append(one.size * bits / count)
      estimated.append(costs.sum() / count)
    records.append(
      {
        "num_bits": bits,
        "num_deviations": omega,
        "nominal_bpp": float(np.mean(nominal)),
        "estimated_bpp": float(np.mean(estimated)),
      }
      | quality(images, decoded)
    )
  return records


def fixed_width(
  known: np.ndarray, *, num_bits: int, num_deviations: float
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
  """The papers' quantiser of fitted values (COIN++; MSCN D.1).

  Args:
    known: `[n, L]` fits of training signals, whose statistics it takes.
    num_bits: b of each value.
    num_deviations: omega, how far the range goes from the mean.

  Returns:
    A function of values `[m, L]` to what is decoded of them and the bits `[m]`
    that each row costs under the distribution of the training's symbols.
  """
  quantizer = quantize.fit_fixed_width(
    known, num_bits=num_bits, num_deviations=num_deviations
  )
  costs = symbol_bits(quantize.quantize(quantizer, known), num_bits)

  def rounded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    symbols = quantize.quantize(quantizer, values)
    return quantize.dequantize(quantizer, symbols), costs[symbols].sum(axis=1)

  return rounded


def symbol_bits(training_symbols: np.ndarray, num_bits: int) -> np.ndarray:
  """Bits that each symbol costs under the training set's distribution.

  One distribution for all modulations together, as in COIN++ and MSCN D.1. One
  is added to every count: a symbol that training never showed has a price too.

  Args:
    training_symbols: any shape, integers in `[0, 2^b)`.
    num_bits: b.

  Returns:
    `[2^b]` float64.
  """
  counts = np.bincount(training_symbols.ravel(), minlength=2**num_bits) + 1.0
  return -np.log2(counts / counts.sum())


def quality(
  images: Iterable[np.ndarray], decoded: Iterable[np.ndarray]
) -> Record:
  """Both averages of the PSNR, in dB, after 8-bit rounding."""
  return {
    "psnr": evaluate.mean_psnr(images, decoded),
    "psnr_of_mean_mse": evaluate.psnr_of_mean_mse(images, decoded),
  }


def fix_gates(
  method: method_lib.Method,
  outer: method_lib.Outer,
  *,
  max_modulations: int | None,
) -> tuple[method_lib.Outer, np.ndarray]:
  """Closes the gates beyond the budget and says which are open.

  Args:
    method: any method.
    outer: what training learned.
    max_modulations: the budget; None leaves the gates as they are.

  Returns:
    The parameters, and `[L]` bool, the fast parameters that are stored.

  Raises:
    ValueError: if no gate is open.
  """
  if method.gates is None:
    start, _ = flatten_util.ravel_pytree(method.initial_fast(outer))
    return outer, np.ones(start.size, bool)
  distribution = method.gates.distribution
  num_gates = sum(leaf.size for leaf in jax.tree.leaves(outer.log_alpha))
  if max_modulations is not None and max_modulations < num_gates:
    low, _ = distribution.log_alpha_range
    top = gates_lib.top_gates(outer.log_alpha, max_modulations)
    outer = outer._replace(
      log_alpha=jax.tree.map(
        lambda keep, a: jnp.where(keep, a, low), top, outer.log_alpha
      )
    )
  is_open = gates_lib.open_gates(outer.log_alpha, distribution)
  kept = np.asarray(flatten_util.ravel_pytree(is_open)[0]).astype(bool)
  if not kept.any():
    raise ValueError(
      "All gates are closed: nothing is left to adapt. Lower "
      "gates.penalty.weight."
    )
  return outer, kept


def _through(
  adapter: Adapter, outer: method_lib.Outer, signals: np.ndarray
) -> np.ndarray:
  return adapter.decode(outer, adapter.fit(outer, signals))


def in_calls(
  fn: Callable[[Any], Any], rows: np.ndarray, rows_per_call: int
) -> np.ndarray:
  """`fn` over rows, a fixed number at a time: it is compiled for one shape.

  Args:
    fn: maps `[rows_per_call, ...]` to as many rows.
    rows: `[n, ...]`, n at least 1.
    rows_per_call: how many at a time.

  Returns:
    `[n, ...]`.
  """
  size = min(rows_per_call, len(rows))
  missing = -len(rows) % size
  padded = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
  calls = padded.reshape(-1, size, *rows.shape[1:])
  return np.concatenate([np.asarray(fn(call)) for call in calls])[: len(rows)]


def table(records: Sequence[Record]) -> str:
  """The records as text, one row each."""

  def text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

  titles = list(records[0])
  rows = [[text(record[title]) for title in titles] for record in records]
  return evaluate.plain([titles, *rows])
