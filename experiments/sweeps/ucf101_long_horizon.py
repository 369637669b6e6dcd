"""Long horizons on clips of 128 x 128 in 16 frames, with SIREN and with NeRV.

Table 2 of ECoP; with SIREN also the components of its figure 4a.
"""

from experiments import sweeps

SEEDS = (0, 1, 2)
# By the network's name: the config, and its methods.
_COMPARED = {
  "siren": (
    "ecop",
    ("ecop", "learnit", "error_pruning", "bootstrap_only", "random_pruning"),
  ),
  "nerv": ("ecop_nerv", ("ecop", "learnit")),
}


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return comparison(variant="{}-128x128x16")


def comparison(*, suffix: str = "", variant: str = "{}") -> list[sweeps.Entry]:
  """Networks by methods; the first seed comes first.

  Args:
    suffix: of the configs' names.
    variant: of the configs, with the method in the braces.
  """
  return [
    sweeps.Entry(
      name=f"{method}/{network}/seed{seed}",
      launcher="experiments.ucf101",
      config=f"experiments/configs/ucf101/{config}{suffix}.py:"
      + variant.format(method),
      overrides={"seed": seed},
    )
    for seed in SEEDS
    for network, (config, methods) in _COMPARED.items()
    for method in methods
  ]
