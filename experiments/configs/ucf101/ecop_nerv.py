"""ECoP and what it is compared with on UCF-101, with NeRV.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/ecop_nerv.py:ecop-128x128x16
      --workdir=DIR --mode=train --mode=evaluate --data_dir=UCF101

The part after the colon is a method of `experiments/configs/long_horizon.py`
and height, width and frames of a clip, 128x128x16 or 256x256x32. The points are
whole frames: contexts keep those with the largest errors, 8 of 16 or 6 of 32.
Of the network the paper gives the number of blocks alone; its sizes are those
of the authors' code (jihoontack/GradNCP on GitHub): a stem of 4 x 4 x 32 behind
512 units, expansion 4, at least 32 channels, 40 frequencies of base 1.25.
Tests take ECoP's steps for all methods (A.2), 40 and 25, where the caption of
table 2 has 16: that PSNR is in `psnr_by_step`, and all of it with
`--config.evaluate.fit.num_steps=16`. The table's PSNR is `frame_psnr` here.
Hardware and time: one A100 with 40 GB (table 2); the time is not given.
Published: 33.99 dB, SSIM 0.949 and LPIPS 0.019 of 128x128x16, Learnit 28.86,
0.871 and 0.140; 28.58, 0.834 and 0.207 of 256x256x32, Learnit 23.75, 0.659 and
0.422. Not measured here.
"""

from ml_collections import config_dict

from experiments.configs import clips

VARIANTS = clips.NERV_VARIANTS


def get_config(variant: str = "ecop-128x128x16") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method and the size of a clip.
  """
  return clips.long_fits_of_frames(variant).lock()
