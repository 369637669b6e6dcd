"""Baseline (b): plain PyTorch in the style of the published COIN++ code.

One latent per image of the batch, shifts from one matrix product, the inner
gradient with `create_graph=True`, the outer one by `backward`; without a latent
MAML, image by image.
"""

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
    coords: `[N, 2]`.
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
  """Values `[..., N, 3]` at `[..., N, 2]` with shifts `[B, depth * width]`."""
  h = coords
  for i in range(case.depth):
    h = torch.nn.functional.linear(h, *tensors[2 * i : 2 * i + 2])
    if shifts is not None:
      start = i * case.width
      h = h + shifts[:, None, start : start + case.width]
    h = torch.sin(case.w0 * h)
  return torch.nn.functional.linear(h, *tensors[-2:])


def _modulated_losses(
  case: case_lib.Case, problem: Problem, *, create_graph: bool
) -> torch.Tensor:
  """COIN++: one latent per image of the batch, `[B]`."""

  def losses(latents: torch.Tensor) -> torch.Tensor:
    shifts = torch.nn.functional.linear(latents, problem.latent_map)
    coords = problem.coords.expand(case.num_images, -1, -1)
    found = network(case, problem.tensors, coords, shifts)
    return ((found - problem.values) ** 2).mean(dim=(1, 2))

  latents = torch.zeros(case.num_images, case.latent_dim, requires_grad=True)
  for _ in range(case.num_steps):
    # The sum over images leaves each latent the gradient of its own image.
    (grads,) = torch.autograd.grad(
      losses(latents).sum(), latents, create_graph=create_graph
    )
    latents = latents - case.inner_rate * grads
    if not create_graph:
      latents = latents.detach().requires_grad_()
  with torch.set_grad_enabled(create_graph):
    return losses(latents)


def _maml_losses(
  case: case_lib.Case, problem: Problem, *, create_graph: bool
) -> torch.Tensor:
  """MAML: a copy of all tensors for each image, one image after another."""

  def fit(values: torch.Tensor) -> torch.Tensor:
    def loss(tensors: Tensors) -> torch.Tensor:
      found = network(case, tensors, problem.coords, None)
      return ((found - values) ** 2).mean()

    fast = problem.tensors
    if not create_graph:
      fast = [t.detach().requires_grad_() for t in fast]
    for _ in range(case.num_steps):
      grads = torch.autograd.grad(loss(fast), fast, create_graph=create_graph)
      fast = [t - case.inner_rate * g for t, g in zip(fast, grads, strict=True)]
      if not create_graph:
        fast = [t.detach().requires_grad_() for t in fast]
    with torch.set_grad_enabled(create_graph):
      return loss(fast)

  return torch.stack([fit(values) for values in problem.values])


def _losses(
  case: case_lib.Case, problem: Problem, *, create_graph: bool
) -> torch.Tensor:
  """Mean squared error of each image after adaptation, `[B]`."""
  fit = _modulated_losses if case.latent_dim else _maml_losses
  return fit(case, problem, create_graph=create_graph)


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
    torch.tensor(case_lib.images(case)).flatten(1, 2),
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
