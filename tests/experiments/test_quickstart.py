"""The quickstart's stages, on small pictures and a tiny network."""

import pathlib

import numpy as np
import pytest

from experiments import quickstart
from experiments.configs.kodak import mscn_quickstart
from inrjax import evaluate

TINY = {
  "num_modulations": 5,
  "signal.side": 8,
  "network.depth": 1,
  "network.width": 8,
  "network.basis_dim": 4,
  "start.num_signals": 8,
  "start.num_steps": 2,
  "inner.num_steps": 1,
  "train.num_steps": 2,
  "train.checkpoint_every": 2,
  "train.evaluate_every": 2,
  "data.pipeline.batch_size": 4,
  "data.pipeline.crops_per_image": 1,
  "data.pipeline.read_threads": 0,
  "evaluate.num_validation_signals": 2,
  "evaluate.signals_per_call": 4,
  "export.num_images": 2,
  "export.context_steps": 2,
}


def tiny_config(seed: int) -> dict:
  config = mscn_quickstart.get_config()
  config.update_from_flattened_dict(TINY | {"seed": seed})
  return config.to_dict()


def pictures(split: str) -> list[np.ndarray]:
  del split
  rng = np.random.default_rng(0)
  coarse = rng.integers(0, 256, (4, 5, 6, 3), np.uint8)
  return [*coarse.repeat(4, 1).repeat(4, 2)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  workdir = tmp_path_factory.mktemp("quickstart") / "training"
  return quickstart.train_model(tiny_config(0), workdir, pictures)


def test_a_model_is_used_again_until_settings_change(
  model: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  built = []
  monkeypatch.setattr(
    quickstart.launch.Run, "meta_learn", lambda run: built.append(run.config)
  )
  monkeypatch.setattr(quickstart.launch.Run, "write_model", lambda run: None)
  # Fails if a second call trains again.
  content = model.read_bytes()
  assert quickstart.train_model(tiny_config(0), model.parent, pictures) == model
  assert not built
  # Fails if a model of other settings passes for this one's.
  quickstart.train_model(tiny_config(1), model.parent, pictures)
  assert [config["seed"] for config in built] == [1]
  assert not model.exists()
  # For the tests that come after.
  quickstart.train_model(tiny_config(0), model.parent, pictures)
  model.write_bytes(content)


def test_a_photograph_goes_to_a_file_and_back(
  model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  image = pictures("test")[0]
  stem = tmp_path / "picture"
  size, decoded = quickstart.round_trip(model, image, stem, bpp=20.0)
  # Fails if the size is not the file's, or the rate is not passed on.
  assert size == stem.with_suffix(".inr").stat().st_size
  assert 8 * size <= 20.0 * image.shape[0] * image.shape[1]
  assert decoded.shape == image.shape
  # Fails if what is written is not what is compressed.
  (saved,) = evaluate.read_images(stem.with_suffix(".png")).values()
  np.testing.assert_array_equal(saved, image)


def test_a_command_that_fails_ends_the_quickstart(
  tmp_path: pathlib.Path,
) -> None:
  # Fails if the exit code of the command is not looked at.
  with pytest.raises(SystemExit, match="inrjax compress failed"):
    quickstart.round_trip(
      tmp_path / "missing", pictures("test")[0], tmp_path / "a", bpp=-1.0
    )


def test_the_classical_codecs_have_names_of_their_own() -> None:
  names = [codec.name for codec in quickstart.classical_codecs()]
  # Fails if both JPEGs have one subsampling.
  assert len(set(names)) == len(names) >= 5
