"""The sides of a benchmark compute the same thing."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import baselines, harness, ours
from benchmarks import case as case_lib
from inrjax.types import Context

CASE = case_lib.Case(
  depth=3, width=8, latent_dim=4, num_images=3, side=4, num_steps=3, w0=10.0
)
MAML = dataclasses.replace(CASE, latent_dim=0)
# On 4 of 16 points, with a target; and clips of 2 frames, in tiles of points.
ECOP = dataclasses.replace(CASE, gamma=0.25, target_steps=2, target_weight=3.0)
ECOP_MAML = dataclasses.replace(ECOP, latent_dim=0, num_images=2)
CLIP = dataclasses.replace(ECOP_MAML, num_frames=2, point_tile=3)
CASES = {
  "latent": CASE,
  "maml": MAML,
  "ecop": ECOP,
  "ecop-maml": ECOP_MAML,
  "clip": CLIP,
}


@pytest.mark.parametrize(
  ("case", "task_tile"),
  [
    *((case, tile) for case in (CASE, MAML) for tile in (1, 2, None)),
    (CLIP, 1),
  ],
)
def test_training_has_the_same_loss_and_gradient(case, task_tile):
  # Fails if a side leaves out a term, an inner step, an image or a step to the
  # target, ranks the points once, or lets a gradient through the target. The
  # baseline broadcasts as its users do.
  case = dataclasses.replace(case, task_tile=task_tile)
  parameters = case_lib.initial_parameters(case)
  batch = jnp.asarray(case_lib.images(case))
  objective = ours.objective(case)
  outer = ours.outer(case, parameters)
  with jax.numpy_rank_promotion("allow"):
    loss, grads = jax.jit(
      jax.value_and_grad(
        lambda p: objective(jax.random.key(0), p, (), batch)[0]
      )
    )(outer)
    expected_loss, expected = jax.jit(
      jax.value_and_grad(lambda p: baselines.outer_loss(case, p, batch))
    )(jax.tree.map(jnp.asarray, parameters))
  np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
  in_our_tree = ours.outer(case, jax.tree.map(np.asarray, expected))
  for one, other in zip(
    jax.tree.leaves(grads), jax.tree.leaves(in_our_tree), strict=True
  ):
    assert np.linalg.norm(one - other) < 1e-3 * np.linalg.norm(other)


@pytest.mark.parametrize("case", [CASE, ECOP_MAML], ids=["latent", "ecop"])
@pytest.mark.parametrize("task", ["train_step", "encode"])
def test_sides_agree_run_after_run(case, task):
  # Fails if an update is left out: the loss would then stay.
  with jax.numpy_rank_promotion("allow"):
    mine, theirs = (getattr(m, task)(case) for m in (ours, baselines))
    pairs = [(mine.run(), theirs.run()) for _ in range(3)]
  np.testing.assert_allclose(*np.transpose(pairs), rtol=1e-4)
  assert (pairs[0] == pairs[1]) == (task == "encode")
  assert mine.temporaries > 0 and theirs.temporaries > 0


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("task", ["train_step", "encode"])
def test_pytorch_agrees(case, task):
  pytest.importorskip("torch", reason="PyTorch is not installed.")
  from benchmarks import torch_baseline

  with jax.numpy_rank_promotion("allow"):
    mine = getattr(ours, task)(case)
    theirs = getattr(torch_baseline, task)(case)
    pairs = [(mine.run(), theirs.run()) for _ in range(3)]
  np.testing.assert_allclose(*np.transpose(pairs), rtol=1e-4)


def test_coordinates_are_those_of_the_library():
  # Fails if the baselines fit images on another grid.
  for case in (CASE, CLIP):
    context = ours.as_context(case)(jnp.zeros((*case.shape, 3)))
    assert isinstance(context, Context)
    np.testing.assert_allclose(context.coords, case_lib.coordinates(case))


def test_a_record_says_what_was_compared():
  # Fails if a ratio is the baseline over ours.
  quick = harness.Measured([1.0, 2.0, 9.0], [0.5], 100, 10)
  slow = harness.Measured([4.0, 4.0, 4.0], [0.5], 200, 40)
  found = harness.record("encode", CASE, "jax", {"ours": quick, "jax": slow})
  assert (found["ratio_time"], found["ratio_memory"]) == (0.5, 0.25)
  assert (found["memory"], found["ratio_rss"]) == ("temporaries", 0.5)
  eager = dataclasses.replace(slow, temporaries=None)
  found = harness.record(
    "encode", CASE, "torch", {"ours": quick, "torch": eager}
  )
  assert (found["memory"], found["ratio_memory"]) == ("peak_rss", 0.5)


def test_a_disagreement_stops_the_benchmark():
  one, other = (harness.Measured([1.0], [x], 1, 1) for x in (0.5, 0.50006))
  with pytest.raises(harness.Disagreement, match="jax"):
    harness._check_losses({"ours": one, "jax": other}, harness.TOLERANCE)
  harness._check_losses({"ours": one, "jax": other}, harness.RANKED_TOLERANCE)


def test_command_prints_one_json_object_for_each_baseline():
  sizes = ["--depth=2", "--width=8", "--latent_dim=2", "--num_images=2"]
  sizes += ["--side=4", "--num_steps=1", "--rounds=1", "--baselines", "jax"]
  done = subprocess.run(
    [sys.executable, "-m", "benchmarks.encode", *sizes],
    capture_output=True,
    text=True,
    check=True,
  )
  records = [
    json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"
  ]
  assert len(records) == 1
  assert records[0]["ratio_time"] > 0 and records[0]["ratio_memory"] > 0
  assert records[0]["baseline"] == "jax" and records[0]["width"] == 8
