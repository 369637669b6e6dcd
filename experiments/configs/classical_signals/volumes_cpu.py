"""Codecs on the volumes that learned codecs are tested on on two cores.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/volumes_cpu.py:all
      --workdir=DIR --mode=evaluate --data_dir=VOLUMES

As `volumes.py`, for the middles of `FLAIR.nii.gz` and `stent_ct.npz`.
Hardware and time: one CPU core, a minute.
"""

from ml_collections import config_dict

from experiments.configs.classical_signals import volumes
from experiments.configs.fastmri import coinpp_cpu

VARIANTS = volumes.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return volumes.of_learned(coinpp_cpu.get_config(), variant)
