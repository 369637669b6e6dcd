"""Quantisers of fast parameters and weights, and rounding with a gradient.

Whole networks are quantised by `grids`, `post_training`, `straight_through` and
`taps`, and made robust to it by `regularizers`, named through their modules.
"""

from inrjax.quantize.uniform import (
  DeadZone,
  FixedWidth,
  coin_num_deviations,
  dequantize,
  dequantize_dead_zone,
  fit_coin,
  fit_fixed_width,
  fit_shift,
  quantize,
  quantize_dead_zone,
  round_straight_through,
)

__all__ = [
  "DeadZone",
  "FixedWidth",
  "coin_num_deviations",
  "dequantize",
  "dequantize_dead_zone",
  "fit_coin",
  "fit_fixed_width",
  "fit_shift",
  "quantize",
  "quantize_dead_zone",
  "round_straight_through",
]
