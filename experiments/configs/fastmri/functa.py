"""Functa on fastMRI's scans: a latent vector with meta-SGD.

  python -m experiments.fastmri
      --config=experiments/configs/fastmri/functa.py:128
      --workdir=DIR --mode=train --mode=evaluate --data_dir=MULTICOIL_VAL

The part after the colon is the length of the latent vector, of 16 x 16 x 16
voxels, those of COIN++: 16, 32, 64, 128.
Hardware and time: one GPU; as COIN++'s.
Published: none on scans. The inner rates are Functa's, all else is COIN++'s, so
that the two compare.
"""

from ml_collections import config_dict

from experiments.configs import grids, volumes

VARIANTS = volumes.VARIANTS


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  config = grids.with_functa(grids.base(volumes.num_values(variant)))
  volumes.of_scans(config)
  config.network.update(depth=10, w0=50.0)
  return config.lock()
