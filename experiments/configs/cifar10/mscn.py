"""MSCN on CIFAR-10 (Schwarz & Teh, 2022, table 11).

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/mscn.py:128
      --workdir=DIR --mode=train --mode=evaluate

The part after the colon is the number of modulations aimed at: 128, 256, 384,
512, 768, 1024.
Hardware and time: one V100; 400k steps (the paper says V100s and no time).
Published: 24.26 dB (24.28 averaged) at 128, 35.29 (35.46) at 768, 37.98 (38.03)
at 1024 modulations, unquantised, after 10 steps (table 3).
"""

import math
from typing import Any

from ml_collections import config_dict

section = config_dict.create

# Table 11 by number of modulations. Its fixed rate is not given: COIN++'s.
_FIXED = {"rates": (1e-2, 1e-2), "clip": None}
_META_SGD = {"rates": (0.005, 0.1), "clip": (0.0, 1.0)}
VARIANTS: dict[str, dict[str, Any]] = {
  "128": _FIXED | {"depth": 10, "penalty_weight": 1.0, "batch_size": 64},
  "256": _FIXED | {"depth": 10, "penalty_weight": 0.4, "batch_size": 64},
  "384": _FIXED | {"depth": 10, "penalty_weight": 0.3, "batch_size": 64},
  "512": _META_SGD | {"depth": 15, "penalty_weight": 0.3, "batch_size": 1},
  "768": _META_SGD | {"depth": 15, "penalty_weight": 0.1, "batch_size": 1},
  "1024": _META_SGD | {"depth": 15, "penalty_weight": 0.1, "batch_size": 1},
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
    side=32,  # Pixels; one signal is a square.
    channels=3,
    tiled=False,  # An image is one signal.
    low=-1.0,  # Where coordinates start, on both axes,
    high=1.0,  # and end.
  )
  config.train = section(
    num_steps=400000,  # Not given; COIN++'s.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    source=section(
      tfds="cifar10",  # Read where there is no --data_dir.
      held_out=1000,  # Its last training images, for validation.
    ),
    pipeline=section(
      # Over all devices; the table has one.
      batch_size=chosen["batch_size"],
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
    latent_dim=config_dict.placeholder(int),  # Shifts without a latent.
    latent_map_widths=(),
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,  # Centres the start in [0, 1].
    modulate=("shift",),  # Also "scale", "readout".
    basis_dim=config_dict.placeholder(int),  # No layer before the readout.
  )
  config.inner = section(
    num_steps=3,  # In training; `evaluate` has its own.
    low=chosen["rates"][0],  # Learned rates start in [low, high];
    high=chosen["rates"][1],  # low = high and no clip: not learned.
    clip=config_dict.FieldReference(chosen["clip"], field_type=tuple),
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
    task_tile=config_dict.placeholder(int),
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
      num_steps=10,
      ema_decay=0.5,
      num_training_signals=10000,  # For means and deviations.
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
