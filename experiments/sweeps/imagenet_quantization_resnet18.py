"""Table 4.2: ResNet-18 on ImageNet at (weight, activation) bits."""

from experiments import accuracy_sweep, sweeps
from experiments.configs.imagenet_quantization import resnet18


def get_sweep() -> list[sweeps.Entry]:
  """Methods, and fine-tuning at each width."""
  return accuracy_sweep.quantization_entries(
    "imagenet_quantization",
    "resnet18",
    widths=((8, 8), (6, 6), (4, 4)),
    seeds=(0,),
    methods=resnet18.VARIANTS,
  )
