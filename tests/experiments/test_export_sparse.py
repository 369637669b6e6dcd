"""The model file of a method that adapts weights."""

import pathlib

import jax
import numpy as np
import pytest
from ml_collections import config_dict

import inrjax
from experiments import build, export_sparse
from experiments.configs import full_weights
from inrjax import codec


def small_config(num_kept: tuple[int, ...], at_start: str | None) -> dict:
  source = config_dict.create(side=8, channels=3)
  config = full_weights.base(source=source)
  config.network.depth, config.network.width = 2, 6
  config.evaluate.fit.num_steps = 6
  config.export.num_kept = num_kept
  config.export.at_start = at_start
  return config.to_dict()


@pytest.mark.parametrize(
  ("num_kept", "at_start"),
  [((), None), ((40, 20), None), ((20,), "prospr")],
  ids=["maml", "imp", "prospr"],
)
def test_the_model_file_is_a_codec(
  num_kept: tuple[int, ...], at_start: str | None, tmp_path: pathlib.Path
) -> None:
  config = small_config(num_kept, at_start)
  method = build.make_method(config)
  outer = jax.jit(method.init)(jax.random.key(0))
  rng = np.random.default_rng(0)
  pictures = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
  path = tmp_path / "model.inrmodel"
  export_sparse.write_model(config, method, outer, pictures, path)
  loaded = inrjax.load(path)
  assert isinstance(loaded, codec.SparseCodec)
  # fails if the file fits otherwise than the evaluation does.
  assert (loaded.spec.num_steps, loaded.spec.learning_rate) == (6, 1e-3)
  assert (loaded.spec.low, loaded.spec.num_kept) == (0.0, num_kept)
  kind = loaded.spec.at_start and loaded.spec.at_start.kind
  assert kind == at_start
  assert loaded.card["num_training_images"] == 2
  data = loaded.compress(pictures[0], effort="fast")
  assert loaded.decompress(data).shape == (8, 8, 3)
