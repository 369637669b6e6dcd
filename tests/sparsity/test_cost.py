"""The cost model against the compiler's own count, and against formulas."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.sparsity import cost, structures

KEY = jax.random.key(0)


def _mlp(x):
  return hk.nets.MLP([24, 16, 10])(x)


def _convolutional(x):
  x = jax.nn.relu(hk.Conv2D(8, 3)(x))
  x = jax.nn.relu(hk.Conv2D(16, 3, stride=2, padding="VALID")(x))
  x = jax.nn.relu(hk.Conv2D(16, 3, rate=2, feature_group_count=4)(x))
  x = hk.Conv2DTranspose(4, 3, stride=2)(x)
  return hk.Linear(10)(x.reshape(x.shape[0], -1))


NETWORKS = {
  "mlp": (_mlp, (8, 20)),
  "convolutional": (_convolutional, (4, 12, 12, 3)),
}


def network(name):
  fn, shape = NETWORKS[name]
  apply = hk.without_apply_rng(hk.transform(fn))
  x = jnp.ones(shape)
  return apply.apply, apply.init(KEY, x), x


@pytest.mark.parametrize("name", NETWORKS)
def test_the_count_is_the_compilers(name):
  # Fails if padding, strides, dilation or groups are counted otherwise, or
  # elementwise operations are left out.
  apply, params, x = network(name)
  compiled = jax.jit(apply).lower(params, x).compile()
  counted = cost.count_flops(apply, params, x)
  np.testing.assert_allclose(
    counted, compiled.cost_analysis()["flops"], rtol=0.03
  )
  # Shapes are enough.
  shapes = jax.eval_shape(lambda *a: a, params, x)
  assert cost.count_flops(apply, *shapes) == counted


def test_every_weight_has_its_products():
  apply, params, x = network("mlp")
  products = cost.product_costs(apply, params, x)
  assert [(op.flops, set(op.weights)) for op in products] == [
    (2.0 * 8 * 20 * 24, {"mlp/~/linear_0/w"}),
    (2.0 * 8 * 24 * 16, {"mlp/~/linear_1/w"}),
    (2.0 * 8 * 16 * 10, {"mlp/~/linear_2/w"}),
  ]


def test_a_channel_costs_equation_3_4():
  # 2 H W C_in K^2, without padding the same number.
  def fn(x):
    x = jax.nn.relu(hk.Conv2D(6, 3, padding="VALID", with_bias=False)(x))
    return hk.Conv2D(5, 2, padding="VALID")(x)

  apply = hk.without_apply_rng(hk.transform(fn))
  x = jnp.ones((1, 10, 9, 3))
  params = apply.init(KEY, x)
  structure = structures.Structured(
    structures.unit_groups(params, protected=[])
  )
  assert cost.unit_costs(apply.apply, params, x, structure=structure) == {
    "conv2_d/w": 2 * 8 * 7 * 3 * 9,
    "conv2_d_1/w": 2 * 7 * 6 * 6 * 4,
  }
  each = cost.unit_costs(
    apply.apply, params, x, structure=structures.Unstructured()
  )
  assert each["conv2_d/w"] == 2 * 8 * 7


def test_tied_layers_and_reused_weights_add_up():
  params = {"a": jnp.ones((4, 4)), "b": jnp.ones((4, 4)), "free": jnp.ones(4)}

  def fn(params, x):
    x = x @ params["a"] + x @ (2.0 * params["b"]).T
    return x @ params["a"] * params["free"].reshape(1, 4)

  structure = structures.Structured(
    (
      structures.Group(
        "tied", (structures.Member("a"), structures.Member("b", 0))
      ),
      structures.Group("free", (structures.Member("free"),)),
    )
  )
  once = 2.0 * 3 * 4 * 4
  # Fails if a weight behind a transposition or a factor is lost.
  assert cost.unit_costs(fn, params, jnp.ones((3, 4)), structure=structure) == {
    "tied": 3 * once / 4,
    "free": 0.0,
  }


def test_products_of_activations_belong_to_no_weight():
  def attention(params, x):
    query = x @ params["q"]
    return (query @ x.T) @ x

  params = {"q": jnp.ones((4, 4))}
  products = cost.product_costs(attention, params, jnp.ones((3, 4)))
  assert [op.flops for op in products] == [2.0 * 3 * 4 * 4]


def test_loops_branches_and_calls_are_followed():
  params = {"w": jnp.ones((4, 4)), "stack": jnp.ones((5, 4, 4))}
  once = 2.0 * 3 * 4 * 4

  def looped(params, x):
    x, _ = jax.lax.scan(
      lambda x, w: (jax.checkpoint(jnp.matmul)(x, w), None), x, params["stack"]
    )
    return jax.lax.cond(
      x[0, 0] > 0, lambda x: jax.jit(jnp.matmul)(x, params["w"]), lambda x: x, x
    )

  products = cost.product_costs(looped, params, jnp.ones((3, 4)))
  assert [(op.flops, set(op.weights)) for op in products] == [
    (5 * once, {"stack"}),
    (once, {"w"}),
  ]

  # A product of the carry: it depends on the input from the second step on.
  def powers(params, x):
    return jax.lax.scan(
      lambda c, _: (c @ params["w"], None), params["w"] * x, length=7
    )[0]

  (only,) = cost.product_costs(powers, params, jnp.ones(()))
  assert only == cost.Operation(7 * 2.0 * 4**3, frozenset({"w"}))


def test_a_loop_of_unknown_length_is_refused():
  def fn(x):
    return jax.lax.while_loop(lambda x: x[0] < 1, lambda x: x * 2, x)

  with pytest.raises(ValueError, match="while_loop"):
    cost.count_flops(fn, jnp.ones(2))
