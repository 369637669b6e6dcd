"""From a trained method to the model file that the codec loads."""

import pathlib
from collections.abc import Sequence

import numpy as np

from experiments import build, evaluation, test_time
from inrjax import codec
from inrjax.codec import spec as spec_lib
from inrjax.meta import method as method_lib


def make_spec(config: build.Section) -> spec_lib.ModulatedSpec:
  """What the model file says of the codec: the method as it encodes.

  Args:
    config: the whole config; the encoder takes the inner steps and the
      averaging of `evaluate.quantise`, and the gradient of `evaluate.gradient`.

  Raises:
    ConfigError: for a gradient that no codec takes.
  """
  signal, encoder = config["signal"], config["evaluate"]["quantise"]
  return spec_lib.ModulatedSpec(
    network=build.make_network(config),
    rates=build.make_rates(config),
    gates=build.make_gates(config),
    num_steps=encoder["num_steps"],
    ema_decay=encoder["ema_decay"],
    side=signal["side"],
    image_side=config["export"]["image_side"],
    low=signal["low"],
    high=signal["high"],
    scaling=test_time.make_scaling(config),
  )


def write_model(
  config: build.Section,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  path: pathlib.Path,
) -> None:
  """Fits the codec to training images and writes it.

  Args:
    config: the whole config.
    outer: what training learned.
    images: `[H, W, C]` uint8 each, for the transform and the entropy model.
    path: the model file.
  """
  spec = make_spec(config)
  settings = dict(config["export"])
  del settings["num_images"], settings["image_side"]  # Taken already.
  outer, _ = evaluation.fix_gates(
    spec.method(),
    outer,
    max_modulations=config["evaluate"].get("max_modulations"),
  )
  card = {"config": dict(config), "num_training_images": len(images)}
  codec.fit_codec(
    spec, outer, images, card=card, seed=config["seed"], **settings
  ).save(path)
