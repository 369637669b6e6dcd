"""L0 gates, the weight of their penalty, and pruning by masks.

Operations are named through their modules: `inrjax.sparsity.gates`,
`inrjax.sparsity.penalty`, `inrjax.sparsity.pruning`.
"""

from inrjax.sparsity.gates import LOG_ALPHA_RANGE, HardConcrete
from inrjax.sparsity.groups import PerParameter, PerUnit
from inrjax.sparsity.penalty import PenaltyWeight
from inrjax.sparsity.pruning import Schedule

__all__ = [
  "LOG_ALPHA_RANGE",
  "HardConcrete",
  "PenaltyWeight",
  "PerParameter",
  "PerUnit",
  "Schedule",
]
