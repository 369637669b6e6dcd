"""Signed distances of shapes (Meta-SparseINR, appendix A; Learnit's data)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.sdf.load` is given."""
  return config_dict.create(
    num_images=10_000,  # Made, where there is no --data_dir.
    held_out=100,
    side=178,
    reach=1.25 * 2**0.5,  # The distance that is white; none is longer.
    channels=3,  # Grey repeated: the networks have the papers' sizes.
  )
