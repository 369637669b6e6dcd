"""The benchmark of meta-learning over clips, on a network of a few channels."""

import json

import pytest

from benchmarks import clip_meta_step
from inrjax.networks import hyperprior
from tests.meta import adaptive_problem


def test_both_convolutions_give_one_gradient(monkeypatch, capsys):
  monkeypatch.setattr(
    hyperprior, "small", lambda: adaptive_problem.MODEL.network.config
  )
  sizes = ["--clips=1", "--frames=2", "--side=64", "--steps=1"]
  # Fails if the two sides compute different things.
  clip_meta_step.main([*sizes, "--kind=mixed_mode", "--rounds=1"])
  *_, last = capsys.readouterr().out.splitlines()
  record = json.loads(last)
  assert record["kind"] == "mixed_mode"
  assert record["baseline"] == clip_meta_step.PLAIN
  assert record["ratio_time"] > 0


def test_the_baseline_has_the_other_convolution(monkeypatch):
  seen = []
  monkeypatch.setattr(
    clip_meta_step, "plain", lambda *a: seen.append(a) or 1 / 0
  )
  # Fails if a side is compared with itself.
  with pytest.raises(ZeroDivisionError):
    clip_meta_step.programs(
      adaptive_problem.MODEL.network.config,
      clips=1,
      frames=1,
      side=64,
      steps=0,
      kind="first_order",
    )
  assert seen
