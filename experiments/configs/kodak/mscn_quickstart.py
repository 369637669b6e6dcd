"""MSCN on the bundled photographs, in two minutes: `make quickstart`.

  python -m experiments.kodak
      --config=experiments/configs/kodak/mscn_quickstart.py:256
      --workdir=DIR --mode=train --mode=export
      [--data_dir=PHOTOGRAPHS] [--kodak_dir=KODAK]

The part after the colon is the number of values stored per signal: 128, 192,
256.
Not in the papers: the network begins from the principal components of the
patches, and what is modulated is the readout of that learned basis. The L0
gates choose the modulations, one pattern for all patches; lambda is controlled
to reach the number asked for.
Hardware and time: two CPU cores, two minutes.
"""

from ml_collections import config_dict

from experiments.configs.kodak import mscn_cpu

VARIANTS = ("128", "192", "256")


def get_config(variant: str = "256") -> config_dict.ConfigDict:
  """What differs from `mscn_cpu.py`, locked.

  Args:
    variant: number of values stored per signal.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = mscn_cpu.get_config()
  with config.unlocked():
    config.num_modulations = int(variant)
    config.network.update(depth=3, width=128, modulate=("readout",))
    config.network.basis_dim = 128
    # An inner rate of C/2 = 1.5 is a Newton step from the principal start.
    config.inner.update(low=1.5, high=1.5, clip=(0.0, 4.0))
    config.start = config_dict.create(
      num_signals=8000,  # Patches whose principal components are taken.
      num_steps=700,  # Steps of the fit of the basis to them.
    )
    config.gates.initial_log_alpha = 2.0  # Nearly all open.
    config.gates.penalty.update(initial=0.01, gain=0.02)
    # The sine layers of a fitted basis bear only small steps; gates need long
    # ones.
    config.outer.learning_rate = 1e-5
    config.outer.rate_factors.log_alpha = 2000.0
    config.outer.rate_factors.meta = 1000.0
    config.train.update(
      num_steps=1000, checkpoint_every=500, evaluate_every=1000
    )
    config.export.context_steps = 400
  return config
