"""Meshes through grids, opened again by trimesh."""

import numpy as np
import pytest

from inrjax import data
from inrjax.codec import errors, files_mesh, kinds, signal_files
from inrjax.data import meshes
from tests.data import boxes

trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
pytest.importorskip("igl", reason="libigl is not installed")

LOW, HIGH = np.array([5.0, -3.0, 2.0]), np.array([9.0, 5.0, 4.0])
SIDE = 16
CELL = 8 / 0.9 / SIDE  # In units of the mesh, whose longest side is 8.


def write_mesh(path, mesh=None):
  mesh = mesh or boxes.box(LOW, HIGH)
  trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
  return path


def read(path, kind="occupancy", side=SIDE):
  (signal,) = signal_files.read(path, kind=kind, side=side, tools=data)
  return signal


def write(signal, suffix):
  return signal_files.write(
    signal_files.File(signal.name, (signal,)), suffix, tools=data
  )


@pytest.mark.parametrize("suffix", kinds.MESHES)
@pytest.mark.parametrize("kind", ["occupancy", "distance"])
def test_meshes_come_back_to_their_place(tmp_path, suffix, kind):
  path = write_mesh(tmp_path / f"a{suffix}")
  signal = read(path, kind)
  assert signal.values.shape == (SIDE, SIDE, SIDE, 1)
  assert signal_files.suffixes(signal_files.File(path.name, (signal,)))[0] == (
    suffix
  )
  again = tmp_path / f"again{suffix}"
  again.write_bytes(write(signal, suffix))
  # STL has no vertices of several triangles until they are merged.
  found = trimesh.load(str(again), force="mesh", process=True)
  assert found.is_watertight and found.volume > 0
  # Fails if axes are permuted, mirrored or moved, or the scale is lost.
  tolerance = 0.51 * CELL if kind == "occupancy" else 0.25 * CELL
  np.testing.assert_allclose(found.bounds, [LOW, HIGH], atol=tolerance, rtol=0)
  assert found.volume == pytest.approx(64, rel=0.25)


def test_values_are_what_their_kind_says(tmp_path):
  path = write_mesh(tmp_path / "a.obj")
  cells, distances = read(path), read(path, "distance")
  assert set(np.unique(cells.values)) == {0, 1}
  np.testing.assert_array_equal(
    files_mesh.inside(cells), files_mesh.inside(distances)
  )
  # In sides of the cube: the box is 2 of 8 / 0.9 units thick.
  assert distances.values.min() == pytest.approx(-0.9 / 8, abs=0.5 / SIDE)
  # Fails if far cells take range from near ones.
  assert distances.values.max() == np.float32(2 / SIDE)
  assert kinds.own_range("occupancy", cells.values) == (0, 1)


def test_an_open_mesh_is_named_and_closed(tmp_path):
  mesh = boxes.box(LOW, HIGH)
  path = write_mesh(
    tmp_path / "a.ply", meshes.Mesh(mesh.vertices, mesh.faces[1:])
  )
  with pytest.warns(meshes.OpenMeshWarning, match="a.ply.*closes holes"):
    signal = read(path)
  whole = read(write_mesh(tmp_path / "b.ply"))
  differing = np.count_nonzero(signal.values != whole.values)
  assert differing < 0.3 * np.count_nonzero(whole.values)


def test_a_mesh_without_a_place_lies_in_the_unit_cube(tmp_path):
  values = np.zeros((4, 4, 2, 1), np.float32)
  values[1:3, 1:3, :] = 0.9
  data_ = write(kinds.Signal("occupancy", values), ".obj")
  (tmp_path / "a.obj").write_bytes(data_)
  bounds = trimesh.load(str(tmp_path / "a.obj"), force="mesh").bounds
  # Fails if a grid that is no cube is stretched to one.
  assert bounds.min() >= 0 and bounds[1].max() <= 1 and bounds[1, 2] <= 0.5


@pytest.mark.parametrize("kind", ["occupancy", "distance"])
def test_nothing_inside_is_an_error_and_kept_as_an_array(kind):
  values = np.full((3, 3, 3, 1), 0.2, np.float32)
  signal = kinds.Signal(kind, values, name="a.obj")
  with pytest.raises(files_mesh.EmptyShapeError, match=r"a.obj.*\.npy"):
    write(signal, ".obj")
  there = np.where(np.eye(3)[..., None, None], 0.9, -0.9)
  whole = signal._replace(values=np.tile(there, (1, 1, 3, 1)))
  files = signal_files.files_of([signal, whole])
  with pytest.warns(signal_files.EmptyShapeWarning, match="a.npy"):
    contents = signal_files.named_contents(files, tools=data)
  # Fails if one lost shape loses the others of a file.
  assert list(contents) == ["a.npy", "a-2.obj"]


def test_what_is_thinner_than_a_cell_is_refused(tmp_path):
  path = write_mesh(tmp_path / "a.obj", boxes.box((0, 0, 0), (1, 1, 1e-3)))
  for kind in ("occupancy", "distance"):
    with pytest.raises(errors.UnsupportedSignalError, match="a.obj.*--side"):
      read(path, kind, side=4)


@pytest.mark.parametrize("suffix", kinds.MESHES)
@pytest.mark.parametrize(
  "content", [b"", b"ply\nformat", b"v 0 0 0\nv 1 0 0\n", bytes(200)], ids=str
)
def test_what_is_no_mesh_is_one_error(tmp_path, suffix, content):
  path = tmp_path / f"a{suffix}"
  path.write_bytes(content)
  with pytest.raises(errors.UnsupportedSignalError, match=f"a{suffix}"):
    read(path)
  with pytest.raises(errors.UnsupportedSignalError, match=f"a{suffix}"):
    signal_files.describe(path, tools=data)
  path.unlink()
  with pytest.raises(FileNotFoundError):
    read(path)


def test_sides_have_a_range(tmp_path):
  path = write_mesh(tmp_path / "a.obj")
  for side in (1, files_mesh.MAX_SIDE + 1):
    with pytest.raises(ValueError, match="side must be in"):
      read(path, side=side)


@pytest.mark.parametrize(
  ("values", "error"),
  [
    (np.full((2, 2, 2, 1), np.nan, np.float32), errors.CorruptBitstreamError),
    (np.ones((2, 2, 2, 2), np.float32), errors.UnsupportedSignalError),
    (np.ones((2, 2, 2), np.float32), errors.UnsupportedSignalError),
    (np.ones((2, 2, 2, 2, 1), np.float32), errors.UnsupportedSignalError),
  ],
  ids=["missing", "channels", "flat", "several"],
)
def test_what_is_no_grid_is_no_mesh(values, error):
  with pytest.raises(error):
    write(kinds.Signal("occupancy", values), ".obj")


def test_facts_of_a_mesh(tmp_path):
  facts = signal_files.describe(write_mesh(tmp_path / "a.obj"), tools=data)
  (signal,) = facts["signals"]
  assert signal["kind"] == "occupancy"
  assert (signal["vertices"], signal["triangles"]) == (8, 12)
  assert (signal["lowest"], signal["highest"]) == ([*LOW], [*HIGH])


def test_real_meshes_survive(data_dir, tmp_path):
  path = data_dir / "shapes" / "torus.obj"
  signal = read(path, "distance", side=24)
  (tmp_path / "a.ply").write_bytes(write(signal, ".ply"))
  before = data.read_mesh(path)
  after = trimesh.load(str(tmp_path / "a.ply"), force="mesh")
  extent = np.ptp(before.vertices, axis=0).max()
  # Fails if the hole is closed, or the place is another.
  assert after.euler_number == 0
  np.testing.assert_allclose(
    after.bounds,
    [before.vertices.min(axis=0), before.vertices.max(axis=0)],
    atol=extent / 24,
    rtol=0,
  )
