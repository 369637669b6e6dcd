"""COIN on CIFAR-10 (thesis 5.1, C.2 and the baseline of C.3.1).

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/coin.py:3.6
      --workdir=DIR --mode=evaluate

The part after the colon is bits per pixel at 16 bits a weight: 3.6, 4.6, 5.8,
7.1, 8.5, 10.0.
Hardware and time: one GTX 1080 Ti; 28 s an image, alone.
Published: 25.79 dB at 3.6 bpp, 27.44 at 4.6, 29.07 at 5.8, 30.67 at 7.1, 32.33
at 8.5, 34.01 at 10.0 (16 bits).
"""

from ml_collections import config_dict

section = config_dict.create

# Appendix C.3.1: sine layers and width by bits per pixel.
VARIANTS = {
  "3.6": {"depth": 2, "width": 12},
  "4.6": {"depth": 2, "width": 14},
  "5.8": {"depth": 2, "width": 16},
  "7.1": {"depth": 2, "width": 18},
  "8.5": {"depth": 2, "width": 20},
  "10.0": {"depth": 2, "width": 22},
}


def get_config(variant: str = "3.6") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: bits per pixel at 16 bits a weight.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  chosen = VARIANTS[variant]
  config = config_dict.ConfigDict()
  config.seed = 0
  config.data = section(
    source=section(
      tfds="cifar10",  # Read where there is no --data_dir.
      held_out=1000,  # Its last training images, for validation.
    ),
  )
  config.network = section(
    depth=chosen["depth"],  # Sine layers.
    width=chosen["width"],
    w0=30.0,
    out_dim=3,  # Channels.
    out_bias=0.5,  # Centres the start in [0, 1].
  )
  config.fit = section(
    num_steps=10000,  # Adam; the best iterate is kept.
    learning_rate=2e-4,
    low=-1.0,  # Where coordinates start, on both axes,
    high=1.0,  # and end.
    images_per_call=500,  # Images of one size fitted side by side.
    robust=section(
      kind="none",  # "gradient_l1", "gradient_l2", "straight_through", "decay";
      weight=1e-3,  # lambda of a norm of the gradient,
      num_bits=8,  # bits that the last is for,
      part=0.25,  # and the part of the steps, the last ones.
    ),
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_bits=(8, 10, 12, 14, 16),  # Of a weight or bias.
  )
  return config.lock()
