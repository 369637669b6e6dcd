"""Occupancy grids in arrays and .binvox files."""

import io

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest

from inrjax import data
from inrjax.codec import errors, files_voxels, kinds, signal_files

RNG = np.random.default_rng(0)
GRID = RNG.random((4, 3, 5)) > 0.6


def read(path):
  return signal_files.read(path, kind="occupancy", tools=data)


def blurred(signal):
  """As a codec decodes it: near 0 and 1, not at them."""
  values = 0.3 + 0.4 * signal.values
  return signal._replace(values=values.astype(np.float32))


def again(path, suffix=None):
  signals = [blurred(signal) for signal in read(path)]
  (file,) = signal_files.files_of(signals)
  suffix = suffix or kinds.suffix_of(path)
  target = path.with_name("again" + suffix)
  target.write_bytes(signal_files.write(file, suffix, tools=data))
  return target


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "<f4"])
def test_grids_keep_type_shape_and_the_value_of_cells(tmp_path, dtype):
  value = 1 if dtype == "bool" else 7
  grid = np.where(GRID, value, 0).astype(dtype)
  stack = np.stack([grid, grid[::-1]])
  archive = {
    "a": grid,
    "b": stack,
    "c": stack[..., None],
    "names": np.arange(3),
  }
  path = tmp_path / "a.npz"
  np.savez(path, **archive)
  for signal in read(path):
    assert signal.values.dtype == np.float32
    assert signal.values.shape[-4:] == (4, 3, 5, 1)
    assert set(np.unique(signal.values)) == {0, 1}
  after = np.load(again(path))
  # Fails if a key or type is lost, or grey cells stay in a grid of whole ones.
  assert set(after.files) == set(archive)
  for key, values in archive.items():
    np.testing.assert_array_equal(after[key], values)
    assert after[key].dtype == values.dtype


def test_a_bare_grid_comes_back(tmp_path):
  path = tmp_path / "a.npy"
  np.save(path, GRID)
  np.testing.assert_array_equal(np.load(again(path)), GRID)
  # Whole grids become meshes, too, on request.
  mesh = data.read_mesh(again(path, ".ply"))
  assert mesh.vertices.max() <= 1


def test_palettes_are_named(tmp_path):
  path = tmp_path / "a.npy"
  np.save(path, RNG.integers(0, 4, (4, 4, 4), np.uint8))
  with pytest.warns(files_voxels.DroppedValuesWarning, match="a.npy: several"):
    (signal,) = read(path)
  assert "value" not in signal.metadata


def test_many_palettes_are_one_warning(tmp_path):
  path = tmp_path / "a.npz"
  grid = np.arange(8).reshape(2, 2, 2)
  np.savez(path, **{f"grid{i}": grid for i in range(5)})
  with pytest.warns(files_voxels.DroppedValuesWarning) as found:
    read(path)
  # Fails if an archive of hundreds of grids fills the screen.
  (warning,) = found
  assert "a.npz, grid0, grid1, grid2 and 2 more: " in str(warning.message)


def test_empty_grids_are_named_and_kept(tmp_path):
  path = tmp_path / "a.npz"
  np.savez(path, full=GRID, empty=np.zeros((2, 2, 2), np.uint8))
  with pytest.warns(files_voxels.EmptyGridWarning, match="a.npz, empty: emp"):
    after = np.load(again(path))
  np.testing.assert_array_equal(after["empty"], np.zeros((2, 2, 2)))


def binvox(path, grid, corner="-0.5 0.25 1e-3", size="2.5"):
  flat = grid.swapaxes(1, 2).ravel()
  body = b"".join(bytes([cell, 1]) for cell in flat.tolist())
  dims = " ".join(map(str, grid.shape))
  header = (
    f"#binvox 1\ndim {dims}\ntranslate {corner}\nscale {size}\ndata\n"
  ).encode()
  path.write_bytes(header + body)
  return path


def test_binvox_files_keep_cells_and_place(tmp_path):
  path = binvox(tmp_path / "a.binvox", GRID)
  target = again(path)
  np.testing.assert_array_equal(data.read_binvox(target), GRID)
  # Fails if the shape is moved or scaled.
  header = target.read_bytes().partition(b"\ndata\n")[0].decode()
  assert "translate -0.5 0.25 0.001\nscale 2.5" in header
  vertices = data.read_mesh(again(path, ".obj")).vertices
  low = np.array([-0.5, 0.25, 1e-3])
  assert (vertices >= low - 1e-6).all() and (vertices <= low + 2.5).all()


@hypothesis.given(
  hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=12))
)
def test_runs_of_any_cells_are_read_again(tmp_path_factory, grid):
  # Fails at runs longer than a byte counts, or a first cell that is occupied.
  values = grid.repeat(8, axis=2)
  signal = kinds.Signal("occupancy", values.astype(np.float32)[..., None])
  path = tmp_path_factory.mktemp("runs") / "a.binvox"
  path.write_bytes(files_voxels.write_binvox(signal))
  np.testing.assert_array_equal(data.read_binvox(path), values)


@pytest.mark.parametrize(
  ("name", "content", "message"),
  [
    ("a.binvox", b"", "no .binvox"),
    ("a.binvox", b"#binvox 1\ndim 2 2 2\nscale x\ndata\n\1\10", "a.binvox"),
    ("a.binvox", b"#binvox 1\ndim 2 2 2\nscale 0\ndata\n\1\10", "no place"),
    ("a.npy", np.zeros((3, 3)), "finite numbers"),
    ("a.npy", np.full((2, 2, 2), np.nan), "finite numbers"),
    ("a.npy", np.zeros((2, 2, 2), complex), "integers or floats"),
  ],
)
def test_what_is_no_grid_is_one_error(tmp_path, name, content, message):
  path = tmp_path / name
  if isinstance(content, bytes):
    path.write_bytes(content)
  else:
    np.save(path, content)
  with pytest.raises(errors.UnsupportedSignalError, match=message):
    read(path)
  with pytest.raises(ValueError, match="tools=inrjax.data"):
    signal_files.read(tmp_path / name, kind="distance")


_CELLS = kinds.Signal("occupancy", np.ones((2, 2, 2, 1), np.float32))


@pytest.mark.parametrize(
  ("metadata", "suffix"),
  [
    ({"type": "object"}, ".npy"),
    ({"type": ["bool"]}, ".npy"),
    ({"type": "uint8", "value": 256}, ".npy"),
    ({"type": "uint8", "value": -1}, ".npz"),
    ({"type": "uint8", "value": 1.5}, ".npz"),
    ({"type": "int64", "value": 1 << 80}, ".npy"),
    ({"type": "bool", "value": "x"}, ".npy"),
    ({"placement": {"scale": 0, "offset": [0, 0, 0]}}, ".binvox"),
    ({"placement": {"scale": 1, "offset": [0, 0]}}, ".binvox"),
    ({"placement": {"scale": "x"}}, ".obj"),
    ({"placement": 3}, ".obj"),
    ({"placement": {"scale": 1e-320, "offset": [0, 0, 0]}}, ".ply"),
  ],
  ids=str,
)
def test_impossible_metadata_are_a_damaged_stream(metadata, suffix):
  file = signal_files.File(None, (_CELLS._replace(metadata=metadata),))
  with pytest.raises(errors.CorruptBitstreamError):
    signal_files.write(file, suffix, tools=data)


def test_a_graded_grid_stays_graded_as_an_array():
  values = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2, 1)
  file = signal_files.File(None, (_CELLS._replace(values=values),))
  # Fails if a mesh's grid is cut before its surface is drawn elsewhere.
  found = np.load(io.BytesIO(signal_files.write(file, ".npy")))
  np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
  "values",
  [
    np.full((2, 2, 2, 1), 1.5, np.float32),
    np.full((2, 2, 2, 1), -1, np.int8),
    np.where(np.eye(2), np.nan, 1)[..., None, None],
  ],
  ids=["above", "below", "missing"],
)
def test_occupancy_is_from_0_to_1(values):
  with pytest.raises(errors.UnsupportedSignalError):
    kinds.checked(_CELLS._replace(values=values))
  assert kinds.own_range("occupancy", np.zeros(3, np.uint8)) == (0, 1)
