"""AFHQ: faces of animals, 512 x 512 (ECoP, appendix A.1)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.afhq.load` is given."""
  return config_dict.create(
    side=512,  # Pixels; the pictures' own, so nothing is resampled.
    channels=3,
  )
