"""ShapeNet's voxel files."""

import grain
import numpy as np
import pytest

from inrjax.data import binvox, voxels

RNG = np.random.default_rng(0)
BOX = np.zeros((16, 16, 16), bool)
BOX[4:12, 2:10, 6:8] = True


def write(path, grid):
  """Runs of at most 255 cells, one cell after the other."""
  path.parent.mkdir(parents=True, exist_ok=True)
  flat = grid.swapaxes(1, 2).ravel()
  runs, start = bytearray(), 0
  while start < len(flat):
    end = start
    while end < len(flat) and flat[end] == flat[start] and end - start < 255:
      end += 1
    runs += bytes([int(flat[start]), end - start])
    start = end
  x, y, z = grid.shape
  head = f"#binvox 1\ndim {x} {y} {z}\ntranslate 0 0 0\nscale 1\ndata\n"
  path.write_bytes(head.encode() + runs)
  return path


def test_grids_come_back_as_another_reader_has_them(tmp_path):
  # Fails if y and z are swapped.
  grid = RNG.random((5, 5, 5)) < 0.3
  path = write(tmp_path / "a.binvox", grid)
  found = binvox.read_binvox(path)
  np.testing.assert_array_equal(found, grid)
  pytest.importorskip("trimesh", reason="trimesh is not installed")
  from trimesh.exchange import binvox as other

  with open(path, "rb") as stream:
    theirs = other.load_binvox(stream, axis_order="xzy")
  np.testing.assert_array_equal(theirs.matrix, found)


def test_what_cannot_be_used_is_named(tmp_path):
  path = write(tmp_path / "a.binvox", BOX)
  whole = path.read_bytes()
  for content in (b"", b"#binvox 1\ndim 2 2\ndata\n", whole[:30]):
    path.write_bytes(content)
    with pytest.raises(voxels.VoxelError, match="a.binvox is no"):
      binvox.read_binvox(path)
  for content in (whole[:-1], whole[:-2], whole + b"\x01\x01"):
    path.write_bytes(content)
    with pytest.raises(voxels.VoxelError, match="damaged"):
      binvox.read_binvox(path)
  path.write_bytes(whole.replace(b"dim 16", b"dim 9999"))
  with pytest.raises(voxels.VoxelError, match="9999.*1024"):
    binvox.read_binvox(path)
  with pytest.raises(voxels.VoxelError, match="none.binvox"):
    binvox.read_binvox(tmp_path / "none.binvox")


def test_a_folder_of_classes(tmp_path):
  # Fails if an empty grid stops the reading, variants of one shape are of
  # another one, or classes are mixed.
  name = "models/model_normalized.solid.binvox"
  write(tmp_path / "02" / "a" / name, BOX)
  write(tmp_path / "02" / "b" / name, np.zeros_like(BOX))
  write(tmp_path / "03" / "c" / name, BOX[::-1, :, ::-1])
  write(tmp_path / "04" / "d" / name, BOX)
  source = binvox.BinvoxFolder(
    tmp_path, side=8, classes=("02", "03"), num_variants=2
  )
  assert len(source) == 6
  expected = voxels.downscale(BOX, 8)
  np.testing.assert_array_equal(source[0][..., 0], expected)
  with pytest.warns(voxels.UnreadableVoxelsWarning, match="b.*is empty"):
    found = source[2]
  np.testing.assert_array_equal(found[..., 0], expected[::-1, :, ::-1])
  np.testing.assert_array_equal(source[1], source[1])
  (batch,) = grain.MapDataset.source(source).batch(6)
  assert batch.shape == (6, 8, 8, 8, 1) and batch.dtype == bool
  with pytest.raises(voxels.VoxelError, match="05"):
    binvox.BinvoxFolder(tmp_path, classes=("05",))
  with pytest.raises(ValueError, match="num_variants"):
    binvox.BinvoxFolder(tmp_path, num_variants=0)
