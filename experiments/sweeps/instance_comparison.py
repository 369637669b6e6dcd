"""Runs of the comparison of instance-adaptive compression, for any clip.

`experiments.instance_sweep` gives every run its clip and its global model.
Names are "method/beta/seed", or "method/beta,frames/seed" where the number of
frames is varied; a classical codec has "all" for its beta.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import sweeps
from experiments.configs.classical_xiph import frames
from experiments.configs.xiph import ablations

BETAS = ablations.BETAS
# Figure 2a.
METHODS = ("global", "model", "encoder", "latents")
# Figure 2c, beside "model".
UNAWARE = ("unquantised", "rate_unaware", "unaware")
# Of `configs/xiph/ablations.py`; "global" is a line of every figure.
_OF_ABLATIONS = (
  "global",
  "decoder",
  "slab",
  "discrete",
  "learned_slabs",
  "gates",
)
FURTHER = _OF_ABLATIONS[1:]


def adapted(
  methods: Sequence[str],
  betas: Sequence[str],
  *,
  suffix: str,
  setting: str = "{}",
  overrides: Mapping[str, Any] | None = None,
) -> list[sweeps.Entry]:
  """Methods by betas.

  Args:
    methods: cases of `configs/xiph/adapted.py` or `ablations.py`.
    betas: of those.
    suffix: of both configs' names, "" or "_cpu".
    setting: the second part of names, with the beta in the braces.
    overrides: settings of every run.
  """
  return [
    sweeps.Entry(
      name=f"{method}/{setting.format(beta)}/seed0",
      launcher="experiments.xiph",
      config=f"experiments/configs/xiph/{_file(method)}{suffix}.py:"
      f"{method}_{beta}",
      overrides=dict(overrides or {}),
    )
    for beta in betas
    for method in methods
  ]


def by_frames(
  counts: Sequence[int],
  total: int,
  *,
  betas: Sequence[str],
  suffix: str,
) -> list[sweeps.Entry]:
  """Appendix D: numbers of frames, spread evenly over a clip from its first.

  Args:
    counts: numbers of frames.
    total: frames of the clip; a shorter one is refused.
    betas: the outmost two in the paper.
    suffix: of the configs' names.
  """
  found = []
  for count in counts:
    chosen = {
      "data.source.num_frames": count,
      "data.source.stride": max(1, total // count),
      "data.batches.batch_size": 1,
    }
    found += adapted(
      ("global", "model", "encoder"),
      betas,
      suffix=suffix,
      setting=f"{{}},{count}",
      overrides=chosen,
    )
  return found


def classical(codecs: Sequence[str] = frames.VARIANTS) -> list[sweeps.Entry]:
  """Classical codecs on every frame."""
  return [
    sweeps.Entry(
      name=f"{codec}/all/seed0",
      launcher="experiments.classical_xiph",
      config=f"experiments/configs/classical_xiph/frames.py:{codec}",
    )
    for codec in codecs
  ]


def _file(method: str) -> str:
  return "ablations" if method in _OF_ABLATIONS else "adapted"
