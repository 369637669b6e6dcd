"""Global training of a hyperprior, its files, and its configs."""

import inspect
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import inrjax
from experiments import build, clic, evaluation, hyperprior, sweep, training
from inrjax import codec, train
from inrjax.networks import hyperprior as networks
from tests.experiments import test_configs

FOLDER = test_configs.FOLDER / "clic"
FILES = sorted(p for p in FOLDER.glob("*.py") if p.stem != "__init__")


def load(split: str) -> list[np.ndarray]:
  """Pictures of several sizes, some smaller than a crop."""
  rng = np.random.default_rng(len(split))
  return [
    rng.integers(0, 256, (5, w // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for w in (48, 80, 72)
  ]


def shrunk(num_steps: int) -> dict[str, Any]:
  """The config at a size that compiles and runs in seconds."""
  config = test_configs.read(FOLDER / "hyperprior_cpu.py").get_config()
  config.network.update(width=3, latent_channels=4, hyper_channels=2)
  config.signal.side = 64
  config.data.pipeline.update(batch_size=2, read_threads=0)
  config.train.update(
    num_steps=num_steps, log_every=1, checkpoint_every=2, evaluate_every=2
  )
  config.evaluate.update(num_images=2, num_validation_crops=2)
  return config.to_dict()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hyperprior.Run:
  """A run of four steps, evaluated and exported."""
  seen: set[str] = set()
  folder, values = tmp_path_factory.mktemp("run"), shrunk(4)
  config = test_configs.Recorder(values, "", seen)
  with pytest.MonkeyPatch.context() as patch:
    # `pmap` over four fake devices is tested with the training step.
    patch.setattr(jax, "device_count", lambda: 1)
    hyperprior.Run(config, folder, load).meta_learn()
    run = hyperprior.Run(values, folder, load)
    model = run.codec()
    patch.setattr(hyperprior.Run, "codec", lambda self: model)
    run.measure()
    run.write_model()
  inspect.signature(clic.load).bind("train", None, **config["data"]["source"])
  # Fails if a setting is added that the launcher forgets; this one is read by
  # the evaluation.
  seen.add("evaluate.num_images")
  assert set(test_configs.leaves(values)) <= seen
  return run


def test_training_is_logged(run: hyperprior.Run) -> None:
  lines = (run.workdir / "log.jsonl").read_text().splitlines()
  found = [json.loads(line) for line in lines]
  assert [line["step"] for line in found] == [1, 2, 3, 4]
  last = found[-1]
  # Fails if validation weighs the rate otherwise than training does.
  assert last["validation_loss"] < 2 * last["loss"]
  assert 0 < last["validation_rate"] < 100


def test_training_begins_from_a_model(
  run: hyperprior.Run, tmp_path: pathlib.Path
) -> None:
  start = inrjax.load(run.workdir / "model.inrmodel")
  assert isinstance(start, codec.HyperpriorCodec)
  again = hyperprior.Run(shrunk(0), tmp_path, load, make_start=lambda: start)
  state = hyperprior.make_problem(again.config, again._first_params()).state
  # Fails if parameters are drawn in place of those that are given.
  jax.tree.map(np.testing.assert_array_equal, state.params, start.params)
  wider = shrunk(0)
  wider["network"]["width"] += 1
  other = hyperprior.Run(wider, tmp_path, load, make_start=lambda: start)
  with pytest.raises(build.ConfigError, match="give another model"):
    other._first_params()


def test_rates_are_those_of_files(run: hyperprior.Run) -> None:
  result = json.loads((run.workdir / evaluation.RESULTS).read_text())
  model = inrjax.load(run.workdir / "model.inrmodel")
  assert isinstance(model, codec.HyperpriorCodec)
  assert model.info()["card"]["steps"] == 4
  images = load("test")[:2]
  sizes = [len(model.compress(image)) for image in images]
  pixels = [image.shape[0] * image.shape[1] for image in images]
  (one,) = result["quantised"]
  assert [image["bytes"] for image in result["images"]] == sizes
  # Fails if the rate is of another image's pixels, or an estimate.
  expected = np.mean(8 * np.array(sizes) / np.array(pixels))
  assert one["nominal_bpp"] == pytest.approx(expected)
  assert 0 < one["computed_bpp"] < one["nominal_bpp"]
  assert result["num_images"] == 2
  (curve,) = sweep.curves({"hyperprior/1e-3/seed0": result})
  assert curve.points[0].bpp == pytest.approx(expected)


def test_the_rate_drops_at_the_end() -> None:
  optimizer = hyperprior.make_optimizer(
    num_steps=10, learning_rate=0.5, drop_at=0.9, drop_factor=0.1, clip_norm=1.0
  )
  params = jnp.zeros(())
  state, steps = optimizer.init(params), []
  for _ in range(10):
    update, state = optimizer.update(jnp.ones(()), state, params)
    steps.append(-float(update))
  # Fails if the drop is one step off, or is to and not by the factor.
  np.testing.assert_allclose(steps, [0.5] * 9 + [0.05], rtol=1e-4)
  with pytest.raises(ValueError, match="drop_at"):
    hyperprior.make_optimizer(
      num_steps=1, learning_rate=1, drop_at=2, drop_factor=1, clip_norm=None
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = test_configs.read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked and config.beta == float(variant)
    json.dumps(config.to_dict())
    hyperprior.make_optimizer(**config.to_dict()["outer"])
    assert config.outer.num_steps == config.train.num_steps
    build.on_nonfinite(config.train.on_nonfinite)
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_the_papers_numbers() -> None:
  module = test_configs.read(FOLDER / "hyperprior.py")
  low, high = (module.get_config(v).to_dict() for v in ("1e-3", "2.5e-4"))
  assert low["train"]["num_steps"] == 1_500_000
  assert high["train"]["num_steps"] == 2_000_000
  for config, widths in (
    (low, networks.low_rate()),
    (high, networks.high_rate()),
  ):
    # Fails if table 3's columns are mixed up.
    assert hyperprior.make_model(config).network.config == widths
    assert config["data"]["pipeline"]["batch_size"] == 8
    assert config["signal"]["side"] == 256


def test_a_run_that_was_stopped_says_so(
  run: hyperprior.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
  settings = {
    "train": {
      "num_steps": 9,
      "keep_checkpoints": 1,
      "checkpoint_every": 1,
      "on_nonfinite": "stop",
    }
  }
  state = train.TrainState(np.array(2), {}, (), (), jax.random.key(0))
  problem = build.Problem(lambda: None, optax.identity(), state)
  monkeypatch.setattr(train, "train", lambda state, *args, **settings: state)
  monkeypatch.setattr(training, "_loggers", lambda *arguments: [])
  monkeypatch.setattr(jax, "device_count", lambda: 1)
  with pytest.raises(SystemExit, match="step 2 of 9"):
    training.fit(
      settings, run.workdir, problem, iter(()), evaluate_fn=lambda state: {}
    )
