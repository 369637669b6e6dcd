"""COIN: one small network fitted to each image (thesis 5.1, appendix C.2).

There is nothing to train: evaluation fits every test image, and the model file
is the architecture alone.
"""

import pathlib
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from experiments import build, evaluation
from inrjax import evaluate
from inrjax.codec import coin as coin_lib
from inrjax.codec import coin_fit, coin_spec


def make_spec(config: build.Section) -> coin_spec.CoinSpec:
  """The architecture (section `network`) and its fit (section `fit`)."""
  fit = dict(config["fit"])
  del fit["images_per_call"]  # `evaluate_images` takes it.
  robust = dict(fit.pop("robust"))
  return coin_spec.CoinSpec(
    build.make_network(config),
    num_bits=tuple(config["evaluate"]["num_bits"]),
    robust=None if robust["kind"] == "none" else coin_spec.Robust(**robust),
    **fit,
  )


def write_model(config: build.Section, path: pathlib.Path) -> None:
  """Writes the model file that `inrjax compress --model` takes.

  Args:
    config: the whole config; its seed does not matter to the codec.
    path: the model file.
  """
  spec = make_spec(config)
  coin_lib.CoinCodec(spec, card={"config": dict(config)}).save(path)


def evaluate_images(
  config: build.Section, images: Sequence[np.ndarray]
) -> evaluation.Record:
  """Fits every image and measures it, as it is and quantised.

  Args:
    config: the whole config.
    images: `[H, W, C]` uint8 each.

  Returns:
    The record of an evaluation; "nominal_bpp" counts b bits for each weight,
    "file_bpp" the bytes of the image's file, and "estimated_bpp" those of its
    symbols under the entropy coder's tables.
  """
  spec = make_spec(config)
  network = coin_fit.CoinNetwork(spec)
  codec = coin_lib.CoinCodec(spec)
  keys = jax.random.split(jax.random.key(config["seed"]), len(images))
  fits: list[np.ndarray] = [np.empty(0)] * len(images)
  for part in _groups(images, config["fit"]["images_per_call"]):
    units = np.stack([images[i] for i in part]).astype(np.float32) / 255
    rows = network.fit(keys[np.array(part)], units, num_steps=spec.num_steps)
    for index, row in zip(part, rows, strict=True):
      fits[index] = row

  def decode(image: np.ndarray, params: np.ndarray) -> np.ndarray:
    rows, columns = ((np.arange(n) + 0.5) / n for n in image.shape[:2])
    return evaluate.as_uint8(network.values(params, rows, columns))

  def quantised(num_bits: int) -> evaluation.Record:
    written = [
      codec.file_of(params, image, num_bits=num_bits)
      for params, image in zip(fits, images, strict=True)
    ]
    decoded = [codec.decompress(data) for data in written]
    num_pixels = np.array([image.shape[0] * image.shape[1] for image in images])
    sizes = 8 * np.array([len(data) for data in written])
    estimated = [codec.rates(data)[0].estimated_bits for data in written]
    return {
      "num_bits": num_bits,
      "nominal_bpp": float(np.mean(num_bits * spec.num_params / num_pixels)),
      "estimated_bpp": float(np.mean(np.array(estimated) / num_pixels)),
      "file_bpp": float(np.mean(sizes / num_pixels)),
    } | evaluation.quality(images, decoded)

  plain = [decode(*pair) for pair in zip(images, fits, strict=True)]
  return {
    "num_modulations": spec.num_params,
    "unquantised": [
      {"num_steps": spec.num_steps} | evaluation.quality(images, plain)
    ],
    "quantised": [quantised(num_bits) for num_bits in spec.num_bits],
  }


def _groups(images: Sequence[np.ndarray], at_once: int) -> Iterator[list[int]]:
  """Indices of at most so many images of one shape."""
  for shape in dict.fromkeys(image.shape for image in images):
    same = [i for i, image in enumerate(images) if image.shape == shape]
    for first in range(0, len(same), at_once):
      yield same[first : first + at_once]
