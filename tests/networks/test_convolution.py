"""The convolution with gradients of its own, against XLA's in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import convolution


def _plain(x, w, stride):
  reach = w.shape[0] // 2
  return jax.lax.conv_general_dilated(
    x,
    w,
    (stride, stride),
    ((reach, reach), (reach, reach)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_values_and_gradients_are_those_of_xla(kernel, stride):
  # Fails if a tap, a phase or a row of padding is another.
  with jax.enable_x64():
    rng = np.random.default_rng(kernel)
    x = jnp.asarray(rng.normal(size=(2, 6, 8, 3)))
    w = jnp.asarray(rng.normal(size=(kernel, kernel, 3, 4)))
    weights = jnp.asarray(rng.normal(size=(2, 6 // stride, 8 // stride, 4)))

    def of(convolve):
      def loss(x, w):
        return jnp.sum(weights * jnp.sin(convolve(x, w, stride)))

      # Forward over reverse is what `gradient.mixed_mode` needs.
      gradient = jax.grad(loss, (0, 1))
      _, second = jax.jvp(gradient, (x, w), (jnp.cos(x), jnp.cos(w)))
      return convolve(x, w, stride), gradient(x, w), second

    found, expected = jax.jit(lambda: (of(convolution.convolve), of(_plain)))()
  np.testing.assert_array_equal(found[0], expected[0])
  for one, other in zip(
    jax.tree.leaves(found[1:]), jax.tree.leaves(expected[1:]), strict=True
  ):
    np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_vectorised_over_kernels():
  # Fails if the gradient of a batch of kernels mixes them.
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(3, 1, 4, 4, 2)), jnp.float32)
  w = jnp.asarray(rng.normal(size=(3, 3, 3, 2, 2)), jnp.float32)
  gradient = jax.grad(
    lambda x, w: jnp.sum(convolution.convolve(x, w, 2) ** 2), (0, 1)
  )
  together = jax.vmap(gradient)(x, w)
  for i in range(3):
    for one, other in zip(gradient(x[i], w[i]), together, strict=True):
      np.testing.assert_allclose(one, other[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
  ("shape", "kernel", "stride", "message"),
  [
    ((1, 4, 4, 1), (2, 2, 1, 1), 1, "odd K"),
    ((1, 4, 4, 1), (3, 5, 1, 1), 1, "odd K"),
    ((1, 4, 5, 1), (3, 3, 1, 1), 2, "divide 4 and 5"),
    ((1, 6, 6, 1), (3, 3, 1, 1), 3, "1 or 2"),
  ],
)
def test_what_it_cannot_do_is_refused(shape, kernel, stride, message):
  with pytest.raises(ValueError, match=message):
    convolution.convolve(jnp.zeros(shape), jnp.zeros(kernel), stride)
