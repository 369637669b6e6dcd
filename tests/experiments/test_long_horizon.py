"""ECoP's comparison on images: its numbers, methods, data sets and sweeps."""

import importlib
import math
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import afhq, build, imagenet100
from experiments.configs import long_horizon
from experiments.sweeps import text_long_horizon
from inrjax import data
from inrjax.types import Context

FILES = {
  "celeba/ecop": 178,
  "text/ecop": 178,
  "imagenette/ecop": 178,
  "imagenet100/ecop": 256,
  "celeba_hq/ecop_512": 512,
  "afhq/ecop": 512,
  "celeba_hq/ecop_1024": 1024,
}
DATA_SETS = sorted({name.partition("/")[0] for name in FILES})
SIDE = 6


def config_of(name: str, method: str = "ecop") -> Any:
  path = f"experiments.configs.{name.replace('/', '.')}"
  return importlib.import_module(path).get_config(method)


@pytest.mark.parametrize("name", FILES)
def test_the_papers_numbers(name: str) -> None:
  ecop, learnit = config_of(name), config_of(name, "learnit")
  assert ecop.signal.side == FILES[name]
  assert (ecop.signal.low, ecop.signal.high) == (-1, 1)
  for config in (ecop, learnit):
    network = config.network
    assert (network.width, network.w0, network.depth + 1) == (256, 30, 5)
    assert config.train.num_steps == config.outer.num_steps == 150_000
    assert config.outer.learning_rate == 1e-5
    assert config.inner.low == config.inner.high == 1e-2
    # Fails if methods are compared after different numbers of steps.
    assert config.evaluate.fit.num_steps == ecop.inner.num_steps
  assert ecop.select.to_dict() == {
    "kind": "top_error",
    "ratio": 0.25,
    "tile": ecop.inner.point_tile,
    "recall": None,
  }
  assert ecop.objective.to_dict() == {
    "kind": "bootstrapped",
    "num_steps": 5,
    "learning_rate": None,
    "select": {
      "kind": "all",
      "ratio": None,
      "tile": ecop.inner.point_tile,
      "recall": None,
    },
    "weight": 100,
  }
  assert learnit.inner.num_steps == (1 if name.endswith("1024") else 4)
  # Fails if ECoP takes more memory than Learnit.
  assert ecop.inner.num_steps * 0.25 == learnit.inner.num_steps


@pytest.mark.parametrize("name", ["afhq/ecop", "celeba_hq/ecop_1024"])
def test_targets_are_scored_in_tiles_of_large_images(name: str) -> None:
  config = config_of(name)
  with config.unlocked():
    config.inner.point_tile = 5
    config.objective.select.update(kind="top_error", ratio=0.5)
  # Fails if a target's scores are of all points at once.
  assert config.objective.select.tile == config.select.tile == 5


@pytest.mark.parametrize("kind", ["all", "random"])
@pytest.mark.parametrize("recall", [None, 0.9])
def test_kinds_that_rank_nothing_take_ecops_section(
  kind: str, recall: float | None
) -> None:
  config = config_of("text/ecop_cpu")
  ratio = None if kind == "all" else 0.25
  settings = {"kind": kind, "ratio": ratio, "recall": recall}
  with config.unlocked():
    config.inner.point_tile = 5
    config.select.update(settings)
    config.objective.select.update(settings)
  values = config.to_dict()
  assert values["select"]["tile"] == values["objective"]["select"]["tile"] == 5
  # Fails if the tile of a ranking goes to what has none.
  method = build.make_method(values)
  target = build.make_target(values, method)
  context = Context(np.zeros((8, 2)), np.zeros((8, 3)))
  for select in (method.select, target.select):
    part = select(jax.random.key(0), {}, {}, context)
    assert len(part.coords) == (8 if kind == "all" else 2)


def test_an_approximate_ranking_is_a_setting() -> None:
  config = config_of("text/ecop_cpu")
  with config.unlocked():
    config.select.recall = 2.0
  # Fails if the setting is not read.
  with pytest.raises(build.ConfigError, match="recall must lie between"):
    build.make_method(config.to_dict())
  with config.unlocked():
    config.select.recall = None
    config.objective.select.update(kind="top_error", ratio=0.25, recall=2.0)
  values = config.to_dict()
  with pytest.raises(build.ConfigError, match="recall must lie between"):
    build.make_problem(values, build.make_method(values))


@pytest.mark.parametrize("name", ["imagenette/ecop", "imagenet100/ecop"])
def test_nothing_is_lost_beside_the_crop(name: str) -> None:
  source = config_of(name).data.source
  # Fails if Meta-SparseINR's resizing to 200 pixels is left.
  assert source.resize_to == source.side
  small = config_of(f"{name}_cpu").data.source
  assert small.resize_to == small.side == 96


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_sides_follow_on_two_cores(data_set: str) -> None:
  config = config_of(f"{data_set}/ecop_cpu")
  assert config.signal.side == 96 and config.network.width < 256
  assert 96 in (
    config.data.source.get("side"),
    *(
      config.data.source.get("resize_to", ()) if data_set == "celeba_hq" else ()
    ),
  )
  assert config.train.num_steps < 10_000
  # Fails if a cpu variant changes the method.
  assert config.inner.num_steps == 16 and config.select.ratio == 0.25


@pytest.mark.parametrize("method", long_horizon.METHODS)
def test_every_method_has_its_parts_and_an_objective(method: str) -> None:
  config = config_of("text/ecop_cpu", method)
  kinds = {
    "ecop": ("top_error", "bootstrapped"),
    "gradncp": ("top_gradient_norm", "bootstrapped"),
    "random_pruning": ("random", None),
    "error_pruning": ("top_error", None),
    "bootstrap_only": (None, "bootstrapped"),
    "reptile": (None, "reptile"),
  }
  found = tuple(
    config[name].kind if name in config else None
    for name in ("select", "objective")
  )
  assert found == kinds.get(method, (None, None))
  short = method in ("learnit", "bootstrap_only", "random_init")
  predicted = 0 if method == "transinr" else 16
  assert config.inner.num_steps == (4 if short else predicted)
  assert (config.inner.gradient == "first_order") == (method == "fomaml")
  assert bool(config.train.num_steps) == (method != "random_init")
  with config.unlocked():
    config.data.source.side = SIDE
    config.network.update(depth=1, width=3)
    config.inner.num_steps = 2
    if "hypernetwork" in config:
      config.hypernetwork.update(patch=(3, 3), dim=4, feed_forward=4)
  values = config.to_dict()
  problem = build.make_problem(values, build.make_method(values))
  batch = np.zeros((2, SIDE, SIDE, 3), np.uint8)
  state = problem.state
  loss, (metrics, _) = jax.eval_shape(
    problem.objective, jax.random.key(0), state.params, state.carry, batch
  )
  assert loss.shape == () and "psnr" in metrics
  # Fails if the targets are left out of the objective.
  assert ("bootstrap_distance" in metrics) == (found[1] == "bootstrapped")


def test_a_horizon_takes_the_memory_of_learnit() -> None:
  assert long_horizon.horizon(4, 0.25) == 16
  assert long_horizon.horizon(20, 0.5) == 40
  # Fails if the quotient is cut off: 1 / 0.2 is 5 and 3 / 0.3 is 10.
  assert long_horizon.horizon(3, 0.3) == 10


def write_images(folder: pathlib.Path, *places: str) -> None:
  for level, place in enumerate(places):
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30 + level, 24), (level, 0, 0)).save(path)


def test_afhq_in_its_folders(tmp_path: pathlib.Path) -> None:
  write_images(
    tmp_path, "train/cat/a.png", "train/dog/b.png", "test/wild/c.png"
  )
  sources = {
    split: afhq.load(split, tmp_path, side=8, channels=3)
    for split in ("train", "validation", "test")
  }
  assert [len(s) for s in sources.values()] == [2, 1, 1]
  assert sources["test"][0].shape == (8, 8, 3)
  assert sources["test"][0][0, 0, 0] == 2
  with pytest.raises(data.ImageError, match="--data_dir"):
    afhq.load("train", None, side=8, channels=3)


def test_afhq_of_the_data_pack(data_dir: pathlib.Path) -> None:
  source = afhq.load("test", data_dir / "afhq", side=96, channels=3)
  assert source[0].shape == (96, 96, 3) and np.ptp(source[0]) > 50


def photographs(split: str, folder: pathlib.Path | None) -> data.ImageSource:
  return imagenet100.load(
    split, folder, listing="classes.txt", resize_to=12, side=8, channels=3
  )


def test_classes_of_imagenet100(tmp_path: pathlib.Path) -> None:
  write_images(
    tmp_path, "train/n1/a.png", "train/n2/b.png", "train/n3/c.png",
    "val/n1/d.png", "val/n2/e.png",
  )  # fmt: skip
  assert len(photographs("train", tmp_path)) == 3
  listing = tmp_path / "classes.txt"
  listing.write_text("n3\nn1\n")
  chosen = photographs("train", tmp_path)
  # Fails if classes that are not listed stay, or the order changes.
  assert [int(image[0, 0, 0]) for image in chosen] == [0, 2]
  assert chosen[0].shape == (8, 8, 3)
  assert len(photographs("test", tmp_path)) == 1
  listing.write_text("n9")
  with pytest.raises(data.ImageError, match=r"classes\.txt"):
    photographs("train", tmp_path)
  with pytest.raises(data.ImageError, match="--data_dir"):
    photographs("train", None)


def test_horizons_are_methods_of_their_own() -> None:
  found = text_long_horizon.comparison(
    "afhq", "ecop_cpu", seeds=(0, 2), horizons={"ecop": (4,)}
  )
  names = [entry.name for entry in found]
  # A horizon, contexts of targets, and Learnit for twice as long.
  count = len(long_horizon.METHODS) + 1 + len(text_long_horizon.TARGETS) + 1
  assert len(set(names)) == 2 * count
  # Fails if all seeds of a method come before the next method.
  assert {name.split("/")[2] for name in names[:count]} == {"seed0"}
  overrides = {entry.name: entry.overrides for entry in found}
  # Fails if figures would keep one of two settings of a method.
  assert overrides["ecop_K4/all/seed2"] == {"seed": 2, "inner.num_steps": 4}
  assert overrides["ecop_random_target/all/seed2"] == {
    "seed": 2,
    "objective.select.kind": "random",
    "objective.select.ratio": 0.25,
  }
  twice = overrides["learnit_twice/all/seed0"]["train.num_steps"]
  assert twice == 2 * config_of("text/ecop").train.num_steps
  assert math.prod(len(name.split("/")) == 3 for name in names)
