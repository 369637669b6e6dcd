"""ECoP and what it is compared with on UCF-101, with SIREN.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/ecop.py:ecop-128x128x16
      --workdir=DIR --mode=train --mode=evaluate --data_dir=UCF101

The part after the colon is a method of `experiments/configs/long_horizon.py`
and height, width and frames of a clip, 128x128x16 or 256x256x32.
Table 4's clips of Kinetics: `--mode=evaluate --trained_in=DIR`, another
`--workdir`, and `--data_dir=KINETICS`.
Hardware and time: one A100 with 40 GB (table 2); the time is not given.
Published, after 16 steps: 26.59 dB of 128x128x16 and 22.76 of 256x256x32;
Learnit 25.46, transinr 15.14, and both too large (table 2). On Kinetics 27.32,
Learnit 26.42.
"""

from ml_collections import config_dict

from experiments.configs import clips

VARIANTS = clips.VARIANTS


def get_config(variant: str = "ecop-128x128x16") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method and the size of a clip.
  """
  return clips.long_fits(variant).lock()
