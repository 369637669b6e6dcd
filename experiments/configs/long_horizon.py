"""What the configs of long inner loops on images have in common.

The numbers of ECoP (Tack et al., 2023, appendix A.2), and of its successor
GradNCP (Tack et al., NeurIPS 2023) where that differs. Every data set has a
file that names what it takes from here; its variants are the methods of the
comparison:

  ecop             top-error contexts, bootstrapped targets (Algorithm 1)
  gradncp          the same with contexts of the highest gradient norm
  learnit          second-order MAML on full contexts, of ECoP's memory
  random_pruning   MAML on random contexts, of ECoP's horizon
  error_pruning    ECoP without its targets (figure 4a)
  bootstrap_only   Learnit with ECoP's targets
  fomaml, reptile  first-order methods on full contexts, of ECoP's horizon
  random_init      nothing is learned
  transinr         a transformer predicts the weights (Chen & Wang, 2022); in no
                   steps (table 1), and after ECoP's horizon of them (table 7)

Gradient scaling, ECoP's third component, is a matter of test time: evaluation
fits with it and without.
"""

from collections.abc import Callable
from typing import Any

from ml_collections import config_dict

from experiments.configs import full_weights

section = config_dict.create

# Outer steps, in the paper and on two cores.
NUM_STEPS = 150_000
NUM_STEPS_CPU = 1000


def base(
  *,
  source: config_dict.ConfigDict,
  side: Any,
  channels: Any = 3,
  learnit_steps: int = 4,
  ratio: float = 0.25,
  batch_size: int = 8,
  point_tile: int | None = None,
) -> config_dict.ConfigDict:
  """Learnit with ECoP's numbers.

  Args:
    source: the section `data.source`, which the launcher's `load` takes.
    side: P of the images, or a reference to it.
    channels: C of the images, or a reference to it.
    learnit_steps: K of Learnit; ECoP's is K / gamma.
    ratio: gamma.
    batch_size: images per outer step.
    point_tile: points whose activations are in memory at a time; None: all.
  """
  config = config_dict.ConfigDict()
  config.seed = 0
  config.signal = section(
    side=side,  # Pixels.
    channels=channels,
    tiled=False,  # A signal is a whole image.
    low=-1.0,  # Coordinates lie in [-1, 1]^2 (A.1).
    high=1.0,
  )
  config.train = section(
    num_steps=NUM_STEPS,  # Outer steps.
    checkpoint_every=5000,
    keep_checkpoints=3,
    log_every=100,
    evaluate_every=5000,  # Steps between two PSNRs on held-out signals.
    on_nonfinite="stop",  # Or "restore": back to the last checkpoint.
  )
  config.data = section(
    source=source,
    pipeline=section(
      batch_size=batch_size,  # Not in the paper; 8 in the authors' code.
      crops_per_image=1,
      augment=(),  # The paper names none.
      cache_bytes=2**32,  # Decoded images kept in memory.
      read_threads=8,
    ),
  )
  config.network = section(
    kind="siren",
    depth=4,  # Sine layers; "5 layers" counts the readout, as the code does.
    width=256,
    w0=30.0,
    out_dim=config.signal.get_ref("channels"),
    out_bias=0.5,  # Centres the start in [0, 1].
  )
  config.inner = section(
    num_steps=learnit_steps,  # K.
    low=1e-2,  # alpha; low = high and no clip: not learned.
    high=1e-2,
    clip=config_dict.placeholder(tuple),
    gradient="mixed_mode",  # Or "reverse" (the same), "first_order" (FOMAML).
    point_tile=config_dict.placeholder(int),
  )
  config.inner.point_tile = point_tile
  config.outer = section(
    num_steps=config.train.get_ref("num_steps"),
    learning_rate=1e-5,  # beta; Adam.
    schedule="constant",
    clip_norm=1.0,  # Not in the paper; in the authors' code.
    # Factors on the rate, of what is not learned here.
    rate_factors={"meta": 1.0, "log_alpha": 1.0},
    # Signals adapted at a time; None: all of a batch.
    task_tile=config_dict.placeholder(int),
  )
  config.evaluate = section(
    num_images=100,  # Not in the paper; in the authors' code.
    num_pictures=3,  # Of them, kept as pictures.
    num_validation_signals=16,
    signals_per_call=batch_size,
    # Steps whose checkpoints are evaluated too (figures 7 and 9).
    checkpoints=(10_000, 25_000, 50_000, 100_000),
    fit=section(
      kind="inner",  # The method's own steps; "adam" as in `full_weights`.
      num_steps=horizon(learnit_steps, ratio),  # ECoP's K, for all methods.
      # Each is measured; see `experiments.test_time`.
      gradients=("full",),
    ),
    pruned_roles=("weight",),  # What tables count as prunable.
    # A file of LPIPS weights (docs/data_sets.md); None: no LPIPS.
    lpips_weights=config_dict.placeholder(str),
  )
  config.export = section(
    image_side=config_dict.placeholder(int),  # Shape files leave out.
    num_images=100,  # Training images that the codec is fitted to.
    # How it fits images, with Adam: the paper compresses nothing.
    fit=section(num_steps=100, learning_rate=1e-3),
  )
  return config


def horizon(learnit_steps: int, ratio: float) -> int:
  """ECoP's K, which takes the memory of Learnit's: K / gamma."""
  return round(learnit_steps / ratio)


def _learnit(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """Full contexts, and as few steps as the memory allows."""
  return base(ratio=ratio, **data_set)


def _long(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """Full contexts and ECoP's horizon."""
  config = base(ratio=ratio, **data_set)
  config.inner.num_steps = config.evaluate.fit.num_steps
  return config


def _random_pruning(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  config = _long(ratio, **data_set)
  config.select = section(
    kind="random",  # Anew at each step; all points without this section.
    ratio=ratio,  # gamma.
  )
  return config


def _error_pruning(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  config = _long(ratio, **data_set)
  config.select = section(
    kind="top_error",  # Eqs. 2-3. Or "top_gradient_norm".
    ratio=ratio,  # gamma.
    tile=config.inner.get_ref("point_tile"),  # Points scored at a time.
    # Of an approximate top-k on accelerators, such as 0.95; None is exact.
    recall=config_dict.placeholder(float),
  )
  # Eq. 6, B.2, no scaling, and B.5: training's own points.
  config.evaluate.fit.gradients = (
    "norm_scaled",
    "loss_scaled",
    "full",
    "pruned",
  )
  return config


def _with_targets(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  config.objective = section(
    kind="bootstrapped",  # The loss after the fit without this section.
    num_steps=5,  # L, on the full context.
    learning_rate=config_dict.placeholder(float),  # None: alpha (Algorithm 1).
    select=section(
      kind="all",  # Or as `select` above, with its settings (table 6).
      ratio=config_dict.placeholder(float),
      tile=_point_tile(config),
      recall=config_dict.placeholder(float),
    ),
    weight=100.0,  # lambda.
  )
  return config


def _point_tile(config: config_dict.ConfigDict) -> Any:
  """A reference to `inner.point_tile`, None where there is no such setting."""
  if "point_tile" in config.inner:
    return config.inner.get_ref("point_tile")
  return config_dict.placeholder(int)


def _ecop(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  return _with_targets(_error_pruning(ratio, **data_set))


def with_ecop(config: config_dict.ConfigDict, ratio: float = 0.25) -> None:
  """Puts ECoP around a method of modulations, which no paper has done.

  The horizon grows as the context shrinks, so that memory stays. The target is
  one of modulations, which teaches what is shared nothing about the signal: at
  the weight of whole networks its gradient, which training clips, leaves the
  error no part, so that weight is lower here.

  Args:
    config: unlocked, changed in place.
    ratio: gamma.
  """
  steps = horizon(config.inner.num_steps, ratio)
  config.inner.num_steps = steps
  config.select = section(
    kind="top_error",  # Eqs. 2-3. Or "top_gradient_norm", "random".
    ratio=ratio,  # gamma.
    tile=_point_tile(config),  # Points scored at a time.
    # Of an approximate top-k on accelerators, such as 0.95; None is exact.
    recall=config_dict.placeholder(float),
  )
  _with_targets(config)
  config.objective.weight = 0.1  # lambda.


def in_equal_steps(config: config_dict.ConfigDict, *, is_ecop: bool) -> int:
  """Tests a method of modulations, or ECoP around it, in both's steps.

  Args:
    config: of the method, unlocked, changed in place.
    is_ecop: whether it gets ECoP (`with_ecop`), and is tested in its scale.

  Returns:
    ECoP's number of steps, in which codecs encode.
  """
  short = config.inner.num_steps
  steps = horizon(short, 0.25)
  if is_ecop:
    with_ecop(config)
    # Of full contexts in the scale of training's (eq. 6); or "loss_scaled",
    # "full", and of images "pruned".
    config.evaluate.gradient = "norm_scaled"
  config.evaluate.num_steps = (short, steps)
  return steps


def _gradncp(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """GradNCP; its target has a rate of its own in the authors' code."""
  config = _ecop(ratio, **data_set)
  config.select.kind = "top_gradient_norm"
  config.objective.learning_rate = 5e-2
  return config


def _bootstrap_only(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  return _with_targets(_learnit(ratio, **data_set))


def _fomaml(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """First-order MAML; the paper does not give its number of steps."""
  config = _long(ratio, **data_set)
  config.inner.gradient = "first_order"
  return config


def _reptile(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """Reptile; the paper does not give its number of steps or its rates."""
  config = _long(ratio, **data_set)
  config.objective = section(kind="reptile")
  return config


def _random_init(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  config = _learnit(ratio, **data_set)
  config.train.num_steps = 0
  return config


def _transinr(ratio: float, **data_set: Any) -> config_dict.ConfigDict:
  """TransINR, whose numbers are those of its authors where they apply.

  The paper does not give its steps, its batches or, beyond 178 x 178, patches.
  """
  config = base(ratio=ratio, **data_set)
  config.inner.num_steps = 0  # In training; a fit at test time takes ECoP's.
  patch, padding = _patches(config.signal.side)
  config.hypernetwork = section(
    patch=patch,  # Sides of a token's patch.
    padding=padding,  # Zeros at both ends, which make whole patches.
    num_layers=6,
    dim=768,  # Of a token.
    num_heads=12,
    head_dim=64,
    feed_forward=3072,  # Units of a layer's hidden layer.
    num_groups=64,  # Groups of columns of a weight matrix.
  )
  config.outer.learning_rate = 1e-4  # Theirs; ECoP's beta is lower.
  # What is predicted, and what `inner.low` makes of it: the paper takes SGD
  # steps (B.3) of a rate that it does not give.
  config.evaluate.fit.gradients = ("none", "full")
  del config.export  # The codec predicts no weights.
  return config


def _patches(side: int) -> tuple[tuple[int, int], tuple[int, int]]:
  """Patches and padding that make 20 x 20 tokens, as theirs of 178 x 178."""
  patch = -(-side // 20)
  padding = (20 * patch - side) // 2
  return (patch, patch), (padding, padding)


_METHODS: dict[str, Callable[..., config_dict.ConfigDict]] = {
  "ecop": _ecop,
  "gradncp": _gradncp,
  "learnit": _learnit,
  "random_pruning": _random_pruning,
  "error_pruning": _error_pruning,
  "bootstrap_only": _bootstrap_only,
  "fomaml": _fomaml,
  "reptile": _reptile,
  "random_init": _random_init,
  "transinr": _transinr,
}
METHODS = tuple(_METHODS)


def make(
  method: str, *, ratio: float = 0.25, **data_set: Any
) -> config_dict.ConfigDict:
  """The config of a method on a data set, locked.

  Args:
    method: one of `METHODS`.
    ratio: gamma.
    **data_set: what else `base` takes.

  Raises:
    ValueError: for another method.
  """
  full_weights.checked(method, METHODS)
  return _METHODS[method](ratio, **data_set).lock()


def on_two_cores(
  config: config_dict.ConfigDict, *, side: int = 96
) -> config_dict.ConfigDict:
  """The same method at a size that two CPU cores train in minutes.

  Args:
    config: a config of this module.
    side: of the images.
  """
  with config.unlocked():
    source = config.data.source
    shape: Any = side
    if "side" in source:
      source.side = side
    else:
      config.signal.side = side
      shape = (side, side)
    if "resize_to" in source:
      source.resize_to = shape  # All of the picture, smaller.
    config.data.pipeline.update(batch_size=1, read_threads=1)
    config.network.width = 64
    config.inner.point_tile = None
    # A higher rate makes up for some of the missing steps.
    config.outer.update(learning_rate=5e-4, task_tile=1)
    if config.train.num_steps:
      config.train.num_steps = NUM_STEPS_CPU
    config.train.update(checkpoint_every=250, evaluate_every=250, log_every=50)
    config.evaluate.update(
      num_images=8,
      num_validation_signals=4,
      signals_per_call=4,
      checkpoints=(250, 500, 750),
    )
    if "export" in config:
      config.export.num_images = 20
    if "hypernetwork" in config:
      small_hypernetwork(config, patch=(8, 8))
  return config


def small_hypernetwork(
  config: config_dict.ConfigDict, *, patch: tuple[int, ...]
) -> None:
  """A transformer for two cores, in place of the one of `_transinr`; unlocked.

  Args:
    config: any with the section `hypernetwork`, changed in place.
    patch: sides of a patch, which divide those of a signal.
  """
  config.hypernetwork.update(
    patch=patch,
    padding=(0,) * len(patch),
    num_layers=3,
    dim=128,
    num_heads=4,
    head_dim=32,
    feed_forward=512,
    num_groups=16,  # Of four columns, as in the paper.
  )
  # Of one image, Adam's steps are too uneven for a transformer.
  config.data.pipeline.batch_size = 4
  config.outer.learning_rate = 1e-3  # Further than 5e-4 after 250 steps.
