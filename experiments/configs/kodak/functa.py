"""Functa on Kodak in 32 x 32 patches: a latent with meta-SGD.

  python -m experiments.kodak
      --config=experiments/configs/kodak/functa.py:64
      --workdir=DIR --mode=train --mode=evaluate
      --kodak_dir=KODAK

The part after the colon is the length of the latent vector of a patch: 16, 32,
64, 96, 128.
Hardware and time: one GPU; 1.4M steps of 64 patches (no paper gives a time).
Published: none on Kodak. The rates are those Functa shares with MSCN (table 7),
the sizes those of table 12, so that the two compare.
"""

from ml_collections import config_dict

section = config_dict.create

# MSCN table 12: sine layers by number of values stored.
VARIANTS = {
  "16": {"depth": 10},
  "32": {"depth": 10},
  "64": {"depth": 10},
  "96": {"depth": 10},
  "128": {"depth": 10},
}


def get_config(variant: str = "64") -> config_dict.ConfigDict:
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
    side=32,  # Pixels; one signal is a square.
    channels=3,
    tiled=True,  # Images are cut into such squares.
    low=-1.0,  # Where coordinates start, on both axes,
    high=1.0,  # and end.
  )
  config.train = section(
    num_steps=1400000,  # As COIN++'s.
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
      resize_to=(512, 768),  # Height and width, as in MSCN.
    ),
    pipeline=section(
      # Over all devices.
      batch_size=64,
      crops_per_image=8,  # Spares decoding.
      augment=(),  # The papers name none.
      cache_bytes=2**32,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.network = section(
    depth=chosen["depth"],  # Sine layers.
    width=512,
    w0=30.0,
    latent_dim=config.get_ref("num_modulations"),
    latent_map_widths=(),  # A linear map of the latent to the shifts.
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
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),  # Where a schedule ends.
    learning_rate=3e-6,  # Adam.
    schedule="constant",  # Or "cosine", to zero.
    clip_norm=config_dict.placeholder(float),  # Gradients are not clipped.
    # Factors on the rate: of the learned inner rates.
    rate_factors={"meta": 1.0},
    # Signals adapted at a time; None: all of a batch.
    task_tile=config_dict.placeholder(int),
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),  # All test images.
    num_validation_signals=256,
    signals_per_call=256,
    num_steps=(3, 10),  # Inner steps to try, unquantised.
    ema_decays=(1.0,),  # 1: the last iterate, no average.
    quantise=section(
      num_steps=3,
      ema_decay=1.0,
      num_training_signals=10000,  # For means and deviations.
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
