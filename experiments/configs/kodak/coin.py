"""COIN on Kodak (thesis 5.1 and C.2).

  python -m experiments.kodak
      --config=experiments/configs/kodak/coin.py:0.3
      --workdir=DIR --mode=evaluate
      --kodak_dir=KODAK

The part after the colon is bits per pixel at 16 bits a weight: 0.07, 0.15, 0.3,
0.6, 1.2.
Hardware and time: one GPU; the thesis gives no time.
Published: 23.20 dB at 0.07 bpp, 24.64 at 0.15, 26.41 at 0.3, 28.41 at 0.6,
30.64 at 1.2 (16 bits).
"""

from ml_collections import config_dict

section = config_dict.create

# Appendix C.2: sine layers and width by bits per pixel.
VARIANTS = {
  "0.07": {"depth": 5, "width": 20},
  "0.15": {"depth": 5, "width": 30},
  "0.3": {"depth": 10, "width": 28},
  "0.6": {"depth": 10, "width": 40},
  "1.2": {"depth": 13, "width": 49},
}


def get_config(variant: str = "0.3") -> config_dict.ConfigDict:
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
      tfds="div2k",  # Read where there is no --data_dir.
      feature="hr",  # DIV2K holds low and high resolutions; CLIC: "image".
      resize_to=config_dict.placeholder(tuple),  # Training images only.
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
    images_per_call=1,  # Images of one size fitted side by side.
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
