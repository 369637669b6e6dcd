"""Classical codecs on test signals, and the figures made of their records."""

import inspect
import json
import math
import pathlib
import shutil
import sys
import types

import numpy as np
import pytest

from experiments import (
  classical_signals,
  era5,
  evaluation,
  fastmri,
  librispeech,
  shapenet10,
  signal_figures,
)
from inrjax import codec, evaluate
from inrjax.codec import kinds, signal_files
from inrjax.evaluate import audio_codecs, field_codecs, programs
from inrjax.meta import recipes
from inrjax.networks import siren
from tests.codec import tiny_grids
from tests.experiments import test_configs

pytest.importorskip("matplotlib")

FOLDER = test_configs.FOLDER / "classical_signals"
FILES = sorted(p for p in FOLDER.glob("*.py") if p.stem != "__init__")
LAUNCHERS = {
  "era5": era5,
  "fastmri": fastmri,
  "librispeech": librispeech,
  "shapenet10": shapenet10,
}
COORDS = np.indices((4, 12, 16), np.float32)
FIELDS = (
  260 + 20 * np.sin(COORDS[1] / 4) + 4 * np.cos(COORDS[2] / 3 + COORDS[0] / 9)
)[..., None].astype(np.float32)


class Source(list):
  """Signals with a length and an index."""

  value_range = None


def config(path: str, variant: str = "all", **settings) -> dict:
  """A config with other settings of its codecs."""
  made = test_configs.read(FOLDER / f"{path}.py").get_config(variant)
  values = made.to_dict()
  for name, chosen in settings.items():
    values["codecs"][name]["settings"] = chosen
  return values


def run(values: dict, folder: pathlib.Path, signals) -> None:
  source = Source(signals)
  classical_signals.Run(values, folder, lambda split: source).measure()


def fields() -> list[kinds.Signal]:
  return [kinds.Signal("field", one, {}, "K") for one in FIELDS]


@pytest.mark.parametrize("path", FILES, ids=test_configs.name_of)
def test_every_variant_builds_and_is_locked(path) -> None:
  module = test_configs.read(path)
  for variant in module.VARIANTS:
    made = module.get_config(variant)
    assert made.is_locked
    values = made.to_dict()
    json.dumps(values)
    assert variant == "all" or list(values["codecs"]) == [variant]
    for options in values["codecs"].values():
      assert options["codec"] in classical_signals.CODECS
      assert list(options["settings"])
    source = dict(values["data"]["source"])
    # Fails if a launcher does not take what its learned codecs' configs have.
    load = LAUNCHERS[source.pop("data_set")].load
    inspect.signature(load).bind("test", None, **source)
    assert values["signal"]["kind"] in kinds.KINDS
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_small_fields_are_those_of_the_learned_codecs() -> None:
  # Fails if learned and classical codecs are measured on other fields.
  learned = test_configs.read(test_configs.FOLDER / "era5/mscn_cpu.py")
  theirs, ours = learned.get_config(), config("fields_cpu")
  source = dict(ours["data"]["source"])
  assert source.pop("data_set") == "era5"
  assert source == theirs.data.source.to_dict()
  assert source["variable"] == "TREFHT" and source["held_out"] == 20
  assert ours["signal"]["value_range"] == (202.0, 314.0)
  assert ours["num_signals"] == theirs.evaluate.num_signals


def test_records_are_what_one_computes_by_hand(tmp_path, capsys) -> None:
  values = config("fields_cpu", "jpeg", jpeg=(50, 90))
  values["num_signals"] = 2
  values["signal"]["value_range"] = (230.0, 290.0)
  run(values, tmp_path, fields())
  record = json.loads((tmp_path / "jpeg.json").read_text())
  assert record["name"] == "JPEG" and record["num_signals"] == 2
  assert [point["quality"] for point in record["quantised"]] == [50, 90]
  codec = field_codecs.slicewise(evaluate.jpeg(), (230.0, 290.0))
  files = [codec.encode(one, 90) for one in FIELDS[:2]]
  decoded = [codec.decode(f, (12, 16, 1)) for f in files]
  squares = [
    np.mean((a.astype(np.float64) - b) ** 2)
    for a, b in zip(decoded, FIELDS[:2], strict=True)
  ]
  point = record["quantised"][1]
  size = sum(len(file) for (file,) in files)
  assert math.isclose(point["bpp"], 8 * size / (2 * 192))
  assert 0 < point["payload_bpp"] < point["bpp"]
  # Fails if the peak is not the range of the config.
  psnr = np.mean([10 * np.log10(60**2 / s) for s in squares])
  assert math.isclose(point["psnr"], psnr)
  assert math.isclose(point["rmse"], np.mean(np.sqrt(squares)))
  largest = np.abs(np.stack(decoded) - FIELDS[:2]).max()
  assert math.isclose(point["max_error"], largest, rel_tol=1e-6)
  assert "JPEG" in capsys.readouterr().out


def test_a_series_is_one_array(tmp_path) -> None:
  pytest.importorskip("pysz")
  values = config("fields_cpu", "sz3_series", sz3_series=(1.0,))
  values["num_signals"] = 3
  run(values, tmp_path, fields())
  (point,) = json.loads((tmp_path / "sz3_series.json").read_text())["quantised"]
  (file,) = field_codecs.sz3().encode(FIELDS[:3], 1.0)
  # Fails if fields are coded one by one, or of all there are.
  assert math.isclose(point["bpp"], 8 * len(file) / (3 * 192))
  assert point["max_error"] <= 1


def test_what_is_there_is_kept_unless_asked_for_otherwise(tmp_path) -> None:
  values = config("fields_cpu", "jpeg", jpeg=(50,))
  run(values, tmp_path, fields())
  path = tmp_path / "jpeg.json"
  kept = json.loads(path.read_text()) | {"mark": 1}
  path.write_text(json.dumps(kept))
  run(values, tmp_path, fields())
  assert "mark" in json.loads(path.read_text())
  values["codecs"]["jpeg"]["settings"] = (60,)
  run(values, tmp_path, fields())
  # Fails if records of other settings are taken for these.
  assert "mark" not in json.loads(path.read_text())


def test_the_range_of_volumes_is_that_of_their_source(tmp_path) -> None:
  volume = np.indices((5, 9, 8)).sum(0).astype(np.uint8)[..., None]
  values = config("volumes_cpu", "jpeg", jpeg=(90,))
  assert values["signal"]["value_range"] is None
  source = Source([kinds.Signal("volume", volume)])
  psnrs = []
  for known in (None, (0.0, 190.0)):
    source.value_range = known
    classical_signals.Run(values, tmp_path, lambda split: source).measure()
    record = json.loads((tmp_path / "jpeg.json").read_text())
    (point,) = record["quantised"]
    peak = 19 if known is None else 190
    psnr = 20 * math.log10(peak / point["rmse"])
    assert math.isclose(point["psnr"], psnr)
    psnrs.append(point["psnr"])
  assert psnrs[0] != psnrs[1]


def test_shapes_have_accuracy_and_a_lossless_point(tmp_path) -> None:
  grid = (np.indices((6, 6, 6)).sum(0) < 7).astype(np.float32)[..., None]
  values = config("voxels_cpu")
  run(values, tmp_path, [kinds.Signal("occupancy", grid)])
  points = json.loads((tmp_path / "packed_voxels.json").read_text())
  last = points["quantised"][-1]
  assert last["accuracy"] == 1 and last["psnr"] is None
  assert points["quantised"][0]["accuracy"] < 1


def test_codecs_that_are_not_installed_are_left_out(
  tmp_path, monkeypatch, capsys
) -> None:
  pytest.importorskip("soundfile")
  monkeypatch.setenv("PATH", str(tmp_path))
  sound = np.rint(9000 * np.sin(np.arange(800) / 9)).astype(np.int16)[:, None]
  run(config("speech_cpu"), tmp_path, [kinds.Signal("audio", sound)])
  out = capsys.readouterr().out
  # Fails if the rest is not measured, or the remedy not named.
  assert "mp3 is left out" in out and "apt-get install lame" in out
  assert "opus is left out" in out and "opus-tools" in out
  assert not (tmp_path / "mp3.json").exists()
  (point,) = json.loads((tmp_path / "flac.json").read_text())["quantised"]
  assert point["psnr"] is None and point["max_error"] == 0
  assert math.isclose(point["kbps"], 16 * point["bpp"])
  with pytest.raises(programs.MissingProgramError):
    audio_codecs.mp3()


def test_a_data_set_is_loaded_by_its_name(monkeypatch) -> None:
  seen = {}

  def load(split, data_dir, **source):
    seen.update(source, split=split)
    return [1]

  module = types.SimpleNamespace(load=load)
  monkeypatch.setitem(sys.modules, "experiments.some_set", module)
  found = classical_signals.load("test", None, data_set="some_set", side=3)
  assert found == [1] and seen == {"split": "test", "side": 3}


@pytest.fixture
def folders(tmp_path) -> pathlib.Path:
  """Working folders of two learned runs and of classical codecs."""
  points = {
    "a": [(10, 0.5, 30.0), (20, 1.0, 36.0)],
    "b": [(10, 0.7, 29.0), (20, 0.8, 35.0)],
  }
  for name, rows in points.items():
    folder = tmp_path / "runs" / name
    folder.mkdir(parents=True)
    records = [
      {"quality": q, "bpp": b, "payload_bpp": b / 2, "psnr": p, "rmse": 1.0}
      for q, b, p in rows
    ]
    record = {"num_signals": 2, "unquantised": [], "quantised": records}
    (folder / evaluation.RESULTS).write_text(json.dumps(record))
    signal = {"signal": {"sample_rate": 16000}}
    (folder / evaluation.CONFIG).write_text(json.dumps(signal))
  run(config("fields_cpu", "jpeg", jpeg=(50, 90)), tmp_path / "cl", fields())
  published = {
    "name": "COIN++", "results": {"bpp": [0.4, 2.0], "psnr": [31.0, 40.0]}
  }  # fmt: skip
  (tmp_path / "published.json").write_text(json.dumps(published))
  return tmp_path


def test_curves_of_all_forms_are_drawn_and_tabulated(folders) -> None:
  runs = f"{folders}/runs/a,{folders}/runs/b"
  arguments = (
    f"MSCN={runs}", f"{folders}/cl", f"paper={folders}/published.json"
  )  # fmt: skip
  curves = [c for text in arguments for c in signal_figures.read(text)]
  assert [c.name for c in curves] == ["MSCN", "JPEG", "paper"]
  assert signal_figures.read(f"MSCN={folders}/runs/*") == curves[:1]
  # Of several runs the best points; 0.7 bpp at 29 dB is beaten.
  assert list(zip(curves[0].bpp, curves[0].psnr, strict=True)) == [
    (0.5, 30.0), (0.8, 35.0), (1.0, 36.0)
  ]  # fmt: skip
  written = signal_figures.write(curves, folders / "out", title="t")
  assert all(path.stat().st_size for path in written)
  assert {path.name for path in written} >= {"MSCN.json", "JPEG.json"}
  text = (folders / "out/rate_distortion.md").read_text()
  assert "| MSCN" in text and "PSNR (dB)" in text
  lines = text.splitlines()
  row = next(line for line in lines if line.startswith("| paper"))
  # 31 + 9 log(0.5 / 0.4) / log(2 / 0.4). Fails if it is linear in the rate.
  assert row.split("|")[2].strip() == "32.25"
  assert any("| MSCN" in x and "0.8" in x and "35" in x for x in lines)
  back = evaluate.read_curve(folders / "out/curves/MSCN.json")
  assert back.points[0].extra["rmse"] == 1.0


def test_other_rates_and_metrics(folders) -> None:
  (curve,) = signal_figures.read(f"x={folders}/runs/a", "payload_bpp")
  assert curve.bpp.tolist() == [0.25, 0.5]
  (curve,) = signal_figures.read(f"x={folders}/runs/a", "kbps")
  # Fails if the rate of sound is not that of the run's config.
  assert curve.bpp.tolist() == [8.0, 16.0]
  shutil.copy(folders / "runs/a" / evaluation.RESULTS, folders / "z.json")
  with pytest.raises(SystemExit, match="sample_rate"):
    signal_figures.read(f"x={folders}/z.json", "kbps")
  (folders / "list.json").write_text("[1]")
  for nothing in ("nothing", "list.json"):
    with pytest.raises(SystemExit, match="holds no results"):
      signal_figures.read(f"{folders}/{nothing}")
  # Of a run on images.
  estimates = {"quantised": [{"num_bits": 5, "estimated_bpp": 1.0}]}
  (folders / "image.json").write_text(json.dumps(estimates))
  with pytest.raises(SystemExit, match="no rates of files"):
    signal_figures.read(f"{folders}/image.json")
  with pytest.raises(SystemExit, match="accuracy"):
    signal_figures.write([curve], folders / "out", metric="accuracy")


def test_every_kind_has_a_picture(tmp_path) -> None:
  coords = {
    name: {"values": tiny_grids.axis(low, high, n)}
    for name, low, high, n in (("lat", -60, 60, 12), ("lon", 0, 300, 16))
  }
  grid = {"grid": ["lat", "lon"], "coords": coords, "variable": "t"}
  sound = tiny_grids.sound(400)
  cube = (np.indices((5, 5, 5)).sum(0) < 7).astype(np.float32)[..., None]
  signals = (
    kinds.Signal("field", FIELDS, grid, "K"),
    kinds.Signal("audio", sound, {"rate": 8000}),
    kinds.Signal("volume", FIELDS[:3]),
    kinds.Signal("occupancy", cube),
    kinds.Signal("distance", 0.5 - cube),
    kinds.Signal("video", np.zeros((2, 4, 6, 3), np.uint8)),
  )
  for signal in signals:
    path = tmp_path / f"{signal.kind}.png"
    signal_figures.draw(path, signal, signal, name="x", step=0)
    assert path.stat().st_size > 1000
  with pytest.raises(SystemExit, match="from 0 to 3"):
    signal_figures.draw(path, signals[0], signals[0], name="x", step=4)
  array = kinds.Signal("array", FIELDS)
  with pytest.raises(SystemExit, match="no picture of a array"):
    signal_figures.draw(path, array, array, name="x")


def test_a_file_is_drawn_before_and_after_a_model(tmp_path) -> None:
  signal = tiny_grids.temperatures(2)
  codec = tiny_grids.make(tiny_grids.field_spec(), [signal])
  codec.save(tmp_path / "globe.inrmodel")
  file = signal_files.File(None, (signal,))
  (tmp_path / "a.nc").write_bytes(signal_files.write(file, ".nc"))
  out = tmp_path / "a.png"
  signal_figures.picture(
    out,
    model=str(tmp_path / "globe.inrmodel"),
    signal=str(tmp_path / "a.nc"),
    quality=50.0,
    step=1,
  )
  assert out.stat().st_size > 1000
  with pytest.raises(SystemExit, match="model of images"):
    signal_figures.picture(
      out, model="cifar10", signal="a.nc", quality=None, step=0
    )


def test_one_of_several_signals_is_drawn(tmp_path) -> None:
  cube = (np.indices((6, 6, 6)).sum(0) < 7).astype(np.float32)[..., None]
  spec = codec.GridSpec(
    network=siren.SirenConfig(
      depth=1, width=4, in_dim=3, out_dim=1, modulate=("shift",)
    ),
    rates=recipes.InnerRates(0.1, 0.1),
    num_steps=1,
    kinds=("occupancy",),
    sides=(3, 3, 3),
  )
  made = tiny_grids.make(spec, [kinds.Signal("occupancy", cube)])
  made.save(tmp_path / "shapes.inrmodel")
  np.savez(tmp_path / "two.npz", a=cube[..., 0], b=1 - cube[..., 0])
  np.save(tmp_path / "one.npy", cube[..., 0])
  options = {
    "model": str(tmp_path / "shapes.inrmodel"), "quality": 50.0, "step": 0
  }  # fmt: skip
  out, two = tmp_path / "a.png", str(tmp_path / "two.npz")
  with pytest.raises(SystemExit, match="--variable: .*a, b; name one"):
    signal_figures.picture(out, signal=two, **options)
  for wrong, reason in (
    ({"signal": two, "variable": "c"}, "--signal"),
    ({"signal": two, "side": 8}, "--side"),
    ({"signal": str(tmp_path / "one.npy"), "variable": "c"}, "--"),
    ({"signal": str(tmp_path / "none.npz")}, "--signal"),
  ):
    with pytest.raises(SystemExit, match=reason):
      signal_figures.picture(out, **options, **wrong)
  # Fails if the first is taken whatever is asked for.
  drawn = []
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(
      signal_figures, "draw", lambda *args, **_: drawn.append(args[1].values)
    )
    signal_figures.picture(out, signal=two, variable="b", **options)
    pytest.importorskip("trimesh", reason="trimesh is not installed")
    (tmp_path / "a.off").write_text(TETRAHEDRON)
    # Fails if meshes are not read, or the side is the reader's own.
    signal_figures.picture(
      out, signal=str(tmp_path / "a.off"), side=8, **options
    )
  np.testing.assert_array_equal(drawn[0], 1 - cube)
  assert drawn[1].shape == (8, 8, 8, 1) and drawn[1].any()


TETRAHEDRON = """OFF
4 4 6
0 0 0
1 0 0
0 1 0
0 0 1
3 0 2 1
3 0 1 3
3 1 2 3
3 0 3 2
"""


def test_missing_values_are_coded_by_classical_codecs(tmp_path) -> None:
  values = config("fields_cpu", "jpeg", jpeg=(90,))
  values["signal"]["value_range"] = (230.0, 290.0)
  holed = FIELDS[0].copy()
  holed[2:5, 3:9] = np.nan
  run(values, tmp_path, [kinds.Signal("field", holed, {}, "K")])
  (point,) = json.loads((tmp_path / "jpeg.json").read_text())["quantised"]
  # Fails if what is missing is refused, or in the error.
  assert 0 < point["rmse"] <= point["max_error"] < 30
