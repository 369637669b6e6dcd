"""The fast sine against NumPy, to three derivatives and in every transform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import sine

POINTS = np.concatenate(
  [
    np.linspace(-300, 300, 200_001),
    # Where the quotient changes, and around zero.
    np.arange(-60, 61) * np.pi,
    (np.arange(-60, 61) + 0.5) * np.pi,
    [0.0, -0.0, 1e-30, -1e-7],
  ]
).astype(np.float32)
EXACT = POINTS.astype(np.float64)
DERIVATIVES = (np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x))


def derivative(order):
  fn = sine.sine
  for _ in range(order):
    fn = jax.grad(fn)
  return fn


@pytest.mark.parametrize("order", range(4))
def test_value_and_three_derivatives_are_accurate_to_float32(order):
  # Fails if a constant loses a digit, the parity is dropped, or a derivative
  # has the wrong sign.
  values = jax.jit(jax.vmap(derivative(order)))(POINTS)
  assert values.dtype == jnp.float32
  error = np.abs(np.asarray(values, np.float64) - DERIVATIVES[order](EXACT))
  assert error.max() < 1.4e-7


def test_large_arguments_stay_usable():
  # Fails if the middle constant of the range reduction is left out.
  x = np.linspace(-1e5, 1e5, 50_001).astype(np.float32)
  error = np.abs(np.asarray(sine.sine(x)) - np.sin(x.astype(np.float64)))
  assert error.max() < 1e-5


def test_jit_is_eager():
  # Fails if the compiler may undo the rounding trick of the range reduction.
  for fn in (sine.sine, sine.cosine):
    np.testing.assert_allclose(
      jax.jit(fn)(POINTS), fn(POINTS), rtol=0, atol=1.3e-7
    )


def test_cosine_squared_and_sine_squared_make_one():
  total = sine.sine(POINTS) ** 2 + sine.cosine(POINTS) ** 2
  np.testing.assert_allclose(total, 1, atol=5e-7)


def test_zero_and_odd_symmetry():
  # Fails if the sign is taken from the argument and not from the parity.
  assert sine.sine(jnp.zeros(())) == 0
  np.testing.assert_array_equal(sine.sine(-POINTS), -sine.sine(POINTS))


@pytest.mark.parametrize(
  "derive",
  [
    lambda f: jax.grad(jax.grad(f)),
    lambda f: jax.jacfwd(jax.grad(f)),
    lambda f: jax.grad(jax.jacfwd(f)),
    lambda f: jax.jacfwd(jax.jacfwd(f)),
  ],
  ids=["reverse-reverse", "forward-reverse", "reverse-forward", "forward"],
)
def test_second_derivative_survives_a_scan(derive):
  # Fails with jax.custom_jvp: lax.scan's partial evaluation drops its rule, and
  # the second derivative of what is left is zero.
  def iterate(fn):
    def stack(x):
      return jax.lax.scan(lambda h, _: (fn(3 * h), None), x, None, length=3)[0]

    return stack

  x = jnp.float32(0.3)
  expected = derive(iterate(jnp.sin))(x)
  assert abs(expected) > 1
  np.testing.assert_allclose(derive(iterate(sine.sine))(x), expected, rtol=1e-5)


def test_vmap_is_a_loop():
  x = jnp.asarray(POINTS[:60]).reshape(3, 20)
  mapped = jax.vmap(sine.sine, in_axes=1, out_axes=1)(x)
  rows = jnp.stack([sine.sine(row) for row in x])
  np.testing.assert_allclose(mapped, rows, rtol=0, atol=1.3e-7)


def test_pmap_and_its_gradient():
  # Fails if the primitive has no rule for a device axis.
  x = jnp.linspace(-3.0, 3.0, 4 * 5).reshape(4, 5)
  grads = jax.pmap(jax.grad(lambda row: jnp.sum(sine.sine(row))))(x)
  np.testing.assert_allclose(grads, np.cos(x), atol=3e-7)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_other_dtypes_keep_theirs(dtype):
  x = jnp.linspace(-3, 3, 9).astype(dtype)
  assert sine.sine(x).dtype == dtype
  np.testing.assert_array_equal(sine.sine(x), jnp.sin(x))


def test_float64_is_exact():
  # Fails if float64 goes through the float32 polynomial.
  with jax.enable_x64(True):
    x = jnp.linspace(-50.0, 50.0, 101)
    assert x.dtype == jnp.float64
    np.testing.assert_allclose(sine.sine(x), np.sin(np.asarray(x)), atol=1e-14)
    grads = jax.vmap(jax.grad(sine.sine))(x)
    np.testing.assert_allclose(grads, np.cos(np.asarray(x)), atol=1e-14)


def test_python_numbers_are_taken():
  assert sine.sine(1.0) == pytest.approx(np.sin(1.0), abs=1.3e-7)
