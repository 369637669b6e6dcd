"""Codecs on volumes, as the learned codecs of fastMRI's scans are measured.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/volumes.py:all
      --workdir=DIR --mode=evaluate --data_dir=VOLUMES

The part after the colon is one codec, or all: JPEG, JPEG 2000 and HEVC intra
(needs pillow-heif) of each slice, ZFP and SZ3 (need zfpy and pysz) of whole
volumes, whose settings are largest errors as shares of the range.
Hardware and time: one CPU core, about an hour for fastMRI's 212 test volumes.
"""

from typing import Any

from ml_collections import config_dict

from experiments.configs import classical_signals as base
from experiments.configs.fastmri import coinpp

_SHARES = (0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002)
_RATES = (0.15, 0.25, 0.5, 1.0, 2.0, 4.0)
_CODECS = {
  **base.of_maps(),
  "zfp": base.codec("zfp_shares", "ZFP", _SHARES),
  "zfp_rate": base.codec("zfp_rate", "ZFP (fixed rate)", _RATES),
  "sz3": base.codec("sz3_shares", "SZ3", _SHARES),
}
VARIANTS = ("all", *_CODECS)


def of_learned(learned: Any, variant: str) -> config_dict.ConfigDict:
  """The test volumes and the range of a learned codec's config, locked.

  Args:
    learned: of `configs/fastmri`.
    variant: "all", or one codec.
  """
  return base.config(
    variant,
    _CODECS,
    data_set="fastmri",
    source=learned.data.source,
    num_signals=learned.evaluate.num_signals,
    kind="volume",
    value_range=learned.signal.value_range,
  )


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return of_learned(coinpp.get_config(), variant)
