"""What the configs of methods that adapt all weights have in common.

The numbers of Meta-SparseINR (Lee et al., 2021, section 5 and appendix A) and,
where gates are, of tables 4-6 of Schwarz & Teh (2022). Each data set has a file
for each method that names what it takes from here.
"""

import math

from ml_collections import config_dict

section = config_dict.create

# Eq. 6 of Meta-SparseINR: the width whose dense network has as many weights as
# are left after so many rounds, or slightly more.
WIDTHS = (
  256, 230, 206, 184, 164, 148, 132, 118, 106, 94, 84,
  76, 68, 60, 54, 48, 44, 38, 34, 32, 28,
)  # fmt: skip
# The last round of the comparison; 20 leave 1.2 % of the weights.
NUM_ROUNDS = 20


def base(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """Learnit (MAML, second order) on whole images, with Meta-SparseINR's numbers.

  Args:
    source: the section `data.source`, which the launcher's `load` takes.
  """
  config = config_dict.ConfigDict()
  config.seed = 0
  config.signal = section(
    side=178,  # Pixels.
    channels=3,
    tiled=False,  # A signal is a whole image.
    low=0.0,  # Coordinates lie in [0, 1]^2 (section 3).
    high=1.0,
  )
  config.train = section(
    num_steps=150_000,  # tau.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,
    on_nonfinite="stop",
  )
  config.data = section(
    source=source,
    pipeline=section(
      batch_size=3,
      crops_per_image=1,
      augment=(),
      cache_bytes=2**32,
      read_threads=8,
    ),
  )
  config.network = section(
    kind="siren",  # Or "fourier".
    depth=4,  # Sine layers.
    width=256,
    w0=200.0,
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,
  )
  config.inner = section(
    num_steps=2,
    low=1e-3,  # The rate; low = high and no clip: not learned.
    high=1e-3,
    clip=config_dict.placeholder(tuple),
    gradient="mixed_mode",  # Or "reverse" (the same), "first_order" (FOMAML).
  )
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),
    learning_rate=1e-5,  # Adam.
    schedule="constant",
    clip_norm=config_dict.placeholder(float),
    rate_factors={"meta": 1.0, "log_alpha": 1.0},
    task_tile=config_dict.placeholder(int),
  )
  config.evaluate = section(
    num_images=config_dict.placeholder(int),
    num_validation_signals=30,
    signals_per_call=10,
    fit=section(num_steps=100, learning_rate=1e-3),  # Adam, full batch.
    pruned_roles=("weight",),  # What is counted as prunable.
    # MAML+OneShot and MAML+IMP from this start, for these numbers of rounds.
    pruned_fits=section(ratio=0.2, rounds=()),
  )
  return config


def learnit(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """MAML, with the baselines that prune while they fit."""
  config = base(source=source)
  config.evaluate.pruned_fits.rounds = (3, 6, 9, 12, 15)
  return config.lock()


def fomaml(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """First-order MAML."""
  config = base(source=source)
  config.inner.gradient = "first_order"
  return config.lock()


def meta_sparse_inr(
  *, source: config_dict.ConfigDict, score: str
) -> config_dict.ConfigDict:
  """Algorithm 1, or with `score="chance"` its baseline "random pruning"."""
  config = base(source=source)
  config.prune = section(
    num_dense_steps=150_000,  # tau.
    num_round_steps=30_000,  # tau~.
    ratio=0.2,  # gamma: 20 % of the surviving weights each round.
    num_rounds=NUM_ROUNDS,
    score=score,
    roles=("weight",),  # Biases stay.
  )
  config.train.num_steps = 150_000 + NUM_ROUNDS * 30_000
  return config.lock()


def dense_narrow(
  *, source: config_dict.ConfigDict, rounds: int, trained: bool
) -> config_dict.ConfigDict:
  """A narrow dense network (eq. 6); untrained it is the baseline "scratch".

  Args:
    source: the section `data.source`.
    rounds: it has at least the weights that so many rounds leave.
    trained: whether it is meta-learned.
  """
  config = base(source=source)
  config.network.width = WIDTHS[rounds]
  if not trained:
    config.train.num_steps = 0
  return config.lock()


def mscn(
  *,
  source: config_dict.ConfigDict,
  rounds: int,
  meta_sgd: bool,
  on: str,
  biases: bool = False,
) -> config_dict.ConfigDict:
  """MSCN in weight space (eq. 9, or appendix C with `on="values"`).

  The papers list lambdas without saying which sparsity each reaches; here a
  controller seeks as many weights as pruning leaves.

  Args:
    source: the section `data.source`.
    rounds: the sparsity, as rounds of 20 %.
    meta_sgd: whether inner rates are learned (tables 4-6) or fixed.
    on: "updates" or "values".
    biases: whether biases have gates too.
  """
  config = base(source=source)
  config.network.w0 = 30.0
  config.evaluate.fit.learning_rate = 3e-4
  if meta_sgd:
    config.inner.update(low=1e-3, high=0.05, clip=(0.0, 1.0))
  width, depth = config.network.width, config.network.depth
  weights = 2 * width + (depth - 1) * width**2 + config.signal.channels * width
  config.gates = section(
    on=on,
    initial_log_alpha=0.5,
    grouping=section(
      kind="parameter",
      roles=config_dict.placeholder(tuple) if biases else ("weight",),
    ),
    distribution=section(
      beta=2 / 3,
      gamma=-0.1,
      zeta=1.1,
      log_alpha_range=(math.log(1e-2), math.log(1e2)),
    ),
    penalty=section(
      kind="controlled",
      target=round(weights * 0.8**rounds),
      initial=1e-2,
      gain=0.01,
      damping=2.0,
      limits=(1e-6, 1e3),
    ),
  )
  config.outer.rate_factors.log_alpha = 100.0
  return config.lock()


def on_two_cores(
  config: config_dict.ConfigDict, *, side: int = 64
) -> config_dict.ConfigDict:
  """The same method at a size that two CPU cores train in minutes.

  Args:
    config: a config of this module.
    side: of the images.
  """
  rounds = 12
  with config.unlocked():
    config.signal.side = config.data.source.side = side
    config.data.pipeline.update(batch_size=2, read_threads=1)
    if config.network.width == 256:
      config.network.width = 64
    else:
      config.network.width = round(config.network.width / 8) * 2
    config.network.w0 = 30.0
    config.inner.update(low=1e-2, high=1e-2)
    if config.inner.clip is not None:
      config.inner.update(low=1e-3, high=0.05)
    config.outer.update(learning_rate=3e-4, clip_norm=1.0, task_tile=1)
    if config.train.num_steps:
      config.train.num_steps = 1500
    config.train.update(
      checkpoint_every=500, evaluate_every=500, log_every=50
    )
    if "prune" in config:
      config.prune.update(
        num_dense_steps=1500, num_round_steps=500, num_rounds=rounds
      )
      config.train.num_steps = 1500 + 500 * rounds
    if "gates" in config:
      config.train.num_steps = 3000
      left = config.gates.penalty.target / _num_weights(256, 4, 3)
      config.gates.penalty.update(
        target=round(left * _num_weights(64, 4, config.signal.channels)),
        gain=0.03,
      )
    config.evaluate.update(num_images=8, num_validation_signals=4)
    config.evaluate.signals_per_call = 4
    if config.evaluate.pruned_fits.rounds:
      config.evaluate.pruned_fits.rounds = (4, 8, 12)
  return config


def _num_weights(width: int, depth: int, channels: int) -> int:
  return 2 * width + (depth - 1) * width**2 + channels * width
