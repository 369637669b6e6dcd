"""Meshes, voxels, archives and clips through the commands, and back."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from inrjax import cli, codec, data
from inrjax.codec import container, kinds, side_info
from inrjax.data import meshes
from tests.codec import tiny_codec
from tests.codec import tiny_grids as tiny
from tests.data import boxes

av = pytest.importorskip("av", reason="PyAV is not installed")
trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
pytest.importorskip("igl", reason="libigl is not installed")

SIDE = 12
LOW, HIGH = np.array([5.0, -3.0, 2.0]), np.array([9.0, 5.0, 6.0])
CELL = 8 / 0.9 / SIDE


def blob(seed, shape=(9, 8, 7)):
  """Cells of a ball somewhere, bool."""
  middle = np.random.default_rng(seed).uniform(0.3, 0.7, 3)
  places = np.stack(np.indices(shape), axis=-1) / np.array(shape)
  return np.square(places - middle).sum(axis=-1) < 0.1


def frames(num=5, height=7, width=9):
  """A ramp that moves: uint8 `[T, H, W, 3]`."""
  t, y, x = np.indices((num, height, width))
  clip = np.stack([60 + 9 * t + 8 * y, 90 + 9 * x, 200 - 9 * y], axis=-1)
  return np.clip(clip, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  """A model of shapes and one of clips."""
  folder = tmp_path_factory.mktemp("models")
  served = ("occupancy", "distance", "array")
  shapes = [
    kinds.Signal("occupancy", blob(i).astype(np.float32)[..., None])
    for i in range(2)
  ]
  spec = dataclasses.replace(tiny.volume_spec(), kinds=served)
  tiny.make(spec, shapes).save(folder / "shape")
  network = dataclasses.replace(tiny.network(3), out_dim=3)
  clips = codec.GridSpec(
    network, tiny.RATES, num_steps=6, kinds=("video",), sides=(4, 4, 4)
  )
  training = [kinds.Signal("video", frames())]
  tiny.make(clips, training).save(folder / "video")
  return folder


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, models):
  """Runs a command in an empty folder: exit code, output and errors."""
  monkeypatch.chdir(tmp_path)

  def command(name, model, *rest):
    options = ["--model", str(models / model)] if model else []
    if name == "compress":
      options += ["--effort", "fast"]
    code = cli.main([name, *options, *map(str, rest)])
    return code, *capsys.readouterr()

  return command


def write_mesh(name, mesh=None):
  content = meshes.encode_mesh(mesh or boxes.box(LOW, HIGH), name[-4:])
  pathlib.Path(name).write_bytes(content)


def write_clip(name, rate=12):
  clip = frames()
  with av.open(name, "w") as file:
    stream = file.add_stream("libx264rgb", rate=rate, options={"crf": "0"})
    stream.height, stream.width = clip.shape[1:3]
    stream.pix_fmt = "rgb24"
    for frame in clip:
      packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
      file.mux(stream.encode(packed))
    file.mux(stream.encode())
  return clip


@pytest.mark.parametrize("kind", ["occupancy", "distance"])
def test_a_mesh_there_and_back(run, kind):
  write_mesh("a.obj")
  options = ("--kind", kind, "--side", SIDE, "--quality", 100)
  if kind == "occupancy":
    options = ("--side", SIDE, "--max-error", 0.49)
  code, out, err = run("compress", "shape", *options, "a.obj", "a.inr")
  assert (code, err) == (0, "")
  assert re.search(r"a.obj: .* bpp, .*voxel accuracy \d+\.\d\d %, IoU", out)
  # Fails if distances have no unit, or cells have one.
  assert ("sides of the cube" in out) == (kind == "distance")
  if kind == "occupancy":
    assert "voxel accuracy 100.00 %, IoU 1.0000" in out
  for name in ("b.obj", "b.ply", "b.stl"):
    assert run("decompress", "shape", "a.inr", name)[0] == 0
    found = trimesh.load(name, force="mesh")
    # Fails if the mesh is left in the cube, or its axes are permuted.
    if kind == "occupancy":
      np.testing.assert_allclose(found.bounds, [LOW, HIGH], atol=CELL, rtol=0)
    else:
      assert np.abs(found.center_mass - (LOW + HIGH) / 2).max() < CELL
  assert run("decompress", "shape", "a.inr", "b.npy")[0] == 0
  assert np.load("b.npy").shape == (SIDE, SIDE, SIDE, 1)


def test_voxels_of_an_archive_there_and_back(run):
  grids = {"one": blob(3), "two": blob(4, (5, 6, 4))}
  np.savez("a.npz", **grids)
  options = ("--kind", "occupancy", "--max-error", 0.49)
  code, out, _ = run("compress", "shape", *options, "a.npz", "a.inr")
  assert code == 0 and "a.npz, two: " in out and "accuracy 100.00 %" in out
  # Several grids of one archive are one file.
  code, _, err = run("decompress", "shape", "a.inr", "b.npy")
  assert code == 1 and "holds occupancy, choose .npz" in err
  assert run("decompress", "shape", "a.inr", "b.npz")[0] == 0
  after = np.load("b.npz")
  assert set(after.files) == set(grids)
  for key, grid in grids.items():
    # Fails if a bound below 1/2 does not keep every cell.
    np.testing.assert_array_equal(after[key], grid)
    assert after[key].dtype == bool


def test_arrays_of_an_archive_there_and_back(run):
  values = tiny.volume()[..., 0]
  np.savez("a.npz", ct=values.astype(np.int16), mask=blob(1), spacing=0.7)
  options = ("--max-error", 0)
  assert run("compress", "shape", *options, "a.npz", "a.inr")[0] == 0
  assert run("decompress", "shape", "a.inr", "b.npz")[0] == 0
  after = np.load("b.npz")
  np.testing.assert_array_equal(after["ct"], values)
  np.testing.assert_array_equal(after["mask"], blob(1))
  assert after["spacing"] == 0.7 and after["ct"].dtype == np.int16


def test_files_of_several_kinds_share_a_stream(run):
  write_mesh("a.ply")
  for folder in ("x", "y"):
    pathlib.Path(folder).mkdir()
    np.savez(f"{folder}/b.npz", u=np.float32(blob(2)), v=np.float32(blob(3)))
  inputs = ("--side", SIDE, "a.ply", "x/b.npz", "y/b.npz")
  assert run("compress", "shape", *inputs, "all.inr")[0] == 0
  code, _, err = run("decompress", "shape", "all.inr", "out")
  assert (code, err) == (0, "")
  # Fails if archives of one name are taken for one.
  assert sorted(p.name for p in pathlib.Path("out").iterdir()) == [
    "a.ply",
    "b-2.npz",
    "b.npz",
  ]
  assert set(np.load("out/b-2.npz").files) == {"u", "v"}


def test_a_clip_there_and_back(run):
  clip = write_clip("a.mp4")
  code, out, err = run("compress", "video", "--max-error", 4, "a.mp4", "a.inr")
  assert (code, err) == (0, "") and "largest 4" in out
  for name in ("b.mp4", "b.mkv"):
    assert run("decompress", "video", "a.inr", name)[0] == 0
    with av.open(name) as file:
      assert file.streams.video[0].average_rate == 12
    after = data.read_clip(name).astype(int)
    # Fails if the video format loses what the codec kept.
    assert after.shape == clip.shape and np.abs(after - clip).max() <= 4
  assert run("decompress", "video", "a.inr", "b.npy")[0] == 0
  np.testing.assert_array_equal(np.load("b.npy"), data.read_clip("b.mkv"))
  assert run("decompress", "video", "a.inr", "b.gif")[0] == 0
  assert run("compress", "video", "b.gif", "b.inr")[0] == 0


def test_info_shows_what_files_hold(run):
  write_mesh("a.obj")
  np.savez("a.npz", u=blob(0))
  write_clip("a.mp4")
  for name, kind, facts in (
    ("a.obj", "occupancy", {"vertices": 8, "triangles": 12}),
    ("a.npz", "array", {"variable": "u", "type": "bool", "shape": [9, 8, 7]}),
    ("a.mp4", "video", {"rate": [12, 1], "shape": [5, 7, 9, 3]}),
  ):
    code, out, _ = run("info", None, "--json", name)
    (signal,) = json.loads(out)["signals"]
    assert code == 0 and signal["kind"] == kind
    assert facts.items() <= signal.items()
  run("compress", "video", "a.mp4", "a.inr")
  (signal,) = json.loads(run("info", None, "--json", "a.inr")[1])["signals"]
  assert signal["kind"] == "video" and signal["rate"] == [12, 1]


@pytest.mark.parametrize(
  ("model", "name", "options", "message"),
  [
    ("shape", "a.mp4", (), "kind video.*serves occupancy, distance, array"),
    ("video", "a.obj", (), "kind occupancy.*serves video"),
    ("shape", "a.obj", ("--side", "2"), r"thinner than a cell.*--side"),
    ("video", "cut.mp4", (), "cut.mp4"),
    ("shape", "text.npz", (), "'names' of text.npz holds <U1"),
    ("shape", "flat.npz", (), "flat.npz, flat has shape"),
    ("shape", "flat.npz", ("--variable", "x"), "no array 'x'; it has flat"),
    ("shape", "a.png", (), "a.png is an image.*serves occupancy"),
    ("shape", "a.png", ("--side", "9"), "takes no --side: .*for other signals"),
  ],
)
def test_what_cannot_be_coded_is_one_line(run, model, name, options, message):
  write_mesh("a.obj", boxes.box((0, 0, 0), (1, 1, 0.04)))
  write_clip("a.mp4")
  content = pathlib.Path("a.mp4").read_bytes()
  pathlib.Path("cut.mp4").write_bytes(content[: len(content) // 2])
  np.savez("text.npz", names=np.array(["x"]))
  np.savez("flat.npz", flat=np.zeros((3, 4), np.float32))
  Image.fromarray(tiny_codec.picture(9, 9)).save("a.png")
  code, out, err = run("compress", model, *options, name, "out.inr")
  assert (code, out) == (1, "") and err.count("\n") == 1
  assert not pathlib.Path("out.inr").exists()
  # Fails if the reason is not said, or a traceback is.
  assert re.search(message, err), err


@pytest.mark.filterwarnings("default")
def test_open_meshes_and_lost_shapes_are_warned_of(run):
  box = boxes.box(LOW, HIGH)
  write_mesh("a.obj", meshes.Mesh(box.vertices, box.faces[1:]))
  _, _, err = run("compress", "shape", "--side", SIDE, "a.obj", "a.inr")
  assert "OpenMeshWarning: a.obj is not watertight" in err
  speck = np.zeros((9, 9, 9), bool)
  speck[4, 4, 4] = True
  np.save("b.npy", speck)
  options = ("--kind", "occupancy", "--quality", 0)
  code, _, err = run("compress", "shape", *options, "b.npy", "b.inr")
  assert code == 0 and "b.npy: nothing is left of its shape" in err
  code, _, err = run("decompress", "shape", "b.inr", "b.obj")
  # Fails if an empty mesh is written, or the remedy is not said.
  assert code == 1 and "write it as .npy" in err and err.count("\n") == 1
  assert not pathlib.Path("b.obj").exists()
  assert run("decompress", "shape", "b.inr", "b2.npy")[0] == 0


@pytest.mark.parametrize("side", ["1", "513", "x", "-3"])
def test_sides_out_of_range_are_wrong_usage(run, side):
  with pytest.raises(SystemExit) as stop:
    run("compress", "shape", "--side", side, "a.obj", "a.inr")
  assert stop.value.code == 2


def test_damaged_metadata_are_a_damaged_stream(run):
  np.savez("a.npz", u=blob(0))
  assert run("compress", "shape", "a.npz", "a.inr")[0] == 0
  stream = container.unpack(pathlib.Path("a.inr").read_bytes())
  (record,) = stream.signals
  for metadata in ({"variable": "../u"}, {"variable": "u", "type": "bad"}):
    side = side_info.write(side_info.SideInfo(metadata))
    damaged = container.Stream(
      stream.model_id.ljust(64, "0"), (record._replace(side=side),)
    )
    pathlib.Path("b.inr").write_bytes(container.pack(damaged))
    code, _, err = run("decompress", "shape", "b.inr", "b.npz")
    assert code == 1 and err.startswith("inrjax: error: b.inr: The metadata")
    assert not pathlib.Path("b.npz").exists()
