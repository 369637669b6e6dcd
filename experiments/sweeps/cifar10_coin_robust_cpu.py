"""COIN's weights made robust to rounding, in the bytes of files.

Does a COIN that is trained with the gradient's L1 norm (eq. 4.3 of Alizadeh's
thesis) need fewer bits? Beside it are the L2 norm and steps on the rounded
weights (STE), each for the last quarter of the steps. These have a falling
rate, so "decay" has it too, and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from experiments import sweeps

_NUM_BITS = (4, 5, 6, 7, 8, 10, 12, 16)
_ROBUST: Mapping[str, Mapping[str, Any]] = {
  "plain": {"kind": "none"},
  "decay": {"kind": "decay"},
  "l1 1e-3": {"kind": "gradient_l1", "weight": 1e-3},
  "l1 1e-2": {"kind": "gradient_l1", "weight": 1e-2},
  "l2 1e-2": {"kind": "gradient_l2", "weight": 1e-2},
  "ste 6": {"kind": "straight_through", "num_bits": 6},
  "ste 8": {"kind": "straight_through", "num_bits": 8},
  "ste 10": {"kind": "straight_through", "num_bits": 10},
}


def get_sweep() -> list[sweeps.Entry]:
  """Ways of fitting by seeds, each at all widths."""
  return [
    sweeps.Entry(
      name=f"{name}/5.8/seed{seed}",
      launcher="experiments.cifar10",
      config="experiments/configs/cifar10/coin_cpu.py:5.8",
      overrides={
        "seed": seed,
        "evaluate.num_bits": _NUM_BITS,
        **{f"fit.robust.{key}": value for key, value in robust.items()},
      },
    )
    for seed in (0, 1, 2)
    for name, robust in _ROBUST.items()
  ]
