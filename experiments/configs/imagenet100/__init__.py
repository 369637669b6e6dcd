"""ImageNet-100: 100 classes of ImageNet at 256 x 256 (ECoP, appendix A.1)."""

from ml_collections import config_dict


def source() -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.imagenet100.load` is given."""
  return config_dict.create(
    listing="imagenet100.txt",  # Names of the classes, where it is there.
    resize_to=256,  # Pixels of the shorter edge, before the crop.
    side=256,
    channels=3,
  )
