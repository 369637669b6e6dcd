"""Packed voxels on the shapes that ShapeNet10's codecs are tested on.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/voxels.py
      --workdir=DIR --mode=evaluate --data_dir=SHAPES

Settings are sides of cubes that share a bit; 1 is lossless.
Hardware and time: one CPU core, minutes.
"""

from typing import Any

from ml_collections import config_dict

from experiments.configs import classical_signals as base
from experiments.configs.shapenet10 import functa

_CODECS = {
  "packed_voxels": base.codec("packed_voxels", "packed voxels", (8, 4, 2, 1)),
}
VARIANTS = ("all", *_CODECS)


def of_learned(learned: Any, variant: str) -> config_dict.ConfigDict:
  """The test shapes of a learned codec's config, locked.

  Args:
    learned: of `configs/shapenet10`.
    variant: "all", or one codec.
  """
  return base.config(
    variant,
    _CODECS,
    data_set="shapenet10",
    source=learned.data.source,
    num_signals=learned.evaluate.num_signals,
    kind="occupancy",
    value_range=learned.signal.value_range,
  )


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return of_learned(functa.get_config(), variant)
