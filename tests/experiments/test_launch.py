"""Training through the launcher's body, and its command line."""

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from experiments import build, evaluation, launch
from experiments.configs.cifar10 import mscn_cpu
from inrjax import train

ROOT = pathlib.Path(launch.__file__).parents[1]
# Settings under which the launcher is done in seconds.
TINY = {
  "train.num_steps": 3,
  "num_modulations": 5,
  "signal.side": 8,
  "network.depth": 1,
  "network.width": 8,
  "inner.num_steps": 1,
  "data.pipeline.batch_size": 4,
  "data.pipeline.read_threads": 0,
  "evaluate.num_images": 3,
  "evaluate.num_validation_signals": 2,
  "evaluate.signals_per_call": 4,
  "evaluate.num_steps": (2,),
  "evaluate.ema_decays": (1.0,),
  "evaluate.quantise.num_bits": (8,),
  "evaluate.quantise.num_training_signals": 6,
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """Smooth pictures of 8 x 8 in the shape of CIFAR-10's archives."""
  folder = tmp_path_factory.mktemp("cifar10")
  rng = np.random.default_rng(0)
  for name in ("train", "val", "test"):
    coarse = rng.integers(0, 256, (8, 2, 2, 3), np.uint8)
    np.savez(folder / f"{name}.npz", x=coarse.repeat(4, 1).repeat(4, 2))
  return folder


def tiny_run(workdir: pathlib.Path, num_steps: int) -> launch.Run:
  config = mscn_cpu.get_config()
  config.update_from_flattened_dict(TINY | {"train.num_steps": num_steps})
  config.update_from_flattened_dict(
    {"outer.schedule": "constant", "train.checkpoint_every": 2}
  )
  rng = np.random.default_rng(1)
  images = rng.integers(0, 256, (8, 8, 8, 3), np.uint8)
  return launch.Run(config.to_dict(), workdir, lambda split: list(images))


def command(module: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
  return subprocess.run(
    [sys.executable, "-m", module, *map(str, arguments)],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


def trained(run: launch.Run) -> Any:
  run.meta_learn()
  method = build.make_method(run.config)
  target = build.make_problem(run.config, method).state
  return train.Checkpointer(run.workdir / "checkpoints").restore(target)


def test_an_interrupted_run_goes_on(tmp_path: pathlib.Path) -> None:
  whole = trained(tiny_run(tmp_path / "whole", 4))
  trained(tiny_run(tmp_path / "parts", 2))
  parts = trained(tiny_run(tmp_path / "parts", 4))
  # Fails if the pipeline or the key starts again.
  assert int(parts.state.step) == 4
  jax.tree.map(
    np.testing.assert_array_equal, whole.state.params, parts.state.params
  )


def test_evaluation_needs_a_checkpoint(tmp_path: pathlib.Path) -> None:
  with pytest.raises(SystemExit, match="train first"):
    tiny_run(tmp_path, 2).measure()


def test_what_was_learned_elsewhere_is_measured_here(
  tmp_path: pathlib.Path,
) -> None:
  source = tiny_run(tmp_path / "source", 2)
  learned = trained(source).state.params
  here = dataclasses.replace(
    tiny_run(tmp_path / "here", 2), trained_in=source.workdir
  )
  method = build.make_method(here.config)
  jax.tree.map(np.testing.assert_array_equal, here._trained(method), learned)
  # Fails if a mistyped folder is made, and then found to be empty.
  missing = dataclasses.replace(here, trained_in=tmp_path / "none")
  with pytest.raises(SystemExit, match="no folder"):
    missing._trained(method)
  assert not (tmp_path / "none").exists()


def test_a_typo_is_one_clear_line(
  tmp_path: pathlib.Path, archives: pathlib.Path
) -> None:
  done = command(
    "experiments.cifar10",
    "--config=experiments/configs/cifar10/mscn_cpu.py",
    f"--workdir={tmp_path}",
    "--config.outer.lerning_rate=1",
  )
  # Fails if the error of a locked config comes out as a traceback.
  assert done.returncode == 2
  assert "lerning_rate" in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1


def test_a_sweep_runs_and_then_skips(
  tmp_path: pathlib.Path, archives: pathlib.Path
) -> None:
  file = tmp_path / "tiny.py"
  coin = {"network.depth": 1, "fit.num_steps": 5, "evaluate.num_bits": (8, 12)}
  file.write_text(
    "def get_sweep():\n"
    "  folder = 'experiments/configs/cifar10'\n"
    "  return [\n"
    "    ('mscn/5/seed0', 'experiments.cifar10', folder + '/mscn_cpu.py',"
    f" {TINY}),\n"
    "    ('coin/3.6/seed0', 'experiments.cifar10', folder + '/coin_cpu.py',"
    f" {coin}),\n"
    "  ]\n"
  )
  arguments = (
    "experiments.sweep",
    f"--sweep={file}",
    f"--workdir={tmp_path / 'out'}",
    "--",
    f"--data_dir={archives}",
  )
  first = command(*arguments)
  assert first.returncode == 0, first.stdout + first.stderr
  assert first.stdout.count(": running") == 2
  again = command(*arguments)
  # Fails if a result that is there is computed again.
  assert again.returncode == 0, again.stderr
  assert again.stdout.count("done before, skipped") == 2
  folder = tmp_path / "out"
  lines = (folder / "results.jsonl").read_text().splitlines()
  mscn, fitted = map(json.loads, lines)
  assert mscn["config"]["inner"]["num_steps"] == 1
  assert mscn["num_images"] == 3 and mscn["num_modulations"] <= 5
  assert {r["num_bits"] for r in mscn["quantised"]} == {8}
  assert {r["num_bits"] for r in fitted["quantised"]} == {8, 12}
  assert (folder / "mscn/5/seed0/checkpoints/step_0000000003").is_dir()
  assert (folder / "mscn/5/seed0" / evaluation.CONFIG).exists()
  assert "| mscn" in (folder / "table.md").read_text()
  assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
