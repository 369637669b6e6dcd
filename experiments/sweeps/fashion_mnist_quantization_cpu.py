"""Table 4.1 with a narrow VGG on Fashion-MNIST, on two CPU cores."""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods, and fine-tuning at each width, by seeds."""
  return accuracy_sweep.quantization_entries(
    "fashion_mnist_quantization",
    "vgg_cpu",
    widths=((8, 4), (6, 4), (4, 4)),
    seeds=(0, 1, 2),
    methods=("none", "dq", "l2", "l1", "ste"),
  )
