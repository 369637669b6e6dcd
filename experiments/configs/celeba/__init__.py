"""CelebA, in the middle of each picture (Meta-SparseINR, appendix A)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.celeba.load` is given."""
  return config_dict.create(
    tfds="celeb_a",  # Read where there is no --data_dir.
    unit="file",  # Or "folder": the pictures of a folder are of one person.
    side=178,  # Pixels; the picture's width, so nothing is resampled.
    channels=3,
  )
