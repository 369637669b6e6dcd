"""COIN on CelebA-HQ at 64 x 64.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/coin.py:0.9
      --workdir=DIR --mode=evaluate

The part after the colon is bits per pixel at 16 bits a weight: 0.9, 1.2, 1.4,
1.8, 2.1, 2.5.
Hardware and time: one GPU; not given.
Published: none at this size.
"""

from ml_collections import config_dict

section = config_dict.create

# Those of CIFAR-10 (C.3.1); their bits per pixel at this size.
VARIANTS = {
  "0.9": {"depth": 2, "width": 12},
  "1.2": {"depth": 2, "width": 14},
  "1.4": {"depth": 2, "width": 16},
  "1.8": {"depth": 2, "width": 18},
  "2.1": {"depth": 2, "width": 20},
  "2.5": {"depth": 2, "width": 22},
}


def get_config(variant: str = "0.9") -> config_dict.ConfigDict:
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
      tfds="celeb_a_hq/64",  # Read where there is no --data_dir.
      held_out=3000,  # The last images, for testing (Functa's split).
      resize_to=(64, 64),  # Height and width.
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
    num_steps=50000,  # Adam; the best iterate is kept.
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
