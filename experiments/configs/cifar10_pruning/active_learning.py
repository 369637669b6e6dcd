"""Active learning on CIFAR-10 with VGG-19 (A.3, figures 3.7 and A.1).

  python -m experiments.active_learning
      --config=experiments/configs/cifar10_pruning/active_learning.py:snip_50
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a network: dense, snip_50 (3SP, half of the FLOPs
gone) or snip_compute_aware_80 (80 %, with regard to costs).
Hardware and time: one GPU, two hours by --config.active.seconds; not timed.
Published: curves only. The last "sees almost 50% more data" than dense "within
the time-budget" and is more accurate. Not measured here.
The thesis begins with 100 examples of each class, acquires 50 at a time by
entropy, trains as in A.1 every time from where it is, and prunes once. It gives
no budget of time and no batch size; the smoothing of costs is table 3.2's.
Differs from the paper: the clock includes compilation, which after the first
round is read from a cache.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

VARIANTS = ("dense", "snip_50", "snip_compute_aware_80")


def prune_section(variant: str) -> config_dict.ConfigDict:
  """Section `prune` of a network of A.3.

  Args:
    variant: one of `VARIANTS`.
  """
  method = "dense" if variant == "dense" else "snip"
  settings = classifiers.prune_section(method, structure="channels")
  settings.measure = "flops"
  if variant == "snip_compute_aware_80":
    settings.sparsity = 0.8
    settings.saliency.cost_smoothing = 0.05
  else:
    settings.sparsity = 0.5
  return settings


def get_config(variant: str = "snip_50") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a network.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("cifar10")
  config.data.source.dataset = "cifar10"  # Or "fashion_mnist".
  classifiers.as_in_3sp(config)
  config.prune = prune_section(variant)
  config.active = config_dict.create(
    initial_per_class=100,  # Labels to begin with.
    num_acquired=50,  # Labels after each round.
    acquisition="entropy",  # Or "chance".
    seconds=7200.0,  # No round begins later than this, or None;
    num_rounds=900,  # nor when there have been so many.
  )
  return config.lock()
