"""Ablations of instance-adaptive compression beyond figure 2c.

  python -m experiments.xiph
      --config=experiments/configs/xiph/ablations.py:decoder_1e-3
      --model=MODEL --data_dir=XIPH_1080P --workdir=DIR
      --mode=train --mode=evaluate

The part after the colon is a case, and beta, as in `adapted.py`.

  global         nothing is adapted: what the global model takes
  decoder        the receiver alone, by the RDM objective; the encoder stays
  slab           all of it, alpha = 0: the slab alone (eq. 3)
  discrete       all of it, its rate while it is learned that of eq. 5, with
                 the gradient of eq. 7 (appendix A)
  learned_slabs  all of it, a learned slab for every tensor; not in the paper
  gates          all of it, L0 gates in place of the spike; not in the paper

The prior's other parameters are settings: --config.prior.spike_weight=50 (the
paper saw little difference from 50 to 5000), --config.prior.bin_width,
--config.prior.slab.
Hardware and time: as `adapted.py`; `global` takes seconds.
Published: none of these in numbers. Not measured here.
"""

import itertools
from typing import Any

from ml_collections import config_dict

from experiments.configs.xiph import adapted

# What differs from adapting all of the model.
_CASES: dict[str, dict[str, Any]] = {
  "global": {"adapt.part": "none"},
  "decoder": {"adapt.part": "decoder"},
  "slab": {"prior.spike_weight": 0.0},
  "discrete": {"adapt.rate": "discrete"},
  "learned_slabs": {"adapt.learn_scales": True},
  "gates": {"adapt.part": "gates"},
}
BETAS = ("3e-3", "1e-3", "2.5e-4", "1e-4")
VARIANTS = tuple(
  f"{case}_{beta}" for case, beta in itertools.product(_CASES, BETAS)
)


def get_config(variant: str = "decoder_1e-3") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: the case, and beta.
  """
  return changed(variant, adapted.get_config)


def changed(variant: str, get_config: Any) -> config_dict.ConfigDict:
  """The config of a case.

  Args:
    variant: the case, and beta.
    get_config: of `adapted`, or its variant for two cores.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  case, _, beta = variant.rpartition("_")
  config: config_dict.ConfigDict = get_config(f"model_{beta}")
  with config.unlocked():
    config.update_from_flattened_dict(_CASES[case])
    if case == "global":
      adapted.without_update(config)
    if case == "gates":
      # Its change is always rounded, and its gates are what it costs.
      for name in ("quantise", "rate", "learn_scales"):
        del config.adapt[name]
      # alpha of `prior` is the odds that a parameter does not change.
      config.gates = config_dict.create(
        log_alpha=0.1,  # At the start, of every gate.
        rate_factor=100.0,  # Of its learning rate.
      )
  return config
