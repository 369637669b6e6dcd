"""Volumes from NIfTI and NumPy files."""

import sys

import grain
import numpy as np
import pytest

from inrjax.data import volumes

nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")

RNG = np.random.default_rng(0)
AFFINE = np.array(
  [[0.0, -2, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1]]
)


def write(path, values, slope=None):
  image = nibabel.Nifti1Image(values, AFFINE)
  if slope is not None:
    image.header.set_slope_inter(*slope)
  nibabel.save(image, path)
  return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_nifti_keeps_values_and_affine(tmp_path, suffix, dtype):
  # Fails if axes are turned, the type changes or the affine is lost.
  values = RNG.integers(0, 200, (3, 4, 5)).astype(dtype)
  found = volumes.read_volume(write(tmp_path / f"a{suffix}", values))
  np.testing.assert_array_equal(found.values, values)
  assert found.values.dtype == dtype
  np.testing.assert_array_equal(found.affine, AFFINE)
  assert found.spacing == (1.5, 2, 3)


def test_slope_is_applied(tmp_path):
  values = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
  path = tmp_path / "a.nii"
  image = nibabel.Nifti1Image(values, AFFINE)
  nibabel.save(image, path)
  content = bytearray(path.read_bytes())
  # scl_slope and scl_inter of the NIfTI-1 header.
  content[112:120] = np.array([0.5, 10], "<f4").tobytes()
  path.write_bytes(content)
  found = volumes.read_volume(path).values
  np.testing.assert_allclose(found, 0.5 * values + 10)


def test_numpy_files(tmp_path):
  values = RNG.normal(size=(2, 3, 4))
  np.save(tmp_path / "a.npy", values)
  np.savez(tmp_path / "one.npz", values)
  np.savez(tmp_path / "two.npz", a=values, b=values + 1)
  for name, key in (("a.npy", None), ("one.npz", None), ("two.npz", "a")):
    found = volumes.read_volume(tmp_path / name, key=key)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.affine, np.eye(4))
  with pytest.raises(volumes.VolumeError, match="arrays.*'a', 'b'.*key"):
    volumes.read_volume(tmp_path / "two.npz")


def test_a_fourth_dimension_is_refused_with_the_remedy(tmp_path):
  # Fails if the first volume is taken in silence.
  values = RNG.integers(0, 99, (2, 3, 4, 5)).astype(np.int16)
  path = write(tmp_path / "a.nii", values)
  with pytest.raises(volumes.VolumeError, match="fourth dimension of 5.*frame"):
    volumes.read_volume(path)
  found = volumes.read_volume(path, frame=3)
  np.testing.assert_array_equal(found.values, values[..., 3])
  with pytest.raises(volumes.VolumeError, match="no number 5"):
    volumes.read_volume(path, frame=5)
  single = write(tmp_path / "b.nii", values[..., :1])
  np.testing.assert_array_equal(
    volumes.read_volume(single).values, values[..., 0]
  )


def test_what_cannot_be_used_is_named(tmp_path):
  path = write(tmp_path / "a.nii.gz", RNG.normal(size=(4, 4, 4)))
  whole = path.read_bytes()
  for content in (b"", b"nothing", whole[: len(whole) // 2]):
    path.write_bytes(content)
    with pytest.raises(volumes.VolumeError, match="Cannot read.*a.nii.gz"):
      volumes.read_volume(path)
  with pytest.raises(volumes.VolumeError, match="none.nii"):
    volumes.read_volume(tmp_path / "none.nii")
  np.save(tmp_path / "flat.npy", np.zeros((2, 2)))
  with pytest.raises(volumes.VolumeError, match="no .D, H, W."):
    volumes.read_volume(tmp_path / "flat.npy")
  np.save(tmp_path / "c.npy", np.zeros((2, 2, 2), complex))
  with pytest.raises(volumes.VolumeError, match="real numbers"):
    volumes.read_volume(tmp_path / "c.npy")
  np.save(tmp_path / "nan.npy", np.full((2, 2, 2), np.nan))
  with pytest.raises(volumes.VolumeError, match="not finite"):
    volumes.read_volume(tmp_path / "nan.npy")
  (tmp_path / "b.npy").write_bytes(b"\x93NUMPY")
  with pytest.raises(volumes.VolumeError, match="Cannot read"):
    volumes.read_volume(tmp_path / "b.npy")


def test_folder_survives_a_broken_file_and_grain_takes_it(tmp_path):
  values = RNG.integers(0, 255, (3, 2, 3, 4), np.uint8)
  for i in range(3):
    write(tmp_path / f"{i}.nii", values[i])
  (tmp_path / "1.nii").write_bytes(b"")
  source = volumes.VolumeFolder(tmp_path)
  with pytest.warns(volumes.UnreadableVolumeWarning, match="1.nii"):
    (batch,) = grain.MapDataset.source(source).batch(3)
  np.testing.assert_array_equal(batch[..., 0], values[[0, 2, 2]])
  with pytest.raises(volumes.VolumeError, match="no volumes"):
    volumes.VolumeFiles([])


def test_without_nibabel_the_remedy_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "nibabel", None)
  with pytest.raises(ImportError, match=r"inrjax\[volumes\]"):
    volumes.read_volume(tmp_path / "a.nii")


def test_real_volumes(data_dir):
  found = volumes.read_volume(data_dir / "volumes" / "chris_PD.nii.gz")
  assert found.values.shape == (191, 256, 54)
  assert found.values.dtype == np.uint8
  np.testing.assert_allclose(found.spacing, (0.86, 0.86, 2.4), atol=0.01)
  stent = volumes.read_volume(data_dir / "volumes" / "stent_ct.npz")
  assert stent.values.shape == (256, 128, 128)
  assert len(volumes.VolumeFolder(data_dir / "volumes")) == 7
