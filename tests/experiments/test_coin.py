"""COIN's experiment: its evaluation against the codec, and its model file."""

import pathlib

import numpy as np
import pytest

import inrjax
from experiments import coin
from experiments.configs.cifar10 import coin_cpu
from inrjax.codec import coin as coin_lib


def small_config() -> dict:
  config = coin_cpu.get_config()
  config.network.depth = 1
  config.fit.num_steps = 5
  config.evaluate.num_bits = (8, 16)
  return config.to_dict()


def test_sizes_mixed_are_evaluated_one_by_one() -> None:
  rng = np.random.default_rng(0)
  shapes = ((8, 8, 3), (4, 6, 3), (8, 8, 3))
  images = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
  assert [*coin._groups(images, 1)] == [[0], [2], [1]]
  record = coin.evaluate_images(small_config(), images)
  narrow, wide = record["quantised"]
  pixels = np.array([64, 24, 64])
  nominal = np.mean(16 * record["num_modulations"] / pixels)
  # Fails if the rate is not that of each image.
  assert wide["nominal_bpp"] == pytest.approx(nominal)
  assert wide["estimated_bpp"] == pytest.approx(nominal)
  # Fails if the rate of a file leaves out its header.
  codec = coin_lib.CoinCodec(coin.make_spec(small_config()))
  zeros = np.zeros(codec.spec.num_params, np.float32)
  sizes = [len(codec.file_of(zeros, x, num_bits=16)) for x in images]
  assert wide["file_bpp"] == pytest.approx(
    np.mean(8 * np.array(sizes) / pixels)
  )
  # Fails if images and fits are mixed up.
  (plain,) = record["unquantised"]
  assert wide["psnr"] == pytest.approx(plain["psnr"], abs=0.1)
  assert narrow["psnr"] < wide["psnr"] + 0.1


def test_the_model_file_is_a_codec(tmp_path: pathlib.Path) -> None:
  path = tmp_path / "model.inrmodel"
  coin.write_model(small_config(), path)
  codec = inrjax.load(path)
  assert isinstance(codec, coin_lib.CoinCodec)
  assert codec.spec.num_bits == (8, 16)
  image = np.zeros((8, 8, 3), np.uint8)
  assert codec.decompress(codec.compress(image)).shape == image.shape
