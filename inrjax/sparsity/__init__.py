"""L0 gates and the weight of their penalty.

The operations on gates and the kinds of penalty weight are named through their
modules, `inrjax.sparsity.gates` and `inrjax.sparsity.penalty`.
"""

from inrjax.sparsity.gates import LOG_ALPHA_RANGE, HardConcrete
from inrjax.sparsity.penalty import PenaltyWeight

__all__ = ["LOG_ALPHA_RANGE", "HardConcrete", "PenaltyWeight"]
