"""Fits of a COIN that prepare its weights for being rounded."""

import dataclasses

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.codec import (
  coin,
  coin_fit,
  coin_robust,
  coin_spec,
  coin_weights,
  errors,
)
from inrjax.networks import siren
from inrjax.types import Context
from tests.codec import tiny_codec

RGB = tiny_codec.picture(8, 9)
NETWORK = siren.SirenConfig(depth=1, width=6)


def spec_of(robust):
  return coin_spec.CoinSpec(
    NETWORK,
    num_steps=40,
    learning_rate=1e-2,
    num_bits=(4, 6, 16),
    robust=robust,
  )


def tile_loss(params, context):
  values = jnp.tanh(context.coords @ params["w"]) @ params["v"]
  return jnp.sum(jnp.square(values - context.values))


def over_two_tiles(fn, context):
  first, second = (
    jax.tree.map(lambda a, part=part: a[part], context)
    for part in (slice(0, 3), slice(3, None))
  )
  return jax.tree.map(jnp.add, fn(first), fn(second))


def problem():
  rng = np.random.default_rng(0)
  params = {"w": rng.normal(size=(2, 3)), "v": rng.normal(size=(3, 1))}
  context = Context(rng.normal(size=(7, 2)), rng.normal(size=(7, 1)))
  return jax.tree.map(jnp.asarray, (params, context))


@pytest.mark.parametrize("kind", ["gradient_l1", "gradient_l2"])
def test_the_penalty_is_of_the_gradient_of_all_tiles(kind):
  with jax.enable_x64(True):
    params, context = problem()
    objective = coin_robust.objective(
      over_two_tiles,
      tile_loss,
      coin_spec.Robust(kind, weight=0.3),
      round_weights=lambda p, num_bits: p,
    )

    def total(params):
      grads = jax.grad(tile_loss)(params, context)
      flat = jax.flatten_util.ravel_pytree(grads)[0]
      norm = jnp.sum(jnp.abs(flat)) if kind == "gradient_l1" else None
      norm = jnp.linalg.norm(flat) if norm is None else norm
      return tile_loss(params, context) + 0.3 * norm

    loss, grads = objective(params, context)
    assert loss == pytest.approx(total(params))
    # Fails if norms of tiles are added, or the second pass is another vector.
    jax.tree.map(np.testing.assert_allclose, grads, jax.grad(total)(params))


def test_straight_through_steps_are_of_what_is_decoded():
  robust = coin_spec.Robust("straight_through", num_bits=4, part=1.0)
  network = coin_fit.CoinNetwork(spec_of(robust))
  coder = coin_weights.WeightCoder(network.is_bias, network.leaf)
  params = np.random.default_rng(0).normal(size=network.leaf.size)
  params = params.astype(np.float32)
  tree = network._unravel(jnp.asarray(params))
  rounded, back = jax.vjp(lambda p: network._rounded(p, 4), tree)
  decoded = coder.dequantise(coder.quantise(params, 4), 4)
  flat = jax.flatten_util.ravel_pytree(rounded)[0]
  # Fails if weights and biases share a range, or it is of other deviations.
  np.testing.assert_allclose(flat, decoded, atol=1e-5)
  ones = jax.tree.map(jnp.ones_like, tree)
  slopes = jax.flatten_util.ravel_pytree(back(ones)[0])[0]
  # Fails if rounding stops the gradient (nothing is out of range here).
  np.testing.assert_allclose(slopes, 1, atol=1e-5)


def test_fits_end_where_their_own_objective_is_lower():
  keys = jax.random.split(jax.random.key(0), 1)
  unit = RGB[None].astype(np.float32) / 255
  centres = [(np.arange(n) + 0.5) / n for n in RGB.shape[:2]]
  errors = {}
  for name, robust in (
    ("plain", None),
    ("robust", coin_spec.Robust("straight_through", num_bits=4, part=0.5)),
  ):
    network = coin_fit.CoinNetwork(spec_of(robust))
    coder = coin_weights.WeightCoder(network.is_bias, network.leaf)
    (params,) = network.fit(keys, unit, num_steps=40)
    decoded = coder.dequantise(coder.quantise(params, 4), 4)
    values = network.values(decoded, *centres)
    errors[name] = float(np.mean(np.square(values - unit[0])))
  # Fails if the last steps do as the others, or start anew.
  assert errors["robust"] < 0.9 * errors["plain"]


@pytest.mark.parametrize("kind", ["gradient_l1", "gradient_l2"])
def test_the_last_steps_are_judged_with_the_norm(kind):
  keys = jax.random.split(jax.random.key(0), 1)
  unit = RGB[None].astype(np.float32) / 255
  robust = coin_spec.Robust(kind, weight=0.1, part=0.5)
  network = coin_fit.CoinNetwork(spec_of(robust))
  coords, values = network._points(unit)
  norm = {"gradient_l1": 1, "gradient_l2": 2}[kind]

  def loss_fn(flat):
    found = network._apply(network._unravel(flat), coords)
    return jnp.mean(jnp.square(found - values[0, :, :-1]))

  def total(params):
    loss, grads = jax.value_and_grad(loss_fn)(params)
    return float(loss + 0.1 * jnp.linalg.norm(grads, norm))

  begin = coin_fit.CoinNetwork(spec_of(None)).fit(keys, unit, num_steps=20)
  end = network.fit(keys, unit, num_steps=40)
  # Fails if the norm is no part of what the last steps minimise, or the best
  # of the steps before is kept.
  assert total(end[0]) < total(begin[0])


def test_a_model_keeps_how_it_is_fitted():
  plain = spec_of(None)
  assert "robust" not in plain.to_json()
  robust = spec_of(coin_spec.Robust("gradient_l1", weight=2e-4, part=0.5))
  for spec in (plain, robust):
    assert coin_spec.from_json(spec.to_json()) == spec
  # Fails if two models that fit differently are taken for one.
  assert coin.CoinCodec(plain).model_id != coin.CoinCodec(robust).model_id


@pytest.mark.parametrize(
  ("field", "value"),
  [("kind", "l3"), ("weight", 0.0), ("num_bits", 16), ("part", 0.0)],
)
def test_settings_out_of_range_are_named(field, value):
  good = coin_spec.Robust("gradient_l1")
  with pytest.raises(ValueError, match=field):
    dataclasses.replace(good, **{field: value})


def test_a_width_that_the_model_lacks_is_named():
  codec = coin.CoinCodec(spec_of(None))
  params = np.zeros(codec.spec.num_params, np.float32)
  with pytest.raises(ValueError, match="num_bits"):
    codec.file_of(params, RGB, num_bits=5)
  # Fails if a file is written that cannot be read.
  for bad in (params[1:], params * np.nan):
    with pytest.raises(ValueError, match="diverge"):
      codec.file_of(bad, RGB, num_bits=16)
  with pytest.raises(ValueError, match="robust.num_bits"):
    spec_of(coin_spec.Robust("straight_through", num_bits=5))


@pytest.mark.parametrize("robust", [[], {"kind": 3}, {"weight": "1"}, {"x": 1}])
def test_a_damaged_model_is_a_typed_error(robust):
  values = spec_of(coin_spec.Robust("gradient_l1")).to_json()
  if isinstance(robust, dict):
    robust = values["robust"] | robust
  with pytest.raises(errors.CorruptBitstreamError):
    coin_spec.from_json(values | {"robust": robust})
