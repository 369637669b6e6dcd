"""Exported codecs scale gradients as evaluation does."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import build, export, test_time
from experiments.configs.celeba_hq import modulated_ecop_cpu
from inrjax.codec import tile_network

SIDE = 8


def small(variant: str = "ecop_mscn") -> dict[str, Any]:
  config = modulated_ecop_cpu.get_config(variant)
  with config.unlocked():
    config.network.update(depth=2, width=8)
    config.signal.side = SIDE
    config.evaluate.quantise.num_steps = 3
  return config.to_dict()


def with_gradient(config: dict[str, Any], name: str) -> dict[str, Any]:
  return config | {"evaluate": config["evaluate"] | {"gradient": name}}


def with_select(config: dict[str, Any], kind: str) -> dict[str, Any]:
  return config | {"select": config["select"] | {"kind": kind}}


@pytest.mark.parametrize(
  ("gradient", "kind"),
  [
    ("norm_scaled", "top_error"),
    ("loss_scaled", "top_error"),
    ("norm_scaled", "top_gradient_norm"),
  ],
)
def test_a_codec_fits_as_evaluation_does(gradient: str, kind: str) -> None:
  config = with_gradient(with_select(small(), kind), gradient)
  method = build.make_method(config)
  outer = jax.jit(method.init)(jax.random.key(0))
  image = np.random.default_rng(0).random((SIDE, SIDE, 3), np.float32)
  quantise = config["evaluate"]["quantise"]
  evaluated = dataclasses.replace(
    test_time.with_gradient(config, method, gradient),
    num_steps=quantise["num_steps"],
    ema_decay=quantise["ema_decay"],
  )
  context = build.make_as_context(**config["signal"])(jnp.asarray(image))
  assert method.partition
  adapted = jax.jit(evaluated.adapt)(jax.random.key(0), outer, {}, context)
  expected = jax.flatten_util.ravel_pytree(adapted.fast)[0]
  plain = with_gradient(config, "full")
  found, unscaled = (
    tile_network.TileNetwork(export.make_spec(c), outer).fit(image[np.newaxis])
    for c in (config, plain)
  )
  # Fails if a codec ranks other points, or scales by another ratio.
  np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)
  # Fails if the gradient of the config is left out.
  assert np.abs(found - unscaled).max() > 0.05 * np.abs(unscaled).max()


def test_models_hold_the_scale_of_their_gradients() -> None:
  config = small()
  assert dataclasses.asdict(export.make_spec(config))["scaling"] == {
    "kind": "norm",
    "ratio": 0.25,
    "select": "top_error",
  }
  for plain in (small("mscn"), with_select(config, "all")):
    assert export.make_spec(plain).scaling is None
  for wrong, message in (
    (with_gradient(config, "pruned"), "evaluate.gradient, of a codec,"),
    (with_select(config, "random"), "Use 'full'"),
  ):
    with pytest.raises(build.ConfigError, match=message):
      export.make_spec(wrong)
