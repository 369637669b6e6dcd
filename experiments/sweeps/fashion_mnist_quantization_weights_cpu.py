"""Weights of the regularisers, chosen on held-out images (section 4.3.1)."""

from experiments import accuracy_sweep, sweeps

_WEIGHTS = {
  "none": (0.0,),
  "l1": (1e-4, 1e-3, 1e-2),
  "l2": (1e-1, 1.0),
  "dq": (1e-4, 1e-3),
}


def get_sweep() -> list[sweeps.Entry]:
  """Methods by weights, one seed."""
  entries = []
  for method, weights in _WEIGHTS.items():
    found = accuracy_sweep.quantization_entries(
      "fashion_mnist_quantization",
      "vgg_cpu",
      widths=(),
      seeds=(0,),
      methods=(method,),
    )
    for weight in weights:
      entries += accuracy_sweep.changed(
        found,
        {
          "quantize.regularizer.weight": weight,
          "evaluate.split": "validation",
        },
        name=f"{method} {weight:g}",
      )
  return entries
