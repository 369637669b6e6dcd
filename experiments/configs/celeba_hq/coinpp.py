"""COIN++ on CelebA-HQ at 64 x 64.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/coinpp.py:128
      --workdir=DIR --mode=train --mode=evaluate

The part after the colon is the length of the latent vector: 64, 128, 256, 512,
1024.
Hardware and time: one GPU; 500k steps of 64 images (no paper gives a time).
Published: none. The numbers are those of COIN++ on CIFAR-10 (C.3.1), the sizes
those of MSCN's table 7, so that the methods compare.
"""

from ml_collections import config_dict

section = config_dict.create

# MSCN table 7: sine layers by number of values stored.
VARIANTS = {
  "64": {"depth": 15},
  "128": {"depth": 15},
  "256": {"depth": 15},
  "512": {"depth": 15},
  "1024": {"depth": 20},
}


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  chosen = VARIANTS[variant]
  config = config_dict.ConfigDict()
  config.seed = 0
  # Length of the latent vector: the values stored per signal.
  config.num_modulations = int(variant)
  config.signal = section(
    side=64,  # Pixels; one signal is a square.
    channels=3,
    tiled=False,  # An image is one signal.
    low=-1.0,  # Where coordinates start, on both axes,
    high=1.0,  # and end.
  )
  config.train = section(
    num_steps=500000,  # Not given.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    source=section(
      tfds="celeb_a_hq/64",  # Read where there is no --data_dir.
      held_out=3000,  # The last images, for testing (Functa's split).
      resize_to=(64, 64),  # Height and width.
    ),
    pipeline=section(
      # Over all devices.
      batch_size=64,
      crops_per_image=1,
      augment=(),  # The papers name none.
      cache_bytes=2**32,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.network = section(
    depth=chosen["depth"],  # Sine layers.
    width=512,
    w0=50.0,
    latent_dim=config.get_ref("num_modulations"),
    latent_map_widths=(),  # A linear map of the latent to the shifts.
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,  # Centres the start in [0, 1].
    modulate=("shift",),  # Also "scale", "readout".
    basis_dim=config_dict.placeholder(int),  # No layer before the readout.
  )
  config.inner = section(
    num_steps=3,  # In training; `evaluate` has its own.
    low=1e-2,  # The rate; low = high and no clip: not learned.
    high=1e-2,
    clip=config_dict.placeholder(tuple),
    gradient="mixed_mode",  # Or "reverse" (the same), "first_order".
  )
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),  # Where a schedule ends.
    learning_rate=3e-6,  # Adam.
    schedule="constant",  # Or "cosine", to zero.
    clip_norm=config_dict.placeholder(float),  # Gradients are not clipped.
    # Factors on the rate: of the learned inner rates.
    rate_factors={"meta": 1.0},
    # Signals adapted at a time; None: all of a batch.
    task_tile=16,
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_validation_signals=256,
    signals_per_call=256,
    num_steps=(3, 10),  # Inner steps to try, unquantised.
    ema_decays=(1.0,),  # 1: the last iterate, no average.
    quantise=section(
      num_steps=10,
      ema_decay=1.0,
      num_training_signals=3000,  # For means and deviations.
      num_bits=(3, 4, 5, 6, 7, 8),
      num_deviations=(3.0, 5.0),
    ),
  )
  config.export = section(
    image_side=config_dict.placeholder(int),  # Shape files leave out.
    num_images=1000,  # Training images that the codec is fitted to.
    max_codes=config_dict.placeholder(int),  # Per tile; None: as fits.
    context_steps=1500,  # Training of the entropy model.
  )
  return config.lock()
