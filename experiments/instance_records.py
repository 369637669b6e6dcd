"""What a comparison of instance-adaptive compression measured, for its figures.

A working folder holds CLIP/METHOD/SETTING/SEED/, each a run of
`experiments.xiph` or `experiments.classical_xiph` (see
`experiments.sweeps.instance_comparison`). Rates are those of files in bytes
that were written, unless a name says "computed".
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments import evaluation
from inrjax import evaluate

Record = dict[str, Any]

GLOBAL = "global"
MODEL = "model"
# Names that figures show.
LABELS = {
  "global": "global model",
  "model": "full model (RDM)",
  "encoder": "encoder only",
  "latents": "latents",
  "decoder": "decoder only",
  "slab": "full model, slab alone",
  "discrete": "full model, discrete rate as loss",
  "learned_slabs": "full model, learned slabs",
  "gates": "full model, L0 gates",
}
# Figure 2c: case, method, which part of its record, whether the update counts.
CASES = (
  ("I: Q, M", "model", "adapted", True),
  ("II: no Q", "unquantised", "adapted", True),
  ("III: no M (last step)", "rate_unaware", "last", True),
  ("IV: no Q, no M (last step)", "unaware", "last", True),
  ("V: III, update not counted", "rate_unaware", "last", False),
  ("VI: IV unrounded, update not counted", "unaware", "unrounded", False),
)


@dataclasses.dataclass(frozen=True)
class Result:
  """One run on one clip.

  Attributes:
    clip: its name.
    method: first part of the run's name.
    setting: second part: beta, or "beta,frames".
    seed: third part.
    record: what `--mode=evaluate` wrote.
    config: all settings.
    history: measurements on the way, by step, computed and not in bytes.
  """

  clip: str
  method: str
  setting: str
  seed: str
  record: Record
  config: dict[str, Any]
  history: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  @property
  def is_classical(self) -> bool:
    """Whether this is a codec without a model."""
    return "points" in self.record

  @property
  def beta(self) -> float:
    """Weight of the rate."""
    return float(self.config["beta"])

  @property
  def num_frames(self) -> int:
    """Frames of the clip that were taken."""
    return int(self.record["num_images"])

  @property
  def varies_frames(self) -> bool:
    """Whether the run belongs to the comparison of numbers of frames."""
    return "," in self.setting

  @property
  def num_pixels(self) -> float:
    """Of all frames."""
    whole = self.record["global"]
    return float(8 * whole["bytes"] / whole["bpp"])


def collect(workdir: pathlib.Path) -> list[Result]:
  """All runs of a working folder that are done, sorted by their names."""
  found = []
  for path in sorted(workdir.glob(f"*/*/*/*/{evaluation.RESULTS}")):
    folder = path.parent
    clip, method, setting, seed = folder.relative_to(workdir).parts
    found.append(
      Result(
        clip,
        method,
        setting,
        seed,
        record=json.loads(path.read_text()),
        config=json.loads((folder / evaluation.CONFIG).read_text()),
        history=history(folder / "log.jsonl"),
      )
    )
  return found


def history(path: pathlib.Path) -> list[dict[str, Any]]:
  """Lines of a log that measure the clip; of a step the last one counts."""
  if not path.is_file():
    return []
  by_step: dict[int, dict[str, Any]] = {}
  for text in path.read_text().splitlines():
    line = json.loads(text)
    if line.get("clip_rdm") is not None:
      by_step[line["step"]] = line
  return [by_step[step] for step in sorted(by_step)]


def speed(path: pathlib.Path) -> float | None:
  """Median of a log's steps per second, or None where it has none."""
  if not path.is_file():
    return None
  lines = [json.loads(text) for text in path.read_text().splitlines()]
  speeds = [x["steps_per_second"] for x in lines if "steps_per_second" in x]
  return float(np.median(speeds)) if speeds else None


def clips(results: Iterable[Result]) -> list[str]:
  """Names of the clips, in order."""
  return sorted({one.clip for one in results})


def main_clips(results: Iterable[Result]) -> list[str]:
  """Clips that means are over: not those whose frames alone were varied."""
  return clips(one for one in results if not one.varies_frames)


def of(
  results: Iterable[Result], method: str, *, varies_frames: bool = False
) -> list[Result]:
  """The runs of a method, by beta, the largest first."""
  found = [
    one
    for one in results
    if one.method == method
    and not one.is_classical
    and one.varies_frames == varies_frames
  ]
  return sorted(found, key=lambda one: (-one.beta, one.num_frames))


def point(
  results: Sequence[Result], key: str, *, with_update: bool = True
) -> evaluate.RatePoint:
  """Means over clips and seeds of what files took.

  Args:
    results: of one method and beta.
    key: "adapted", "global", "last" or "unrounded".
    with_update: False leaves the bytes of the update out, a bound.
  """
  rows = [(one.record[key], one.num_pixels) for one in results]

  def rate(name: str) -> float:
    return float(np.mean([8 * row[name] / n for row, n in rows]))

  bpp, update = rate("bytes"), rate("update_bytes")
  if not with_update:
    bpp, update = bpp - update, 0.0
  psnrs = [row["psnr"] for row, _ in rows]
  latents = rate("latent_bytes")
  return evaluate.RatePoint(
    bpp=bpp,
    psnr=float(np.mean(psnrs)),
    header_bpp=bpp - update - latents,
    side_information_bpp=update,
    payload_bpp=latents,
    estimated_bpp=rate("computed_latent_bytes"),
    num_images=sum(one.num_frames for one in results),
    setting=results[0].beta,
  )


def curve(
  results: Sequence[Result],
  method: str,
  *,
  key: str = "adapted",
  with_update: bool = True,
  name: str | None = None,
  over: Sequence[str] | None = None,
) -> evaluate.Curve | None:
  """A point for every beta, or None where there is none.

  Args:
    results: all of them.
    method: whose.
    key: as for `point`.
    with_update: as for `point`.
    name: in legends; None for the usual one.
    over: the clips to average over; a beta that lacks one of them makes no
      point, since means over different clips do not compare. None for all.
  """
  over = main_clips(results) if over is None else over
  points = []
  for _, same in by_beta(of(results, method)).items():
    chosen = [one for one in same if one.clip in over and key in one.record]
    if chosen and set(clips(chosen)) == set(over):
      points.append(point(chosen, key, with_update=with_update))
  if not points:
    return None
  label = name or LABELS.get(method, method)
  return evaluate.Curve(label, tuple(points), "bytes of files")


def by_beta(results: Iterable[Result]) -> dict[float, list[Result]]:
  """Runs by beta, in the order in which they come."""
  found: dict[float, list[Result]] = {}
  for one in results:
    found.setdefault(one.beta, []).append(one)
  return found


def classical_curves(
  results: Iterable[Result], *, over: Sequence[str]
) -> list[evaluate.Curve]:
  """Classical codecs, means over frames and then clips at each setting.

  Args:
    results: all of them.
    over: the clips to average over; a codec that lacks one is left out.
  """
  groups: dict[str, list[Result]] = {}
  for one in results:
    if one.is_classical and one.clip in over:
      groups.setdefault(one.method, []).append(one)
  found = []
  for same in groups.values():
    if set(clips(same)) != set(over):
      continue
    rows = zip(*(one.record["points"] for one in same), strict=True)
    points = tuple(
      evaluate.RatePoint(
        bpp=float(np.mean([row["bpp"] for row in at])),
        psnr=float(np.mean([row["psnr"] for row in at])),
        num_images=sum(row["num_images"] for row in at),
        setting=at[0]["setting"],
      )
      for at in rows
    )
    name = f"{same[0].record['codec']} (per frame)"
    found.append(evaluate.Curve(name, points, "bytes of files"))
  return found


def compared(
  results: Sequence[Result], *, over: Sequence[str]
) -> list[evaluate.Curve]:
  """Figure 2a: the methods, and classical codecs beside them."""
  wanted = ("model", "latents", "encoder", "global")
  found = [curve(results, method, over=over) for method in wanted]
  return [
    *(one for one in found if one is not None),
    *classical_curves(results, over=over),
  ]


def cases(results: Sequence[Result], clip: str) -> list[evaluate.Curve]:
  """Figure 2c of a clip: the six cases, as far as they were run."""
  mine = [one for one in results if one.clip == clip]
  found = [curve(mine, GLOBAL)]
  for name, method, key, counted in CASES:
    found.append(curve(mine, method, key=key, with_update=counted, name=name))
  return [one for one in found if one is not None]


def further(
  results: Sequence[Result], clip: str, methods: Sequence[str]
) -> list[evaluate.Curve]:
  """Other ablations of a clip, between the global and the full model."""
  mine = [one for one in results if one.clip == clip]
  found = [curve(mine, method) for method in (MODEL, *methods, GLOBAL)]
  return [one for one in found if one is not None]


def terms(one: Result, key: str) -> dict[str, float]:
  """What figure 7 draws, of files.

  Args:
    one: a run.
    key: "adapted" or "global".

  Returns:
    "rdm", "mse" (of values in [0, 1]), and in bits per pixel "latents",
    "update" and "zero_update" (M_0).
  """
  row, pixels = one.record[key], one.num_pixels
  return {
    "rdm": row["rdm"],
    "mse": row["rdm"] - one.beta * row["bpp"],
    "latents": 8 * row["latent_bytes"] / pixels,
    "update": 8 * row["update_bytes"] / pixels,
    "zero_update": 8 * row.get("zero_update_bytes", 0) / pixels,
  }
