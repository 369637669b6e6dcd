"""A latent that modulates the readout of a learned basis, for two CPU cores.

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/basis_cpu.py:256
      --workdir=DIR --mode=train --mode=export
      [--data_dir=CIFAR10]

The part after the colon is the length of the latent vector of a patch: 96, 160,
256. As kodak/basis_cpu.py, in four patches of 16 x 16 per image: the linear
part of a network needs as many basis functions as it shall resolve.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs.cifar10 import functa_cpu

VARIANTS = ("96", "160", "256")


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
    config.signal.update(side=16, tiled=True)
    config.network.update(depth=3, width=160, modulate=("readout",))
    config.network.basis_dim = 160
    # An inner rate of 1/2 is a Newton step from the principal start.
    config.inner.update(low=0.5, high=0.5, clip=(0.0, 1.0), num_steps=2)
    # The sine layers of a fitted basis bear only small steps.
    config.outer.learning_rate = 1e-5
    config.start = config_dict.create(
      num_signals=16000,  # Patches whose principal components are taken.
      num_steps=1000,  # Steps of the fit of the basis to them.
    )
    config.train.update(num_steps=300, checkpoint_every=100)
    config.evaluate.num_steps = (2, 4)
    config.evaluate.quantise.num_steps = 2
    config.export.num_images = 4000
    config.export.image_side = 32  # Files of such images leave their shape out.
  return config
