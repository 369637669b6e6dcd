"""Methods as values, their recipes, and what the outer optimiser sees."""

from inrjax.meta.bootstrap import Target, bootstrapped
from inrjax.meta.method import (
  Gates,
  Method,
  Outer,
  UniformRates,
  full_mask,
  learned_start,
  no_mask,
  no_meta,
  zero_start,
)
from inrjax.meta.objectives import (
  Objective,
  post_adaptation,
  with_l0_penalty,
)
from inrjax.meta.pruned import fit_pruned, with_pruning
from inrjax.meta.recipes import InnerRates, maml, modulated, transinr

__all__ = [
  "Gates",
  "InnerRates",
  "Method",
  "Objective",
  "Outer",
  "Target",
  "UniformRates",
  "bootstrapped",
  "fit_pruned",
  "full_mask",
  "learned_start",
  "maml",
  "modulated",
  "no_mask",
  "no_meta",
  "post_adaptation",
  "transinr",
  "with_l0_penalty",
  "with_pruning",
  "zero_start",
]
