"""A classifier small enough for finite differences of all its masks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax.sparsity import structures

SIZES = (4, 5, 3)


def problem(num_batches=1, dtype=jnp.float64, seed=0):
  """`(params, batches)`; labels are integers and each batch has a key."""
  rng = np.random.default_rng(seed)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), dtype)  # noqa: E731
  params = {
    "first": {"w": draw(SIZES[0], SIZES[1]), "b": 0.3 * draw(SIZES[1])},
    "last": {"w": draw(SIZES[1], SIZES[2]), "b": 0.3 * draw(SIZES[2])},
  }
  batches = {
    "x": draw(num_batches, 6, SIZES[0]),
    "label": jnp.asarray(rng.integers(0, SIZES[2], (num_batches, 6))),
    "key": jax.random.split(jax.random.key(seed), num_batches),
  }
  return params, batches


def loss_fn(params, batch):
  """Cross entropy of a tanh network whose inputs its key scales."""
  # What the key holds stands for noise; real noise takes long to compile.
  shift = jnp.sum(jax.random.key_data(batch["key"]) % 97)
  x = batch["x"] * (1 + shift.astype(batch["x"].dtype) / 400)
  for name in ("first", "last"):
    bias = jnp.broadcast_to(
      params[name]["b"], (x.shape[0], params[name]["b"].size)
    )
    x = x @ params[name]["w"] + bias
    x = jnp.tanh(x) if name == "first" else x
  return jnp.mean(
    optax.softmax_cross_entropy_with_integer_labels(x, batch["label"])
  )


def units(params):
  """The hidden units."""
  return structures.Structured(
    structures.unit_groups(params, protected=["last/w"])
  )


def at(batches, index):
  """One batch of the stack."""
  return jax.tree.map(lambda leaf: leaf[index], batches)


def slopes(fn, masks, step=1e-5):
  """Central differences of a scalar of the masks, one entry at a time."""
  fn = jax.jit(fn)
  result = {}
  for name, mask in masks.items():
    slope = np.zeros(mask.shape)
    for index in np.ndindex(mask.shape):
      moved = lambda by: fn({**masks, name: mask.at[index].add(by)})  # noqa: B023, E731
      slope[index] = (moved(step) - moved(-step)) / (2 * step)
    result[name] = slope
  return result


def normalised(scores):
  """Magnitudes that sum to one."""
  total = sum(np.abs(score).sum() for score in scores.values())
  return {name: np.abs(score) / total for name, score in scores.items()}


def assert_close(found, expected, **tolerance):
  """Masks of the same names, close."""
  assert found.keys() == expected.keys()
  for name in expected:
    np.testing.assert_allclose(found[name], expected[name], **tolerance)
