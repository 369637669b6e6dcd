"""The README's lines prune a network that the library has never seen."""

import pathlib
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

import inrjax
from inrjax.sparsity import shrink

README = pathlib.Path(inrjax.__file__).parents[1] / "README.md"
# The README has these lines; `net`, `params`, `state`, `key` and the batch
# (`images`, `labels`) are the user's.
SNIPPET = """\
@jax.jit
def loss_fn(params, batch):
  logits, _ = net.apply(params, state, batch["images"], True)
  return cross_entropy(logits, batch["labels"]).mean()


channels = graph.trace(net.apply, params, state, images, True)
batch = batches.stack({"images": images, "labels": labels})
scores = SNIP()(key, loss_fn, params, batch, channels)
kept = masks.global_top_k(scores, 0.5, min_kept=1)
small = shrink.shrink(net.apply, params, state, kept, images, True)
"""


class Branch(hk.Module):
  """Squeezes, expands, and adds to what came in."""

  def __call__(self, x: jax.Array, is_training: bool) -> jax.Array:
    y = hk.Conv2D(5, 1, name="squeeze")(x)
    y = hk.BatchNorm(True, True, 0.9, name="norm")(y, is_training)
    y = hk.Conv2D(x.shape[-1], 3, name="expand")(jax.nn.silu(y))
    return x + y


def forward(images: jax.Array, is_training: bool) -> jax.Array:
  x = jnp.tanh(hk.Conv2D(12, 3, stride=2, name="stem")(images))
  x = Branch(name="branch")(x, is_training)
  x = jnp.concatenate([x, hk.max_pool(x, (2, 2, 1), (1, 1, 1), "SAME")], -1)
  x = jax.nn.gelu(hk.Linear(9, name="hidden")(x.mean((1, 2))))
  return hk.Linear(4, name="classes")(x)


def num(params: Any) -> int:
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def run() -> dict[str, Any]:
  """Executes the snippet's own text, after what a user would have."""
  given: dict[str, Any] = {}
  exec(  # noqa: S102
    """
import jax
from optax.losses import (
  softmax_cross_entropy_with_integer_labels as cross_entropy,
)
from inrjax.sparsity import SNIP, batches, graph, masks, shrink
""",
    given,
  )
  net = hk.without_apply_rng(hk.transform_with_state(forward))
  key = jax.random.key(0)
  images = jax.random.normal(key, (8, 8, 8, 3))
  params, state = jax.jit(net.init, static_argnums=2)(key, images, True)
  labels = np.arange(8) % 4
  given.update(net=net, key=key, images=images, labels=labels)
  given.update(params=params, state=state)
  exec(SNIPPET, given)  # noqa: S102
  return given


def test_the_snippet_gives_a_smaller_network_that_trains() -> None:
  found = run()
  small, kept = found["small"], found["kept"]
  assert num(small.params) < 0.6 * num(found["params"])
  # 26 channels: stem and branch are tied by the sum.
  sizes = sorted(mask.size for mask in kept.values())
  assert sizes == [5, 9, 12] and sum(map(np.sum, kept.values())) == 13

  @jax.jit
  def outputs(params: Any, small_params: Any) -> tuple[jax.Array, ...]:
    arguments = (found["state"], found["images"], True)
    masked = shrink.mask_params(found["channels"], kept, params)
    expected, _ = found["net"].apply(masked, *arguments)
    given, _ = small.apply(small_params, small.state, *arguments[1:])
    return expected, given

  # Fails if what is left is another network than the masked one.
  expected, given = outputs(found["params"], small.params)
  np.testing.assert_allclose(expected, given, rtol=1e-4, atol=1e-5)
  grads = jax.jit(
    jax.grad(
      lambda p: jnp.sum(
        jnp.square(small.apply(p, small.state, found["images"], True)[0])
      )
    )
  )(small.params)
  # Fails if a part of the network is cut off from its output.
  for layer in ("stem", "squeeze", "hidden", "classes"):
    leaf = next(v["w"] for k, v in grads.items() if k.endswith(layer))
    assert np.any(leaf != 0)


def test_the_snippet_is_short_and_the_readmes_own() -> None:
  lines = [line for line in SNIPPET.splitlines() if line]
  assert len(lines) < 10
  text = README.read_text(encoding="utf-8")
  if "shrink.shrink(" in text:
    # Fails if the README's lines are changed and these are not.
    assert SNIPPET in text
