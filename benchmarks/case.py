"""The problem that every side solves: sizes, signals, initial parameters.

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
    num_images: images, or clips, in a batch.
    side: height and width of an image.
    num_frames: of a clip; 1 for images.
    num_steps: inner steps.
    gamma: share of the points that an inner step sees, in (0, 1]: those of the
      highest errors at its start (ECoP).
    target_steps: further steps on all points to the target of a training step
      (ECoP's L); 0 for no target.
    target_weight: of the distance from the target (ECoP's lambda).
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
  num_frames: int = 1
  num_steps: int = 3
  gamma: float = 1.0
  target_steps: int = 0
  target_weight: float = 100.0
  w0: float = 30.0
  inner_rate: float = 0.01
  outer_rate: float = 3e-5
  task_tile: int | None = 1
  point_tile: int | None = None
  seed: int = 0

  def __post_init__(self) -> None:
    if not 0 < self.gamma <= 1:
      raise ValueError(
        f"gamma must lie in (0, 1], got {self.gamma}; 1 keeps all points."
      )

  @property
  def shape(self) -> tuple[int, ...]:
    """The grid of an image `(H, W)` or a clip `(T, H, W)`."""
    grid = (self.side, self.side)
    return grid if self.num_frames == 1 else (self.num_frames, *grid)

  @property
  def in_dim(self) -> int:
    """D, the coordinates of a point."""
    return len(self.shape)

  @property
  def num_selected(self) -> int:
    """K of the N points, those that an inner step sees."""
    return max(1, int(self.gamma * math.prod(self.shape)))


def maml() -> Case:
  """MAML over all weights of a SIREN, on one larger image."""
  return Case(
    depth=5,
    latent_dim=0,
    num_images=1,
    side=96,
    num_steps=4,
    point_tile=1024,  # Activations of 1 MB stay in a core's cache.
  )


def ecop() -> Case:
  """ECoP with the numbers of its paper (appendix A.2), on that image."""
  return dataclasses.replace(
    maml(), num_steps=16, gamma=0.25, target_steps=5, target_weight=100.0
  )


class Parameters(NamedTuple):
  """Initial parameters of the latent-modulated SIREN.

  Attributes:
    weights: of the sine layers, `[D, width]` and then `[width, width]`.
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
  fan_ins = [case.in_dim] + [case.width] * (case.depth - 1)
  bounds = [1 / case.in_dim] + [hidden_bound] * (case.depth - 1)
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
  """Smooth random images `[B, H, W, 3]`, or clips `[B, T, H, W, 3]`.

  float32 in [0, 1].
  """
  generator = np.random.default_rng([case.seed, 1])
  ones = (1,) * case.in_dim
  size = (case.num_images, *ones, 3)
  frequencies = generator.uniform(-4, 4, (*size, case.in_dim))
  phases = generator.uniform(0, 2 * np.pi, size)
  points = coordinates(case).reshape(*case.shape, 1, case.in_dim)
  waves = np.sin((frequencies * points).sum(-1) + phases)
  return (0.5 + 0.4 * waves).astype(np.float32)


def coordinates(case: Case) -> np.ndarray:
  """Cell centres of the grid in [-1, 1], `[N, D]` float32."""
  axes = [-1 + 2 * (np.arange(n) + 0.5) / n for n in case.shape]
  points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
  return points.reshape(-1, case.in_dim).astype(np.float32)
