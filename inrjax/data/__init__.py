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
from inrjax.data.labelled import (
  NORMALIZATIONS,
  Labelled,
  LabelledBatch,
  Normalization,
  labelled_folder,
  labelled_npz,
  labelled_tfds,
)
from inrjax.data.labelled_batches import (
  LabelledBatches,
  PadCrop,
  balanced_batches,
  check_classes,
  in_order,
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
  "NORMALIZATIONS",
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
  "Labelled",
  "LabelledBatch",
  "LabelledBatches",
  "Normalization",
  "PadCrop",
  "RenderedText",
  "SignedDistances",
  "UnreadableImageWarning",
  "UnreadableVideoWarning",
  "VideoError",
  "VideoFiles",
  "VideoFolder",
  "VideoSource",
  "balanced_batches",
  "check_classes",
  "encode_array",
  "find_images",
  "flip",
  "from_npz",
  "in_order",
  "labelled_folder",
  "labelled_npz",
  "labelled_tfds",
  "make_pipeline",
  "photographs",
  "read_array",
  "read_clip",
  "read_image",
  "split_files",
  "tfds_source",
  "transpose",
]
