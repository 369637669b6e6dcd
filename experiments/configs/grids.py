"""What the configs of signals that are no images have in common."""

import math
from typing import Any

from ml_collections import config_dict

section = config_dict.create


def base(
  num_modulations: int, *, has_latent: bool = True
) -> config_dict.ConfigDict:
  """COIN++ without what belongs to a data set, unlocked.

  Args:
    num_modulations: length of the latent vector, or shifts aimed at.
    has_latent: whether a latent is mapped to the shifts.
  """
  config = config_dict.ConfigDict()
  config.seed = 0
  # Length of the latent vector, or the number of shifts aimed at.
  config.num_modulations = num_modulations
  config.train = section(
    num_steps=1,
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    pipeline=section(
      batch_size=1,  # Over all devices.
      crops_per_image=1,  # Blocks of one visit to a signal.
      cache_bytes=2**33,  # Decoded signals kept in memory.
      read_threads=8,
    )
  )
  config.network = section(
    depth=10,  # Sine layers.
    width=512,
    w0=50.0,
    in_dim=1,
    out_dim=1,
    latent_dim=config.get_ref("num_modulations")
    if has_latent
    else config_dict.placeholder(int),  # Shifts without a latent.
    latent_map_widths=(),  # A linear map of the latent to the shifts.
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
    point_tile=config_dict.placeholder(int),  # All points at once.
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
    num_signals=config_dict.placeholder(int),  # All test signals.
    num_validation_signals=64,
    num_steps=(3, 10),  # Inner steps to try, unquantised,
    ema_decays=(1.0,),  # and averages; 1: the last iterate.
    encoder=section(num_steps=3, ema_decay=1.0),  # Of the codec.
    qualities=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    effort="fast",  # The encoder's steps and no more.
    # Of the papers' fixed-width quantisation of the encoder's fits, such as
    # (5, 6, 7, 8) of C.3.3 to C.3.5; None leaves it out.
    bits=config_dict.placeholder(tuple),
  )
  config.export = section(
    num_signals=500,  # Training signals that the codec is fitted to.
    max_codes=config_dict.placeholder(int),  # Per block; None: as fits.
  )
  return config


def with_functa(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """A base config with Functa's learned rates (MSCN, table 8)."""
  config.network.update(depth=15, width=512, w0=30.0)
  config.inner.update(low=0.005, high=0.1, clip=(0.0, 1.0))
  return config


def with_mscn(
  config: config_dict.ConfigDict, *, penalty_weight: float
) -> config_dict.ConfigDict:
  """A base config with MSCN's gates (table 8).

  Args:
    config: made by `base`, without a latent.
    penalty_weight: lambda of eq. 6.
  """
  with_functa(config)
  config.gates = section(
    initial_log_alpha=0.1,
    distribution=section(
      beta=2 / 3,  # Temperature (Louizos et al., 2017).
      gamma=-0.1,  # The stretched interval.
      zeta=1.1,
      log_alpha_range=(math.log(1e-2), math.log(1e2)),
    ),
    # Or kind="ramped", or "controlled" with a target.
    penalty=section(kind="constant", weight=penalty_weight),
  )
  config.outer.rate_factors = {"meta": 1.0, "log_alpha": 1000.0}
  # Fast parameters beyond so many are closed; None leaves what there is.
  config.evaluate.max_modulations = config_dict.placeholder(int)
  config.evaluate.ema_decays = (1.0, 0.5, 0.7, 0.9, 0.95)  # MSCN D.2.
  return config


def shrink(config: config_dict.ConfigDict, variant: str) -> None:
  """Makes a config train in minutes on two cores.

  Args:
    config: any of these, locked.
    variant: number of values stored per block.
  """
  with config.unlocked():
    config.num_modulations = int(variant)
    config.network.update(depth=5, width=64)
    config.inner.update(low=0.1, high=0.1, clip=(0.0, 1.0))  # Learned.
    config.train.update(
      num_steps=800, checkpoint_every=400, log_every=20, evaluate_every=400
    )
    config.data.pipeline.read_threads = 1
    config.outer.update(
      learning_rate=3e-4, schedule="cosine", clip_norm=1.0, task_tile=4
    )
    config.evaluate.num_validation_signals = 4
    config.export.num_signals = 50
    if "gates" in config:
      control(config)


def control(config: Any) -> None:
  """Not in the paper: lambda is controlled, to reach the number asked for."""
  config.gates.initial_log_alpha = 0.5
  config.gates.penalty = section(
    kind="controlled",
    target=config.get_ref("num_modulations"),
    initial=0.01,  # lambda at the start.
    gain=0.03,  # Its growth per step, in log lambda.
    damping=2.0,  # Against overshooting.
    limits=(1e-6, 1e3),
  )
  config.evaluate.max_modulations = config.get_ref("num_modulations")
  config.evaluate.ema_decays = (1.0, 0.5)
  config.outer.rate_factors.log_alpha = 100.0


def begin_from_basis(
  config: config_dict.ConfigDict, num_modulations: int
) -> None:
  """A latent that modulates the readout of a basis; unlocked.

  The basis begins from the principal components of the training signals.

  Args:
    config: of a `functa_cpu`, changed in place.
    num_modulations: length of the latent vector, and size of the basis.
  """
  config.num_modulations = num_modulations
  config.network.update(depth=3, width=160, modulate=("readout",))
  config.network.basis_dim = num_modulations
  # An inner rate of 1/2 is a Newton step from the principal start.
  config.inner.update(low=0.5, high=0.5, clip=(0.0, 1.0), num_steps=2)
  # The sine layers of a fitted basis bear only small steps.
  config.outer.learning_rate = 1e-5
  config.start = section(
    num_signals=1,  # Blocks whose principal components are taken.
    num_steps=1000,  # Steps of the fit of the basis to them.
  )
  config.train.update(num_steps=300, checkpoint_every=100)
  config.evaluate.num_steps = (2, 4)
  config.evaluate.encoder.num_steps = 2
  config.export.num_signals = config_dict.placeholder(int)  # All.
