"""Quantisers of fast parameters and weights, and rounding with a gradient."""

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
