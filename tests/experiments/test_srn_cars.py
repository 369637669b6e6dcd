"""Scenes: every config builds, some train and are evaluated on novel views."""

import dataclasses
import inspect
import json
import math
import pathlib
import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import (
  build,
  evaluation,
  render_voxels,
  scene_quality,
  scenes,
  srn_cars,
)
from inrjax import data
from inrjax.codec import errors
from inrjax.data import posed_views
from inrjax.meta import method as method_lib
from inrjax.networks import rendering
from tests.experiments import test_configs as images

FILES = sorted(
  path
  for path in (images.FOLDER / "srn_cars").glob("*.py")
  if path.stem != "__init__"
)
SOURCE = {"num_views": None, "held_out": 1, "scale": 1.0}
SIDE, VIEWS = 8, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
  """Three scenes to learn from and two others; and one scene of NeRF's."""
  root = tmp_path_factory.mktemp("data")
  rng = np.random.default_rng(0)
  for split, count in (("train", 3), ("test", 2)):
    models = {
      f"m{i}": rng.integers(0, 255, (3, 4, 2), np.uint8) for i in range(count)
    }
    np.savez(root / f"{split}.npz", **models)
    render_voxels.write_scenes(
      root / f"{split}.npz",
      root / "cars" / f"cars_{split}",
      num_views=VIEWS,
      size=SIDE,
    )
  scene = data.SRNScenes(root / "cars" / "cars_test").scene(0)
  (root / "single").mkdir()
  # NeRF's cameras have y up and look along -z.
  poses = scene.poses @ np.diag([1.0, -1, -1, 1])
  poses[:, :3, 3] *= 3
  for name, views in (("train", (0, 1, 2)), ("val", (3, 4))):
    for view in views:
      path = root / "single" / f"{view}.png"
      Image.fromarray(scene.pictures[view]).save(path)
    frames = [
      {"file_path": f"{view}.png", "transform_matrix": poses[view].tolist()}
      for view in views
    ]
    (root / "single" / f"transforms_{name}.json").write_text(
      json.dumps({"fl_x": scene.focal[0], "frames": frames})
    )
  return root


def config_of(name: str) -> Any:
  return images.read(images.FOLDER / "srn_cars" / f"{name}.py").get_config()


def shrunk(config: Any) -> dict[str, Any]:
  """A config at a size that compiles and runs in seconds."""
  with config.unlocked():
    config.num_modulations = 3
    config.network.update(depth=1, width=8)
    config.inner.num_steps = 1
    config.train.update(
      num_steps=2, log_every=1, checkpoint_every=2, evaluate_every=2
    )
    config.data.source.num_views = None
    config.data.pipeline.update(batch_size=2, read_threads=0)
    config.signal.update(num_views=2, num_rays=16)
    config.scene.num_samples = 4
    config.outer.task_tile = None
    config.evaluate.update(
      num_scenes=2,
      num_validation_scenes=1,
      num_held_out_views=2,
      num_given_views=(1, 3),
      num_steps=(1,),
      ema_decays=(1.0,),
      num_rays=100,
      rays_per_call=100,
      num_pictures=1,
    )
    config.evaluate.quantise.update(
      num_training_scenes=2,
      num_given_views=2,
      num_steps=1,
      num_bits=(2, 8),
      num_deviations=(3.0,),
    )
  return config.to_dict()


@pytest.mark.parametrize("path", FILES, ids=images.name_of)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = images.read(path)
  known = set(images.leaves(config_of("mscn_cpu").to_dict()))
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    values = config.to_dict()
    json.dumps(values)
    scenes.make_method(values)
    assert variant == str(values["num_modulations"])
    assert values["network"]["latent_dim"] == (
      int(variant) if path.stem.startswith("functa") else None
    )
    # Fails if a config has a setting of its own, which nothing then reads.
    ours = {
      s for s in images.leaves(values) if not s.startswith("gates.penalty.")
    }
    assert ours <= known
    inspect.signature(srn_cars.load).bind(
      "train", None, **values["data"]["source"]
    )
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_the_papers_numbers() -> None:
  # Fails if table 9 is mistyped in one of the places checked.
  path = images.FOLDER / "srn_cars" / "mscn.py"
  weights = [
    images.read(path).get_config(v).gates.penalty.weight
    for v in ("64", "128", "256", "512", "1024")
  ]
  assert weights == [4, 1, 0.7, 0.7, 0.4]
  config = config_of("mscn")
  assert (config.network.depth, config.network.width) == (15, 512)
  assert config.network.w0 == 30 and config.inner.num_steps == 3
  assert (config.inner.low, config.inner.high) == (0.005, 0.1)
  assert config.inner.clip == (0.0, 1.0)
  assert config.outer.learning_rate == 3e-6
  assert config.data.pipeline.batch_size == 8
  assert config.gates.initial_log_alpha == 0.1
  assert config.outer.rate_factors.log_alpha in (100, 1000)
  assert (config.scene.near, config.scene.far) == (0.8, 1.8)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
  """MSCN trained on rays that are aimed at other views, and evaluated."""
  workdir = tmp_path_factory.mktemp("run")
  values = shrunk(config_of("mscn_cpu"))
  values["signal"]["num_target_rays"] = 8
  seen: set[str] = set()
  recorded = images.Recorder(values, "", seen)

  def load(split: str) -> scenes.SceneSource:
    return srn_cars.load(split, folder / "cars", **recorded["data"]["source"])

  run = scenes.Run(recorded, workdir, load)
  with pytest.MonkeyPatch.context() as patch, jax.numpy_rank_promotion("allow"):
    # One device compiles sooner; four are tested with the training loop.
    patch.setattr(jax, "device_count", lambda: 1)
    run.meta_learn()
    run.measure()
  return run, values, seen


def test_training_and_evaluation_leave_their_records(trained) -> None:
  run, values, seen = trained
  last = json.loads((run.workdir / "log.jsonl").read_text().splitlines()[-1])
  assert last["step"] == 2 and math.isfinite(last["loss"])
  # Fails if the loss is of the rays adapted to, though others were asked for.
  assert math.isfinite(last["target_psnr"])
  assert math.isfinite(last["validation_psnr"])
  record = json.loads((run.workdir / evaluation.RESULTS).read_text())
  assert [r["num_given_views"] for r in record["unquantised"]] == [1, 3]
  assert record["num_scenes"] == 2 and record["num_held_out_views"] == 2
  coarse, fine = record["quantised"]
  assert fine["nominal_bytes"] == record["num_modulations"]
  assert 0 < coarse["estimated_bytes"] < fine["estimated_bytes"]
  assert (run.workdir / "views.png").stat().st_size > 1000
  # Fails if a setting is added that the launcher forgets.
  assert set(images.leaves(values)) <= seen


def test_there_is_no_codec_of_scenes(trained) -> None:
  run, _, _ = trained
  with pytest.raises(errors.UnsupportedSignalError, match="no codec"):
    run.write_model()


def test_one_scene_is_adapted_to(trained, folder, tmp_path) -> None:
  # Fails if another scene needs training scenes, or its own scale is not known.
  run, values, _ = trained
  settings = values["evaluate"] | {
    "num_given_views": (2,),
    "num_pictures": 0,
    "quantise": values["evaluate"]["quantise"] | {"num_training_scenes": 0},
  }
  single = scenes.Run(
    values | {"evaluate": settings},
    tmp_path,
    lambda split: srn_cars.load(
      split, folder / "single", **SOURCE | {"scale": 1 / 3}
    ),
    trained_in=run.workdir,
  )
  # It is compiled already.
  object.__setattr__(single, "_adapter", run._adapter)
  single.measure()
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert record["num_scenes"] == 1 and "quantised" not in record
  views = srn_cars.load("test", folder / "single", **SOURCE | {"scale": 1 / 3})
  division = views.division(0, num_held_out=1, seed=0)
  original = data.SRNScenes(folder / "cars" / "cars_test").scene(0)
  np.testing.assert_allclose(
    data.with_rays(division.held_out)[0],
    data.with_rays(original)[3],
    atol=1e-5,
  )
  assert len(division.given.pictures) == 3
  wrong = settings | {"num_given_views": (4,)}
  with pytest.raises(build.ConfigError, match="3 views that can be given"):
    dataclasses.replace(single, config=values | {"evaluate": wrong}).measure()
  for split in ("train", "validation"):
    with pytest.raises(errors.UnsupportedSignalError, match="one scene"):
      srn_cars.load(split, folder / "single", **SOURCE)


def test_rays_are_those_of_their_pixels(folder) -> None:
  # Fails if what batches are made of disagrees with what is evaluated.
  source = srn_cars.load("train", folder / "cars", **SOURCE)
  views = posed_views.unpacked(source[1])
  every = data.with_rays(views).reshape(-1, 9)
  pixels = np.array([0, 7, 64, 300, len(every) - 1])
  found = posed_views.pixels_with_rays(views, pixels)
  np.testing.assert_allclose(found, every[pixels], atol=1e-6)
  with pytest.raises(ValueError, match="must lie in"):
    posed_views.pixels_with_rays(views, np.array([len(every)]))
  settings = {"near": 0.8, "far": 1.8, "num_samples": 4}
  sampler = scenes.RaySampler(2, 60, 40, False, **settings)
  rays = sampler(np.random.default_rng(0), source[1][np.newaxis])
  again = sampler(np.random.default_rng(0), source[1][np.newaxis])
  np.testing.assert_array_equal(rays, again)
  assert rays.shape == (1, 100, 9) and rays.dtype == np.float32
  nearest = np.array(
    [np.abs(every - ray).sum(axis=1).argmin() for ray in rays[0]]
  )
  assert len(set(nearest)) == 100
  given, targets = set(nearest[:60] // 64), set(nearest[60:] // 64)
  # Fails if targets are of views that were adapted to.
  assert len(given) == 2 and not given & targets
  with pytest.raises(errors.UnsupportedSignalError, match="128 rays, fewer"):
    scenes.RaySampler(2, 129, 0, False, **settings)(
      np.random.default_rng(0), source[1][np.newaxis]
    )
  with pytest.raises(ValueError, match="num_rays of at least 1"):
    scenes.RaySampler(2, 0, 0, False, **settings)


def test_depths_are_one_in_each_interval(folder) -> None:
  source = srn_cars.load("train", folder / "cars", **SOURCE)
  sampler = scenes.RaySampler(1, 50, 0, True, near=1.0, far=3.0, num_samples=5)
  rays = sampler(np.random.default_rng(1), source[0][np.newaxis])[0]
  assert rays.shape == (50, 14)
  depths, edges = rays[:, 6:11], np.linspace(1, 3, 6)
  assert (edges[:-1] <= depths).all() and (depths <= edges[1:]).all()
  # Fails if a ray's depths are those of the next one.
  assert len(np.unique(depths)) > 200


def test_batches_are_resumed(folder) -> None:
  # Fails if the choice of rays depends on what was asked for before.
  values = shrunk(config_of("functa"))

  def batches() -> Any:
    return scenes.Run(
      values,
      folder,
      lambda split: srn_cars.load(split, folder / "cars", **SOURCE),
    )._batches()

  first = batches()
  next(first)
  state = first.get_state()
  expected = next(first)
  second = batches()
  second.set_state(state)
  np.testing.assert_array_equal(next(second), expected)
  assert expected.shape == (2, 16, 9)


def test_a_fit_that_is_exact_renders_held_out_views(folder) -> None:
  """A stand-in for a network whose field is an orange ball."""
  scene = posed_views.unpacked(
    srn_cars.load("test", folder / "cars", **SOURCE)[0]
  )
  orange, radius = np.array([1.0, 0.5, 0.1]), 0.35

  def field(points: Any, directions: Any) -> Any:
    del directions
    inside = jnp.linalg.norm(points, axis=-1) < radius
    return 1e4 * inside, jnp.broadcast_to(jnp.asarray(orange), points.shape)

  class Network:
    partition = True

    def apply(self, shared: Any, fast: Any, rays: Any) -> Any:
      depths = rendering.middle_depths(
        len(rays), near=0.8, far=1.8, num_samples=64
      )
      return rendering.render(field, rays, depths, near=0.8, far=1.8).colours

    def initial_fast(self, outer: Any) -> Any:
      return {"a": jnp.zeros(2)}

  adapter = scene_quality.Adapter(
    Network(), num_rays=8, rays_per_call=50, seed=0
  )
  outer = method_lib.Outer((), {}, {}, {})
  found = adapter.render(outer, np.zeros(2, np.float32), scene)
  rays = data.with_rays(scene)
  distance = np.linalg.norm(np.cross(rays[..., :3], rays[..., 3:6]), axis=-1)
  # Fails if rays are rendered out of order, or what fills the last call shows.
  expected = np.where(
    (distance < radius)[..., None], np.rint(255 * orange), 255
  )
  clear = np.abs(distance - radius) > 0.02
  np.testing.assert_array_equal(found[clear], expected[clear])


def test_views_are_divided() -> None:
  scene = data.Scene(
    np.arange(7)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8),
    np.eye(4) * np.arange(7)[:, None, None],
    *np.ones((3, 2)),
    False,
  )
  division = scene_quality.divide(
    scene, num_held_out=3, rng=np.random.default_rng(0)
  )
  views = [part.pictures[:, 0, 0, 0].tolist() for part in division]
  # Fails if a view is both, or poses are not those of their pictures.
  assert sorted(views[0] + views[1]) == [*range(7)] and len(views[1]) == 3
  assert division.given.poses[:, 0, 0].tolist() == views[0]
  assert division.first(2).pictures[:, 0, 0, 0].tolist() == views[0][:2]
  for count in (0, 7):
    with pytest.raises(ValueError, match="hold out from 1 to 6"):
      scene_quality.divide(
        scene, num_held_out=count, rng=np.random.default_rng(0)
      )


def test_a_broken_scene_is_not_made_up_from_the_other_split(
  folder, tmp_path
) -> None:
  shutil.copytree(folder / "cars/cars_train", tmp_path / "scenes")
  *_, last = sorted((tmp_path / "scenes").iterdir())
  (last / "intrinsics.txt").write_text("")
  found = srn_cars.load("test", tmp_path / "scenes", **SOURCE)
  # Fails if the first scene, of training, is what is tested.
  with (
    pytest.warns(data.UnreadableSceneWarning),
    pytest.raises(errors.UnsupportedSignalError, match="None of 1 scenes"),
  ):
    found[0]


def test_splits_are_found(folder, tmp_path) -> None:
  cars = folder / "cars"
  found = {
    split: srn_cars.load(split, cars, **SOURCE)
    for split in ("train", "validation", "test")
  }
  assert [len(source) for source in found.values()] == [3, 2, 2]
  # A folder of scenes has no splits: its last ones are for testing.
  plain = [
    srn_cars.load(split, cars / "cars_train", **SOURCE)
    for split in ("train", "test")
  ]
  assert [len(source) for source in plain] == [2, 1]
  np.testing.assert_array_equal(plain[1][0], found["train"][2])
  few = srn_cars.load("train", cars, **SOURCE | {"num_views": 2})
  assert len(few[0]) == 2
  # Fails if test scenes, too, are read with training's few views.
  assert len(srn_cars.load("test", cars, **SOURCE | {"num_views": 2})[0]) == 5
  with pytest.raises(errors.UnsupportedSignalError, match="neither cars_train"):
    srn_cars.load("train", tmp_path, **SOURCE)
  with pytest.raises(errors.UnsupportedSignalError, match="must be positive"):
    srn_cars.load("train", cars, **SOURCE | {"scale": 0.0})
  with pytest.raises(SystemExit, match="--data_dir"):
    srn_cars.load("train", None, **SOURCE)
