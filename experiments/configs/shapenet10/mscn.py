"""MSCN on ShapeNet10, 64 x 64 x 64 (Schwarz & Teh, 2022, tables 1 and 10).

  python -m experiments.shapenet10
      --config=experiments/configs/shapenet10/mscn.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=SHAPENET

The part after the colon is the number of modulations aimed at: 64, 128, 256,
512, 1024.
Hardware and time: eight V100; the paper gives neither steps nor time.
Published: voxel accuracy of 99.43, 99.50, 99.56, 99.63, 99.69 %, unquantised
(table 1).
"""

from ml_collections import config_dict

from experiments.configs import grids, voxels

# Table 10: lambda by number of modulations.
VARIANTS = {"64": 70.0, "128": 40.0, "256": 40.0, "512": 7.0, "1024": 3.0}


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of modulations aimed at.
  """
  config = grids.with_mscn(
    grids.base(voxels.num_values(variant), has_latent=False),
    penalty_weight=VARIANTS[variant],
  )
  voxels.of_shapes(config, variant)
  return config.lock()
