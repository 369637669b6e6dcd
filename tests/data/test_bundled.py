"""The photographs of scikit-image's wheel are there and split."""

import importlib.util

import numpy as np
import pytest

from inrjax import data


def test_splits_share_nothing_and_read():
  train = data.photographs("train")
  test = data.photographs("test")
  assert (len(train), len(test)) == (12, 2)
  # fails if a held-out photograph is trained on.
  assert not {p.name for p in train.paths} & {p.name for p in test.paths}
  assert test[0].shape == (512, 512, 3)
  assert test[1].shape == (400, 600, 3)
  for image in train:
    assert image.dtype == np.uint8 and image.shape[2] == 3
    assert min(image.shape[:2]) >= 300
    # fails if a file were a blank or a label map.
    assert image.std() > 5
  assert not train.unreadable


def test_unknown_split_is_named():
  with pytest.raises(ValueError, match="'valid'"):
    data.photographs("valid")


def test_missing_scikit_image_names_the_remedy(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ImportError, match="pip install scikit-image"):
    data.photographs("train")
