"""Table 4's images: what was trained on clips of UCF-101 adapts to them.

  python -m experiments.stills
      --config=experiments/configs/stills/ecop.py:ecop
      --trained_in=RUN --workdir=DIR --mode=evaluate --data_dir=IMAGES

RUN is the working folder of `ucf101/ecop.py:ecop-128x128x16`, or of another
method of `experiments/configs/long_horizon.py`, which is also what stands after
the colon here. IMAGES is a folder of CelebA's, with its list of splits, of
Imagenette's, or of any others.
The paper does not say what an image is to a network of (t, y, x). Here it is a
clip of one frame, at t = 0, the middle of the range of times: no frame that was
trained on lies there, the nearest are half a frame away. Its middle is resized
as that of a frame is.
Hardware and time: not given.
Published: 28.45 dB on CelebA and 26.25 on Imagenette; Learnit 27.74 and 25.18.
"""

from ml_collections import config_dict

from experiments.configs import clips, full_weights, grids

VARIANTS = clips.FROM_ONE_START


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ucf101/ecop.py`, locked.

  Args:
    variant: a method.
  """
  method = full_weights.checked(variant, VARIANTS)
  config = clips.long_fits(f"{method}-128x128x16")
  config.data.source = source((128, 128))
  config.signal.sides = (1, 128, 128)
  return config.lock()


def source(size: tuple[int, int]) -> config_dict.ConfigDict:
  """The section `data.source`.

  Args:
    size: height and width, to which the middle of an image is resized.
  """
  return grids.section(
    size=size,
    # CelebA's list of splits; a folder without it is divided by its names.
    listing="list_eval_partition.txt",
  )
