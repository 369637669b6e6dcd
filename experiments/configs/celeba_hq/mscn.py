"""MSCN on CelebA-HQ at 64 x 64 (Schwarz & Teh, 2022, table 7).

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/mscn.py:128
      --workdir=DIR --mode=train --mode=evaluate

The part after the colon is the number of modulations aimed at: 64, 128, 256,
512, 1024.
Hardware and time: 16 devices with 16 images each (table 7); the time is not
given.
Published: 21.8, 23.8, 25.7, 28.1, 30.9 dB at 64, 128, 256, 512, 1024
modulations, unquantised, after 3 steps (table 1).
"""

import math

from ml_collections import config_dict

section = config_dict.create

# Table 7: sine layers and lambda by number of modulations. The factor on the
# rate of log alpha is 100 or 1000 there; which, is not said.
VARIANTS = {
  "64": {"depth": 15, "penalty_weight": 4.0},
  "128": {"depth": 15, "penalty_weight": 1.0},
  "256": {"depth": 15, "penalty_weight": 0.7},
  "512": {"depth": 15, "penalty_weight": 0.4},
  "1024": {"depth": 20, "penalty_weight": 0.1},
}


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of modulations aimed at.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  chosen = VARIANTS[variant]
  config = config_dict.ConfigDict()
  config.seed = 0
  # The number aimed at; what is reached is reported.
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
      # Over all devices: 16 on each of 16.
      batch_size=16 * 16,
      crops_per_image=1,
      augment=(),  # The papers name none.
      cache_bytes=2**32,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.network = section(
    depth=chosen["depth"],  # Sine layers.
    width=512,
    w0=30.0,
    latent_dim=config_dict.placeholder(int),  # Shifts without a latent.
    latent_map_widths=(),
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,  # Centres the start in [0, 1].
    modulate=("shift",),  # Also "scale", "readout".
    basis_dim=config_dict.placeholder(int),  # No layer before the readout.
  )
  config.inner = section(
    num_steps=3,  # In training; `evaluate` has its own.
    low=0.005,  # Meta-SGD: learned rates, drawn from [low, high] at first
    high=0.1,
    clip=(0.0, 1.0),  # and used clipped to this range.
    gradient="mixed_mode",  # Or "reverse" (the same), "first_order".
  )
  config.gates = section(
    initial_log_alpha=0.1,
    distribution=section(
      beta=2 / 3,  # Temperature (Louizos et al., 2017).
      gamma=-0.1,  # The stretched interval.
      zeta=1.1,
      log_alpha_range=(math.log(1e-2), math.log(1e2)),
    ),
    # lambda of eq. 6. Or kind="ramped", or "controlled" with a target.
    penalty=section(kind="constant", weight=chosen["penalty_weight"]),
  )
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),  # Where a schedule ends.
    learning_rate=3e-6,  # Adam.
    schedule="constant",  # Or "cosine", to zero.
    clip_norm=config_dict.placeholder(float),  # Gradients are not clipped.
    # Factors on the rate: of the learned inner rates, and of the gates.
    rate_factors={"meta": 1.0, "log_alpha": 1000.0},
    # Signals adapted at a time; None: all of a batch.
    task_tile=16,
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_validation_signals=256,
    signals_per_call=256,
    # Fast parameters beyond so many are closed; None leaves what there is.
    max_modulations=config_dict.placeholder(int),
    num_steps=(3, 10),  # Inner steps to try, unquantised.
    ema_decays=(1.0, 0.5, 0.7, 0.9, 0.95),  # Table 3; 1: the last iterate.
    quantise=section(
      num_steps=3,
      ema_decay=1.0,
      num_training_signals=3000,  # For means and deviations.
      num_bits=(3, 4, 5, 6, 7, 8),
      num_deviations=(7.0, 9.0, 11.0, 13.0, 15.0),
    ),
  )
  config.export = section(
    image_side=config_dict.placeholder(int),  # Shape files leave out.
    num_images=1000,  # Training images that the codec is fitted to.
    max_codes=config_dict.placeholder(int),  # Per tile; None: as fits.
    context_steps=1500,  # Training of the entropy model.
  )
  return config.lock()
