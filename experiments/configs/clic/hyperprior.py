"""The global mean-scale hyperprior (van Rozendaal et al., 2021, appendix C).

  python -m experiments.clic
      --config=experiments/configs/clic/hyperprior.py:1e-3
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      [--data_dir=PHOTOGRAPHS] [--kodak_dir=KODAK]

The part after the colon is beta, the weight of the rate: 3e-3, 1e-3 (the low
rates' network), 2.5e-4, 1e-4 (the high rates').
Hardware and time: one GPU; not timed.
Published: curves of figure 2 on frames of video; on photographs none. Not
measured here.
"""

from ml_collections import config_dict

from inrjax.networks import hyperprior

section = config_dict.create

# Table 3's size and the number of steps by beta.
VARIANTS = {
  "3e-3": (hyperprior.low_rate(), 1_500_000),
  "1e-3": (hyperprior.low_rate(), 1_500_000),
  "2.5e-4": (hyperprior.high_rate(), 2_000_000),
  "1e-4": (hyperprior.high_rate(), 2_000_000),
}


def get_config(variant: str = "1e-3") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: beta.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  network, num_steps = VARIANTS[variant]
  config = config_dict.ConfigDict()
  config.seed = 0
  config.beta = float(variant)  # Of bits per pixel; errors are of [0, 1].
  config.signal = section(side=256)  # Pixels; a random crop.
  config.network = section(
    width=network.width,  # Channels within analysis and synthesis,
    latent_channels=network.latent_channels,  # of y,
    hyper_channels=network.hyper_channels,  # of z and around it,
    image_channels=3,
  )
  config.train = section(
    num_steps=num_steps,
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two measurements of held-out crops.
    on_nonfinite="restore",  # Back to the last checkpoint. Or "stop".
  )
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),
    learning_rate=1e-4,  # Adam.
    drop_at=0.9,  # Part of the steps after which it is lowered,
    drop_factor=0.1,  # by so much.
    clip_norm=config_dict.placeholder(float),  # Gradients are not clipped.
  )
  config.data = section(
    source=section(
      tfds="clic",  # Read where there is no --data_dir.
      feature="image",
      resize_to=config_dict.placeholder(tuple),
    ),
    pipeline=section(
      batch_size=8,
      crops_per_image=1,
      augment=(),  # The paper names none.
      cache_bytes=2**34,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_validation_crops=16,
  )
  return config.lock()
