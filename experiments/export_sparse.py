"""From a trained start of weights to the model file that the codec loads."""

import pathlib
from collections.abc import Sequence

import numpy as np

from experiments import build
from inrjax.codec import sparse_inr, sparse_spec
from inrjax.meta import method as method_lib
from inrjax.networks import nerv


@build.of_config()
def make_spec(
  config: build.Section, method: method_lib.Method
) -> sparse_spec.SparseSpec:
  """What the model file says of the codec: how it fits, and how it prunes.

  The fit is that of the section `export`, or of the evaluation.

  Args:
    config: the whole config.
    method: the method as trained, for its gates.
  """
  signal, evaluation = config["signal"], config["evaluate"]
  export = config["export"]
  fit = export.get("fit", evaluation["fit"])
  at_start = None
  if export.get("at_start") is not None:
    settings = evaluation["pruned_fits"]["at_start"]
    at_start = sparse_spec.AtStart(export["at_start"], **settings)
  network = build.make_any_network(config)
  if isinstance(network, nerv.NervConfig):
    raise ValueError("network.kind is 'nerv', and no codec stores that yet.")
  return sparse_spec.SparseSpec(
    network=network,
    gates=method.gates,
    side=signal["side"],
    low=signal["low"],
    high=signal["high"],
    num_steps=fit["num_steps"],
    learning_rate=fit["learning_rate"],
    num_kept=tuple(export.get("num_kept", ())),
    pruned_roles=tuple(evaluation["pruned_roles"]),
    at_start=at_start,
    image_side=export["image_side"],
  )


def write_model(
  config: build.Section,
  method: method_lib.Method,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  path: pathlib.Path,
) -> None:
  """Fits the codec to training images and writes it.

  Args:
    config: the whole config.
    method: the method as trained.
    outer: what training learned.
    images: `[H, W, C]` uint8 each, for step sizes and the entropy model.
    path: the model file.
  """
  sparse_inr.fit_sparse_codec(
    make_spec(config, method),
    outer,
    images,
    card={"config": dict(config), "num_training_images": len(images)},
    seed=config["seed"],
  ).save(path)
