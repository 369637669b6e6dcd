"""The prior of a model update, and the quantiser that goes with it.

An update delta of a parameter is a mixture of a wide Gaussian, the slab, and a
narrow one, the spike, which makes an update of zero cheap and everything else
dear (van Rozendaal et al., 2021, eqs. 3 to 5):

  p(delta) = (N(0, sigma) + alpha N(0, t / 6)) / (1 + alpha)
  Q(delta) = clip(round(delta / t), -K, K) t,  N = 2 K + 1 bins
  p[q]     = P(delta < q + t / 2) - P(delta < q - t / 2), over all bins one

Two rates belong to it. The *continuous* one, `-log2 p(delta) t`, is what
training minimises: its slope around zero draws small updates there (appendix
A). The *discrete* one, `-log2 p[q]`, is what an update costs in a file.

A tensor may have a slab of its own: `log_scale`, binary logarithm of the factor
on sigma, rounded to quarters of an octave, which a file stores in a byte. The
paper has one sigma for all, `log_scale = 0`.

Differs from the paper: it lets N bins cover 1 - 2^-8 of the mass "of p", of
which with alpha = 1000 three bins would hold more. The mass meant here is the
slab's, which gives N = 59 for the paper's settings and the zero-update cost of
its table 1, 0.0053 bits for each parameter.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from inrjax.types import Array, PyTree

# Half the slab's mass beyond this many deviations is 2^-9. A literal, because
# the number of bins must not depend on a machine's quantile function.
_COVERED_DEVIATIONS = 2.885634912426757
# Slabs of a tensor: four to the octave, up to four octaves either way.
SCALES_PER_OCTAVE = 4
MAX_OCTAVES = 4
# Index of the prior's own slab.
OWN_SCALE = SCALES_PER_OCTAVE * MAX_OCTAVES
_MAX_LARGEST = 1 << 15
# Within these bounds no table overflows, whatever a stream says.
_SMALLEST = 2.0**-40
_LARGEST = 2.0**40
_LN2 = math.log(2.0)


@dataclasses.dataclass(frozen=True)
class SpikeAndSlab:
  """The prior of every parameter's update.

  Attributes:
    bin_width: t.
    slab: sigma, standard deviation of the slab, more than that of the spike,
      t / 6.
    spike_weight: alpha; 0 is the slab alone.
  """

  bin_width: float = 0.005
  slab: float = 0.05
  spike_weight: float = 1000.0

  def __post_init__(self) -> None:
    if not _SMALLEST <= self.bin_width <= _LARGEST:
      raise ValueError(
        f"bin_width must be positive, from 2^-40 to 2^40, got {self.bin_width}."
      )
    if not self.bin_width / 6 < self.slab <= _LARGEST:
      raise ValueError(
        "slab must exceed the spike's deviation, bin_width / 6 = "
        f"{self.bin_width / 6:g}, and be at most 2^40, got {self.slab}."
      )
    if not 0 <= self.spike_weight <= _LARGEST:
      raise ValueError(
        "spike_weight must not be negative, and at most 2^40, got "
        f"{self.spike_weight}."
      )
    if self.largest_symbols[-1] > _MAX_LARGEST:
      raise ValueError(
        f"A slab of {self.slab} holds {self.slab / self.bin_width:g} bins of "
        f"{self.bin_width}, too many for a table: widen the bins."
      )

  @functools.cached_property
  def slabs(self) -> np.ndarray:
    """`[33]` float64 slabs that a tensor can have, rising."""
    exponents = np.arange(-OWN_SCALE, OWN_SCALE + 1)
    whole, part = np.divmod(exponents, SCALES_PER_OCTAVE)
    # Square roots are the same on every machine, powers need not be.
    root = math.sqrt(2.0)
    factors = np.array([1.0, math.sqrt(root), root, root * math.sqrt(root)])
    return self.slab * np.ldexp(factors[part], whole)

  @functools.cached_property
  def largest_symbols(self) -> np.ndarray:
    """`[33]` int64 K of each slab: symbols lie in [-K, K]."""
    bins = np.ceil(_COVERED_DEVIATIONS * self.slabs / self.bin_width - 0.5)
    # Far above what is allowed, and below what overflows.
    return np.clip(bins, 1, 2.0**32).astype(np.int64)

  @property
  def num_bins(self) -> int:
    """N of the prior's own slab.

    The smallest odd N whose bins cover, from -N t / 2 to N t / 2, what section
    3.3 asks for; the interval that it names, of (N - 1) t, is that of their
    centres.
    """
    return 2 * int(self.largest_symbols[OWN_SCALE]) + 1


# (prior, delta, log_scale) -> bits, elementwise.
BitsFn = Callable[[SpikeAndSlab, Array, Any], Array]


def scale_index(log_scale: Any) -> Array:
  """Which of `SpikeAndSlab.slabs` a `log_scale` means, int32 of its shape."""
  steps = jnp.round(jnp.asarray(log_scale) * SCALES_PER_OCTAVE)
  clipped = jnp.clip(steps, -OWN_SCALE, OWN_SCALE)
  return clipped.astype(jnp.int32) + OWN_SCALE


def symbols(prior: SpikeAndSlab, delta: Array, log_scale: Any = 0.0) -> Array:
  """Indices of the bins: eq. 4 without the factor t.

  Args:
    prior: bins and slab.
    delta: `[...]` updates, finite.
    log_scale: `[]` of this tensor.

  Returns:
    `[...]` floats that hold integers in [-K, K].
  """
  largest = jnp.asarray(prior.largest_symbols, jnp.int32)
  bound = largest[scale_index(log_scale)].astype(delta.dtype)
  return jnp.clip(jnp.round(delta / prior.bin_width), -bound, bound)


def quantize(prior: SpikeAndSlab, delta: Array, log_scale: Any = 0.0) -> Array:
  """Eq. 4, `Q_t(delta)`; its derivative is taken to be 1, also where it clips.

  Args:
    prior: bins and slab.
    delta: `[...]` updates, finite.
    log_scale: `[]` of this tensor; gets no derivative from here.

  Returns:
    `[...]` updates, multiples of t.
  """
  scale = jax.lax.stop_gradient(jnp.asarray(log_scale))
  return _straight_through(
    symbols(prior, jax.lax.stop_gradient(delta), scale) * prior.bin_width,
    delta,
  )


def continuous_bits(
  prior: SpikeAndSlab, delta: Array, log_scale: Any = 0.0
) -> Array:
  """`-log2(p(delta) t)` with eq. 3: the rate that training minimises.

  Args:
    prior: the mixture.
    delta: `[...]` updates, not rounded.
    log_scale: `[]` of this tensor, or one for each update; its derivative takes
      the rounding to quarters of an octave for the identity.

  Returns:
    `[...]` bits; negative nowhere that matters, but a density and no mass.
  """
  slab = _slab(prior, log_scale).astype(delta.dtype)
  log_density = _log_normal(delta, slab)
  if prior.spike_weight:
    spike = _log_normal(delta, jnp.asarray(prior.bin_width / 6, delta.dtype))
    log_density = jnp.logaddexp(
      log_density, spike + math.log(prior.spike_weight)
    )
  log_density -= math.log1p(prior.spike_weight)
  return -(log_density + math.log(prior.bin_width)) / _LN2


def discrete_bits(
  prior: SpikeAndSlab, delta: Array, log_scale: Any = 0.0
) -> Array:
  """`-log2 p[delta]` with eq. 5, the tails that are cut shared out.

  Args:
    prior: the mixture.
    delta: `[...]` what `quantize` returned. With its derivative of 1 this has
      that of eq. 7.
    log_scale: `[]` of this tensor, as for `continuous_bits`.

  Returns:
    `[...]` bits.
  """
  slab = _slab(prior, log_scale).astype(delta.dtype)
  largest = jnp.asarray(prior.largest_symbols, jnp.int32)
  index = jax.lax.stop_gradient(scale_index(log_scale))
  bins = 2 * largest[index].astype(delta.dtype) + 1
  half = 0.5 * prior.bin_width
  spike = jnp.asarray(prior.bin_width / 6, delta.dtype)
  mass = _mass(delta, half, slab) + prior.spike_weight * _mass(
    delta, half, spike
  )
  zero = jnp.zeros((), delta.dtype)
  total = _mass(zero, bins * half, slab) + prior.spike_weight * _mass(
    zero, bins * half, spike
  )
  return -jnp.log2(mass / total)


def rounded_bits(
  prior: SpikeAndSlab, delta: Array, log_scale: Any = 0.0
) -> Array:
  """`discrete_bits` of what `quantize` makes of the updates.

  With its straight-through derivative this is the discrete rate as a loss, and
  has the gradient of eq. 7: none at all for an update that rounds to zero.

  Args:
    prior: the mixture.
    delta: `[...]` updates, not rounded.
    log_scale: `[]` of this tensor, as for `continuous_bits`.

  Returns:
    `[...]` bits.
  """
  return discrete_bits(prior, quantize(prior, delta, log_scale), log_scale)


def quantize_tree(
  prior: SpikeAndSlab, updates: PyTree, log_scales: PyTree | None = None
) -> PyTree:
  """`quantize` of every leaf; `log_scales` is a tree of scalars like it."""
  return jax.tree.map(
    lambda delta, scale: quantize(prior, delta, scale),
    updates,
    _scales(updates, log_scales),
  )


def total_bits(
  bits_fn: BitsFn,
  prior: SpikeAndSlab,
  updates: PyTree,
  log_scales: PyTree | None = None,
) -> Array:
  """Bits of a whole model update: M, or its discrete counterpart.

  Args:
    bits_fn: `continuous_bits` or `rounded_bits` of updates that are not
      rounded, or `discrete_bits` of rounded ones.
    prior: the mixture.
    updates: tree of arrays, at least one.
    log_scales: tree of scalars like it; None for the prior's own slab.

  Returns:
    `[]` bits.
  """
  # One long vector: a program for each tensor would take minutes to compile.
  flat = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(updates)])
  scales: Any = 0.0
  if log_scales is not None:
    of_parameter = jax.tree.map(
      lambda delta, scale: jnp.broadcast_to(scale, (delta.size,)),
      updates,
      log_scales,
    )
    scales = jnp.concatenate(jax.tree.leaves(of_parameter))
  return bits_fn(prior, flat, scales).sum()


def zero_update_bits(
  prior: SpikeAndSlab, updates: PyTree, log_scales: PyTree | None = None
) -> Array:
  """M_0, what an update costs that changes nothing; arguments as `total_bits`.

  Only the shapes of the updates matter.
  """
  sizes = jax.tree.map(lambda delta: math.prod(delta.shape), updates)
  if log_scales is None:
    total = sum(jax.tree.leaves(sizes))
    return total * discrete_bits(prior, jnp.zeros(()))
  pairs = jax.tree.leaves(
    jax.tree.map(
      lambda size, scale: jnp.stack([float(size), scale]), sizes, log_scales
    )
  )
  counts, scales = jnp.stack(pairs, axis=1)
  return jnp.vdot(counts, discrete_bits(prior, jnp.zeros_like(scales), scales))


def _scales(updates: PyTree, log_scales: PyTree | None) -> PyTree:
  if log_scales is None:
    return jax.tree.map(lambda _: 0.0, updates)
  return log_scales


def _slab(prior: SpikeAndSlab, log_scale: Any) -> Array:
  """Sigma of every `log_scale`, on the grid, with a derivative."""
  log_scale = jnp.asarray(log_scale, float)
  index = jax.lax.stop_gradient(scale_index(log_scale))
  on_grid = jnp.asarray(prior.slabs, log_scale.dtype)[index]
  # The value is exactly that of the grid, the derivative that of 2^log_scale.
  return _straight_through(on_grid, on_grid * (_LN2 * log_scale))


def _log_normal(x: Array, deviation: Array) -> Array:
  constant = 0.5 * math.log(2 * math.pi)
  return -0.5 * jnp.square(x / deviation) - jnp.log(deviation) - constant


def _mass(x: Array, half: Any, deviation: Array) -> Array:
  """Mass of a Gaussian within `half` of x, accurate in the tails."""
  magnitude = jnp.abs(x)
  unit = 1 / (math.sqrt(2.0) * deviation)
  above = special.erfc((magnitude - half) * unit)
  return 0.5 * (above - special.erfc((magnitude + half) * unit))


def _straight_through(value: Array, like: Array) -> Array:
  """The value, with the derivative of `like`."""
  return _replace(jax.lax.stop_gradient(value), like)


@jax.custom_jvp
def _replace(value: Array, like: Array) -> Array:
  del like
  return value


@_replace.defjvp
def _replace_jvp(primals, tangents):  # type: ignore[no-untyped-def]
  return primals[0], tangents[1]
