"""Configs for Kodak."""

from ml_collections import config_dict


def squares() -> config_dict.ConfigDict:
  """`data.source` for whole images (Meta-SparseINR, appendix A.1)."""
  return config_dict.create(
    tfds=config_dict.placeholder(str),  # Nothing is trained.
    feature="image",
    resize_to=config_dict.placeholder(tuple),
    side=512,  # Pixels; the square in the middle, as high as the pictures.
    channels=3,
  )
