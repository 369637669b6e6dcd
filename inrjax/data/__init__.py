"""Host side: images from files, archives and TFDS, or made, in batches."""

from inrjax.data.augment import AUGMENTATIONS, flip, transpose
from inrjax.data.bundled import PHOTOGRAPHS, photographs
from inrjax.data.crops import CentreCrop, Channels
from inrjax.data.images import (
  ImageError,
  encode_array,
  find_images,
  read_array,
  read_image,
)
from inrjax.data.pipeline import make_pipeline
from inrjax.data.rendered_text import RenderedText
from inrjax.data.signed_distance import SignedDistances
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
from inrjax.data.splits import EmptyFolderWarning, split_files
from inrjax.data.video import (
  UnreadableVideoWarning,
  VideoError,
  VideoFiles,
  VideoFolder,
  VideoSource,
  read_clip,
)

__all__ = [
  "AUGMENTATIONS",
  "PHOTOGRAPHS",
  "ArraySource",
  "CachedSource",
  "CentreCrop",
  "Channels",
  "EmptyFolderWarning",
  "FeatureSource",
  "ImageError",
  "ImageFiles",
  "ImageFolder",
  "ImageSource",
  "RenderedText",
  "SignedDistances",
  "UnreadableImageWarning",
  "UnreadableVideoWarning",
  "VideoError",
  "VideoFiles",
  "VideoFolder",
  "VideoSource",
  "encode_array",
  "find_images",
  "flip",
  "from_npz",
  "make_pipeline",
  "photographs",
  "read_array",
  "read_clip",
  "read_image",
  "split_files",
  "tfds_source",
  "transpose",
]
