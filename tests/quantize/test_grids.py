"""Grids: half a bin at every width, and every awkward tensor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrjax.quantize import grids

SCHEMES = {"symmetric": grids.symmetric, "asymmetric": grids.asymmetric}


def sample(shape=(3, 50, 4)):
  rng = np.random.default_rng(0)
  return rng.normal(1.0, 1.0, shape) * np.geomspace(1e-3, 1e3, shape[-1])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("num_bits", range(2, 33))
@pytest.mark.parametrize("axis", [None, -1])
def test_error_is_at_most_half_a_bin(scheme, num_bits, axis):
  # Fails if the grid is a point too short, or channels share a scale.
  values = sample()
  grid = grids.fit(values, num_bits=num_bits, scheme=SCHEMES[scheme], axis=axis)
  symbols = grids.encode(grid, values)
  assert symbols.min() >= 0 and symbols.max() < 2**num_bits
  error = np.abs(grids.decode(grid, symbols) - values) / grid.scale
  assert error.max() <= 0.5 + 1e-5
  assert error.max() > 0.3
  assert grid.scale.shape == (() if axis is None else (1, 1, 4))
  # In float32 too, to the precision of the values.
  cast = jnp.asarray(values, jnp.float32)
  found = np.asarray(grids.fake_quantize(grid, cast), np.float64)
  slack = 3e-7 * np.abs(values) + 1e-6 * grid.scale
  assert np.all(np.abs(found - np.asarray(cast)) <= grid.scale / 2 + slack)


def test_grids_by_hand():
  grid = grids.symmetric(-1.0, 3.0, 3)
  assert (grid.scale, grid.low, grid.high) == (1.0, -3.0, 3.0)
  grid = grids.asymmetric(-1.0, 6.0, 3)
  assert (grid.scale, grid.low, grid.high) == (1.0, -1.0, 6.0)
  # Fails if a range on one side is not widened to zero.
  assert grids.asymmetric(2.0, 7.0, 3).low == 0.0
  assert grids.asymmetric(-7.0, -2.0, 3).high == 0.0
  np.testing.assert_array_equal(
    grids.encode(grid, [-9.0, -1.2, 0.4, 2.5, 99.0]), [0, 0, 1, 3, 7]
  )


@pytest.mark.parametrize("scheme", SCHEMES)
@given(
  values=hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=3, max_side=4),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
  ),
  num_bits=st.integers(2, 32),
)
def test_zero_stays_zero_and_nothing_leaves_the_range(scheme, values, num_bits):
  grid = grids.fit(values, num_bits=num_bits, scheme=SCHEMES[scheme])
  assert grids.decode(grid, grids.encode(grid, 0.0)) == 0.0
  found = grids.decode(grid, grids.encode(grid, values))
  assert np.all(np.isfinite(found))
  error = np.abs(found - values)
  assert np.all(error <= grid.scale * (0.5 + 1e-5) + 1e-12 * np.abs(values))
  # Quantised values are points of their grid.
  np.testing.assert_array_equal(
    grids.decode(grid, grids.encode(grid, found)), found
  )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("constant", [0.0, 0.7, -3.0, 1e-40])
def test_constant_tensors(scheme, constant):
  values = np.full((4, 3), constant)
  for axis in (None, 0):
    grid = grids.fit(values, num_bits=4, scheme=SCHEMES[scheme], axis=axis)
    assert np.all(grid.scale > 0)
    found = grids.decode(grid, grids.encode(grid, values))
    # What float32 has no normal number for becomes zero.
    np.testing.assert_allclose(found, values, rtol=1e-6, atol=1e-38)
    traced = jax.jit(lambda x, g=grid: grids.fake_quantize(g, x))(
      jnp.asarray(values, jnp.float32)
    )
    np.testing.assert_allclose(traced, values, rtol=1e-6, atol=1e-38)


@pytest.mark.parametrize("num_bits", [1, 33, 0, -4, 4.5, True])
def test_widths_outside_are_named(num_bits):
  for call in (
    lambda: grids.fit(np.ones(3), num_bits=num_bits),
    lambda: grids.symmetric(0.0, 1.0, num_bits),
    lambda: grids.asymmetric(0.0, 1.0, num_bits),
  ):
    with pytest.raises(ValueError, match=r"\[2, 32\]"):
      call()


@pytest.mark.parametrize(
  "call",
  [
    lambda: grids.fit(np.array([1.0, np.nan]), num_bits=4),
    lambda: grids.fit(np.array([1.0, np.inf]), num_bits=4),
    lambda: grids.fit(np.zeros((0, 3)), num_bits=4),
    lambda: grids.fit(np.ones((2, 3)), num_bits=4, axis=2),
    lambda: grids.symmetric(1.0, 0.0, 4),
    lambda: grids.asymmetric(np.nan, 0.0, 4),
    lambda: grids.symmetric(np.zeros(2), np.ones(3), 4),
    lambda: grids.encode(grids.symmetric(0.0, 1.0, 4), np.nan),
  ],
  ids=range(8),
)
def test_values_without_a_grid_are_refused(call):
  with pytest.raises(ValueError):
    call()


def test_a_range_without_negative_values_takes_all_integers():
  # Fails if half of them are for values below zero, or leave b bits.
  assert tuple(grids.symmetric(0.0, 7.0, 3)) == (1, 0, 7, 3)
  mixed = grids.symmetric(np.array([0.0, -3.0]), np.array([7.0, 1.0]), 3)
  np.testing.assert_array_equal(mixed.scale, [1, 1])
  np.testing.assert_array_equal(mixed.low, [0, -3])
  np.testing.assert_array_equal(mixed.high, [7, 3])
  symbols = grids.encode(mixed, np.array([[-9.0, -9.0], [99.0, 99.0]]))
  np.testing.assert_array_equal(symbols, [[0, 0], [7, 6]])
