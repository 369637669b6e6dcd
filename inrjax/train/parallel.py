"""Data parallelism: the only file that names a device axis."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils

from inrjax import types
from inrjax.train import leaves
from inrjax.train import step as step_lib

_AXIS = "devices"


class Placement(NamedTuple):
  """How a training state and its batches live on devices.

  Attributes:
    replicate: state -> state on the devices (always a copy, which a step may
      donate).
    unreplicate: state or metrics on the devices -> one copy.
    shard: host batch `[B, ...]` -> what the step takes.
  """

  replicate: step_lib.TreeFn
  unreplicate: step_lib.TreeFn
  shard: step_lib.TreeFn


def make_single_step(
  objective: step_lib.Objective, optimizer: optax.GradientTransformation
) -> tuple[step_lib.StepFn, Placement]:
  """The training step for one device.

  Args:
    objective: the outer objective.
    optimizer: the outer optimiser.

  Returns:
    The compiled step, which donates its state, and the placement it takes.
  """
  step_fn = jax.jit(
    step_lib.make_train_step(objective, optimizer), donate_argnums=0
  )
  return step_fn, Placement(
    replicate=lambda tree: jax.tree.map(_copy, tree),
    unreplicate=lambda tree: tree,
    shard=lambda tree: tree,
  )


def make_parallel_step(
  objective: step_lib.Objective,
  optimizer: optax.GradientTransformation,
  *,
  devices: Sequence[jax.Device] | None = None,
) -> tuple[step_lib.StepFn, Placement]:
  """The training step over several devices and hosts (`jax.pmap`).

  Each device takes an equal part of the batch and a key of its own; loss,
  gradient, metrics and the floating-point leaves of the carry are averaged
  over all devices of all hosts, so their states stay equal. Integer leaves of
  the carry must not depend on the batch.

  Args:
    objective: the outer objective, a mean over its batch.
    optimizer: the outer optimiser.
    devices: this host's devices to use; None takes all of them, and with
      several hosts it has to be None.

  Returns:
    The compiled step, which donates its state, and the placement it takes.

  Raises:
    ValueError: for a choice of devices with several hosts.
  """
  if devices is not None and jax.process_count() > 1:
    raise ValueError("devices must be None when several hosts take part.")
  local = list(devices or jax.local_devices())
  step_fn = jax.pmap(
    step_lib.make_train_step(
      objective, optimizer, reduce_fn=_mean, key_fn=_own_key
    ),
    axis_name=_AXIS,
    devices=devices,
    donate_argnums=0,
  )
  return step_fn, Placement(
    replicate=lambda tree: _replicate(tree, len(local), devices),
    unreplicate=lambda tree: jax.tree.map(_first, tree),
    shard=lambda tree: jax.tree.map(_shard_over(len(local)), tree),
  )


def initialise_distributed(
  coordinator_address: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Joins this process to the others of a run, before any other use of JAX.

  Without arguments the cluster's own environment (SLURM, Open MPI, a TPU pod)
  supplies them.

  Args:
    coordinator_address: "host:port" of process 0, reachable from all.
    num_processes: how many processes there are.
    process_id: this one's number, in `[0, num_processes)`.

  Raises:
    ValueError: if only some arguments are given or one is out of range.
  """
  given = (coordinator_address, num_processes, process_id)
  if any(value is None for value in given) and any(
    value is not None for value in given
  ):
    raise ValueError(
      "Give coordinator_address, num_processes and process_id together, or "
      f"none of them under SLURM; got {given}."
    )
  if num_processes is not None and process_id is not None:
    if not 0 <= process_id < num_processes:
      raise ValueError(
        f"process_id must be in [0, {num_processes}), got {process_id}."
      )
  jax.distributed.initialize(
    coordinator_address=coordinator_address,
    num_processes=num_processes,
    process_id=process_id,
  )


def is_primary() -> bool:
  """Whether this process is the one that writes files."""
  return jax.process_index() == 0


def any_process(flag: bool) -> bool:
  """Whether the flag is set in at least one process; all must call this.

  Args:
    flag: this process's own.

  Returns:
    The same in every process.
  """
  if jax.process_count() == 1:
    return flag
  return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def all_equal(value: int) -> bool:
  """Whether a number is the same in all processes; all must call this.

  Args:
    value: this process's own.

  Returns:
    The same in every process.
  """
  if jax.process_count() == 1:
    return True
  values = multihost_utils.process_allgather(np.array(value))
  return bool(np.all(values == values[0]))


def _copy(leaf: types.Array) -> types.Array:
  return jnp.array(leaf, copy=True)


def _mean(tree: types.PyTree) -> types.PyTree:
  return jax.tree.map(
    lambda leaf: (
      jax.lax.pmean(leaf, _AXIS)
      if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
      else leaf
    ),
    tree,
  )


def _own_key(key: types.Array) -> types.Array:
  return jax.random.fold_in(key, jax.lax.axis_index(_AXIS))


def _replicate(
  tree: types.PyTree, count: int, devices: Sequence[jax.Device] | None
) -> types.PyTree:
  stacked = jax.tree.map(
    lambda leaf: np.stack([leaves.to_host(leaf)] * count), tree
  )
  # With the axis and devices of the step the result is laid out as the step's
  # own output is; otherwise the step would be compiled a second time for it.
  place = jax.pmap(
    lambda numbers: jax.tree.map(leaves.from_host, numbers, tree),
    axis_name=_AXIS,
    devices=devices,
  )
  return place(stacked)


def _first(leaf: types.Array) -> types.Array:
  return leaf.addressable_data(0)[0]


def _shard_over(count: int) -> Callable[[np.ndarray], np.ndarray]:
  def shard(leaf: np.ndarray) -> np.ndarray:
    if leaf.shape[0] % count:
      raise ValueError(
        f"A host's batch of {leaf.shape[0]} does not divide among its {count} "
        "devices; make batch_size a multiple of the number of devices."
      )
    return leaf.reshape(count, leaf.shape[0] // count, *leaf.shape[1:])

  return shard
