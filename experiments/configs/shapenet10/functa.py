"""Functa on ShapeNet10, 64 x 64 x 64 (MSCN, tables 1 and 10).

  python -m experiments.shapenet10
      --config=experiments/configs/shapenet10/functa.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=SHAPENET

The part after the colon is the length of the latent vector: 64, 128, 256, 512,
1024.
Hardware and time: eight V100; the papers give neither steps nor time.
Published: voxel accuracy of 99.30, 99.40, 99.44, 99.50, 99.55 %, unquantised
(table 1).
"""

from ml_collections import config_dict

from experiments.configs import grids, voxels

VARIANTS = tuple(voxels.DEPTHS)


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  config = grids.with_functa(grids.base(voxels.num_values(variant)))
  voxels.of_shapes(config, variant)
  return config.lock()
