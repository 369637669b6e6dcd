"""Many devices, and many processes, compute what one device computes."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import train
from inrjax.train import parallel
from tests.train import problems

ROOT = pathlib.Path(__file__).parents[2]


def run(make_step, objective=problems.linear_objective, num_steps=6, **options):
  step_fn, placement = make_step(objective, problems.SGD, **options)
  return train.train(
    problems.linear_state(),
    step_fn,
    problems.make_batches(),
    num_steps=num_steps,
    placement=placement,
  )


def test_four_devices_equal_one():
  assert jax.local_device_count() == 4
  one = run(train.make_single_step)
  four = run(train.make_parallel_step)
  two = run(train.make_parallel_step, devices=jax.local_devices()[1:3])
  for many in (two, four):
    for a, b in zip(
      problems.as_arrays(one), problems.as_arrays(many), strict=True
    ):
      # fails if gradients or the carry are summed, or not reduced at all.
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_replicas_stay_equal_where_batches_and_keys_differ():
  step_fn, placement = train.make_parallel_step(
    problems.noisy_objective, problems.SGD
  )
  state = placement.replicate(problems.linear_state())
  batches = problems.make_batches()
  for _ in range(3):
    state, metrics = step_fn(state, placement.shard(next(batches)))
  for leaf in jax.tree.leaves((state._replace(key=()), metrics)):
    # fails if one of loss, metrics, gradient or carry is not averaged.
    assert leaf.shape[0] == 4
    np.testing.assert_array_equal(leaf[0], leaf[3])


def test_each_device_has_its_own_key():
  def objective(key, params, carry, batch):
    loss, (_, carry) = problems.linear_objective(key, params, carry, batch)
    value = jax.random.uniform(key)
    return loss, ({"mean": value, "square": value**2}, carry)

  step_fn, placement = train.make_parallel_step(objective, problems.SGD)
  _, metrics = step_fn(
    placement.replicate(problems.linear_state()),
    placement.shard(next(problems.make_batches())),
  )
  metrics = placement.unreplicate(metrics)
  # fails if devices share a key: the variance over devices would be zero.
  assert metrics["square"] - metrics["mean"] ** 2 > 1e-3


def test_a_nan_on_one_device_keeps_the_state_of_all():
  def objective(key, params, carry, batch):
    loss, aux = problems.linear_objective(key, params, carry, batch)
    return loss + jnp.where(batch[0, 0, 0, 0] == 255, jnp.nan, 0.0), aux

  step_fn, placement = train.make_parallel_step(objective, problems.SGD)
  batch = np.full((8, 3, 2, 3), 7, np.uint8)
  batch[-2:] = 255
  first = problems.linear_state()
  state, metrics = step_fn(placement.replicate(first), placement.shard(batch))
  # fails if the guard looks at the device's own loss before the mean.
  np.testing.assert_array_equal(metrics["finite"], 0)
  problems.assert_same(placement.unreplicate(state), first)


@pytest.mark.parametrize("make_step", ["single", "parallel"])
def test_the_callers_state_survives_donation(make_step):
  step_fn, placement = getattr(train, f"make_{make_step}_step")(
    problems.linear_objective, problems.SGD
  )
  first = problems.linear_state()
  step_fn(
    placement.replicate(first), placement.shard(next(problems.make_batches()))
  )
  # fails if replicate hands out the caller's own buffers.
  problems.assert_same(first, problems.linear_state())


def test_a_batch_that_does_not_divide_is_named():
  _, placement = train.make_parallel_step(
    problems.linear_objective, problems.SGD
  )
  with pytest.raises(ValueError, match="batch of 6.* 4 devices"):
    placement.shard(np.zeros((6, 3, 2, 3), np.uint8))


@pytest.mark.parametrize(
  "arguments", [("localhost:1", None, None), (None, 2, 0), ("a:1", 2, 2)]
)
def test_initialise_distributed_checks_its_arguments(arguments):
  with pytest.raises(ValueError, match="process_id"):
    train.initialise_distributed(*arguments)


def test_one_process_needs_no_agreement():
  assert parallel.any_process(True) and not parallel.any_process(False)
  assert parallel.is_primary() and parallel.all_equal(3)


def free_port():
  with socket.socket() as listener:
    listener.bind(("localhost", 0))
    return listener.getsockname()[1]


def test_two_processes_with_two_devices_equal_one_device(tmp_path):
  script = pathlib.Path(__file__).with_name("two_processes.py")
  port = str(free_port())
  environment = os.environ | {"PYTHONPATH": str(ROOT)}
  processes = [
    subprocess.Popen(
      [sys.executable, script, port, str(i), tmp_path],
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    for i in range(2)
  ]
  try:
    outputs = [process.communicate(timeout=60)[0] for process in processes]
  finally:
    for process in processes:
      process.kill()
  assert [p.returncode for p in processes] == [0, 0], outputs
  reference = run(train.make_single_step)
  for output in outputs:
    result = json.loads(output.splitlines()[-1])
    # fails if hosts do not exchange gradients, or see the same data.
    np.testing.assert_allclose(
      result["weights"], reference.params["w"], rtol=1e-5, atol=1e-7
    )
    # One process was told to stop in step 7; they ask each other every 8.
    assert result["stopped"] == 8
    # A folder of each process's own cannot be what all resume from.
    assert "visible to all" in result["private_folder"]
  saved = train.Checkpointer(tmp_path).restore(problems.linear_state())
  assert int(saved.state.step) == 8
