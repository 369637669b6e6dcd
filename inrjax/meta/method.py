"""A meta-learning method as one value: the sentence of the vocabulary.

  CAVIA, COIN++, Functa   fast = modulation, link = sgd or meta_sgd
  MAML (Learnit)          fast = weight and bias, start learned
  MSCN (structured)       as CAVIA, gates on the fast parameters (eq. 10)
  MSCN per signal         the same, log alpha adapted with them (eq. 8)
  MSCN (sparse gradients) as MAML, gates on the updates (eq. 9)
  MSCN (fully sparse)     as MAML, gates on the fast parameters (app. C)
  Meta-SparseINR          as MAML, a mask that pruning sets between trainings
  TransINR                as MAML, the start turned towards the signal by a
                          hypernetwork, in no steps

The values that the network gets are mask * gate * fast, each factor where the
method has it. `Method` holds the choices, and two functions derive from it:
`init` makes what the outer loop learns, `adapt` fits one signal.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links, loop, tiles
from inrjax.coords import masked
from inrjax.coords import select as select_lib
from inrjax.networks import network as network_lib
from inrjax.networks import partition as partition_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups
from inrjax.types import Adapted, Array, Context, PyTree


class Outer(NamedTuple):
  """What the outer optimiser learns.

  Attributes:
    shared: parameters that no inner loop touches: the network's, and those of
      a hypernetwork.
    fast: the start of the fast parameters where it is learned (MAML), else
      an empty tree: for modulations a learned start would duplicate the biases
      (thesis 5.2.2).
    meta: named trees that the links read, such as `learning_rates`.
    log_alpha: gate parameters, grouped as `Gates.grouping` says; empty without
      gates.
    mask: 1 for fast parameters that are there and 0 for pruned ones, a tree
      like them; empty where nothing is ever pruned. No gradient changes it,
      pruning does.
  """

  shared: PyTree
  fast: PyTree
  meta: PyTree
  log_alpha: PyTree
  mask: PyTree = {}


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
  """L0 gates.

  Attributes:
    distribution: the hard concrete distribution.
    initial_log_alpha: log alpha of every gate at the start.
    adapt_rate: inner learning rate of log alpha, one pattern per signal
      (MSCN eq. 8); 0 keeps one pattern for all signals, which costs no bits.
    on: what they multiply: the fast parameters ("values"; modulations in
      eq. 10, theta0 + delta in appendix C), or each update of them ("updates",
      eq. 9), which leaves a dense network and a sparse change.
    grouping: which fast parameters share a gate.

  Differs from the paper: with `adapt_rate` the inner loss has no lambda E[L0]
  (eqs. 7, 8); the penalty is the outer objective's alone.
  """

  distribution: gates_lib.HardConcrete = gates_lib.HardConcrete()
  initial_log_alpha: float = 0.1
  adapt_rate: float = 0.0
  on: str = "values"
  grouping: groups.Grouping = groups.PerParameter()

  def __post_init__(self) -> None:
    if self.on not in ("values", "updates"):
      raise ValueError(f'on is {self.on!r}; choose "values" or "updates".')
    if not self.adapt_rate >= 0:
      raise ValueError(f"adapt_rate must not be negative: {self.adapt_rate}.")
    if self.on == "updates" and self.adapt_rate:
      raise ValueError(
        "Gates on updates cannot be adapted per signal: the loss of a step "
        "does not depend on them. Set adapt_rate=0."
      )


def zero_start(fast: PyTree) -> PyTree:
  """Fast parameters start from zero and their start is not learned."""
  del fast
  return {}


def learned_start(fast: PyTree) -> PyTree:
  """The start is learned, from the network's initialisation (MAML)."""
  return fast


def no_mask(fast: PyTree) -> PyTree:
  """Nothing is ever pruned."""
  del fast
  return {}


def full_mask(fast: PyTree) -> PyTree:
  """Everything is there at first, and pruning may change that."""
  return jax.tree.map(jnp.ones_like, fast)


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
    init_mask: the mask of the fast parameters (`no_mask`, `full_mask`).
    gates: L0 gates, or None.
    gradient: how the inner gradient is differentiated.
    select: points seen by each inner step.
    ema_decay: averaging of the iterates (MSCN D.2), normally at test time.
    hypernetwork: what makes the start of a signal from the learned start and
      the signal (TransINR); None begins all signals alike.
    point_tile: points of a context at a time, wherever a loss is taken of them
      (`tiles.tiled_loss`), so that memory does not grow with their number; None
      takes all at once.
  """

  network: network_lib.Network
  fast_roles: tuple[str, ...]
  link: links.Link
  num_steps: int
  start: Callable[[PyTree], PyTree] = zero_start
  init_meta: Callable[[Array, PyTree], PyTree] = no_meta
  init_mask: Callable[[PyTree], PyTree] = no_mask
  gates: Gates | None = None
  gradient: Callable[[gradient_lib.LossFn], gradient_lib.GradientFn] = (
    gradient_lib.mixed_mode
  )
  select: select_lib.Select = select_lib.full_context
  ema_decay: float | None = None
  hypernetwork: network_lib.Hypernetwork | None = None
  point_tile: int | None = None

  def __post_init__(self) -> None:
    if self.hypernetwork is not None and self.start is zero_start:
      raise ValueError(
        "A hypernetwork changes a start that is learned; set "
        "start=learned_start."
      )

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
    if self.hypernetwork is not None:
      own_key = jax.random.fold_in(network_key, 1)
      shared = shared | self.hypernetwork.init(own_key, fast)
    log_alpha = {}
    if self.gates is not None:
      log_alpha = gates_lib.init_log_alpha(
        self._gate_template(self.gates), self.gates.initial_log_alpha
      )
    return Outer(
      shared,
      self.start(fast),
      self.init_meta(meta_key, fast),
      log_alpha,
      self.init_mask(fast),
    )

  def initial_fast(
    self, outer: Outer, context: Context | None = None
  ) -> PyTree:
    """Where the inner loop starts, before any gate or mask.

    Args:
      outer: what the outer loop learns.
      context: the signal; None gives what a hypernetwork starts from.
    """
    start = outer.fast if outer.fast else self._template[1]
    if self.hypernetwork is None or context is None:
      return start
    return self.hypernetwork.apply(outer.shared, start, context.values)

  def noise(self, key: Array) -> PyTree:
    """One Monte-Carlo sample of the gates' noise; empty without gates."""
    if self.gates is None:
      return {}
    return gates_lib.noise_like(key, self._gate_template(self.gates))

  def apply(self, shared: PyTree, fast: PyTree, coords: Array) -> Array:
    """Values `[N, C]` of the network with (gated) fast parameters."""
    return self.network.apply(self.partition.join(shared, fast), coords)

  def expected_l0(self, outer: Outer, state: PyTree) -> Array:
    """Expected number of open gates `[]` of a signal, or of all for {}.

    Args:
      outer: what the outer loop learns.
      state: `Adapted.state`, where log alpha is adapted per signal.

    Raises:
      ValueError: for a method without gates.
    """
    if self.gates is None:
      raise ValueError("The method has no gates to count.")
    log_alpha = state.get("log_alpha", outer.log_alpha)
    return gates_lib.expected_l0(log_alpha, self.gates.distribution)

  def adapt(
    self,
    key: Array,
    outer: Outer,
    noise: PyTree,
    context: Context,
    *,
    start: PyTree | None = None,
  ) -> Adapted:
    """Fits one signal.

    Args:
      key: for the selection of points.
      outer: what the outer loop learns.
      noise: `noise(key)` in training, where gates are sampled; an empty tree
        for the deterministic gates of test time.
      context: the signal; what a `masked.MaskedContext` misses is in no loss.
      start: the `state` of an earlier fit to go on from; None begins anew.

    Returns:
      The adapted fast parameters as the network gets them (so zero where a gate
      is closed or a mask is 0), the losses, and the state before gates and
      mask.
    """
    state = self._initial_state(outer, context) if start is None else start
    _check_mask(outer.mask, state["fast"])
    meta = outer.meta
    if self.gates is not None and self.gates.on == "updates":
      z = _gate_values(self.gates, outer.log_alpha, noise)
      meta = meta | {"gates": self.gates.grouping.spread(z, state["fast"])}
    shared = {
      "shared": outer.shared,
      "log_alpha": outer.log_alpha,
      "noise": noise,
      "mask": jax.lax.stop_gradient(outer.mask),
    }
    loss_fn = _Reconstruction(self)
    tiled_fn: gradient_lib.LossFn = loss_fn
    if self.point_tile is not None:
      tiled_fn = tiles.tiled_loss(loss_fn, self.point_tile)
    adapted = loop.make_adapt(
      tiled_fn,
      self._link(),
      num_steps=self.num_steps,
      gradient=self.gradient,
      select=loss_fn.selecting(self.select),
      ema_decay=self.ema_decay,
    )(key, shared, state, meta, masked.balanced(context))
    values = loss_fn.values(shared, adapted.fast)
    return Adapted(values, adapted.losses, adapted.fast)

  def _initial_state(self, outer: Outer, context: Context) -> PyTree:
    state = {"fast": self.initial_fast(outer, context)}
    if self.gates is not None and self.gates.adapt_rate:
      state["log_alpha"] = outer.log_alpha
    return state

  def _gate_template(self, gates: Gates) -> PyTree:
    partition, fast = self._template
    return gates.grouping.init(fast, partition.roles)

  def _link(self) -> links.Link:
    """The method's link on the fast parameters, descent on log alpha."""
    link = optax.with_extra_args_support(self.link)
    if self.gates is not None and self.gates.on == "updates":
      link = optax.chain(links.gate_updates(), link)
    return _adapting_gates(
      link, self.gates.adapt_rate if self.gates is not None else 0.0
    )


def _check_mask(mask: PyTree, fast: PyTree) -> None:
  if mask and jax.tree.map(jnp.shape, mask) != jax.tree.map(jnp.shape, fast):
    raise ValueError(
      "The mask belongs to another network: it has the shapes "
      f"{jax.tree.map(jnp.shape, mask)}, the fast parameters have "
      f"{jax.tree.map(jnp.shape, fast)}."
    )


def _gate_values(gates: Gates, log_alpha: PyTree, noise: PyTree) -> PyTree:
  """z, sampled where there is noise and estimated where not."""
  if noise:
    return gates_lib.sample(log_alpha, noise, gates.distribution)
  return gates_lib.estimate(log_alpha, gates.distribution)


class _Reconstruction(NamedTuple):
  """Reconstruction error of mask * z * fast."""

  method: Method

  def values(self, shared: PyTree, state: PyTree) -> PyTree:
    """What the network gets: the fast parameters, gated and masked."""
    fast = state["fast"]
    gates = self.method.gates
    if gates is not None and gates.on == "values":
      log_alpha = state.get("log_alpha", shared["log_alpha"])
      z = _gate_values(gates, log_alpha, shared["noise"])
      factors = gates.grouping.spread(z, fast)
      fast = jax.tree.map(jnp.multiply, factors, fast)
    if shared["mask"]:
      fast = jax.tree.map(jnp.multiply, shared["mask"], fast)
    return fast

  def selecting(self, select: select_lib.Select) -> select_lib.Select:
    """`select`, shown the network's parameters instead of the loop's state."""

    def selected(
      key: Array, shared: PyTree, fast: PyTree, context: Context
    ) -> Context:
      values = self.values(shared, fast)
      chosen = select(key, shared["shared"], values, context)
      return masked.balanced(chosen)

    return selected

  def __call__(self, shared: PyTree, fast: PyTree, context: Context) -> Array:
    values = self.values(shared, fast)
    prediction = self.method.apply(shared["shared"], values, context.coords)
    if isinstance(context, masked.MaskedContext):
      return masked.masked_squared_error(prediction, context)
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
