"""Scans of fastMRI, in files of its layout."""

import numpy as np
import pytest

from inrjax.data import fastmri, volumes

RNG = np.random.default_rng(0)
h5py = pytest.importorskip("h5py", reason="h5py is not installed")


def test_fastmri_scans_are_chosen_by_kind_and_slices(tmp_path):
  # Fails if T1 scans, or ones of other lengths, get through.
  scans = RNG.normal(size=(4, 3, 4, 5)).astype(np.float32)
  kinds = ("AXT2", "AXT1", "AXT2", "AXT2")
  for i, kind in enumerate(kinds):
    with h5py.File(tmp_path / f"{i}.h5", "w") as file:
      file.attrs["acquisition"] = kind
      file["reconstruction_rss"] = scans[i][: 2 if i == 2 else 3]
  (tmp_path / "4.h5").write_bytes(b"nothing")
  with pytest.warns(volumes.UnreadableVolumeWarning, match="4.h5"):
    source = fastmri.FastMRIFolder(tmp_path, num_slices=3)
  assert [p.name for p in source.paths] == ["0.h5", "3.h5"]
  np.testing.assert_array_equal(source[1][..., 0], scans[3])
  with (
    pytest.warns(volumes.UnreadableVolumeWarning),
    pytest.raises(volumes.VolumeError, match="None of 5.*AXFLAIR"),
  ):
    fastmri.FastMRIFolder(tmp_path, acquisition="AXFLAIR")
