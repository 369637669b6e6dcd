"""A meta-learning method as one value: the sentence of the vocabulary.

  CAVIA, COIN++, Functa   fast = modulation, link = sgd or meta_sgd
  MAML (Learnit)          fast = weight and bias, start learned
  MSCN (structured)       as CAVIA, gates on the fast parameters (eq. 10)
  MSCN per signal         the same, log alpha adapted with them (eq. 8)

`Method` holds the choices, and two functions derive from it: `init` makes what
the outer loop learns, `adapt` fits one signal.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links, loop
from inrjax.coords import select as select_lib
from inrjax.networks import network as network_lib
from inrjax.networks import partition as partition_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Adapted, Array, Context, PyTree


class Outer(NamedTuple):
  """What the outer optimiser learns.

  Attributes:
    shared: parameters that no inner loop touches.
    fast: the start of the fast parameters where it is learned (MAML), else
      an empty tree: for modulations a learned start would duplicate the biases
      (thesis 5.2.2).
    meta: named trees that the links read, such as `learning_rates`.
    log_alpha: gate parameters, one per fast parameter; empty without gates.
  """

  shared: PyTree
  fast: PyTree
  meta: PyTree
  log_alpha: PyTree


@dataclasses.dataclass(frozen=True)
class UniformRates:
  """Meta-SGD rates drawn uniformly from a range (MSCN tables 4-12)."""

  low: float
  high: float

  def __post_init__(self) -> None:
    if not 0 < self.low <= self.high:
      raise ValueError(
        "Inner learning rates need 0 < low <= high, got "
        f"{self.low} and {self.high}."
      )

  def __call__(self, key: Array, fast: PyTree) -> PyTree:
    """`meta` with one learned rate for each fast parameter."""
    leaves, treedef = jax.tree.flatten(fast)
    keys = jax.random.split(key, len(leaves))
    rates = [
      jax.random.uniform(k, leaf.shape, leaf.dtype, self.low, self.high)
      for k, leaf in zip(keys, leaves, strict=True)
    ]
    return {"learning_rates": jax.tree.unflatten(treedef, rates)}


def no_meta(key: Array, fast: PyTree) -> PyTree:
  """The links read nothing that is learned."""
  del key, fast
  return {}


@dataclasses.dataclass(frozen=True)
class Gates:
  """Gates on the fast parameters.

  Attributes:
    distribution: the hard concrete distribution.
    initial_log_alpha: log alpha of every gate at the start.
    adapt_rate: inner learning rate of log alpha, one pattern per signal
      (MSCN eq. 8); 0 keeps one pattern for all signals, which costs no bits.
  """

  distribution: gates_lib.HardConcrete = gates_lib.HardConcrete()
  initial_log_alpha: float = 0.1
  adapt_rate: float = 0.0


def zero_start(fast: PyTree) -> PyTree:
  """Fast parameters start from zero and their start is not learned."""
  del fast
  return {}


def learned_start(fast: PyTree) -> PyTree:
  """The start is learned, from the network's initialisation (MAML)."""
  return fast


@dataclasses.dataclass(frozen=True)
class Method:
  """The choices that make a published method.

  Attributes:
    network: the network.
    fast_roles: roles of the parameters that the inner loop adapts.
    link: the inner update rule.
    num_steps: inner steps S.
    start: what of the initial fast parameters is learned (`zero_start`,
      `learned_start`).
    init_meta: initial value of what the links read.
    gates: gates on the fast parameters, or None.
    gradient: how the inner gradient is differentiated.
    select: points seen by each inner step.
    ema_decay: averaging of the iterates (MSCN D.2), normally at test time.
  """

  network: network_lib.Network
  fast_roles: tuple[str, ...]
  link: links.Link
  num_steps: int
  start: Callable[[PyTree], PyTree] = zero_start
  init_meta: Callable[[Array, PyTree], PyTree] = no_meta
  gates: Gates | None = None
  gradient: Callable[[gradient_lib.LossFn], gradient_lib.GradientFn] = (
    gradient_lib.mixed_mode
  )
  select: select_lib.Select = select_lib.full_context
  ema_decay: float | None = None

  @functools.cached_property
  def _template(self) -> tuple[partition_lib.Partition, PyTree]:
    """The partition, and fast parameters of shape and zero value."""
    # Kept, so it must hold no tracer of the function that first asks for it.
    with jax.ensure_compile_time_eval():
      shapes = jax.eval_shape(self.network.init, jax.random.key(0))
      partition = partition_lib.make_partition(
        self.network.roles(shapes), self.fast_roles
      )
      _, fast = partition.split(shapes)
    zeros = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), fast)
    return partition, zeros

  @property
  def partition(self) -> partition_lib.Partition:
    """Which parameters are fast."""
    return self._template[0]

  def init(self, key: Array) -> Outer:
    """What the outer loop learns, at its start."""
    network_key, meta_key = jax.random.split(key)
    params = self.network.init(network_key)
    shared, fast = self.partition.split(params)
    log_alpha = {}
    if self.gates is not None:
      log_alpha = gates_lib.init_log_alpha(fast, self.gates.initial_log_alpha)
    meta = self.init_meta(meta_key, fast)
    return Outer(shared, self.start(fast), meta, log_alpha)

  def initial_fast(self, outer: Outer) -> PyTree:
    """Where the inner loop starts."""
    return outer.fast if outer.fast else self._template[1]

  def noise(self, key: Array) -> PyTree:
    """One Monte-Carlo sample of the gates' noise; empty without gates."""
    if self.gates is None:
      return {}
    return gates_lib.noise_like(key, self._template[1])

  def apply(self, shared: PyTree, fast: PyTree, coords: Array) -> Array:
    """Values `[N, C]` of the network with (gated) fast parameters."""
    return self.network.apply(self.partition.join(shared, fast), coords)

  def adapt(
    self, key: Array, outer: Outer, noise: PyTree, context: Context
  ) -> Adapted:
    """Fits one signal.

    Args:
      key: for the selection of points.
      outer: what the outer loop learns.
      noise: `noise(key)` in training, where gates are sampled; an empty tree
        for the deterministic gates of test time.
      context: the signal.

    Returns:
      The adapted fast parameters with their gates applied (so zero where a gate
      is closed), and the losses.
    """
    fast = self.initial_fast(outer)
    if self.gates is None:
      return self._loop(_Ungated(self))(
        key, outer.shared, fast, outer.meta, context
      )
    gated = _Gated(self, self.gates)
    state = {"fast": fast}
    if self.gates.adapt_rate:
      state["log_alpha"] = outer.log_alpha
    shared = {
      "shared": outer.shared,
      "log_alpha": outer.log_alpha,
      "noise": noise,
    }
    link = _adapting_gates(self.link, self.gates.adapt_rate)
    adapted = self._loop(gated, link)(key, shared, state, outer.meta, context)
    return Adapted(gated.gate(shared, adapted.fast), adapted.losses)

  def _loop(
    self, loss_fn: gradient_lib.LossFn, link: links.Link | None = None
  ) -> loop.Adapt:
    return loop.make_adapt(
      loss_fn,
      link or self.link,
      num_steps=self.num_steps,
      gradient=self.gradient,
      select=self.select,
      ema_decay=self.ema_decay,
    )


class _Ungated(NamedTuple):
  """Reconstruction error of the plain fast parameters."""

  method: Method

  def __call__(self, shared: PyTree, fast: PyTree, context: Context) -> Array:
    prediction = self.method.apply(shared, fast, context.coords)
    return gradient_lib.squared_error(prediction, context.values)


class _Gated(NamedTuple):
  """Reconstruction error of z * fast, MSCN eq. 10."""

  method: Method
  gates: Gates

  def gate(self, shared: PyTree, state: PyTree) -> PyTree:
    """z * fast, sampled where there is noise and estimated where not."""
    log_alpha = state.get("log_alpha", shared["log_alpha"])
    distribution = self.gates.distribution
    if shared["noise"]:
      z = gates_lib.sample(log_alpha, shared["noise"], distribution)
    else:
      z = gates_lib.estimate(log_alpha, distribution)
    return jax.tree.map(jnp.multiply, z, state["fast"])

  def __call__(self, shared: PyTree, fast: PyTree, context: Context) -> Array:
    values = self.gate(shared, fast)
    prediction = self.method.apply(shared["shared"], values, context.coords)
    return gradient_lib.squared_error(prediction, context.values)


def _adapting_gates(link: links.Link, rate: float) -> links.Link:
  """`link` on the fast parameters, descent with `rate` on log alpha."""

  def init(state: PyTree) -> Any:
    return link.init(state["fast"])

  def update(updates, state, params=None, *, meta=None, **unused):  # type: ignore[no-untyped-def]
    del unused
    fast, state = link.update(updates["fast"], state, params["fast"], meta=meta)
    result = {"fast": fast}
    if "log_alpha" in updates:
      result["log_alpha"] = jax.tree.map(
        lambda g: -rate * g, updates["log_alpha"]
      )
    return result, state

  return links.Link(init, update)
