"""Classifiers from a config: networks, optimisers, and what training minimises.

Batch norm's statistics, and the masks of pruned weights, travel in the training
state's carry; nothing here is a trainer.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import build
from inrjax import data, train
from inrjax.evaluate import overlap
from inrjax.networks import blocks, resnet, unet, vgg
from inrjax.quantize import grids as grids_lib
from inrjax.quantize import regularizers, straight_through, taps
from inrjax.sparsity import graph
from inrjax.types import Array, PyTree

# Published shapes by name, and the two families for shapes of one's own.
_RESNETS: Mapping[str, Callable[..., Any]] = {
  "resnet": resnet.ResNetConfig,
  "resnet18": resnet.resnet18,
  "resnet20": resnet.resnet20,
  "resnet50": resnet.resnet50,
  "resnet18_imagenet": functools.partial(
    resnet.resnet18, stem=resnet.IMAGENET_STEM
  ),
  "resnet50_imagenet": functools.partial(
    resnet.resnet50, stem=resnet.IMAGENET_STEM
  ),
}
_VGGS: Mapping[str, Callable[..., Any]] = {
  "vgg": vgg.VggConfig,
  "vgg16": vgg.vgg16,
  "vgg19": vgg.vgg19,
  "vgg19_3sp": vgg.vgg19_3sp,
  "vgg_like": vgg.vgg_like,
  "vgg19_imagenet": vgg.vgg19_imagenet,
}
_UNETS: Mapping[str, Callable[..., Any]] = {"unet": unet.UNetConfig}
_FAMILIES: Sequence[tuple[Mapping[str, Any], Callable[[Any], Any]]] = (
  (_RESNETS, resnet.make_resnet),
  (_VGGS, vgg.make_vgg),
  (_UNETS, unet.make_unet),
)


# The second accuracy of table 3.3.
_TOP = 5


class Model(NamedTuple):
  """A network with its numbers.

  Attributes:
    apply: `(params, state, images [B, H, W, C], is_training) -> (logits
      [B, classes], state)`.
    params: its parameters.
    state: running statistics.
    masks: factors that broadcast to the parameters, in a tree like them; `()`
      where nothing is masked.
  """

  apply: graph.Apply
  params: PyTree
  state: PyTree
  masks: PyTree = ()


class Carry(NamedTuple):
  """What training changes or keeps, and does not differentiate.

  Attributes:
    state: running statistics of batch norm.
    masks: as `Model.masks`.
  """

  state: PyTree
  masks: PyTree


def make_network(settings: build.Section) -> blocks.Stateful:
  """The network of section `network`: a `kind`, and fields of its config."""
  fields = dict(settings)
  kind, num_classes = fields.pop("kind"), fields.pop("num_classes")
  shapes: dict[str, Callable[..., Any]] = {**_RESNETS, **_VGGS, **_UNETS}
  shape = build.choose(shapes, kind, "network.kind")(num_classes=num_classes)
  shape = dataclasses.replace(
    shape, **{k: tuple(v) if _many(v) else v for k, v in fields.items()}
  )
  make = next(make for kinds, make in _FAMILIES if kind in kinds)
  made: blocks.Stateful = make(shape)
  return made


def _many(value: Any) -> bool:
  return isinstance(value, list | tuple)


def make_schedule(
  settings: build.Section, *, steps_per_epoch: int, num_steps: int
) -> optax.Schedule:
  """The learning rate of section `optimizer`, by step."""
  rate = settings["learning_rate"]
  schedule = dict(settings["schedule"])

  def step(epochs: Any, factor: float) -> optax.Schedule:
    boundaries = {round(e * steps_per_epoch): factor for e in epochs}
    return optax.piecewise_constant_schedule(rate, boundaries)

  schedules: dict[str, Callable[..., optax.Schedule]] = {
    "constant": lambda: optax.constant_schedule(rate),
    "cosine": lambda: optax.cosine_decay_schedule(rate, num_steps),
    "step": step,
  }
  kind = schedule.pop("kind")
  return build.choose(schedules, kind, "optimizer.schedule.kind")(**schedule)


def make_optimizer(
  settings: build.Section, *, steps_per_epoch: int, num_steps: int
) -> optax.GradientTransformation:
  """SGD with momentum and weight decay (section `optimizer`)."""
  return optax.chain(
    optax.add_decayed_weights(settings["weight_decay"]),
    optax.sgd(
      make_schedule(
        settings, steps_per_epoch=steps_per_epoch, num_steps=num_steps
      ),
      momentum=settings["momentum"],
    ),
  )


def masked(params: PyTree, masks: PyTree) -> PyTree:
  """The parameters that the network sees."""
  if not jax.tree.leaves(masks):
    return params
  return jax.tree.map(jnp.multiply, params, masks)


def cross_entropy(logits: Array, labels: Array) -> Array:
  """`[]` mean over the batch, in nats."""
  each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  return jnp.mean(each)


def saliency_loss(
  model: Model, normalise: data.Normalization, *, temperature: float
) -> Callable[[PyTree, data.LabelledBatch], Array]:
  """`(params, batch) -> []`, batch norm by the batch's own statistics.

  Args:
    model: gives the network and its state.
    normalise: of the images.
    temperature: divides the logits; 200 in GraSP.
  """

  def loss_fn(params: PyTree, batch: data.LabelledBatch) -> Array:
    images = normalise(batch.images)
    logits, _ = model.apply(params, model.state, images, True)
    return cross_entropy(logits / temperature, batch.labels)

  return loss_fn


# (tap, params, (state, images, labels)) -> (loss [], (logits, state)).
_TappedLoss = Callable[..., tuple[Array, tuple[Array, PyTree]]]
# (loss of this step) -> (params, batch) -> (total, (logits, state), metrics).
Term = Callable[[_TappedLoss, PyTree, Any], tuple[Array, Any, dict[str, Array]]]


def plain(
  loss_fn: _TappedLoss, params: PyTree, batch: Any
) -> tuple[Array, Any, dict[str, Array]]:
  """The cross-entropy alone."""
  loss, aux = loss_fn(taps.identity, params, batch)
  return loss, aux, {}


def gradient_term(norm: regularizers.Norm, weight: float) -> Term:
  """The norm of the gradient is added, eq. 4.3 with one lambda for both."""

  def term(
    loss_fn: _TappedLoss, params: PyTree, batch: Any
  ) -> tuple[Array, Any, dict[str, Array]]:
    penalised = regularizers.gradient_penalty(
      loss_fn, weights_weight=weight, activations_weight=weight, norm=norm
    )
    total, parts = penalised(params, batch)
    norms = {"norm_w": parts.weights, "norm_y": parts.activations}
    return total, parts.aux, norms

  return term


def weight_term(penalty: Callable[[PyTree], Array], weight: float) -> Term:
  """A penalty on the weights is added."""

  def term(
    loss_fn: _TappedLoss, params: PyTree, batch: Any
  ) -> tuple[Array, Any, dict[str, Array]]:
    loss, aux = loss_fn(taps.identity, params, batch)
    value = penalty(params)
    return loss + weight * value, aux, {"penalty": value}

  return term


def rounded_term(
  weights: Mapping[str, grids_lib.Grid],
  activations: Mapping[str, grids_lib.Grid],
) -> Term:
  """The loss of the quantised network, by straight-through rounding."""

  def term(
    loss_fn: _TappedLoss, params: PyTree, batch: Any
  ) -> tuple[Array, Any, dict[str, Array]]:
    loss, aux = straight_through.quantization_aware(
      loss_fn, weights=weights, activations=activations
    )(params, batch)
    return loss, aux, {}

  return term


_REGULARIZERS: dict[str, Callable[[float], Term]] = {
  "none": lambda weight: plain,
  "gradient_l1": functools.partial(gradient_term, regularizers.l1),
  "gradient_l2": functools.partial(gradient_term, regularizers.l2),
  "defensive": functools.partial(weight_term, regularizers.defensive),
  "defensive_trace": functools.partial(
    weight_term, regularizers.defensive_trace
  ),
}


def make_term(kind: str, weight: float) -> Term:
  """The regulariser of section `quantize.regularizer`."""
  return build.choose(_REGULARIZERS, kind, "quantize.regularizer.kind")(weight)


def make_objective(
  apply: graph.Apply, normalise: data.Normalization, term: Term = plain
) -> train.Objective:
  """The mean cross-entropy of a batch, and what is added to it.

  Args:
    apply: as `Model.apply`.
    normalise: of the images.
    term: what is minimised.

  Returns:
    An objective whose carry is a `Carry` and whose batches are
    `data.LabelledBatch`.
  """
  tapped = taps.tap_products(lambda p, s, x: apply(p, s, x, True))

  def loss_fn(
    tap: taps.Tap, params: PyTree, batch: Any
  ) -> tuple[Array, tuple[Array, PyTree]]:
    state, images, labels = batch
    # Taps cost a second trace, so nothing is tapped in vain.
    logits, new = (
      apply(params, state, images, True)
      if tap is taps.identity
      else tapped(tap, params, state, images)
    )
    return cross_entropy(logits, labels), (logits, new)

  def objective(
    key: Array, params: PyTree, carry: Carry, batch: data.LabelledBatch
  ) -> tuple[Array, tuple[dict[str, Array], Carry]]:
    del key
    given = (carry.state, normalise(batch.images), batch.labels)
    loss, (logits, state), metrics = term(
      loss_fn, masked(params, carry.masks), given
    )
    right = jnp.argmax(logits, -1) == batch.labels
    metrics["accuracy"] = jnp.mean(right.astype(jnp.float32))
    return loss, (metrics, Carry(state, carry.masks))

  return objective


class Scored(NamedTuple):
  """What a network says about a set of examples.

  Attributes:
    accuracy: part that is classified right, in [0, 1].
    loss: mean cross-entropy, in nats.
    logits: `[n, classes]`.
  """

  accuracy: float
  loss: float
  logits: Array


def score(
  predict: Callable[[Array], Array],
  source: data.Labelled,
  *,
  batch_size: int,
) -> Scored:
  """Accuracy and loss over a whole source.

  Args:
    predict: `images [B, H, W, C] uint8 -> logits [B, classes]`, compiled.
    source: the examples.
    batch_size: examples at a time.

  Raises:
    FloatingPointError: for logits that are not finite.
  """
  found = [
    predict(batch.images)
    for batch in data.in_order(source, batch_size=batch_size)
  ]
  logits = jnp.concatenate(found)
  labels = jnp.asarray(source.labels)
  loss = float(cross_entropy(logits, labels))
  if not math.isfinite(loss):
    raise FloatingPointError(f"The loss over {len(source)} examples is {loss}.")
  accuracy = float(jnp.mean((jnp.argmax(logits, -1) == labels) * 1.0))
  return Scored(accuracy, loss, logits)


def further_scores(scored: Scored, source: data.Labelled) -> dict[str, Any]:
  """What is reported beside the accuracy of images, or of pixels.

  Args:
    scored: of `source`.
    source: the examples.

  Returns:
    `top_5`, the part of images whose class is among the five likeliest, where
    there are more; for pixels, means over classes of `iou` and `dice`, and
    `iou_by_class`.
  """
  labels = np.asarray(source.labels)
  if labels.ndim > 1:
    predicted = np.asarray(jnp.argmax(scored.logits, -1))
    found = overlap.overlap(predicted, labels, num_classes=source.num_classes)
    return {
      "iou": float(np.nanmean(found.iou)),
      "dice": float(np.nanmean(found.dice)),
      "iou_by_class": found.iou.tolist(),
    }
  if source.num_classes <= _TOP:
    return {}
  _, likeliest = jax.lax.top_k(scored.logits, _TOP)
  right = np.any(np.asarray(likeliest) == labels[:, None], axis=-1)
  return {f"top_{_TOP}": float(np.mean(right))}


def make_predict(
  model: Model, normalise: data.Normalization
) -> Callable[[PyTree, Array], Array]:
  """`(params, images uint8) -> logits`, with running statistics, compiled."""

  @jax.jit
  def predict(params: PyTree, state: PyTree, images: Array) -> Array:
    return model.apply(params, state, normalise(images), False)[0]

  return lambda params, images: predict(params, model.state, images)
