"""A classical image codec on every frame of a clip, in the bytes of its files.

  python -m experiments.classical_xiph
      --config=experiments/configs/classical_xiph/frames.py:jpeg
      --data_dir=CLIP --workdir=DIR --mode=evaluate

The part after the colon is the codec: jpeg, jpeg2000, webp, avif, hevc (intra;
needs pillow-heif). Every frame is a file of its own, with that file's header.
Hardware and time: one CPU core, seconds to minutes.
"""

from ml_collections import config_dict

section = config_dict.create

# Quality settings by codec, from the lowest rate on; bits per pixel for
# JPEG 2000.
_SETTINGS = {
  "jpeg": (5, 10, 20, 30, 45, 60, 75, 85, 92),
  "jpeg2000": (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0),
  "webp": (1, 10, 20, 35, 50, 65, 80, 88, 94),
  "avif": (10, 20, 30, 40, 50, 60, 70, 80, 88),
  "hevc": (5, 10, 20, 30, 40, 50, 60, 70, 80),
}
VARIANTS = tuple(_SETTINGS)


def get_config(variant: str = "jpeg") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: the codec.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = config_dict.ConfigDict()
  config.codec = section(name=variant, settings=_SETTINGS[variant])
  config.data = section(
    source=section(  # As in `configs/xiph/adapted.py`.
      clip=config_dict.placeholder(str),
      start=0,
      stride=config_dict.placeholder(int),
      num_frames=config_dict.placeholder(int),
      size=config_dict.placeholder(tuple),
    )
  )
  return config.lock()
