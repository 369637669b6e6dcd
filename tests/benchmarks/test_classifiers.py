"""The sides of the classifiers' benchmarks compute the same thing.

Each command checks that itself before it measures, with `check_same`.
"""

import json

import jax.numpy as jnp
import pytest

from benchmarks import (
  classifier,
  gradient_l1_step,
  prospr_score,
  structured_pruning,
  turns,
)

# One stage of two convolutions: quick to compile.
SIZES = [
  "--network=vgg16",
  "--stages=1",
  "--narrow=16",
  "--batch_size=4",
  "--side=8",
]


@pytest.fixture
def records(monkeypatch, capsys):
  """Runs a command at tiny sizes; the records that it prints."""
  monkeypatch.setattr(turns.time, "sleep", lambda seconds: None)

  def run(module, *flags):
    module.main([*SIZES, *flags])
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line) for line in lines if line[:1] == "{"]
    assert all(one["narrow"] == 16 and one["batch_size"] == 4 for one in found)
    return found

  return run


def test_prospr_scores_are_those_of_reverse_over_reverse(records):
  # Fails if a side leaves out a step, the momentum, or the last batch; if the
  # compiler keeps the activations of our inner steps; or if memory of the
  # first-order form grows with them.
  (found,) = records(
    prospr_score, "--num_steps=2", "--rounds=1", "--memory_at", "6", "50"
  )
  assert found["program"] == prospr_score.OURS
  assert found["ratio_time"] > 0 and found["ratio_memory"] < 1
  grown = found["first_order_temporaries_by_num_steps"]
  # The numbers of the steps are all that there is more of.
  assert grown["50"] <= grown["6"] + 4 * 48


def test_gradient_l1_steps_agree_with_reverse_over_reverse(records):
  # Fails if a norm is left out, or counts other tensors.
  ours, double = records(gradient_l1_step, "--rounds=1", "--double")
  assert ours["program"] == gradient_l1_step.OURS
  assert double["program"] == gradient_l1_step.DOUBLE
  assert ours["baseline"] == gradient_l1_step.PLAIN
  assert ours["ratio_memory"] > 1 and ours["rounds"] == 1


def test_pruned_networks_are_smaller_and_equal_the_masked_ones(records):
  # Fails if a part is not reached, or of something else.
  found = records(
    structured_pruning,
    *("--measure=parameters", "--parts", "0.8", "--rounds=1"),
  )
  step, prediction = found
  assert step["benchmark"] == "structured_pruning_training_step"
  assert prediction["benchmark"] == "structured_pruning_prediction"
  for one in found:
    assert 0 < one["left_parameters"] <= 0.2 and 0 < one["left_flops"] < 1
    assert one["baseline"] == structured_pruning.UNPRUNED


def test_without_running_there_is_memory_alone(records):
  # Fails if a program runs: at full size that takes minutes.
  (one,) = records(gradient_l1_step, "--compile_only")
  assert one["ratio_time"] is None and one["rounds"] == 0
  assert one["ratio_memory"] > 1


def test_a_difference_stops_the_benchmark():
  tree = {"w": jnp.array([3.0, 4.0]), "b": jnp.zeros(2)}
  noise = {"w": jnp.array([3.0, 4.04]), "b": jnp.full(2, 1e-9)}
  classifier.check_same(noise, tree, tolerance=0.01)
  with pytest.raises(RuntimeError, match="0.008 of their size"):
    classifier.check_same(noise, tree, tolerance=0.001)
  with pytest.raises(RuntimeError, match="differ"):
    classifier.check_same({"w": tree["w"], "b": jnp.nan}, tree, tolerance=1.0)


def test_steps_go_on_from_each_other():
  # Fails if a run starts anew, or uses up the state that it was given.
  start = {"x": jnp.ones(3)}
  side = turns.stepping(lambda s, b: ({"x": s["x"] + b}, 0), start, jnp.ones(3))
  assert float(side.run()[0]["x"][0]) == 2.0
  assert float(side.run()[0]["x"][0]) == 3.0
  assert float(start["x"][0]) == 1.0


def test_a_record_says_what_was_compared():
  # Fails if a ratio is the baseline over the side, or a mean.
  seen = {
    "quick": turns.Seen([1.0, 2.0, 9.0], 10),
    "slow": turns.Seen([4.0, 4.0, 4.0], 40),
    "unseen": turns.Seen([], None),
  }
  found = turns.record("some", "quick", "slow", seen)
  assert (found["ratio_time"], found["ratio_memory"]) == (0.5, 0.25)
  assert turns.record("some", "unseen", "slow", seen)["ratio_time"] is None
  lines = turns.table(seen, "slow").splitlines()
  assert len(lines) == 5 and " 0.500  0.250" in lines[2]


def test_sides_take_turns():
  # Fails if the warm-up is measured, or the same side always goes first.
  order = []
  programs = {
    name: turns.Program(lambda name=name: order.append(name), 1)
    for name in ("a", "b")
  }
  seen = turns.take_turns(programs, rounds=2, warmup=1, pause=0)
  assert order == list("abbaab")
  assert [len(found.seconds) for found in seen.values()] == [2, 2]
