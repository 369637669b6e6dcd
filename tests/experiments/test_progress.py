"""What a run reaches on its way: checkpoints, targets, times."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import build, progress, test_time
from inrjax.coords import select
from inrjax.types import Context

SIDE = 8
CONFIG: dict[str, Any] = {
  "seed": 0,
  "signal": {
    "side": SIDE,
    "channels": 1,
    "tiled": False,
    "low": -1.0,
    "high": 1.0,
  },
  "network": {"kind": "siren", "depth": 1, "width": 4, "out_dim": 1},
  "inner": {
    "num_steps": 2,
    "low": 0.01,
    "high": 0.01,
    "clip": None,
    "gradient": "mixed_mode",
  },
  "select": {"kind": "top_error", "ratio": 0.25},
  "objective": {
    "kind": "bootstrapped",
    "num_steps": 3,
    "learning_rate": 0.02,
    "select": {"kind": "random", "ratio": 0.5, "tile": None},
    "weight": 1.0,
  },
  "train": {"num_steps": 8, "checkpoint_every": 2},
  "outer": {"task_tile": 1},
  "evaluate": {
    "checkpoints": (2, 6),
    "fit": {"kind": "inner", "num_steps": 4, "gradients": ("full",)},
  },
}


def pictures(count: int) -> list[np.ndarray]:
  rng = np.random.default_rng(0)
  return list(rng.integers(0, 256, (count, SIDE, SIDE, 1), np.uint8))


def context_of(image: np.ndarray) -> Context:
  context = build.make_as_context(**CONFIG["signal"])(image)
  return jax.tree.map(jnp.asarray, context)


def psnr(losses: Any) -> float:
  return float(-10 * np.log10(losses[-1]))


def test_fits_and_targets_of_checkpoints(tmp_path: pathlib.Path) -> None:
  method = build.make_method(CONFIG)
  outers = {
    2: method.init(jax.random.key(1)),
    6: method.init(jax.random.key(2)),
  }
  # The first step compiles; the second is logged again after the run was
  # stopped and went on.
  speeds = [(1, 0.1), (2, 0.5), (2, 2.0), (3, 2.0)]
  log = [{"step": step, "steps_per_second": v} for step, v in speeds]
  (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, log)))
  images = pictures(2)
  found = progress.describe(CONFIG, method, outers, images, folder=tmp_path)
  assert [row["step"] for row in found] == [2, 6]
  assert [row["seconds"] for row in found] == [1.0, None]
  # One by one, by the library's own words.
  target = build.make_target(CONFIG, method)
  assert target is not None and target.num_steps == 3
  tested = test_time.make_method(CONFIG, method, "full")
  further = target.method(method)
  key, outer = jax.random.key(0), outers[6]
  expected = []
  for image in images:
    context = context_of(image)
    fit = method.adapt(key, outer, {}, context)
    reached = further.adapt(
      jax.random.fold_in(key, 2), outer, {}, context, start=fit.state
    )
    plain = tested.adapt(key, outer, {}, context)
    expected.append([psnr(x.losses) for x in (plain, fit, reached)])
  names = ("psnr", "psnr_in_training", "psnr_of_target")
  # Fails if a target starts anew, or the test's steps are training's.
  np.testing.assert_allclose(
    [found[1][name] for name in names], np.mean(expected, axis=0), rtol=1e-4
  )
  assert found[0]["psnr"] != found[1]["psnr"]


def test_the_context_of_a_target_is_a_setting() -> None:
  method = build.make_method(CONFIG)
  context = context_of(pictures(1)[0])
  outer = method.init(jax.random.key(1))
  sizes = {}
  for kind, ratio in (("all", None), ("random", 0.5), ("top_error", 0.25)):
    section = {"kind": kind, "ratio": ratio, "tile": None}
    objective = CONFIG["objective"] | {"select": section}
    target = build.make_target(CONFIG | {"objective": objective}, method)
    assert target is not None
    _, fast = method.partition.split(method.network.init(jax.random.key(0)))
    part = target.select(jax.random.key(0), outer.shared, fast, context)
    sizes[kind] = len(part.coords)
  # Fails if the setting changes nothing.
  assert sizes == {"all": 64, "random": 32, "top_error": 16}
  full = dataclasses.replace(target, select=select.full_context)
  assert full.select is not target.select
  wrong = CONFIG["objective"] | {"select": {"kind": "all", "ratio": 0.5}}
  with pytest.raises(ValueError, match="takes no ratio"):
    build.make_objective(CONFIG | {"objective": wrong}, method)
  none = {k: v for k, v in CONFIG.items() if k != "objective"}
  assert build.make_target(none, method) is None


def test_steps_between_two_checkpoints_are_refused() -> None:
  assert build.milestones(CONFIG) == (2, 6, 8)
  short = CONFIG | {"train": {"num_steps": 4, "checkpoint_every": 2}}
  assert build.milestones(short) == (2, 4)
  wrong = CONFIG | {"evaluate": {"checkpoints": (3,)}}
  with pytest.raises(build.ConfigError, match="between two checkpoints"):
    build.milestones(wrong)


def test_figures_and_table_of_a_sweep(tmp_path: pathlib.Path) -> None:
  def rows(offset: float, target: float | None) -> list[dict[str, Any]]:
    return [
      {
        "step": step,
        "seconds": 60.0 * step,
        "psnr": step + offset,
        "psnr_in_training": step + offset - 1,
        "psnr_of_target": target and step + target,
      }
      for step in (1, 2)
    ]

  results = {
    "ecop/all/seed0": {"progress": rows(1.0, 2.0)},
    "ecop/all/seed1": {"progress": rows(3.0, 4.0)},
    "learnit/all/seed0": {"progress": rows(0.0, None)},
    "random_init/all/seed0": {},
  }
  found = progress.collect(results)
  assert list(found) == ["ecop", "learnit"]
  # Fails if seeds are not averaged, or minutes are seconds.
  assert progress.rows(found)[1:3] == [
    ["ecop", "1", "1.00", "3.00", "2.00", "4.00"],
    ["ecop", "2", "2.00", "4.00", "3.00", "5.00"],
  ]
  assert progress.rows(found)[3][-1] == "-"
  progress.draw(found, tmp_path, title="a sweep")
  assert {p.name for p in tmp_path.iterdir()} == {
    "training_time.png",
    "targets.png",
  }
