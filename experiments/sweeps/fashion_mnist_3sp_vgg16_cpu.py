"""Figure 3.6 with a narrow VGG-16 on Fashion-MNIST, in half an hour.

As `fashion_mnist_3sp_cpu`, with thirteen layers in place of three, of which 3SP
removes the last ones first. The whole network is left out.
"""

from experiments import sweeps
from experiments.sweeps import fashion_mnist_3sp_cpu


def get_sweep() -> list[sweeps.Entry]:
  """What three methods leave."""
  found = fashion_mnist_3sp_cpu.entries(
    "vgg16_channels_cpu", sparsities=(0.5, 0.9)
  )
  return [entry for entry in found if not entry.name.startswith("dense/")]
