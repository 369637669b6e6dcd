"""COIN++ on Kodak in 32 x 32 patches (thesis 5.2 and C.3.2).

  python -m experiments.kodak
      --config=experiments/configs/kodak/coinpp.py:64
      --workdir=DIR --mode=train --mode=evaluate
      --kodak_dir=KODAK

The part after the colon is the length of the latent vector of a patch: 16, 32,
64, 96, 128.
Hardware and time: one GPU; 1.4M steps of 64 patches (the thesis gives no time).
Published: 23.68 dB at 0.067 bpp, 24.93 at 0.132, 26.14 at 0.266, 27.03 at
0.398, 27.80 at 0.537 (5 bits, entropy-coded). Differs from the thesis: trained
on DIV2K, as MSCN is, not on Vimeo-90k; --data_dir=FOLDER takes its frames.
"""

from ml_collections import config_dict

section = config_dict.create

# Appendix C.3.2: sine layers, and inner steps at test time.
VARIANTS = {
  "16": {"depth": 10, "test_steps": 10},
  "32": {"depth": 10, "test_steps": 3},
  "64": {"depth": 10, "test_steps": 3},
  "96": {"depth": 10, "test_steps": 10},
  "128": {"depth": 10, "test_steps": 10},
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
    num_steps=1400000,  # 600 epochs of 64.
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
      resize_to=config_dict.placeholder(tuple),  # Photographs as they are.
    ),
    pipeline=section(
      # Over all devices.
      batch_size=64,
      crops_per_image=8,  # Spares decoding; the thesis takes one.
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
    learning_rate=1e-6,  # Adam.
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
      num_steps=chosen["test_steps"],
      ema_decay=1.0,
      num_training_signals=10000,  # For means and deviations.
      num_bits=(5,),
      num_deviations=(3.0,),
    ),
  )
  config.export = section(
    image_side=config_dict.placeholder(int),  # Shape files leave out.
    num_images=1000,  # Training images that the codec is fitted to.
    max_codes=config_dict.placeholder(int),  # Per tile; None: as fits.
    context_steps=1500,  # Training of the entropy model.
  )
  return config.lock()
