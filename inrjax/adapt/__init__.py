"""The one inner loop: its gradient, its links, its scan.

The inner gradients (`mixed_mode`, `reverse`, `first_order`) and the links are
named through their modules, `inrjax.adapt.gradient` and `inrjax.adapt.links`.
"""

from inrjax.adapt.gradient import GradientFn, LossFn, squared_error
from inrjax.adapt.links import Link
from inrjax.adapt.loop import Adapt, make_adapt, over_signals

__all__ = [
  "Adapt",
  "GradientFn",
  "Link",
  "LossFn",
  "make_adapt",
  "over_signals",
  "squared_error",
]
