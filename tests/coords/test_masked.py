"""Contexts with missing values: what is missing has no say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.coords import masked, select
from inrjax.types import Context

RNG = np.random.default_rng(0)
COORDS = RNG.uniform(-1, 1, (12, 2)).astype(np.float32)
VALUES = RNG.normal(size=(12, 1)).astype(np.float32)
THERE = np.arange(12) % 3 != 1


def holed() -> masked.MaskedContext:
  values = np.where(THERE[:, None], VALUES, np.float32(np.nan))
  return masked.masked_context(jnp.asarray(COORDS), jnp.asarray(values))


def test_missing_values_have_no_loss_and_no_gradient():
  # Fails if the mean counts missing values, or NaN reaches the gradient.
  outputs = jnp.asarray(RNG.normal(size=(12, 1)).astype(np.float32))
  context = masked.balanced(holed())
  loss, gradient = jax.value_and_grad(masked.masked_squared_error)(
    outputs, context
  )
  expected = np.mean((outputs - VALUES)[THERE] ** 2)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert not np.any(np.asarray(gradient)[~THERE])
  assert np.all(np.asarray(gradient)[THERE])


def test_a_context_with_nothing_has_no_loss():
  nothing = masked.masked_context(jnp.ones((3, 2)), jnp.full((3, 1), jnp.nan))
  found = masked.masked_squared_error(
    jnp.ones((3, 1)), masked.balanced(nothing)
  )
  # Fails if 0 is divided by 0.
  assert found == 0


def test_balance_is_of_scale_and_of_masks_alone():
  context = masked.balanced(holed())
  assert context.mask.mean() == pytest.approx(1)
  again = masked.balanced(context)
  np.testing.assert_allclose(again.mask, context.mask, rtol=1e-6)
  plain = Context(COORDS, VALUES)
  assert masked.balanced(plain) is plain


def predict(shared, fast, coords):
  return coords @ shared


def features(shared, fast, coords):
  return coords


@pytest.mark.parametrize(
  "choose",
  [
    select.top_error(predict, num_points=5),
    select.top_gradient_norm(predict, features, num_points=5),
  ],
  ids=["error", "gradient"],
)
def test_selects_rank_what_is_there(choose):
  shared = jnp.asarray(RNG.normal(size=(2, 1)).astype(np.float32))
  key = jax.random.key(0)
  # Without the score's mask, these zeros would be the worst of all.
  far = holed()._replace(values=jnp.where(holed().mask > 0, VALUES, 99.0))
  found = choose(key, shared, {}, far)
  expected = choose(key, shared, {}, Context(COORDS[THERE], VALUES[THERE]))
  np.testing.assert_array_equal(found.coords, expected.coords)
  np.testing.assert_array_equal(found.values, expected.values)
  # Fails if a chosen point loses its mask.
  assert (found.mask == 1).all()


def test_points_drawn_keep_their_mask():
  found = select.random_points(7)(jax.random.key(1), {}, {}, holed())
  picked = np.asarray(found.coords)
  where = [int(np.flatnonzero((COORDS == c).all(1))[0]) for c in picked]
  np.testing.assert_array_equal(found.mask[:, 0], THERE[where])
