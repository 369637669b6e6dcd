"""Quantises a trained classifier to grids of (weight, activation) bits.

The evaluation of tables 4.1 and 4.2 of Alizadeh's thesis, with what figures 4.1
and 4.5 show: predicted against induced loss, and how far the predictions move.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments import build, classifiers
from inrjax import data
from inrjax.quantize import grids as grids_lib
from inrjax.quantize import post_training, straight_through, taps
from inrjax.sparsity import graph
from inrjax.types import Array, PyTree

_SCHEMES = {
  "symmetric": grids_lib.symmetric,
  "asymmetric": grids_lib.asymmetric,
}


class Grids(NamedTuple):
  """What a network is rounded to.

  Attributes:
    weights: by the names of parameters.
    activations: by the names of `taps.tap_products`.
  """

  weights: Mapping[str, grids_lib.Grid]
  activations: Mapping[str, grids_lib.Grid]


def tapped_logits(model: classifiers.Model) -> Any:
  """`(tap, params, images float) -> logits`, with running statistics."""
  return taps.tap_products(
    lambda params, images: model.apply(params, model.state, images, False)[0]
  )


def activation_ranges(
  settings: build.Section,
  model: classifiers.Model,
  normalise: data.Normalization,
  source: data.Labelled,
) -> dict[str, post_training.Range]:
  """Ranges of the activations (section `quantize.ranges`).

  Args:
    settings: `kind` "batch_norm", six deviations around what the batch norm in
      front says (4.3.1), for a chain of layers; or "calibration", the extremes
      over the first `num_images` training images.
    model: the trained network.
    normalise: of the images.
    source: training examples.

  Raises:
    ValueError: if activations and batch norms do not correspond.
  """
  makers = {"batch_norm": _batch_norm_ranges, "calibration": _calibrated}
  own = dict(settings)
  kind = own.pop("kind")
  make = build.choose(makers, kind, "quantize.ranges.kind")
  return make(model, normalise, source, **own)


def _calibrated(
  model: classifiers.Model,
  normalise: data.Normalization,
  source: data.Labelled,
  *,
  num_images: int,
) -> dict[str, post_training.Range]:
  batch = next(data.in_order(source, batch_size=num_images))
  images = normalise(jnp.asarray(batch.images))
  return post_training.calibrate(tapped_logits(model), model.params, [images])


def _batch_norm_ranges(
  model: classifiers.Model,
  normalise: data.Normalization,
  source: data.Labelled,
  *,
  num_images: int,
) -> dict[str, post_training.Range]:
  del num_images
  image = normalise(jnp.asarray(source.images[0])[None])
  names = list(taps.shapes(tapped_logits(model), model.params, image))
  # Blocks are numbered, and come before the hidden layers.
  norms = [
    model.params[module]
    for module in sorted(model.params)
    if set(model.params[module]) == {"scale", "offset"}
  ]
  groups = graph.trace(
    model.apply, model.params, model.state, image, True
  ).groups.values()
  # Layers that are added up share their channels, and sums have wider ranges.
  tied = [group.layers for group in groups if len(group.layers) > 1]
  if tied or len(names) != len(norms):
    raise ValueError(
      f"{len(names)} activations enter products, behind {len(norms)} batch"
      f" norms and sums of layers {tied}: where each activation is not behind a"
      " batch norm of its own, set quantize.ranges.kind to 'calibration'."
    )
  # A ReLU follows every batch norm.
  return {
    name: post_training.batch_norm_range(
      norm["scale"], norm["offset"], lowest=0.0
    )
    for name, norm in zip(names, norms, strict=True)
  }


def make_grids(
  settings: build.Section,
  params: PyTree,
  ranges: Mapping[str, post_training.Range],
  bits: Sequence[int],
) -> Grids:
  """Grids of (weight, activation) bits, fitted to a trained network.

  Args:
    settings: section `quantize`: `scheme`, `per_channel`.
    params: trained parameters.
    ranges: of the activations.
    bits: (W, A).

  Raises:
    ValueError: for a width outside [2, 32].
  """
  scheme = build.choose(_SCHEMES, settings["scheme"], "quantize.scheme")
  return Grids(
    post_training.fit_params(
      params,
      num_bits=bits[0],
      scheme=scheme,
      axis=-1 if settings["per_channel"] else None,
    ),
    post_training.fit_activations(ranges, num_bits=bits[1], scheme=scheme),
  )


def evaluate(
  settings: build.Section,
  model: classifiers.Model,
  normalise: data.Normalization,
  train: data.Labelled,
  test: data.Labelled,
  *,
  batch_size: int,
  trained: Grids | None,
) -> list[dict[str, Any]]:
  """One row for each (W, A) of `widths`, from one set of weights.

  Args:
    settings: section `quantize`.
    model: the trained network, in full precision.
    normalise: of the images.
    train: for calibration.
    test: what is measured.
    batch_size: examples at a time.
    trained: grids that the network was fine-tuned on. At their own widths they
      are used; at wider ones both they and new grids are tried, and the better
      accuracy counts (4.3.1).

  Returns:
    For each: the bits, accuracy, loss, `kl` of the predictions in nats, and of
    the loss on the first test batch `predicted`, `bound` and `induced`, what
    rounding the weights alone does to it.
  """
  ranges = activation_ranges(settings["ranges"], model, normalise, train)
  predict = classifiers.make_predict(model, normalise)
  full = classifiers.score(
    functools.partial(predict, model.params), test, batch_size=batch_size
  )
  logits = tapped_logits(model)
  first = next(data.in_order(test, batch_size=batch_size))

  def loss_fn(params: PyTree, batch: data.LabelledBatch) -> Array:
    predictions = predict(params, batch.images)
    return classifiers.cross_entropy(predictions, batch.labels)

  rows = []
  for bits in settings["widths"]:
    fitted = make_grids(settings, model.params, ranges, bits)
    candidates = _candidates(fitted, trained, bits)
    scored = [
      _rounded(logits, model.params, normalise, grids, test, batch_size)
      for grids in candidates
    ]
    index = max(range(len(scored)), key=lambda i: scored[i].accuracy)
    best = scored[index]
    change = _change(loss_fn, candidates[index])(model.params, first)
    rows.append(
      {
        "weight_bits": int(bits[0]),
        "activation_bits": int(bits[1]),
        "accuracy": best.accuracy,
        "loss": best.loss,
        "kl": float(post_training.predictive_kl(full.logits, best.logits)),
        **{name: float(x) for name, x in change._asdict().items()},
      }
    )
  return rows


def _change(loss_fn: Any, grids: Grids) -> Any:
  """`(params, batch) -> Change` of rounding the weights, compiled."""
  return jax.jit(
    lambda params, batch: post_training.loss_change(
      loss_fn, params, grids.weights, batch
    )
  )


def _candidates(
  fitted: Grids, trained: Grids | None, bits: Sequence[int]
) -> list[Grids]:
  if trained is None:
    return [fitted]
  own = _bits_of(trained)
  if tuple(bits) == own:
    return [trained]
  wider = bits[0] >= own[0] and bits[1] >= own[1]
  return [fitted, trained] if wider else [fitted]


def _bits_of(grids: Grids) -> tuple[int, int]:
  weights, activations = (next(iter(g.values())).num_bits for g in grids)
  return weights, activations


def _rounded(
  logits: Any,
  params: PyTree,
  normalise: data.Normalization,
  grids: Grids,
  test: data.Labelled,
  batch_size: int,
) -> classifiers.Scored:
  rounded = post_training.quantize_params(grids.weights, params)
  tap = straight_through.quantizing(grids.activations)
  predict = jax.jit(lambda p, x: logits(tap, p, normalise(x)))
  return classifiers.score(
    lambda images: predict(rounded, images), test, batch_size=batch_size
  )
