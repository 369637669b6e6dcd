"""Rendered text (Learnit's data set; Meta-SparseINR does not use it)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.text.load` is given."""
  return config_dict.create(
    num_images=10_000,  # Made, where there is no --data_dir.
    held_out=100,
    side=178,
    channels=3,
  )
