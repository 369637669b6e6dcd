"""Settings that the configs of pruned and quantised classifiers have in common.

Numbers are those of appendices A.1, A.4 and section 4.3.1 of Alizadeh's thesis.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import config_dict

section = config_dict.create

# When, and by what, the methods of tables 3.1 to 3.5 and A.2 to A.4 prune.
PRUNING: Mapping[str, Mapping[str, Any]] = {
  "dense": {"when": "never", "kind": "random"},
  "random": {"when": "initialisation", "kind": "random"},
  "magnitude": {"when": "initialisation", "kind": "magnitude"},
  "snip": {"when": "initialisation", "kind": "snip"},
  "grasp": {"when": "initialisation", "kind": "grasp"},
  "prospr": {"when": "initialisation", "kind": "prospr"},
  "magnitude_after": {"when": "trained", "kind": "magnitude"},
  "tickets": {"when": "rewound", "kind": "magnitude"},
}
# Those of them that prune before training, and what they are compared with.
AT_START = tuple(
  name
  for name, chosen in PRUNING.items()
  if chosen["when"] in ("never", "initialisation")
)
# Table 4.1: what is added to the loss, and whether a grid is tuned for.
QUANTIZATION = ("none", "dq", "dq_trace", "l2", "l1", "ste")
_REGULARIZERS = {
  "none": ("none", 0.0),
  "ste": ("none", 0.0),
  "dq": ("defensive", 1e-4),
  "dq_trace": ("defensive_trace", 1e-4),
  "l2": ("gradient_l2", 0.1),
  "l1": ("gradient_l1", 1e-3),
}

# Tables A.2 to A.4: after k rounds, 0.8^k of the weights are left.
SPARSITIES = tuple(round(1 - 0.8**k, 4) for k in range(1, 19))


def check(variant: str, variants: Any) -> None:
  """Raises ValueError for an unknown variant."""
  if variant not in variants:
    raise ValueError(f"variant {variant!r} is not one of {[*variants]}")


def base(dataset: str, *, num_classes: int = 10) -> config_dict.ConfigDict:
  """Data and training of A.4.2, not locked.

  Args:
    dataset: its name in `data.NORMALIZATIONS`, and in TFDS.
    num_classes: of the data set.
  """
  config = config_dict.ConfigDict()
  config.seed = 0
  config.data = section(
    source=section(
      tfds=dataset,  # Read where there is no --data_dir.
      held_out=0,  # Last training images, for validation.
      num_classes=num_classes,
    ),
    normalization=dataset,  # A name in `data.NORMALIZATIONS`.
    augment=("pad_crop", "flip"),  # Padding of 4; half are mirrored.
    batches=section(
      batch_size=256,  # Over all devices.
      read_threads=0,  # Threads that read a batch.
    ),
  )
  config.optimizer = section(
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule=section(
      kind="step",  # "step", "cosine" or "constant".
      epochs=(100, 150),  # Where the rate is multiplied
      factor=0.1,  # by this.
    ),
  )
  config.train = section(
    num_epochs=200.0,
    keep_checkpoints=2,
    checkpoint_every=2000,  # In steps, as the next two.
    evaluate_every=2000,
    log_every=100,
    on_nonfinite="stop",  # "stop" or "restore".
  )
  config.evaluate = section(
    split="test",  # "validation" to choose settings by: what is held out.
    num_images=config_dict.placeholder(int),  # All images of it.
    num_validation_images=0,  # The papers keep none.
    batch_size=500,
  )
  return config


def imagenet() -> config_dict.ConfigDict:
  """Data and training of A.4.2 on ImageNet, not locked."""
  config = base("imagenet", num_classes=1000)
  config.data.source = section(
    tfds="imagenet2012",  # Read where there is no --data_dir.
    num_classes=1000,
  )
  config.data.augment = ("flip",)
  config.data.crop = section(
    resize_to=256,  # Tested on: the shorter edge, and in its middle
    side=224,  # a square; trained on random windows of this size,
    area=(0.08, 1.0),  # of this part of the image, which the
    aspect=(3 / 4, 4 / 3),  # thesis does not give, and this shape.
  )
  config.data.batches.read_threads = 16
  config.optimizer.weight_decay = 1e-4
  config.optimizer.schedule.epochs = (30, 60, 90)
  config.train.update(
    num_epochs=100.0, checkpoint_every=5000, evaluate_every=5000
  )
  return config


def as_in_3sp(config: config_dict.ConfigDict) -> None:
  """The network and the schedule of A.1: 160 epochs, halved twice.

  Args:
    config: of `base`, changed in place, unlocked.
  """
  config.network = section(
    kind="vgg19_3sp", num_classes=config.data.source.num_classes
  )
  config.train.num_epochs = 160.0
  config.optimizer.schedule.update(epochs=(80, 120), factor=0.5)


def many_batches(
  method: str, *, num_batches: int, batch_size: int
) -> config_dict.ConfigDict:
  """Section `prune` where classes are too many for a balanced batch (3.4.2).

  Batches are drawn as in training. ProsPr takes so many steps of first order;
  other scores are averaged over so many batches.

  Args:
    method: a name in `AT_START`.
    num_batches: steps, or batches.
    batch_size: examples in each.
  """
  settings = prune_section(method)
  settings.batch_size = batch_size
  if method == "prospr":
    settings.saliency.kind = "first_order_prospr"
    settings.saliency.num_steps = num_batches
  elif method in ("snip", "grasp"):
    settings.saliency.repeats = num_batches
  return settings


def prune_section(
  method: str, *, structure: str = "weights"
) -> config_dict.ConfigDict:
  """Section `prune` of a method.

  Args:
    method: a name in `PRUNING`.
    structure: "weights" or "channels".
  """
  chosen = PRUNING[method]
  kind = chosen["kind"]
  if kind == "grasp" and structure == "channels":
    kind = "mask_grasp"  # 3.4.1.
  settings = section(
    when=chosen["when"],  # "never", "initialisation", "trained", "rewound".
    structure=structure,
    sparsity=0.9,  # Part that is removed
    measure="entries",  # of these, or of "parameters" or "flops".
    min_kept=0 if structure == "weights" else 1,  # Of every layer.
    reset="keep",  # Channels: or "rescale" or "reinitialise" (3.2.1).
    num_rounds=1,  # After training: prune, train, prune, ...
    rewind_epoch=0.0,  # Winning tickets go back to here.
    per_class=10,  # Examples of each class in a batch (3.4.2), or
    batch_size=config_dict.placeholder(int),  # as many, drawn as in training.
    temperature=200.0 if kind == "grasp" else 1.0,  # Divides logits.
    saliency=section(
      kind=kind,
      repeats=1,  # Scores are averaged over as many.
      cost_smoothing=config_dict.placeholder(float),  # Compute-aware.
    ),
  )
  if kind == "prospr":
    # Not in the thesis: the rate of the inner steps.
    settings.saliency.update(num_steps=3, learning_rate=0.1, momentum=0.9)
  return settings


def quantize_section(method: str, *, ranges: str) -> config_dict.ConfigDict:
  """Section `quantize` of a method.

  Args:
    method: a name in `QUANTIZATION`.
    ranges: "batch_norm", or "calibration" for residual networks.
  """
  kind, weight = _REGULARIZERS[method]
  return section(
    regularizer=section(
      kind=kind,
      weight=weight,  # The thesis searches for the largest that does no harm.
      num_epochs=15.0,  # The last ones.
    ),
    fine_tune=section(
      num_epochs=15.0 if method == "ste" else 0.0,  # 0: none.
      weight_bits=8,
      activation_bits=4,
      optimizer=section(
        learning_rate=1e-3,  # The thesis searches for it.
        momentum=0.9,
        weight_decay=1e-4,
        schedule=section(kind="cosine"),
      ),
    ),
    scheme="symmetric",  # Or "asymmetric".
    per_channel=False,  # A scale for each output channel.
    ranges=section(
      kind=ranges,
      num_images=500,  # Seen by "calibration".
    ),
    widths=((8, 4), (6, 4), (4, 4)),  # (weight, activation) bits.
  )


def for_two_cores(config: config_dict.ConfigDict, *, held_out: int) -> None:
  """A schedule of minutes: few epochs, a cosine, smaller batches.

  Args:
    config: changed in place, unlocked.
    held_out: images for validation.
  """
  config.data.batches.batch_size = 128
  config.optimizer.schedule = section(kind="cosine")
  config.train.update(
    num_epochs=3.0, checkpoint_every=100, evaluate_every=100, log_every=10
  )
  config.evaluate.num_validation_images = held_out
