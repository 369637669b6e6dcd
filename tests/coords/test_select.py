"""Selects against a NumPy sort, and what they leave alone."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.adapt import links, loop
from inrjax.coords import select
from inrjax.types import Context

KEY = jax.random.key(0)


def linear(shared, fast, coords):
  """Values `[N, 2]` of the linear map that `fast` is."""
  del shared
  return coords @ fast


def identity_features(shared, fast, coords):
  del shared, fast
  return coords


def problem(num_points, *, seed=0, levels=None):
  """`(fast, context)`; few levels make ties."""
  generator = np.random.default_rng(seed)
  coords = generator.normal(size=(num_points, 3))
  values = generator.normal(size=(num_points, 2))
  if levels is not None:
    coords = np.round(coords * levels) / levels
    values = np.round(values * levels) / levels
  fast = jnp.asarray(generator.integers(-1, 2, (3, 2)), jnp.float32)
  as_array = lambda x: jnp.asarray(x, jnp.float32)  # noqa: E731
  return fast, Context(as_array(coords), as_array(values))


def stable_order(scores):
  """Highest first, equal ones by position."""
  return np.argsort(-np.asarray(scores), kind="stable")


def test_error_score_is_a_loop_over_points():
  # Fails if the norm is squared, or taken over the points.
  fast, context = problem(11)
  found = select.error_norm(linear)({}, fast, context)
  expected = [
    np.linalg.norm(x @ np.asarray(fast) - y)
    for x, y in zip(*map(np.asarray, context), strict=True)
  ]
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("sites", [None, 4])
def test_gradient_score_is_the_norm_of_the_last_layers_gradient(sites):
  # Fails if the bias, an output's slope, or the sum over sites is left out.
  generator = np.random.default_rng(0)
  shape = (6, 5) if sites is None else (6, sites, 5)
  inputs = jnp.asarray(generator.normal(size=shape), jnp.float32)
  w = jnp.asarray(generator.normal(size=(5, 2)), jnp.float32)
  b = jnp.asarray(generator.normal(size=2), jnp.float32)
  values = generator.uniform(size=(6, 2 * (sites or 1)))
  context = Context(jnp.arange(6.0)[:, None], jnp.asarray(values, jnp.float32))

  def at(coords):
    return inputs[coords[:, 0].astype(int)]

  def readout(w, b, coords):
    linear = jnp.einsum("...f,fc->...c", at(coords), w)
    v = jax.nn.sigmoid(linear + b.reshape((1,) * (linear.ndim - 1) + (-1,)))
    return v.reshape(len(coords), -1)

  score = select.gradient_norm(
    lambda shared, fast, coords: readout(w, b, coords),
    lambda shared, fast, coords: at(coords),
    lambda v: v * (1 - v),
  )
  found = score({}, {}, context)
  for i in range(6):
    point = jax.tree.map(lambda x, i=i: x[i : i + 1], context)
    gradients = jax.grad(
      lambda p, point=point: jnp.sum(
        jnp.square(readout(*p, point.coords) - point.values)
      )
    )((w, b))
    norm = np.sqrt(sum(np.square(g).sum() for g in gradients))
    np.testing.assert_allclose(found[i], norm, rtol=1e-5)


@hypothesis.settings(max_examples=20)
@hypothesis.given(
  num_points=st.sampled_from([1, 2, 5, 17]),
  percent=st.sampled_from([1, 29, 50, 58, 100]),
  levels=st.sampled_from([None, 1, 2]),
  tile=st.sampled_from([None, 4]),
)
def test_top_error_is_a_sort(num_points, percent, levels, tile):
  # Fails for K off by one, ties in another order, or a tile's rest lost.
  fast, context = problem(num_points, levels=levels)
  ratio = percent / 100
  found = select.top_error(linear, ratio, tile=tile)(KEY, {}, fast, context)
  kept = max(1, percent * num_points // 100)
  assert found.coords.shape == (kept, 3)
  if kept == num_points:
    np.testing.assert_array_equal(found.coords, context.coords)
    return
  # Exact in float32 where there are levels, so that ties are ties.
  scores = select.error_norm(linear)({}, fast, context)
  if levels is None:
    scores = np.round(scores, 5)
  chosen = stable_order(scores)[:kept]
  np.testing.assert_array_equal(found.coords, context.coords[chosen])
  np.testing.assert_array_equal(found.values, context.values[chosen])


def test_equal_scores_come_by_position():
  context = Context(jnp.arange(9.0)[:, None], jnp.ones((9, 1)))
  constant = lambda shared, fast, coords: jnp.zeros((len(coords), 1))  # noqa: E731
  found = select.top_error(constant, num_points=4)(KEY, {}, {}, context)
  np.testing.assert_array_equal(found.coords[:, 0], [0, 1, 2, 3])


def test_top_gradient_norm_ranks_by_error_and_features():
  # Fails if it is the error alone that ranks.
  fast, context = problem(40)
  found = select.top_gradient_norm(linear, identity_features, 0.25, tile=7)(
    KEY, {}, fast, context
  )
  x, y = map(np.asarray, context)
  scores = np.linalg.norm(x @ np.asarray(fast) - y, axis=1) * np.sqrt(
    1 + np.square(x).sum(1)
  )
  chosen = stable_order(scores)[:10]
  np.testing.assert_array_equal(found.coords, x[chosen])
  by_error = select.top_error(linear, 0.25)(KEY, {}, fast, context)
  assert set(map(tuple, by_error.coords.tolist())) != set(
    map(tuple, found.coords.tolist())
  )


def test_one_point_is_the_worst_one():
  fast, context = problem(13)
  for chosen in (
    select.top_error(linear, num_points=1),
    select.top_error(linear, 0.001),
  ):
    found = chosen(KEY, {}, fast, context)
    worst = np.argmax(select.error_norm(linear)({}, fast, context))
    np.testing.assert_array_equal(found.coords, context.coords[worst][None])


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_a_ranking_has_no_gradient(ratio):
  # Fails if scores are differentiated; the chosen points themselves may be.
  fast, context = problem(10)
  chosen = select.top_error(linear, ratio)

  def total(fast, values):
    found = chosen(KEY, {}, fast, Context(context.coords, values))
    return jnp.sum(found.values)

  of_fast, of_values = jax.grad(total, argnums=(0, 1))(fast, context.values)
  assert not np.any(of_fast)
  kept = max(1, int(10 * ratio))
  assert of_values.sum() == kept * 2 and of_values.max() == 1


def test_nothing_is_ranked_where_all_points_are_kept():
  # Fails if the full context is reordered: sums would differ in the last bit.
  def never(shared, fast, context):
    raise AssertionError("scored")

  _, context = problem(5)
  assert select.top_points(never, 1.0)(KEY, {}, {}, context) is context
  all_of_them = select.top_points(never, num_points=5)
  assert all_of_them(KEY, {}, {}, context) is context


def test_approximate_choice_finds_most_of_the_exact_one():
  fast, context = problem(512)
  exact = select.top_error(linear, num_points=16)(KEY, {}, fast, context)
  found = select.top_error(linear, num_points=16, recall=0.9)(
    KEY, {}, fast, context
  )
  same = set(map(tuple, exact.coords.tolist())) & set(
    map(tuple, found.coords.tolist())
  )
  assert len(same) >= 12


def test_random_points_by_ratio():
  # Fails if points repeat, or the binary value of 0.29 loses one.
  _, context = problem(100)
  found = select.random_points(ratio=0.29)(KEY, {}, {}, context)
  assert len(set(map(tuple, found.coords.tolist()))) == 29


@pytest.mark.parametrize(
  "make",
  [select.random_points, lambda **k: select.top_error(linear, **k)],
  ids=["random", "top_error"],
)
@pytest.mark.parametrize("ratio", [0, 0.0, -0.5, 1.0001, float("nan")])
def test_a_ratio_outside_its_range_is_refused(make, ratio):
  with pytest.raises(ValueError, match=r"ratio must lie in \(0, 1\]"):
    make(ratio=ratio)


def test_other_bad_numbers_are_refused():
  _, context = problem(5)
  with pytest.raises(ValueError, match="one of the two"):
    select.top_error(linear)
  with pytest.raises(ValueError, match="one of the two"):
    select.top_error(linear, 0.5, num_points=3)
  with pytest.raises(ValueError, match="num_points must be at least 1, got 0"):
    select.top_error(linear, num_points=0)
  with pytest.raises(ValueError, match="6 but the context has 5 points"):
    select.top_error(linear, num_points=6)(KEY, {}, {}, context)
  with pytest.raises(ValueError, match="recall must lie between"):
    select.top_error(linear, 0.5, recall=1.5)
  with pytest.raises(ValueError, match="tile must be at least 1"):
    select.top_error(linear, 0.5, tile=0)


def test_an_inner_loop_scores_its_points_once():
  fast, context = problem(12)

  def loss_fn(shared, fast, context):
    error = linear(shared, fast, context.coords) - context.values
    return jnp.mean(jnp.square(error))

  adapt = loop.make_adapt(
    loss_fn,
    links.sgd(0.1),
    num_steps=3,
    select=select.top_error(linear, 0.25),
  )
  slope = jax.grad(lambda fast: adapt(KEY, {}, fast, {}, context).losses[-1])
  # Fails if the backward pass ranks them all again.
  assert str(jax.make_jaxpr(slope)(fast)).count("top_k[") == 1
