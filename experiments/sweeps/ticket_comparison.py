"""Winning tickets against dense narrow networks, on single images."""

from collections.abc import Sequence

from experiments import sweeps


def entries(
  *,
  suffix: str,
  networks: Sequence[str],
  rounds: Sequence[int],
  seeds: Sequence[int],
) -> list[sweeps.Entry]:
  """Both methods from every seed; the first seed comes first.

  Args:
    suffix: of the configs, "" or "_cpu".
    networks: "" for SIREN, "_ffn" for Fourier features.
    rounds: widths of the dense networks, as rounds of pruning 20 %.
    seeds: averaged; a start is the same for all images.
  """
  kinds = [("winning_ticket", "all"), *(("scratch", str(n)) for n in rounds)]
  return [
    sweeps.Entry(
      name=f"{kind}{network}/{setting}/seed{seed}",
      launcher="experiments.kodak",
      config=(
        f"experiments/configs/kodak/{kind}{network}{suffix}.py:{setting}"
      ),
      overrides={"seed": seed},
    )
    for seed in seeds
    for network in networks
    for kind, setting in kinds
  ]
