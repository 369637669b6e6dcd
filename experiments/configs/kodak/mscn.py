"""MSCN on Kodak in 32 x 32 patches (Schwarz & Teh, table 12).

  python -m experiments.kodak
      --config=experiments/configs/kodak/mscn.py:64
      --workdir=DIR --mode=train --mode=evaluate
      --kodak_dir=KODAK

The part after the colon is the number of modulations per patch aimed at: 16,
32, 64, 96, 128.
Hardware and time: one V100; 1.4M steps (the paper says V100s and no time).
Published: 26.22 dB at 0.1 bpp, 28.06 at 0.2, 29.19 at 0.3, 30.05 at 0.5 (read
from figure 8b; entropy-coded estimate).
"""

import math

from ml_collections import config_dict

section = config_dict.create

# Table 12: lambda by number of modulations.
VARIANTS = {
  "16": {"depth": 10, "penalty_weight": 30.0},
  "32": {"depth": 10, "penalty_weight": 10.0},
  "64": {"depth": 10, "penalty_weight": 3.0},
  "96": {"depth": 10, "penalty_weight": 3.0},
  "128": {"depth": 10, "penalty_weight": 1.0},
}


def get_config(variant: str = "64") -> config_dict.ConfigDict:
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
    tiled=True,  # Images are cut into such squares.
    low=-1.0,  # Where coordinates start, on both axes,
    high=1.0,  # and end.
  )
  config.train = section(
    num_steps=1400000,  # Not given; COIN++'s.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    source=section(
      tfds="div2k",  # Read where there is no --data_dir.
      feature="hr",  # DIV2K holds low and high resolutions; CLIC: "image".
      resize_to=(512, 768),  # Height and width (table 12).
    ),
    pipeline=section(
      # The table's 1 is one image: its patches.
      batch_size=384,
      crops_per_image=384,  # 768 x 512 / 32 x 32.
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
    low=1e-2,  # The rate; low = high and no clip: not learned.
    high=1e-2,
    clip=config_dict.placeholder(tuple),
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
    task_tile=64,
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_validation_signals=256,
    signals_per_call=256,
    # Fast parameters beyond so many are closed; None leaves what there is.
    max_modulations=config_dict.placeholder(int),
    num_steps=(3,),  # Inner steps to try, unquantised.
    ema_decays=(1.0, 0.5, 0.7, 0.9, 0.95),  # Table 3; 1: the last iterate.
    quantise=section(
      num_steps=3,
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
