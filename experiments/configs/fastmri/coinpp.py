"""COIN++ on fastMRI's T2 scans of 16 slices (thesis 5.3.2 and C.3.3).

  python -m experiments.fastmri
      --config=experiments/configs/fastmri/coinpp.py:128
      --workdir=DIR --mode=train --mode=evaluate --data_dir=MULTICOIL_VAL

The part after the colon is the length of the latent vector, of 16 x 16 x 16
voxels: 16, 32, 64, 128.
Hardware and time: one GPU; 1.1M steps of 16 blocks (the thesis gives no time).
Published as figure 5.14; 0.168 bpp is the one rate in the text, of latents of
128. Latents of 16 and 128 were quantised to 5 and 6 bits, of 32 to 5 and of 64
to 6. Not measured here.
"""

from ml_collections import config_dict

from experiments.configs import grids, volumes

VARIANTS = volumes.VARIANTS


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  config = grids.base(volumes.num_values(variant))
  volumes.of_scans(config)
  return config.lock()
