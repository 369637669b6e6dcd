"""COIN on CIFAR-10 at every architecture of appendix C.3.1."""

from experiments import sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Every architecture; each at all the bits of its config."""
  return [
    sweeps.Entry(
      name=f"coin/{bpp}/seed0",
      launcher="experiments.cifar10",
      config=f"experiments/configs/cifar10/coin.py:{bpp}",
    )
    for bpp in ("3.6", "4.6", "5.8", "7.1", "8.5", "10.0")
  ]
