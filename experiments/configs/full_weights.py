"""What the configs of methods that adapt all weights have in common.

The numbers of Meta-SparseINR (Lee et al., 2021, section 5 and appendix A) and,
where gates are, of tables 4-6 of Schwarz & Teh (2022), which are the same for
all three data sets but for lambda. Each data set has a file for each method
that names what it takes from here.
"""

import math
from collections.abc import Collection
from typing import Any

from ml_collections import config_dict

section = config_dict.create

# A method that goes through all levels of sparsity in one run has one variant.
ALL = ("all",)
# Else the variant is a level, as rounds of pruning 20 %. Of 197,888 weights
# they leave 81,055, 33,200, 13,599, 6,963 and 2,281.
ROUNDS = ("4", "8", "12", "15", "20")
# Eq. 6 of Meta-SparseINR: the even width whose dense network has as many
# weights as are left after so many rounds, or slightly more.
WIDTHS = (
  256, 230, 206, 184, 164, 148, 132, 118, 106, 94, 84,
  76, 68, 60, 54, 48, 44, 38, 34, 32, 28,
)  # fmt: skip
# The last round of the comparison; 20 leave 1.2 % of the weights.
NUM_ROUNDS = 20


def lambdas(*weights: str) -> tuple[str, ...]:
  """Variants of a table's lambdas, beside those of `ROUNDS`."""
  return tuple(f"lambda_{weight}" for weight in weights)


def sparsity(variant: str, variants: Collection[str]) -> dict[str, Any]:
  """What `mscn` is asked for: as many rounds, or a lambda.

  Args:
    variant: what stands after the colon of `--config`.
    variants: of `ROUNDS` and of `lambdas`.

  Raises:
    ValueError: if it is not one of them.
  """
  if checked(variant, variants).startswith("lambda_"):
    return {"penalty_weight": float(variant.removeprefix("lambda_"))}
  return {"rounds": int(variant)}


def checked(variant: str, variants: Collection[str]) -> str:
  """The variant.

  Args:
    variant: what stands after the colon of `--config`.
    variants: what may stand there.

  Raises:
    ValueError: if it is not one of them.
  """
  if variant not in variants:
    raise ValueError(f"variant {variant!r} is not one of {[*variants]}")
  return variant


def base(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """Learnit (second-order MAML) with Meta-SparseINR's numbers.

  Args:
    source: the section `data.source`, which the launcher's `load` takes; it has
      `side` and `channels`, which the signals follow.
  """
  config = config_dict.ConfigDict()
  config.seed = 0
  config.signal = section(
    side=source.get_ref("side"),  # Pixels.
    channels=source.get_ref("channels"),
    tiled=False,  # A signal is a whole image.
    low=0.0,  # Coordinates lie in [0, 1]^2 (section 3).
    high=1.0,
  )
  config.train = section(
    num_steps=150_000,  # tau. Outer steps.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    source=source,
    pipeline=section(
      batch_size=3,  # Images per outer step.
      crops_per_image=1,
      augment=(),  # The papers name none.
      cache_bytes=2**32,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.network = section(
    kind="siren",  # Or "fourier".
    depth=4,  # Sine layers.
    width=256,
    w0=200.0,
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,  # Centres the start in [0, 1].
  )
  config.inner = section(
    num_steps=2,  # t.
    low=1e-3,  # The rate; low = high and no clip: not learned.
    high=1e-3,
    clip=config_dict.placeholder(tuple),
    gradient="mixed_mode",  # Or "reverse" (the same), "first_order" (FOMAML).
  )
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),
    learning_rate=1e-5,  # beta; Adam.
    schedule="constant",
    clip_norm=config_dict.placeholder(float),  # Gradients are not clipped.
    # Factors on the rate: of the learned inner rates, and of the gates.
    rate_factors={"meta": 1.0, "log_alpha": 1.0},
    # Signals adapted at a time; None: all of a batch.
    task_tile=config_dict.placeholder(int),
  )
  config.evaluate = section(
    # The papers draw 100 of the validation split; here the test split's first.
    num_images=100,
    num_pictures=3,  # Of them, kept as pictures.
    num_validation_signals=30,
    signals_per_call=10,
    fit=section(num_steps=100, learning_rate=1e-3),  # Adam, full batch.
    pruned_roles=("weight",),  # What is counted as prunable.
    # MAML+OneShot and MAML+IMP from this start, for these numbers of rounds.
    pruned_fits=section(
      ratio=0.2,
      rounds=(),
      # "one_shot", "imp", "ticket"; "prospr_at_start" and others by saliencies
      procedures=("one_shot", "imp"),
      # of the start, of which ProsPr looks through steps of gradient descent.
      at_start=section(num_steps=3, learning_rate=1e-2, momentum=0.9),
    ),
  )
  config.export = section(
    image_side=config_dict.placeholder(int),  # Shape files leave out.
    num_images=100,  # Training images that the codec is fitted to.
    # Weights kept after each round of pruning while a tile is fitted; () for
    # the pattern of the model.
    num_kept=(),
    # "random", "magnitude", "snip" or "prospr" prunes before the fit instead.
    at_start=config_dict.placeholder(str),
  )
  return config


def learnit(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """MAML, with the baselines that prune while they fit."""
  config = base(source=source)
  config.evaluate.pruned_fits.rounds = (4, 8, 12, 15, 20)
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
    roles=("weight",),  # Biases stay: "6,964 parameters" are weights alone.
  )
  # Levels of sparsity, as rounds of pruning; None: all.
  config.evaluate.rounds = config_dict.placeholder(tuple)
  # The level that is exported, as rounds of pruning; None: the last.
  config.export.rounds = config_dict.placeholder(int)
  config.train.num_steps = 150_000 + NUM_ROUNDS * 30_000
  return config.lock()


def with_fourier_features(
  config: config_dict.ConfigDict,
) -> config_dict.ConfigDict:
  """The same method with the network of appendix B."""
  with config.unlocked():
    config.network = section(
      kind="fourier",
      depth=4,  # Hidden layers, of which the first is fixed and never pruned.
      width=config.network.width,
      sigma=20.0,  # Deviation of the first layer's frequencies.
      out_dim=config.signal.get_ref("channels"),
      out_bias=0.5,
    )
    config.signal.low = 0.0  # sigma is meant for coordinates in [0, 1].
  return config


def with_reptile(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """The same method meta-learned by Reptile (appendix E).

  Differs from the paper: its rates and steps for Reptile are not given.
  """
  with config.unlocked():
    config.objective = section(kind="reptile")  # MAML without this section.
    config.evaluate.fit.num_steps = 500
  return config


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


def single_images(
  *, source: config_dict.ConfigDict, rounds: int
) -> config_dict.ConfigDict:
  """Dense narrow networks fitted to single images from scratch (section 5.3).

  Args:
    source: the section `data.source`.
    rounds: they have at least the weights that so many rounds leave.
  """
  config = dense_narrow(source=source, rounds=rounds, trained=False)
  with config.unlocked():
    config.signal.low = -1.0  # As in the SIREN paper; not given here.
    config.network.w0 = 30.0  # Appendix A.1.
    config.evaluate.num_images = 23  # Of Kodak's 24; the last is too low.
    config.evaluate.signals_per_call = 1
    config.evaluate.fit.update(num_steps=50_000, learning_rate=1e-4)
  return config


def winning_ticket(*, source: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """Iterative magnitude pruning of single images' networks (section 5.3).

  After each round the weights are rewound to the random initialisation
  (Frankle & Carbin, 2019) and trained for all steps again.

  Args:
    source: the section `data.source`.
  """
  config = single_images(source=source, rounds=0)
  with config.unlocked():
    config.evaluate.pruned_fits.update(
      rounds=(NUM_ROUNDS,), procedures=("ticket",)
    )
  return config


def pruned_at_start(
  *, source: config_dict.ConfigDict
) -> config_dict.ConfigDict:
  """Single images' networks, pruned before they are fitted.

  Chapter 3 of Alizadeh's thesis prunes classifiers so; these are the same
  saliencies on the networks of section 5.3, beside pruning while fitting.

  Args:
    source: the section `data.source`.
  """
  config = single_images(source=source, rounds=0)
  with config.unlocked():
    config.evaluate.pruned_fits.update(
      rounds=(4, 8, 12),
      procedures=(
        "random_at_start",
        "magnitude_at_start",
        "snip_at_start",
        "prospr_at_start",
        "one_shot",
        "imp",
      ),
    )
  return config


def mscn(
  *,
  source: config_dict.ConfigDict,
  rounds: int = 12,
  penalty_weight: float | None = None,
  meta_sgd: bool,
  on: str = "updates",
) -> config_dict.ConfigDict:
  """MSCN in weight space (eq. 9, or appendix C with `on="values"`).

  Differs from the paper: it lists lambdas (tables 4-6) without saying which
  sparsity each reaches, so here a controller seeks as many weights as pruning
  leaves, unless a lambda is asked for. Outer steps are not given;
  Meta-SparseINR's.

  Args:
    source: the section `data.source`.
    rounds: the sparsity, as rounds of 20 %.
    penalty_weight: lambda, constant, in place of the controller.
    meta_sgd: whether inner rates are learned (tables 4-6) or fixed. The fixed
      rate is not given; Meta-SparseINR's.
    on: what the gates multiply: "updates" or "values".
  """
  config = base(source=source)
  config.network.w0 = 30.0
  config.evaluate.fit.learning_rate = 3e-4  # Or 1e-4; both were tried.
  if meta_sgd:
    config.inner.update(low=1e-3, high=0.05, clip=(0.0, 1.0))
  network = config.network
  total = num_weights(network.width, network.depth, network.out_dim)
  config.gates = section(
    on=on,
    initial_log_alpha=0.5,
    # "Sparsify biases" was tried both ways; ("weight", "bias") has them too.
    grouping=section(kind="parameter", roles=("weight",)),
    distribution=section(
      beta=2 / 3,  # Temperature (Louizos et al., 2017).
      gamma=-0.1,  # The stretched interval.
      zeta=1.1,
      log_alpha_range=(math.log(1e-2), math.log(1e2)),
    ),
    penalty=section(
      kind="controlled",
      target=round(total * 0.8**rounds),  # Open gates.
      initial=1e-2,  # lambda at the start.
      gain=0.01,  # Its growth per step, in log lambda.
      damping=2.0,  # Against overshooting.
      limits=(1e-6, 1e3),
    )
    if penalty_weight is None
    else section(kind="constant", weight=penalty_weight),
  )
  config.outer.rate_factors.log_alpha = 100.0  # Or 10; both were tried.
  return config.lock()


def mscn_units(
  *, source: config_dict.ConfigDict, rounds: int
) -> config_dict.ConfigDict:
  """MSCN with a gate for each unit, so that the network gets smaller.

  Section 3.2 allows gates on sets of parameters; no experiment has them.

  Args:
    source: the section `data.source`.
    rounds: as many units are sought as the dense narrow network has.
  """
  config = mscn(source=source, rounds=rounds, meta_sgd=True, on="values")
  with config.unlocked():
    config.gates.grouping = section(kind="unit")
    config.gates.penalty.target = config.network.depth * WIDTHS[rounds]
  return config


def on_two_cores(
  config: config_dict.ConfigDict, *, side: int = 64, channels: int = 3
) -> config_dict.ConfigDict:
  """The same method at a size that two CPU cores train in minutes.

  Args:
    config: a config of this module.
    side: of the images.
    channels: of the images.
  """
  rounds, width, num_steps = 12, 64, 1000
  old = num_weights(256, 4, config.signal.channels)
  new = num_weights(width, 4, channels)
  with config.unlocked():
    config.data.source.update(side=side, channels=channels)
    config.data.pipeline.update(batch_size=2, read_threads=1)
    rounds_left = WIDTHS.index(config.network.width)
    config.network.width = narrow_width(width, channels, rounds_left)
    if "w0" in config.network:
      config.network.w0 = 30.0
    else:
      config.network.sigma = 7.0  # As far below the pixels' limit as 20 was.
    if config.inner.clip is None:
      config.inner.update(low=1e-2, high=1e-2)
    config.outer.update(learning_rate=3e-4, clip_norm=1.0, task_tile=1)
    if config.train.num_steps:
      config.train.num_steps = num_steps
    config.train.update(checkpoint_every=500, evaluate_every=500, log_every=50)
    if "prune" in config:  # All methods take as many steps.
      each = num_steps // (rounds + 8)
      config.prune.update(
        num_dense_steps=num_steps - rounds * each,
        num_round_steps=each,
        num_rounds=rounds,
      )
      config.train.checkpoint_every = each
      config.evaluate.rounds = (0, 4, 8, rounds)
    if "gates" in config and config.gates.penalty.kind == "controlled":
      penalty = config.gates.penalty
      by_unit = config.gates.grouping.kind == "unit"
      left = penalty.target * (width / 256 if by_unit else new / old)
      penalty.update(target=round(left), gain=0.03)
    config.evaluate.update(
      num_images=8, num_validation_signals=4, signals_per_call=4
    )
    fit, pruned_fits = config.evaluate.fit, config.evaluate.pruned_fits
    fit.learning_rate = 1e-3  # The same for all methods.
    if "ticket" in pruned_fits.procedures:  # It goes through all levels.
      pruned_fits.rounds = (rounds,)
    elif pruned_fits.rounds:
      pruned_fits.rounds = (4, 8, rounds)
    if fit.num_steps > 1000:  # Single images, from scratch.
      fit.num_steps = 1000
      config.evaluate.update(num_images=2, signals_per_call=1)
  return config


def narrow_width(width: int, channels: int, rounds: int) -> int:
  """The even width with the weights that rounds of 20 % leave, or some more.

  For `width` 256 it gives eq. 6 of Meta-SparseINR.

  Args:
    width: of the network that is pruned, with 4 sine layers.
    channels: C.
    rounds: of pruning.
  """
  wanted = round(num_weights(width, 4, channels) * 0.8**rounds)
  narrow = 2
  while num_weights(narrow, 4, channels) < wanted:
    narrow += 2
  return narrow


def num_weights(width: int, depth: int, channels: int) -> int:
  """Weights, biases not counted, of a SIREN of image coordinates."""
  return 2 * width + (depth - 1) * width**2 + channels * width
