"""Host side: images from folders, archives and TFDS, in NumPy batches."""

from inrjax.data.augment import AUGMENTATIONS, flip, transpose
from inrjax.data.bundled import PHOTOGRAPHS, photographs
from inrjax.data.images import (
  ImageError,
  encode_array,
  find_images,
  read_array,
  read_image,
)
from inrjax.data.pipeline import make_pipeline
from inrjax.data.sources import (
  ArraySource,
  CachedSource,
  FeatureSource,
  ImageFiles,
  ImageFolder,
  ImageSource,
  UnreadableImageWarning,
  from_npz,
  tfds_source,
)

__all__ = [
  "AUGMENTATIONS",
  "PHOTOGRAPHS",
  "ArraySource",
  "CachedSource",
  "FeatureSource",
  "ImageError",
  "ImageFiles",
  "ImageFolder",
  "ImageSource",
  "UnreadableImageWarning",
  "encode_array",
  "find_images",
  "flip",
  "from_npz",
  "make_pipeline",
  "photographs",
  "read_array",
  "read_image",
  "tfds_source",
  "transpose",
]
