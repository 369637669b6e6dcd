"""A latent that modulates the readout of a learned basis, for two CPU cores.

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/basis_cpu.py:256
      --workdir=DIR --mode=train --mode=export
      [--data_dir=CIFAR10]

The part after the colon is the length of the latent vector: 128, 192,
256. Not in the papers: COIN++ with its linear map to the readout's weights in
place of the shifts, begun from the principal components of the images. The
sine network is then the same for all images and is evaluated once, which makes
encoding tens of times faster.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs.cifar10 import functa_cpu

VARIANTS = ("128", "192", "256")


def get_config(variant: str = "256") -> config_dict.ConfigDict:
  """What differs from `functa_cpu.py`, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = functa_cpu.get_config()
  with config.unlocked():
    config.num_modulations = int(variant)
    config.network.update(depth=3, width=192, modulate=("readout",))
    config.network.basis_dim = 192
    # An inner rate of 1/2 is a Newton step from the principal start.
    config.inner.update(low=0.5, high=0.5, clip=(0.0, 1.0), num_steps=2)
    # The sine layers of a fitted basis bear only small steps.
    config.outer.learning_rate = 1e-5
    config.start = config_dict.create(
      num_signals=10000,  # Images whose principal components are taken.
      num_steps=1000,  # Steps of the fit of the basis to them.
    )
    config.train.update(num_steps=300, checkpoint_every=100)
    config.evaluate.num_steps = (2, 4)
    config.evaluate.quantise.num_steps = 2
    config.export.num_images = 10000
  return config
