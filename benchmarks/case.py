"""The problem that every side solves: sizes, images, initial parameters.

NumPy only: the process of the PyTorch baseline must not hold JAX in memory.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
  """The sizes of a problem.

  Attributes:
    depth: sine layers; a linear readout follows.
    width: units of each.
    latent_dim: length of the latent vector, mapped linearly to the shifts; 0
      for no latent: all weights and biases are adapted (MAML).
    num_images: images in a batch.
    side: height and width of an image.
    num_steps: inner steps.
    w0: frequency factor of every sine layer.
    inner_rate: inner learning rate, fixed.
    outer_rate: learning rate of the outer Adam.
    task_tile: images our side adapts at a time; None for all at once.
    point_tile: points our side takes at a time; None for all of an image.
    seed: of the images and the initial parameters.
  """

  depth: int = 10
  width: int = 256
  latent_dim: int = 128
  num_images: int = 8
  side: int = 32
  num_steps: int = 3
  w0: float = 30.0
  inner_rate: float = 0.01
  outer_rate: float = 3e-5
  task_tile: int | None = 1
  point_tile: int | None = None
  seed: int = 0


class Parameters(NamedTuple):
  """Initial parameters of the latent-modulated SIREN.

  Attributes:
    weights: of the sine layers, `[2, width]` and then `[width, width]`.
    biases: of the sine layers, each `[width]`.
    out_weight: `[width, 3]`.
    out_bias: `[3]`.
    latent_map: `[latent_dim, depth * width]`, from the latent to the shifts;
      empty where nothing is modulated.
  """

  weights: list[np.ndarray]
  biases: list[np.ndarray]
  out_weight: np.ndarray
  out_bias: np.ndarray
  latent_map: np.ndarray


def initial_parameters(case: Case) -> Parameters:
  """Sitzmann's initialisation, drawn by NumPy so that all sides agree."""
  generator = np.random.default_rng([case.seed, 0])

  def uniform(shape: tuple[int, ...], bound: float) -> np.ndarray:
    return generator.uniform(-bound, bound, shape).astype(np.float32)

  hidden_bound = math.sqrt(6 / case.width) / case.w0
  fan_ins = [2] + [case.width] * (case.depth - 1)
  bounds = [1 / 2] + [hidden_bound] * (case.depth - 1)
  return Parameters(
    weights=[
      uniform((fan_in, case.width), bound)
      for fan_in, bound in zip(fan_ins, bounds, strict=True)
    ],
    biases=[uniform((case.width,), 1 / math.sqrt(f)) for f in fan_ins],
    out_weight=uniform((case.width, 3), hidden_bound),
    out_bias=np.full((3,), 0.5, np.float32),
    latent_map=uniform(
      (case.latent_dim, case.depth * case.width),
      1 / math.sqrt(max(case.latent_dim, 1)),
    ),
  )


def images(case: Case) -> np.ndarray:
  """Smooth random images `[B, H, W, 3]`, float32 in [0, 1]."""
  generator = np.random.default_rng([case.seed, 1])
  frequencies = generator.uniform(-4, 4, (case.num_images, 1, 1, 3, 2))
  phases = generator.uniform(0, 2 * np.pi, (case.num_images, 1, 1, 3))
  points = coordinates(case).reshape(case.side, case.side, 1, 2)
  waves = np.sin((frequencies * points).sum(-1) + phases)
  return (0.5 + 0.4 * waves).astype(np.float32)


def coordinates(case: Case) -> np.ndarray:
  """Cell centres of the image grid in [-1, 1], `[N, 2]` float32."""
  axis = -1 + 2 * (np.arange(case.side) + 0.5) / case.side
  points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
  return points.reshape(-1, 2).astype(np.float32)
