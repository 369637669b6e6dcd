"""Methods as values, their recipes, and what the outer optimiser sees."""

from inrjax.meta.method import (
  Gates,
  Method,
  Outer,
  UniformRates,
  learned_start,
  no_meta,
  zero_start,
)
from inrjax.meta.objectives import (
  Objective,
  post_adaptation,
  with_l0_penalty,
)
from inrjax.meta.recipes import InnerRates, maml, modulated

__all__ = [
  "Gates",
  "InnerRates",
  "Method",
  "Objective",
  "Outer",
  "UniformRates",
  "learned_start",
  "maml",
  "modulated",
  "no_meta",
  "post_adaptation",
  "with_l0_penalty",
  "zero_start",
]
