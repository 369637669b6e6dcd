"""Folders of fields on the globe."""

import numpy as np
import pytest

from inrjax.data import globes

RNG = np.random.default_rng(0)
GRID = {"latitude": np.linspace(-90, 90, 4), "longitude": np.arange(6) * 60.0}


def test_a_broken_or_odd_field_loses_nothing_else(tmp_path):
  # Fails if a field of another grid passes, or indices move.
  values = RNG.normal(280, 9, (5, 4, 6)).astype(np.float32)
  for i, field in enumerate(values):
    np.savez(tmp_path / f"{i}.npz", temperature=field, **GRID)
  (tmp_path / "1.npz").write_bytes(b"PK")
  north = GRID | {"latitude": GRID["latitude"][::-1]}
  np.savez(tmp_path / "3.npz", temperature=values[3], **north)
  source = globes.GlobeFolder(tmp_path)
  np.testing.assert_array_equal(source.latitudes, GRID["latitude"])
  np.testing.assert_array_equal(source.longitudes, GRID["longitude"])
  np.testing.assert_array_equal(source[0][..., 0], values[0])
  for index, stands_in, match in ((1, 2, "1.npz"), (3, 4, "another grid")):
    with pytest.warns(globes.UnreadableGlobeWarning, match=match):
      found = source[index]
    np.testing.assert_array_equal(found[..., 0], values[stands_in])


def test_nothing_to_read_is_an_error(tmp_path):
  with pytest.raises(globes.GlobeError, match="No file"):
    globes.GlobeFolder(tmp_path)
  np.savez(tmp_path / "a.npz", temperature=np.zeros((3, 6)), **GRID)
  with (
    pytest.warns(globes.UnreadableGlobeWarning, match="is \\(3, 6\\)"),
    pytest.raises(globes.GlobeError, match="None of 1"),
  ):
    globes.GlobeFolder(tmp_path)
  with (
    pytest.warns(globes.UnreadableGlobeWarning, match="Cannot read"),
    pytest.raises(globes.GlobeError, match="None of 1"),
  ):
    globes.GlobeFolder(tmp_path, key="rain")
