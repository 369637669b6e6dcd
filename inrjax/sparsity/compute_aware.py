"""Compute-aware 3SP: saliency for each operation that pruning saves.

Section 3.2.2 of Alizadeh's thesis: layers differ in what one of their units
costs, and a score divided by it prefers to remove what is expensive.
"""

import dataclasses
from collections.abc import Mapping

from inrjax.sparsity import saliency as saliency_lib
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree


@dataclasses.dataclass(frozen=True)
class ComputeAware:
  """A saliency per unit of computation that pruning saves, eqs. 3.4 and 3.5.

  r = s / c~ with c~ = (c + smoothing) / sum(c + smoothing), where c are the
  costs of the layers' units, divided by their sum over layers. The larger the
  smoothing, the less the costs matter. Algorithm 2 adds it to the costs before
  they are normalised; this is the text's, whose smoothing has no unit.

  Attributes:
    saliency: what is divided, SNIP on units for compute-aware 3SP.
    costs: for each mask, the cost of one entry (`cost.unit_costs`).
    smoothing: lambda, at least 0; 0.05 in table 3.2.
  """

  saliency: saliency_lib.Saliency
  costs: Mapping[str, float]
  smoothing: float = 0.0

  def __post_init__(self) -> None:
    if not self.smoothing >= 0:
      raise ValueError(f"smoothing must be at least 0, got {self.smoothing}.")
    bad = {n: c for n, c in self.costs.items() if not 0 <= c < float("inf")}
    if bad or not sum(self.costs.values()) > 0:
      raise ValueError(
        f"Costs must be finite, 0 or more and not all 0, got {self.costs}."
      )
    free = sorted(n for n, cost in self.costs.items() if cost == 0)
    if free and self.smoothing == 0:
      raise ValueError(
        f"{free} cost nothing, so nothing is saved by pruning them: protect"
        " them or ask for a smoothing above 0."
      )

  @property
  def num_batches(self) -> int:
    """As the saliency's."""
    return self.saliency.num_batches

  def __call__(
    self,
    key: Array,
    loss_fn: saliency_lib.LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """Scores of the saliency, divided by the smoothed costs."""
    scores = self.saliency(key, loss_fn, params, batches, structure)
    if scores.keys() != self.costs.keys():
      raise ValueError(
        f"Costs are those of {sorted(self.costs)}, the masks are"
        f" {sorted(scores)}: measure them with the same structure."
      )
    smoothed = smoothed_costs(self.costs, self.smoothing)
    return {name: score / smoothed[name] for name, score in scores.items()}


def smoothed_costs(
  costs: Mapping[str, float], smoothing: float
) -> dict[str, float]:
  """Normalised costs with Laplace smoothing, c~ of 3.2.2; they sum to 1."""
  total = sum(costs.values())
  raised = {name: cost / total + smoothing for name, cost in costs.items()}
  return {name: c / sum(raised.values()) for name, c in raised.items()}
