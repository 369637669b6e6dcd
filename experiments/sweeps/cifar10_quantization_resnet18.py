"""Table 4.1: ResNet-18 on CIFAR-10 at (weight, activation) bits."""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods, and fine-tuning at each width, by seeds."""
  return accuracy_sweep.quantization_entries(
    "cifar10_quantization",
    "resnet18",
    widths=((8, 4), (6, 4), (4, 4)),
    seeds=(0, 1, 2, 3, 4),
  )
