"""L0 gates with the hard concrete distribution (Louizos et al., 2017).

MSCN (Schwarz & Teh, 2022) multiplies what the inner loop adapts by gates z in
[0, 1] and penalises the expected number of open ones (eqs. 5, 6). A gate's
distribution has one parameter, log alpha:

  s = sigmoid((log u - log(1 - u) + log alpha) / beta),  u ~ U(0, 1)
  z = min(1, max(0, s (zeta - gamma) + gamma))
  P(z != 0) = sigmoid(log alpha - beta log(-gamma / zeta))
"""

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp

from inrjax.types import Array, PyTree

# MSCN tables 4-12: the range of log alpha.
LOG_ALPHA_RANGE = (math.log(1e-2), math.log(1e2))


class ClosedGatesWarning(UserWarning):
  """All gates are closed: behind them nothing adapts to a signal."""


@dataclasses.dataclass(frozen=True)
class HardConcrete:
  """The constants of the distribution.

  Attributes:
    beta: temperature, 2/3 in Louizos et al.
    gamma: lower end of the stretched interval, below 0.
    zeta: upper end of the stretched interval, above 1.
    log_alpha_range: log alpha is clipped to this range where it is used.
  """

  beta: float = 2 / 3
  gamma: float = -0.1
  zeta: float = 1.1
  log_alpha_range: tuple[float, float] = LOG_ALPHA_RANGE

  def __post_init__(self) -> None:
    if not self.beta > 0:
      raise ValueError(f"beta must be positive, got {self.beta}.")
    if not self.gamma < 0 < 1 < self.zeta:
      raise ValueError(
        "The stretch must satisfy gamma < 0 and zeta > 1, got "
        f"{self.gamma} and {self.zeta}; otherwise gates never close or open."
      )
    low, high = self.log_alpha_range
    if not low < high:
      raise ValueError(f"log_alpha_range is empty: {self.log_alpha_range}.")


def clip_log_alpha(log_alpha: Array, low: float, high: float) -> Array:
  """Clips to [low, high] with a gradient that only points back inside.

  An update that would leave the range further has no effect on the value used;
  its gradient is passed on, so that a gate at a bound can return. The stored
  parameter is projected by `project_log_alpha`.
  """
  return log_alpha + jax.lax.stop_gradient(
    jnp.clip(log_alpha, low, high) - log_alpha
  )


def project_log_alpha(log_alpha: PyTree, distribution: HardConcrete) -> PyTree:
  """Projects stored parameters to the range, after an outer step."""
  low, high = distribution.log_alpha_range
  return jax.tree.map(lambda a: jnp.clip(a, low, high), log_alpha)


def noise_like(key: Array, log_alpha: PyTree) -> PyTree:
  """u ~ U(0, 1), strictly inside: one Monte-Carlo sample of all gates."""
  leaves, treedef = jax.tree.flatten(log_alpha)
  keys = jax.random.split(key, len(leaves))
  return jax.tree.unflatten(
    treedef,
    [
      jax.random.uniform(k, leaf.shape, leaf.dtype, 1e-6, 1 - 1e-6)
      for k, leaf in zip(keys, leaves, strict=True)
    ],
  )


def sample(
  log_alpha: PyTree, noise: PyTree, distribution: HardConcrete
) -> PyTree:
  """Gates z in [0, 1] for the uniform noise, differentiable in log alpha.

  Args:
    log_alpha: tree of parameters.
    noise: tree of uniform numbers like it (`noise_like`).
    distribution: the constants.

  Returns:
    Tree of gates like `log_alpha`; exactly 0 and exactly 1 have probability.
  """
  chex.assert_trees_all_equal_shapes(log_alpha, noise)
  d = distribution

  def one(a: Array, u: Array) -> Array:
    logit = jnp.log(u) - jnp.log1p(-u) + clip_log_alpha(a, *d.log_alpha_range)
    s = jax.nn.sigmoid(logit / d.beta) * (d.zeta - d.gamma) + d.gamma
    return jnp.clip(s, 0.0, 1.0)

  return jax.tree.map(one, log_alpha, noise)


def estimate(log_alpha: PyTree, distribution: HardConcrete) -> PyTree:
  """The deterministic gates of test time (Louizos et al., eq. 13).

  clip(sigmoid(log alpha) (zeta - gamma) + gamma, 0, 1).
  """
  d = distribution
  return jax.tree.map(
    lambda a: jnp.clip(
      jax.nn.sigmoid(clip_log_alpha(a, *d.log_alpha_range)) * (d.zeta - d.gamma)
      + d.gamma,
      0.0,
      1.0,
    ),
    log_alpha,
  )


def probability_open(log_alpha: PyTree, distribution: HardConcrete) -> PyTree:
  """P(z != 0) = 1 - Q(s <= 0) per gate, from the CDF (MSCN eq. 5)."""
  d = distribution
  shift = d.beta * math.log(-d.gamma / d.zeta)
  return jax.tree.map(
    lambda a: jax.nn.sigmoid(clip_log_alpha(a, *d.log_alpha_range) - shift),
    log_alpha,
  )


def expected_l0(log_alpha: PyTree, distribution: HardConcrete) -> Array:
  """Expected number of open gates, the penalty of MSCN eqs. 5-8: `[]`."""
  open_ = probability_open(log_alpha, distribution)
  return sum((jnp.sum(p) for p in jax.tree.leaves(open_)), start=jnp.zeros(()))


def init_log_alpha(fast: PyTree, value: float) -> PyTree:
  """One gate for each fast parameter, all log alpha equal to `value`.

  MSCN initialises at 0.1 (tables 7-12) or 0.5 (tables 4-6).
  """
  return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), fast)


def open_gates(log_alpha: PyTree, distribution: HardConcrete) -> PyTree:
  """Boolean tree: gates that the test-time estimator does not close."""
  return jax.tree.map(lambda z: z > 0, estimate(log_alpha, distribution))


def top_gates(log_alpha: PyTree, num_open: int) -> PyTree:
  """Boolean tree with the `num_open` largest log alpha; ties by position.

  Fixes the pattern of a trained model at exactly the requested size.

  Raises:
    ValueError: if there are not that many gates.
  """
  leaves, treedef = jax.tree.flatten(log_alpha)
  flat = jnp.concatenate([leaf.ravel() for leaf in leaves])
  if not 1 <= num_open <= flat.size:
    raise ValueError(
      f"num_open must lie in [1, {flat.size}], the number of gates; got "
      f"{num_open}."
    )
  order = jnp.argsort(-flat, stable=True)
  mask = jnp.zeros(flat.shape, bool).at[order[:num_open]].set(True)
  pieces, start = [], 0
  for leaf in leaves:
    pieces.append(mask[start : start + leaf.size].reshape(leaf.shape))
    start += leaf.size
  return jax.tree.unflatten(treedef, pieces)
