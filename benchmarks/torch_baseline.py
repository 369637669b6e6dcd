"""Baseline (b): plain PyTorch in the style of the published COIN++ code.

One latent per image of the batch, shifts from one matrix product, the inner
gradient with `create_graph=True`, the outer one by `backward`.
"""

import torch

from benchmarks import case as case_lib
from benchmarks import side as side_lib


class Siren(torch.nn.Module):
  """The latent-modulated SIREN for a batch of images."""

  def __init__(
    self, case: case_lib.Case, parameters: case_lib.Parameters
  ) -> None:
    super().__init__()
    self._case = case

    def as_list(arrays: list) -> torch.nn.ParameterList:  # type: ignore[type-arg]
      return torch.nn.ParameterList([torch.tensor(a) for a in arrays])

    # Kept as [fan out, fan in], the layout of torch.nn.Linear.
    self.weights = as_list([w.T.copy() for w in parameters.weights])
    self.biases = as_list(parameters.biases)
    self.out_weight = torch.nn.Parameter(
      torch.tensor(parameters.out_weight.T.copy())
    )
    self.out_bias = torch.nn.Parameter(torch.tensor(parameters.out_bias))
    self.latent_map = torch.nn.Parameter(
      torch.tensor(parameters.latent_map.T.copy())
    )

  def forward(
    self, coords: torch.Tensor, latents: torch.Tensor
  ) -> torch.Tensor:
    """Values `[B, N, 3]` at `[B, N, 2]` for latents `[B, L]`."""
    linear = torch.nn.functional.linear
    shifts = linear(latents, self.latent_map)
    h = coords
    for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
      start = i * self._case.width
      shift = shifts[:, None, start : start + self._case.width]
      h = torch.sin(self._case.w0 * (linear(h, w, b) + shift))
    return linear(h, self.out_weight, self.out_bias)


def _losses(
  model: Siren,
  coords: torch.Tensor,
  latents: torch.Tensor,
  values: torch.Tensor,
) -> torch.Tensor:
  """Mean squared error of each image, `[B]`."""
  return ((model(coords, latents) - values) ** 2).mean(dim=(1, 2))


def fit(
  case: case_lib.Case,
  model: Siren,
  coords: torch.Tensor,
  values: torch.Tensor,
  *,
  create_graph: bool,
) -> torch.Tensor:
  """Latents `[B, L]` after the inner loop."""
  latents = torch.zeros(case.num_images, case.latent_dim, requires_grad=True)
  for _ in range(case.num_steps):
    # The sum over images leaves each latent the gradient of its own image.
    loss = _losses(model, coords, latents, values).sum()
    (grads,) = torch.autograd.grad(loss, latents, create_graph=create_graph)
    latents = latents - case.inner_rate * grads
    if not create_graph:
      latents = latents.detach().requires_grad_()
  return latents


def _problem(
  case: case_lib.Case,
) -> tuple[Siren, torch.Tensor, torch.Tensor]:
  model = Siren(case, case_lib.initial_parameters(case))
  points = torch.tensor(case_lib.coordinates(case))
  coords = points.expand(case.num_images, -1, -1).contiguous()
  values = torch.tensor(case_lib.images(case)).flatten(1, 2)
  return model, coords, values


def train_step(case: case_lib.Case) -> side_lib.Side:
  """A training step: adapt, outer gradient, Adam."""
  model, coords, values = _problem(case)
  optimizer = torch.optim.Adam(model.parameters(), lr=case.outer_rate)

  def run() -> float:
    optimizer.zero_grad()
    latents = fit(case, model, coords, values, create_graph=True)
    loss = _losses(model, coords, latents, values).mean()
    loss.backward()
    optimizer.step()
    return loss.item()

  return side_lib.Side(run, None)


def encode(case: case_lib.Case) -> side_lib.Side:
  """Test-time adaptation of a batch, without an outer gradient."""
  model, coords, values = _problem(case)
  model.requires_grad_(False)

  def run() -> float:
    latents = fit(case, model, coords, values, create_graph=False)
    with torch.no_grad():
      return _losses(model, coords, latents, values).mean().item()

  return side_lib.Side(run, None)
