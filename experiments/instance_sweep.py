"""Compares ways of adapting to clips, goes on where it stopped, and draws it.

  python -m experiments.instance_sweep --sweep=experiments/sweeps/xiph_cpu.py
      --models=DIR --clips=CLIP_OR_FOLDER --workdir=DIR [--start=1e-3]
      [-- flags for every launcher, such as --config.data.source.num_frames=16]

`--models` are model files of `experiments.clic`, or folders in which they lie;
the weight of the rate that a model was trained with tells which run it is for.
Where a folder is that of a sweep (`experiments/sweeps/clic_cpu.py`), what it
trained is exported first. `--clips` are videos, folders of frames, or folders
of clips; both flags may be given several times.

A clip of table 2 is taken at two frames a second. Several sweeps, such as
`xiph_ablations_cpu.py`, may share a `--workdir`: figures (see
`experiments.instance_figures`) are drawn of all its runs, after each of them.
What cannot be run, for want of a model or a codec, is named in `table.md`.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from absl import app, flags

from experiments import (
  classical_frames,
  evaluation,
  instance_figures,
  instance_records,
  sweep,
  sweeps,
)
from experiments import clips as clips_lib
from inrjax.codec import model_file
from inrjax.data import video
from inrjax.evaluate import files

_MODEL_FILE = "model.inrmodel"
# What leaves the receiver alone needs the global model of its own beta.
_SAME_BETA = ("global", "encoder", "latents")


class GlobalModel(NamedTuple):
  """A trained hyperprior.

  Attributes:
    path: its file.
    model_id: what its streams bear.
  """

  path: pathlib.Path
  model_id: str


def export_trained(root: pathlib.Path) -> list[pathlib.Path]:
  """Writes the model files of a sweep's runs that have none yet.

  Args:
    root: the sweep's working folder, or any other.

  Returns:
    The files that were written.

  Raises:
    RuntimeError: if an export fails.
  """
  written = []
  for note in sorted(root.rglob("entry.json")) if root.is_dir() else ():
    folder = note.parent
    target = folder / _MODEL_FILE
    _, launcher, config, overrides, *_ = json.loads(note.read_text())
    is_done = (folder / evaluation.RESULTS).is_file()
    if target.exists() or not is_done or not launcher.endswith(".clic"):
      continue
    print(f"Exporting {target}", flush=True)
    command = [sys.executable, "-m", launcher, f"--config={config}"]
    command += [f"--workdir={folder}", "--mode=export"]
    command += [f"--config.{k}={v}" for k, v in overrides.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
      raise RuntimeError(f"{target} was not written: {done.stderr[-500:]}")
    written.append(target)
  return written


def find_models(places: Iterable[pathlib.Path]) -> dict[float, GlobalModel]:
  """Global models by the weight of the rate that they were trained with.

  Args:
    places: model files, and folders below which all of them are taken.

  Raises:
    ValueError: for two models of one beta, a file that does not say its own, or
      no model at all.
  """
  found: dict[float, GlobalModel] = {}
  places = list(places)
  for place in places:
    paths = sorted(place.rglob("*.inrmodel")) if place.is_dir() else [place]
    for path in paths:
      content = model_file.load_model(path)
      beta = content.config.get("card", {}).get("config", {}).get("beta")
      if content.config.get("codec") != "hyperprior" or beta is None:
        raise ValueError(
          f"{path} is no hyperprior of experiments.clic: its card does not say "
          "the beta that it was trained with."
        )
      known = found.get(float(beta))
      if known is not None and known.model_id != content.model_id:
        raise ValueError(
          f"{known.path} and {path} are both of beta {beta:g}; give one."
        )
      found[float(beta)] = known or GlobalModel(path, content.model_id)
  if not found:
    raise ValueError(
      f"--models: there is no .inrmodel in {[str(p) for p in places]}; train "
      "with experiments.clic, --mode=train --mode=export."
    )
  return found


def find_clips(places: Iterable[pathlib.Path]) -> dict[str, pathlib.Path]:
  """Clips by their names, which are those of folders.

  Args:
    places: videos, folders of frames, and folders of either.

  Raises:
    ValueError: for no clip, or names that repeat.
  """
  found: dict[str, pathlib.Path] = {}
  for place in places:
    for path in video.find_clips(place) if place.is_dir() else [place]:
      if found.setdefault(path.stem, path) != path:
        raise ValueError(
          f"{path} and {found[path.stem]} have one name; rename one of them."
        )
  if not found:
    raise ValueError("--clips: there is no clip in any of the places.")
  return found


def clip_flags(path: pathlib.Path) -> list[str]:
  """How a launcher is told of a clip.

  Args:
    path: a video, or a folder of frames; a name of table 2 brings two frames a
      second with it.
  """
  known = [name for name in clips_lib.CLIPS if path.name.startswith(name)]
  if known:
    return [
      f"--data_dir={path.parent}",
      f"--config.data.source.clip={known[0]}",
    ]
  return [f"--data_dir={path}", "--config.data.source.clip=None"]


def beta_of(entry: sweeps.Entry, start: float | None) -> float:
  """Of the global model that a run starts from.

  Args:
    entry: of `experiments.xiph`.
    start: what the receiver is adapted from (the paper: 1e-3); None for the
      model of the run's own beta.
  """
  own = float(entry.config.rpartition("_")[2])
  is_same = entry.name.split("/")[0] in _SAME_BETA
  return own if start is None or is_same else start


def lacks(
  entry: sweeps.Entry,
  models: Mapping[float, GlobalModel],
  start: float | None,
) -> str | None:
  """Why a run cannot be, or None."""
  if entry.launcher.endswith(".classical_xiph"):
    reason = classical_frames.missing(entry.config.rpartition(":")[2])
  else:
    beta = beta_of(entry, start)
    reason = None if beta in models else f"no global model of beta {beta:g}"
  return None if reason is None else f"{entry.name} ({reason})"


def run_one(
  entry: sweeps.Entry,
  clip: pathlib.Path,
  folder: pathlib.Path,
  model: GlobalModel | None,
  extra: Sequence[str],
) -> dict[str, Any]:
  """Runs an entry on a clip, unless its result is there.

  Args:
    entry: what to run.
    clip: on what.
    folder: its working folder.
    model: the global model, of `experiments.xiph`.
    extra: further flags.

  Raises:
    ValueError: if the folder holds a run of other settings, or of a model that
      has been trained again since.
    RuntimeError: if the run fails.
  """
  own = clip_flags(clip)
  if model is not None:
    own.append(f"--model={model.path}")
  record = sweep.run_entry(entry, folder, [*own, *extra])
  if model is not None and record["model_id"] != model.model_id:
    raise ValueError(
      f"{folder} holds a run of another model than {model.path} is now; remove "
      "it, or choose another --workdir."
    )
  return record


def define_flags() -> None:
  """Not on import: launchers have a flag `--workdir` too."""
  flags.DEFINE_string("sweep", None, "The sweep file.", required=True)
  flags.DEFINE_string(
    "workdir", None, "Where runs and figures go.", required=True
  )
  flags.DEFINE_multi_string(
    "models", None, "Model files, or folders with them.", required=True
  )
  flags.DEFINE_multi_string(
    "clips", None, "Clips, or folders of them.", required=True
  )
  flags.DEFINE_float(
    "start",
    None,
    "Beta of the global model that a receiver is adapted from (the paper: "
    "1e-3); by default that of the run.",
  )


def main(argv: Sequence[str]) -> None:
  """Runs, tabulates and draws."""
  options = flags.FLAGS
  workdir = pathlib.Path(options.workdir)
  places = [pathlib.Path(place) for place in options.models]
  for place in places:
    export_trained(place)
  models = find_models(places)
  clips = find_clips(pathlib.Path(place) for place in options.clips)
  left_out = []
  for entry in sweep.read_sweep(options.sweep):
    reason = lacks(entry, models, options.start)
    if reason is not None:
      print(f"left out: {reason}", flush=True)
      left_out.append(reason)
      continue
    model = None
    if entry.launcher.endswith(".xiph"):
      model = models[beta_of(entry, options.start)]
    for name, clip in clips.items():
      print(f"{name}: ", end="")
      run_one(entry, clip, workdir / name / entry.name, model, argv[1:])
    draw(workdir, left_out)


def draw(workdir: pathlib.Path, left_out: Sequence[str]) -> None:
  """Writes `results.jsonl`, figures and tables of all runs so far."""
  results = instance_records.collect(workdir)
  with files.replacing(workdir / "results.jsonl") as path:
    lines = (
      json.dumps(
        {
          "clip": one.clip,
          "name": f"{one.method}/{one.setting}/{one.seed}",
          "config": one.config,
        }
        | one.record
      )
      for one in results
    )
    path.write_text("".join(f"{line}\n" for line in lines))
  instance_figures.write(results, workdir, left_out=left_out)


if __name__ == "__main__":
  define_flags()
  app.run(main)
