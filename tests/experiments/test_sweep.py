"""Sweeps are lists of runs that exist, and draw what they measured."""

import importlib.util
import pathlib

import numpy as np
import pytest

import experiments
from experiments import fits, levels, patterns, sweep, weights
from experiments.sweeps import sparse_comparison

ROOT = pathlib.Path(experiments.__file__).parents[1]
SWEEPS = sorted(
  path
  for path in (ROOT / "experiments/sweeps").glob("*.py")
  if not path.stem.endswith(("__init__", "_comparison"))
)
SIDE = 8


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_entry_has_a_config_and_a_launcher(path: pathlib.Path) -> None:
  entries = sweep.read_sweep(str(path))
  assert entries
  read = {}
  for entry in entries:
    file, _, variant = entry.config.partition(":")
    assert importlib.util.find_spec(entry.launcher) is not None
    if file not in read:
      spec = importlib.util.spec_from_file_location("config", ROOT / file)
      assert spec is not None and spec.loader is not None
      read[file] = importlib.util.module_from_spec(spec)
      spec.loader.exec_module(read[file])
    # Fails if a setting of the sweep is no variant of the config.
    assert variant in read[file].VARIANTS


def test_a_comparison_is_methods_by_levels_by_seeds() -> None:
  found = sparse_comparison.entries(
    "sdf",
    suffix="_cpu",
    rounds=(4, 8),
    gated_rounds=(12,),
    seeds=(0, 3),
    further=True,
  )
  names = [entry.name for entry in found]
  assert len(set(names)) == 2 * (3 + 2 * 2 + 3 + 2)
  assert {"mscn/12/seed0", "scratch/8/seed3"} <= set(names)
  # Fails if all seeds of a method come before the next method.
  assert {n.split("/")[2] for n in names[: len(names) // 2]} == {"seed0"}
  assert found[-1].overrides == {"seed": 3}


def synthetic(workdir: pathlib.Path) -> dict[str, dict]:
  rng = np.random.default_rng(0)
  results = {}

  def add(name: str, sizes: tuple[int, ...]) -> None:
    folder = workdir / name
    picture = rng.integers(0, 256, (SIDE, SIDE, 1), np.uint8)
    weights.save_pictures(folder, "original", [picture])
    levels = []
    for size in sizes:
      psnr = 10 + size / 10 + rng.normal()
      levels.append(
        {
          "step": size,
          "procedure": "fit",
          "prunable": size,
          "stored": size,
          "psnr": psnr,
          "psnr_by_step": [psnr - 1, psnr],
          "layers": [{"open": size // 2, "size": 50}] * 2,
          "pictures": weights.save_pictures(folder, f"fit{size}", [picture]),
        }
      )
    found = {str(s): rng.permutation(100) < s for s in sizes}
    patterns.write(folder / weights.PATTERNS, found)
    results[name] = {"levels": levels}

  for seed in range(2):
    add(f"sparse/all/seed{seed}", (100, 50, 20))
    for setting, size in (("4", 50), ("8", 20)):
      add(f"mscn/{setting}/seed{seed}", (size,))
  return results


def test_levels_are_drawn(tmp_path: pathlib.Path) -> None:
  results = synthetic(tmp_path)
  tables = sweep.draw_levels(results, tmp_path, title="tiny", at=None)
  assert set(tables) == {"Surviving weights", "By layer"}
  drawn = {path.stem for path in tmp_path.glob("*.png")}
  assert drawn == {"parameters", "steps", "pictures", "layers", "reuse"}
  for path in tmp_path.glob("*.png"):
    assert path.read_bytes().startswith(b"\x89PNG")
  with pytest.raises(ValueError, match="--at=4000"):
    sweep.draw_levels(results, tmp_path, title="tiny", at=4000.0)


def test_ssim_and_lpips_are_told_where_all_levels_have_them() -> None:
  def result(psnr: float, **measured: float) -> dict:
    level = {
      "procedure": "fit",
      "prunable": 40,
      "stored": 45,
      "psnr": psnr,
      "psnr_by_step": [psnr],
    }
    return {"levels": [level | measured]}

  results = {
    "ecop/all/seed0": result(20.0, ssim=0.5, lpips=0.25),
    "ecop/all/seed1": result(22.0, ssim=0.75, lpips=0.125),
    "learnit/all/seed0": result(19.0, ssim=0.25),
  }
  heads = ["method", "setting", "prunable", "stored"]
  # Fails if seeds are not averaged, or half a column is shown.
  assert levels.rows(levels.averaged(results)) == [
    [*heads, "PSNR", "+-", "SSIM", "+-", "seeds"],
    ["ecop", "all", "40", "45", "21.00", "1.00", "0.625", "0.125", "2"],
    ["learnit", "all", "40", "45", "19.00", "0.00", "0.250", "0.000", "1"],
  ]
  del results["learnit/all/seed0"]
  titles, ecop = levels.rows(levels.averaged(results))
  assert titles[-3:] == ["LPIPS", "+-", "seeds"]
  assert ecop[-3:] == ["0.188", "0.062", "2"]


def test_dense_runs_without_pictures_are_drawn(tmp_path: pathlib.Path) -> None:
  level = {
    "procedure": "fit",
    "prunable": 40,
    "stored": 45,
    "psnr": 20.0,
    "psnr_by_step": [10.0, 20.0],
    "layers": [{"open": 40, "size": 40}],
  }
  results = {"dense/4/seed0": {"levels": [level]}}
  tables = sweep.draw_levels(results, tmp_path, title="tiny", at=None)
  # Fails if a figure of nothing is asked for.
  assert {p.stem for p in tmp_path.glob("*.png")} == {"parameters", "steps"}
  assert set(tables) == {"Surviving weights"}


def test_signals_that_are_no_images_have_curves_too() -> None:
  # Fails if a curve is drawn at the rates of headers, or only images have one.
  def result(psnr: float) -> dict:
    rows = [
      {"quality": 10.0 * k, "bpp": 9.0, "payload_bpp": k, "psnr": psnr + k}
      for k in (1, 2)
    ]
    return {"quantised": rows}

  results = {"mscn/8/seed0": result(30.0), "mscn/8/seed1": result(32.0)}
  (curve,) = sweep.curves(results)
  assert [*curve.bpp] == [1.0, 2.0] and [*curve.psnr] == [32.0, 33.0]
  assert curve.points[0].setting == "8, quality 10"
  assert "without headers" in sweep.rate_kind(results)


def test_fits_of_whole_signals_are_put_together(tmp_path: pathlib.Path) -> None:
  def fit(gradient: str, psnr: float) -> dict:
    by_step = np.linspace(5.0, psnr, 4).tolist()
    return {
      "gradient": gradient,
      "num_steps": 3,
      "psnr": psnr,
      "psnr_by_step": by_step,
    }

  results = {
    f"{method}/{network}/seed{seed}": {
      "num_signals": 1,
      "fits": [
        fit("norm_scaled", base + 2.0 * seed),
        fit("full", base - 1.0),
      ],
    }
    for method, network, base in (("ecop", "siren", 20.0), ("a", "all", 18.0))
    for seed in (0, 1)
  }
  table = sweep.report(results, tmp_path, title="clips")
  # Fails if a setting is lost, seeds are not averaged, or gradients are mixed.
  assert table == [
    ["method", "steps", "PSNR", "+-", "seeds"],
    ["ecop siren", "3", "21.00", "1.00", "2"],
    ["ecop siren + full", "3", "19.00", "0.00", "2"],
    ["a", "3", "19.00", "1.00", "2"],
    ["a + full", "3", "17.00", "0.00", "2"],
  ]
  assert "21.00" in (tmp_path / "table.md").read_text()
  assert (tmp_path / "steps.png").stat().st_size > 1000
  # Nothing of a rate is drawn where nothing was coded.
  assert not (tmp_path / "curves.png").exists()


def test_metrics_that_some_fits_have_are_columns() -> None:
  def fit(psnr: float, **measured: float) -> dict:
    return {"gradient": "full", "num_steps": 3, "psnr": psnr} | measured

  results = {
    "ecop/all/seed0": {"fits": [fit(20.0, ssim=0.5, lpips=0.25)]},
    "ecop/all/seed1": {"fits": [fit(22.0, ssim=0.75)]},
    "learnit/all/seed0": {"fits": [fit(19.0, ssim=0.25, lpips=0.5)]},
    "speech/all/seed0": {"fits": [fit(18.0)]},
  }
  # Fails if a column is lost, or is of fewer seeds than are told.
  assert fits.rows(fits.averaged(results)) == [
    ["method", "steps", "PSNR", "+-", "SSIM", "+-", "LPIPS", "+-", "seeds"],
    ["ecop", "3", "21.00", "1.00", "0.625", "0.125", "-", "-", "2"],
    ["learnit", "3", "19.00", "0.00", "0.250", "0.000", "0.500", "0.000", "1"],
    ["speech", "3", "18.00", "0.00", "-", "-", "-", "-", "1"],
  ]
