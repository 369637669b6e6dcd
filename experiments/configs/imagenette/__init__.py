"""Imagenette, resized and cropped (Meta-SparseINR, appendix A)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.imagenette.load` is given."""
  return config_dict.create(
    tfds="imagenette",  # Read where there is no --data_dir.
    resize_to=200,  # Pixels of the shorter edge, before the crop.
    side=178,
    channels=3,
  )
