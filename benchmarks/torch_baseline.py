"""Baseline (b): plain PyTorch in the style of the published COIN++ code.

One latent per image of the batch, shifts from one matrix product, the inner
gradient with `create_graph=True`, the outer one by `backward`; without a latent
MAML, image by image.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from benchmarks import case as case_lib
from benchmarks import side as side_lib

# The published code's list of tensors, in `torch.nn.Linear`'s layout: weights
# `[fan out, fan in]` and biases by turns, first layer to readout.
Tensors = list[torch.Tensor]


class Problem(NamedTuple):
  """What is fitted.

  Attributes:
    tensors: the network's.
    latent_map: `[depth * width, latent_dim]`.
    coords: `[N, D]`.
    values: `[B, N, 3]`.
  """

  tensors: Tensors
  latent_map: torch.Tensor
  coords: torch.Tensor
  values: torch.Tensor


def network(
  case: case_lib.Case,
  tensors: Tensors,
  coords: torch.Tensor,
  shifts: torch.Tensor | None,
) -> torch.Tensor:
  """Values `[..., N, 3]` at `[..., N, D]` with shifts `[B, depth * width]`."""
  h = coords
  for i in range(case.depth):
    h = torch.nn.functional.linear(h, *tensors[2 * i : 2 * i + 2])
    if shifts is not None:
      start = i * case.width
      h = h + shifts[:, None, start : start + case.width]
    h = torch.sin(case.w0 * h)
  return torch.nn.functional.linear(h, *tensors[-2:])


class Points(NamedTuple):
  """Some points of one signal, or of each of B.

  Attributes:
    coords: `[..., N, D]`.
    values: `[..., N, 3]`.
  """

  coords: torch.Tensor
  values: torch.Tensor


# Values of fast parameters and coordinates.
Predict = Callable[[Tensors, torch.Tensor], torch.Tensor]


def _worst_points(
  case: case_lib.Case, predict: Predict, fast: Tensors, points: Points
) -> Points:
  """The K of N points whose values are predicted worst."""
  if case.num_selected == points.coords.shape[-2]:
    return points
  with torch.no_grad():
    errors = (predict(fast, points.coords) - points.values).norm(dim=-1)
    chosen = errors.topk(case.num_selected, dim=-1).indices.unsqueeze(-1)
  return Points(*(torch.take_along_dim(x, chosen, dim=-2) for x in points))


def _fit(
  case: case_lib.Case,
  predict: Predict,
  fast: Tensors,
  points: Points,
  *,
  create_graph: bool,
) -> torch.Tensor:
  """Losses after adaptation, with the weighted distance from the target."""

  def losses(fast: Tensors, seen: Points) -> torch.Tensor:
    errors = predict(fast, seen.coords) - seen.values
    return (errors**2).mean(dim=(-2, -1))

  def leaves(fast: Tensors) -> Tensors:
    return [t.detach().requires_grad_() for t in fast]

  def descend(fast: Tensors, seen: Points, create_graph: bool) -> Tensors:
    # The sum over signals leaves each latent the gradient of its own.
    loss = losses(fast, seen).sum()
    grads = torch.autograd.grad(loss, fast, create_graph=create_graph)
    fast = [t - case.inner_rate * g for t, g in zip(fast, grads, strict=True)]
    return fast if create_graph else leaves(fast)

  if not create_graph:
    fast = leaves(fast)
  for _ in range(case.num_steps):
    seen = _worst_points(case, predict, fast, points)
    fast = descend(fast, seen, create_graph)
  if not create_graph:  # Test time has no target.
    with torch.no_grad():
      return losses(fast, points)
  found = losses(fast, points)
  if not case.target_steps:
    return found
  target = leaves(fast)
  for _ in range(case.target_steps):
    target = descend(target, points, False)
  squares = [
    # What signals have of their own has their axis in front.
    ((a - b.detach()) ** 2).reshape(*found.shape, -1).sum(-1)
    for a, b in zip(fast, target, strict=True)
  ]
  return found + case.target_weight * torch.stack(squares).sum(0).sqrt()


def _losses(
  case: case_lib.Case, problem: Problem, *, create_graph: bool
) -> torch.Tensor:
  """Losses `[B]` of all signals.

  COIN++ fits a latent for each, all at once; MAML a copy of all tensors, one
  signal after another.
  """
  if not case.latent_dim:
    fits = [
      _fit(
        case,
        lambda tensors, coords: network(case, tensors, coords, None),
        problem.tensors,
        Points(problem.coords, values),
        create_graph=create_graph,
      )
      for values in problem.values
    ]
    return torch.stack(fits)

  def modulated(fast: Tensors, coords: torch.Tensor) -> torch.Tensor:
    shifts = torch.nn.functional.linear(fast[0], problem.latent_map)
    return network(case, problem.tensors, coords, shifts)

  latents = torch.zeros(case.num_images, case.latent_dim, requires_grad=True)
  coords = problem.coords.expand(case.num_images, -1, -1)
  points = Points(coords, problem.values)
  return _fit(case, modulated, [latents], points, create_graph=create_graph)


def _problem(case: case_lib.Case) -> Problem:
  p = case_lib.initial_parameters(case)
  arrays = []
  for w, b in zip(
    [*p.weights, p.out_weight], [*p.biases, p.out_bias], strict=True
  ):
    arrays += [w.T.copy(), b]
  return Problem(
    [torch.tensor(a, requires_grad=True) for a in arrays],
    torch.tensor(p.latent_map.T.copy(), requires_grad=True),
    torch.tensor(case_lib.coordinates(case)),
    torch.tensor(case_lib.images(case)).flatten(1, -2),
  )


def train_step(case: case_lib.Case) -> side_lib.Side:
  """A training step: adapt, outer gradient, Adam."""
  problem = _problem(case)
  learned = [*problem.tensors]
  if case.latent_dim:
    learned.append(problem.latent_map)
  optimizer = torch.optim.Adam(learned, lr=case.outer_rate)

  def run() -> float:
    optimizer.zero_grad()
    loss = _losses(case, problem, create_graph=True).mean()
    loss.backward()
    optimizer.step()
    return loss.item()

  return side_lib.Side(run, None)


def encode(case: case_lib.Case) -> side_lib.Side:
  """Test-time adaptation of a batch, without an outer gradient."""
  problem = _problem(case)
  for tensor in (*problem.tensors, problem.latent_map):
    tensor.requires_grad_(False)

  def run() -> float:
    return _losses(case, problem, create_graph=False).mean().item()

  return side_lib.Side(run, None)
