"""Codecs on near-surface temperature, as ERA5's learned codecs are measured.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/fields.py:all
      --workdir=DIR --mode=evaluate --data_dir=FIELDS

FIELDS is a netCDF file, or the folder that `experiments.era5` takes. The part
after the colon is one codec, or all: JPEG, JPEG 2000 and HEVC intra (needs
pillow-heif) of flat maps, and of all maps as one picture; ZFP and SZ3 (need
zfpy and pysz) field by field, and both of all fields as one array, as climate
files are compressed today.
Hardware and time: one CPU core, minutes.
"""

from typing import Any

from ml_collections import config_dict

from experiments.configs import classical_signals as base
from experiments.configs.era5 import coinpp

# Largest errors in kelvin, and bits per value.
_BOUNDS = (32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.03)
_RATES = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
_CODECS = {
  **base.of_maps(),
  **base.of_mosaics(),
  "zfp": base.codec("zfp", "ZFP", _BOUNDS),
  "zfp_rate": base.codec("zfp_rate", "ZFP (fixed rate)", _RATES),
  "sz3": base.codec("sz3", "SZ3", _BOUNDS),
  "zfp_series": base.codec("zfp", "ZFP (all fields)", _BOUNDS, together=True),
  "sz3_series": base.codec("sz3", "SZ3 (all fields)", _BOUNDS, together=True),
}
VARIANTS = ("all", *_CODECS)


def of_learned(learned: Any, variant: str) -> config_dict.ConfigDict:
  """The test fields and the range of a learned codec's config, locked.

  Args:
    learned: of `configs/era5`.
    variant: "all", or one codec.
  """
  return base.config(
    variant,
    _CODECS,
    data_set="era5",
    source=learned.data.source,
    num_signals=learned.evaluate.num_signals,
    kind="field",
    value_range=learned.signal.value_range,
    unit=learned.signal.unit,
  )


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return of_learned(coinpp.get_config(), variant)
