"""L0 gates, the weight of their penalty, saliency, and pruning by masks.

Operations are named through their modules: `inrjax.sparsity.gates`,
`inrjax.sparsity.penalty`, `inrjax.sparsity.pruning`; from scores to masks of a
network of any kind it is `saliency`, `prospr`, `compute_aware`, `cost`,
`structures` and `masks`.
"""

from inrjax.sparsity.gates import LOG_ALPHA_RANGE, HardConcrete
from inrjax.sparsity.groups import PerParameter, PerUnit
from inrjax.sparsity.penalty import PenaltyWeight
from inrjax.sparsity.prospr import FirstOrderProsPr, ProsPr
from inrjax.sparsity.pruning import Schedule
from inrjax.sparsity.saliency import SNIP, GraSP
from inrjax.sparsity.structures import Structured, Unstructured

__all__ = [
  "FirstOrderProsPr",
  "GraSP",
  "HardConcrete",
  "LOG_ALPHA_RANGE",
  "PenaltyWeight",
  "PerParameter",
  "PerUnit",
  "ProsPr",
  "SNIP",
  "Schedule",
  "Structured",
  "Unstructured",
]
