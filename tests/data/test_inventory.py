"""Counting what a source holds."""

import numpy as np
import pytest

from inrjax.data import inventory, volumes


def test_everything_is_counted():
  # Fails if NaN gets into the range, or shapes are not told apart.
  first = np.array([[1.0, np.nan], [-3, 2]], np.float32)
  found = inventory.take_inventory([first, first[:1], 4 * first], count=3)
  assert (found.count, found.read) == (3, 3)
  assert found.shapes == {(2, 2): 2, (1, 2): 1}
  assert found.dtypes == ("float32",)
  assert (found.low, found.high) == (-12, 8)
  assert found.missing == 3 / 10
  text = str(found)
  assert "3 signals" in text and "2 x (2, 2)" in text and "30.000%" in text
  assert inventory.take_inventory([first] * 5, every=2).read == 3


def test_broken_files_are_listed_and_not_raised(tmp_path):
  np.save(tmp_path / "a.npy", np.ones((2, 2, 2)))
  (tmp_path / "b.npy").write_bytes(b"")
  found = inventory.take_inventory(volumes.VolumeFolder(tmp_path))
  assert found.count == 2 and found.shapes == {(2, 2, 2, 1): 2}
  assert [name[-5:] for name in found.unreadable] == ["b.npy"]
  assert len(found.notes) == 1 and "left out" in str(found)


def test_other_numbers_are_an_error():
  with pytest.raises(inventory.CountError, match="has 1 .*, 2 were expected"):
    inventory.take_inventory([np.zeros(3)], count=2)
  with pytest.raises(ValueError, match="every"):
    inventory.take_inventory([np.zeros(3)], every=0)
  with pytest.raises(ValueError, match="empty"):
    inventory.take_inventory([])
