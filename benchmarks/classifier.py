"""The problem of the classifiers' benchmarks: a network and random images."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import turns
from experiments import classifiers
from inrjax import data, train
from inrjax.networks import blocks, resnet, vgg
from inrjax.types import Array, PyTree

NUM_CLASSES = 10
NORMALISE = data.NORMALIZATIONS["cifar10"]
_SHAPES: Mapping[str, Callable[[int], Any]] = {
  "resnet18": resnet.resnet18,
  "resnet20": resnet.resnet20,
  "vgg_like": vgg.vgg_like,
  "vgg16": vgg.vgg16,
  "vgg19": vgg.vgg19,
}
NETWORKS = tuple(_SHAPES)


@dataclasses.dataclass(frozen=True)
class Case:
  """The sizes of a problem.

  Attributes:
    network: one of `NETWORKS`, residual networks with the small stem.
    batch_size: images.
    side: height and width of an image.
    narrow: all widths are divided by it.
    stages: how many of the network's stages there are; 0 for all.
    seed: of the parameters and the images.
  """

  network: str = "resnet18"
  batch_size: int = 128
  side: int = 32
  narrow: int = 1
  stages: int = 0
  seed: int = 0


def make_network(case: Case) -> blocks.Stateful:
  """The network, narrower and shorter where the case says so."""
  config = _SHAPES[case.network](NUM_CLASSES)
  stages = case.stages or len(config.widths)
  widths = tuple(width // case.narrow for width in config.widths[:stages])
  if isinstance(config, resnet.ResNetConfig):
    return resnet.make_resnet(
      dataclasses.replace(
        config, widths=widths, num_blocks=config.num_blocks[:stages]
      )
    )
  num_pools = stages - (not config.pool_last)
  return vgg.make_vgg(
    dataclasses.replace(
      config,
      widths=widths,
      convs=config.convs[:stages],
      hidden=tuple(width // case.narrow for width in config.hidden),
      # Smaller images leave less to average.
      pooled_size=max(min(config.pooled_size, case.side >> num_pools), 1),
    )
  )


def make_model(case: Case) -> classifiers.Model:
  """The network with its initial parameters and state."""
  network = make_network(case)
  image = jnp.zeros((1, case.side, case.side, 3))
  params, state = jax.jit(network.init)(jax.random.key(case.seed), image)
  return classifiers.Model(network.apply, params, state)


def batches(case: Case, *leading: int) -> data.LabelledBatch:
  """Random 8-bit images `[*leading, B, H, W, 3]` and their labels."""
  generator = np.random.default_rng(case.seed)
  shape = (*leading, case.batch_size)
  images = generator.integers(0, 256, (*shape, case.side, case.side, 3))
  labels = generator.integers(0, NUM_CLASSES, shape)
  return data.LabelledBatch(
    jnp.asarray(images, jnp.uint8), jnp.asarray(labels, jnp.int32)
  )


def loss_fn(
  model: classifiers.Model,
) -> Callable[[PyTree, data.LabelledBatch], Array]:
  """`(params, batch) -> []`, the cross-entropy."""
  return classifiers.saliency_loss(model, NORMALISE, temperature=1.0)


def training(
  model: classifiers.Model,
  case: Case,
  *,
  term: classifiers.Term = classifiers.plain,
  learning_rate: float = 1e-3,
) -> turns.Program:
  """A training step of momentum SGD, each run going on from the last.

  Args:
    model: the network, where training starts.
    case: gives the batch, the same in every step.
    term: what is minimised.
    learning_rate: of the step.

  Returns:
    A program whose runs return the `train.TrainState` and the metrics.
  """
  optimizer = optax.sgd(learning_rate, momentum=0.9)
  objective = classifiers.make_objective(model.apply, NORMALISE, term)
  state = train.init_state(
    jax.random.key(case.seed),
    model.params,
    optimizer,
    carry=classifiers.Carry(model.state, model.masks),
  )
  step = train.make_train_step(objective, optimizer)
  return turns.stepping(step, state, batches(case))


def check_same(one: PyTree, other: PyTree, *, tolerance: float) -> None:
  """Checks that two sides computed the same.

  Args:
    one: a tree.
    other: a tree of the same structure.
    tolerance: largest norm of their difference over the other's norm. Leaves
      are not compared one by one: the bias before a batch norm has a gradient
      of 0, of which float32 leaves noise.

  Raises:
    RuntimeError: if they differ; their times would mean nothing.
  """
  error = optax.tree.norm(jax.tree.map(jnp.subtract, one, other))
  relative = float(error / optax.tree.norm(other))
  if not relative <= tolerance:
    raise RuntimeError(
      f"Two sides differ by {relative:.2g} of their size, more than "
      f"{tolerance:.2g}: times of different computations do not compare."
    )


def parser(program: str, description: str | None) -> argparse.ArgumentParser:
  """Flags for the fields of `Case`, `--rounds` and `--compile_only`.

  Args:
    program: the benchmark's name.
    description: what `--help` says.
  """
  result = argparse.ArgumentParser(
    prog=f"python -m benchmarks.{program}", description=description
  )
  for field in dataclasses.fields(Case):
    result.add_argument(
      f"--{field.name}",
      type=type(field.default),
      default=field.default,
      choices=NETWORKS if field.name == "network" else None,
      help="default %(default)s",
    )
  result.add_argument(
    "--rounds",
    type=int,
    default=turns.ROUNDS,
    help="measured runs of each, default %(default)s",
  )
  result.add_argument(
    "--compile_only",
    action="store_true",
    help="compare the compiled programs' memory, and run nothing",
  )
  return result


def case_of(args: argparse.Namespace) -> Case:
  """The case that the flags of `parser` describe."""
  names = [field.name for field in dataclasses.fields(Case)]
  return Case(**{name: getattr(args, name) for name in names})
