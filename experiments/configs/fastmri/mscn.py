"""MSCN on fastMRI's scans.

  python -m experiments.fastmri
      --config=experiments/configs/fastmri/mscn.py:128
      --workdir=DIR --mode=train --mode=evaluate --data_dir=MULTICOIL_VAL

The part after the colon is the number of modulations aimed at, of 16 x 16 x 16
voxels, those of COIN++: 16, 32, 64, 128.
Hardware and time: one GPU; as COIN++'s.
Published: none on scans. Gates are those of MSCN, all else is COIN++'s; lambda
is controlled, since the paper has no number.
"""

from ml_collections import config_dict

from experiments.configs import grids, volumes

VARIANTS = volumes.VARIANTS


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of modulations aimed at.
  """
  config = grids.with_mscn(
    grids.base(volumes.num_values(variant), has_latent=False),
    penalty_weight=1.0,  # Replaced: lambda is controlled.
  )
  volumes.of_scans(config)
  config.network.update(depth=10, w0=50.0)
  grids.control(config)
  return config.lock()
