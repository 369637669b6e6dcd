"""Prunes a classifier, of weights or of channels, and counts what is left."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import build, classifiers
from inrjax import data
from inrjax.networks import widths
from inrjax.sparsity import batches as batches_lib
from inrjax.sparsity import (
  channels,
  compute_aware,
  cost,
  graph,
  masks,
  prospr,
  saliency,
  shrink,
  structures,
)
from inrjax.types import Array, PyTree

MEASURES = ("entries", "parameters", "flops")
# The saliency whose steps may be too many for their batches to fit in memory.
FIRST_ORDER = "first_order_prospr"
Masks = Mapping[str, Any]


class Counts(NamedTuple):
  """The size of a network.

  Attributes:
    parameters: that are not masked.
    flops: operations of the products of one prediction, a multiplication and
      an addition counting two; those with a masked weight do not count.
  """

  parameters: int
  flops: float


def inner_optimizer(
  learning_rate: float, momentum: float
) -> optax.GradientTransformation:
  """What trains in ProsPr's inner steps."""
  return optax.sgd(learning_rate, momentum=momentum)


_SALIENCIES: dict[str, Callable[..., saliency.Saliency]] = {
  "random": saliency.Random,
  "magnitude": saliency.Magnitude,
  "snip": saliency.SNIP,
  "grasp": saliency.GraSP,
  "mask_grasp": saliency.MaskGraSP,
  "prospr": lambda num_steps, **inner: prospr.ProsPr(
    inner_optimizer(**inner), num_steps
  ),
  FIRST_ORDER: lambda num_steps, **inner: prospr.FirstOrderProsPr(
    inner_optimizer(**inner), num_steps
  ),
}


def make_saliency(
  settings: build.Section, costs: Callable[[], Mapping[str, float]]
) -> saliency.Saliency:
  """The saliency of section `prune.saliency`.

  Args:
    settings: `kind`, `repeats` (of which `score_entries` takes care), and
      `cost_smoothing` (None ignores costs); the rest is the saliency's own.
    costs: of one entry of each mask, asked for when they matter.
  """
  own = dict(settings)
  kind = own.pop("kind")
  del own["repeats"]
  smoothing = own.pop("cost_smoothing")
  found: saliency.Saliency = build.choose(
    _SALIENCIES, kind, "prune.saliency.kind"
  )(**own)
  if smoothing is not None:
    found = compute_aware.ComputeAware(found, costs(), smoothing)
  return found


def make_structure(
  kind: str, model: classifiers.Model, image: Array
) -> structures.Structure:
  """What an entry removes: "weights", or "channels" of the traced network."""
  makers = {
    "weights": structures.Unstructured,
    "channels": lambda: graph.trace(
      model.apply, model.params, model.state, image, True
    ),
  }
  return build.choose(makers, kind, "prune.structure")()


def score_entries(
  settings: build.Section,
  model: classifiers.Model,
  structure: structures.Structure,
  image: Array,
  *,
  normalise: data.Normalization,
  draw: Callable[[int], Iterator[data.LabelledBatch]],
  seed: int,
) -> structures.Masks:
  """Scores a network by section `prune`.

  Args:
    settings: the section.
    model: the network to be pruned.
    structure: what is pruned.
    image: `[1, H, W, C]`.
    normalise: of the images.
    draw: gives so many batches. Repetitions are read one after the other, so
      that only those of one are in memory.
    seed: of the scores.

  Returns:
    A score for each entry, averaged over `repeats`.
  """
  costs = functools.partial(
    cost.unit_costs,
    lambda p, x: model.apply(p, model.state, x, False)[0],
    model.params,
    image,
    structure=structure,
  )
  chosen = make_saliency(settings["saliency"], costs)
  loss_fn = loss_of(settings, model, normalise)
  params = classifiers.masked(model.params, model.masks)
  score = jax.jit(
    lambda key, params, batches: chosen(
      key, loss_fn, params, batches, structure
    )
  )
  repeats = settings["saliency"]["repeats"]
  if repeats < 1:
    raise ValueError(
      f"prune.saliency.repeats must be at least 1, got {repeats}."
    )
  drawn = draw(repeats * chosen.num_batches)
  total: structures.Masks | None = None
  for i in range(repeats):
    some = [next(drawn) for _ in range(chosen.num_batches)]
    for batch in some:
      data.check_classes(batch.labels)
    batches = batches_lib.stack(*some) if some else ()
    key = jax.random.fold_in(jax.random.key(seed), i)
    found = score(key, params, batches)
    total = found if total is None else jax.tree.map(jnp.add, total, found)
  scores: structures.Masks = jax.tree.map(lambda x: x / repeats, total)
  return scores


def balanced(
  source: data.Labelled,
  count: int,
  *,
  per_class: int,
  seed: int,
  augment: tuple[Any, ...],
) -> Iterator[data.LabelledBatch]:
  """So many batches with as many examples of each class (3.4.2)."""
  if not count:
    return iter(())
  drawn = data.balanced_batches(
    source,
    per_class=per_class,
    num_batches=count,
    seed=seed,
    augment=augment,
  )
  return itertools.starmap(
    data.LabelledBatch, zip(drawn.images, drawn.labels, strict=True)
  )


def loss_of(
  settings: build.Section,
  model: classifiers.Model,
  normalise: data.Normalization,
) -> Callable[[PyTree, data.LabelledBatch], Array]:
  """What the saliency of section `prune` differentiates."""
  return classifiers.saliency_loss(
    model, normalise, temperature=settings["temperature"]
  )


def choose_masks(
  scores: Masks,
  model: classifiers.Model,
  structure: structures.Structure,
  image: Array,
  *,
  sparsity: float,
  measure: str,
  min_kept: int,
) -> structures.Masks:
  """Keeps the highest scores until a part of something is gone.

  Args:
    scores: of the structure's entries.
    model: the network.
    structure: whose entries they are.
    image: `[1, H, W, C]`.
    sparsity: the part, in (0, 1).
    measure: of what: "entries" of the masks; "parameters" (the axis of table
      3.1) or "flops" (of figure 3.6) of the network that is left.
    min_kept: entries that every layer keeps; 1 prevents layer collapse, which
      is an error for channels and a warning for weights.

  Returns:
    Masks of 0 and 1. Of parameters and operations at least the part is gone,
    by the fewest entries that do it.

  Raises:
    ValueError: for a sparsity outside (0, 1), or that cannot be reached.
    LayerCollapseError: for a layer of which no channel is left.
  """
  by_channels = isinstance(structure, channels.Channels)
  on_collapse = masks.raise_collapse if by_channels else masks.warn_collapse
  keep = functools.partial(
    masks.global_top_k, scores, min_kept=min_kept, on_collapse=on_collapse
  )
  if measure == "entries" or not 0 < sparsity < 1:
    return keep(sparsity)
  if measure not in MEASURES:
    raise ValueError(f"prune.measure is {measure!r}; choose from {MEASURES}.")
  field = MEASURES.index(measure) - 1
  whole = counts(model, image)[field]
  total = sum(np.size(score) for score in scores.values())
  floor = sum(min(min_kept, np.size(score)) for score in scores.values())
  low, high = 0, total - max(floor, 1)

  def left(num_removed: int) -> float:
    smaller = _masked_shapes(model, structure, keep(num_removed / total))
    return counts(smaller, image)[field] / whole

  if high < 1 or left(high) > 1 - sparsity:
    raise ValueError(
      f"sparsity {sparsity} of the {measure} cannot be reached with"
      f" min_kept={min_kept} of every layer; lower one of them."
    )
  while high - low > 1:
    middle = (low + high) // 2
    if left(middle) > 1 - sparsity:
      low = middle
    else:
      high = middle
  return keep(high / total)


def apply_masks(
  model: classifiers.Model,
  structure: structures.Structure,
  kept: Masks,
  image: Array,
  *,
  reset: str = "keep",
  init: Callable[..., Any] | None = None,
  key: Array | None = None,
) -> classifiers.Model:
  """The model with masked weights, or with fewer channels.

  Args:
    model: the network, of the structure's shapes.
    structure: what the masks are of.
    kept: 0 and 1.
    image: `[1, H, W, C]`.
    reset: what a smaller network starts from (3.2.1): "keep" its values,
      "rescale" them by the fan out, or "reinitialise" them.
    init: the network's, to reinitialise.
    key: random key, to reinitialise.
  """
  if not isinstance(structure, channels.Channels):
    if reset != "keep":
      raise ValueError(
        f"prune.reset is {reset!r}, but masked weights keep their values; it"
        " is for channels."
      )
    factors = structure.spread(kept, model.params)
    return model._replace(masks=factors)
  resets = {"keep": None, "rescale": shrink.fan_out, "reinitialise": None}
  small = shrink.shrink(
    model.apply,
    model.params,
    model.state,
    kept,
    image,
    True,
    rescale=build.choose(resets, reset, "prune.reset"),
  )
  if reset == "reinitialise":
    assert init is not None and key is not None
    small = shrink.reinitialise(init, small, key, image)
  return classifiers.Model(*small)


def _masked_shapes(
  model: classifiers.Model, structure: structures.Structure, kept: Masks
) -> classifiers.Model:
  """What `apply_masks` gives, channels as shapes alone: nothing is copied."""
  if not isinstance(structure, channels.Channels):
    return model._replace(masks=structure.spread(kept, model.params))
  keep = np.asarray(structure.gather(kept)) != 0

  def shapes(name: str, tree: PyTree) -> PyTree:
    def one(path: Any, leaf: Array) -> jax.ShapeDtypeStruct:
      shape = list(leaf.shape)
      for axis in structure.axes:
        if axis.tree == name and axis.path == channels.path_of(path):
          shape[axis.axis] = int(keep[axis.entries].sum())
      return jax.ShapeDtypeStruct(tuple(shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(one, tree)

  return classifiers.Model(
    widths.follow_widths(model.apply),
    shapes("params", model.params),
    shapes("state", model.state),
  )


def counts(model: classifiers.Model, image: Array) -> Counts:
  """Parameters and operations that are left of a model; shapes suffice."""
  params = model.params

  def forward(params: PyTree, state: PyTree, image: Array) -> Array:
    return model.apply(params, state, image, False)[0]

  leaves = structures.named_leaves(params)
  density = dict.fromkeys(leaves, 1.0)
  if jax.tree.leaves(model.masks):
    factors = structures.named_leaves(model.masks)
    density = {
      name: float(np.mean(np.asarray(factor) != 0))
      for name, factor in factors.items()
    }
  num = sum(round(density[n] * leaf.size) for n, leaf in leaves.items())
  products = cost.product_costs(forward, params, model.state, image)
  flops = sum(
    op.flops * math.prod(density[name] for name in op.weights)
    for op in products
  )
  return Counts(num, flops)


def one_image(source: data.Labelled) -> Array:
  """`[1, H, W, C]` float32 zeros, of the source's shape."""
  return jnp.zeros((1, *source.images[0].shape), jnp.float32)


def stage_sparsity(sparsity: float, stage: int, num_rounds: int) -> float:
  """What is gone after a round, each removing the same part of what is left.

  Args:
    sparsity: after the last round, in (0, 1).
    stage: 1 to `num_rounds`.
    num_rounds: rounds.
  """
  if not 0 < sparsity < 1:
    raise ValueError(
      f"prune.sparsity must lie strictly between 0 and 1, got {sparsity}; the"
      " variant 'dense' prunes nothing."
    )
  return float(1 - (1 - sparsity) ** (stage / num_rounds))
