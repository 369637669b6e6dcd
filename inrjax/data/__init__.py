"""Host side: images from files, archives and TFDS, or made, in batches."""

from inrjax.data.audio import (
  AudioError,
  AudioFiles,
  AudioFolder,
  AudioFormatError,
  BrokenAudioError,
  ClippedAudioWarning,
  SilentAudioWarning,
  UnreadableAudioWarning,
  read_audio,
)
from inrjax.data.augment import AUGMENTATIONS, flip, transpose
from inrjax.data.binvox import BinvoxFolder, read_binvox
from inrjax.data.bundled import PHOTOGRAPHS, photographs
from inrjax.data.crops import CentreCrop, Channels
from inrjax.data.fastmri import FastMRIFolder
from inrjax.data.fields import (
  FieldError,
  FieldSource,
  FieldStatistics,
  UnsortedLatitudesWarning,
)
from inrjax.data.globes import (
  ERA5_RANGE,
  GlobeError,
  GlobeFolder,
  UnreadableGlobeWarning,
)
from inrjax.data.images import (
  ImageError,
  encode_array,
  find_images,
  read_array,
  read_image,
)
from inrjax.data.inventory import CountError, Inventory, take_inventory
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
from inrjax.data.mesh_sampling import (
  distance_grid,
  from_grid,
  occupancy_grid,
)
from inrjax.data.mesh_sampling import (
  signed_distance as mesh_distance,
)
from inrjax.data.meshes import (
  Mesh,
  MeshError,
  MeshFiles,
  MeshFolder,
  OpenMeshWarning,
  UnreadableMeshWarning,
  encode_mesh,
  read_mesh,
  to_unit_cube,
)
from inrjax.data.parts import Part, RandomBlocks, divide
from inrjax.data.pipeline import make_pipeline
from inrjax.data.posed_views import (
  PoseError,
  Scene,
  SceneError,
  SRNScenes,
  UnreadableSceneWarning,
  read_srn,
  read_transforms,
  with_rays,
)
from inrjax.data.random_crops import RandomResizedCrop
from inrjax.data.regridded import RegriddedFields
from inrjax.data.rendered_text import RenderedText
from inrjax.data.segmentation import (
  Pair,
  cell_tracking_pairs,
  labelled_masks,
  named_pairs,
)
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
from inrjax.data.tfds_audio import TFDSSounds
from inrjax.data.video import (
  UnreadableVideoWarning,
  VideoError,
  VideoFiles,
  VideoFolder,
  VideoSource,
  read_clip,
)
from inrjax.data.volume_range import ScaledVolumes, value_range
from inrjax.data.volumes import (
  UnreadableVolumeWarning,
  Volume,
  VolumeError,
  VolumeFiles,
  VolumeFolder,
  VolumeSource,
  read_volume,
)
from inrjax.data.voxels import (
  UnreadableVoxelsWarning,
  VoxelError,
  VoxelGrids,
  VoxelSource,
  downscale,
  rescale_axes,
  to_cube,
  voxels_from_npz,
)

__all__ = [
  "AUGMENTATIONS",
  "ERA5_RANGE",
  "NORMALIZATIONS",
  "PHOTOGRAPHS",
  "ArraySource",
  "AudioError",
  "AudioFiles",
  "AudioFolder",
  "AudioFormatError",
  "BinvoxFolder",
  "BrokenAudioError",
  "CachedSource",
  "CentreCrop",
  "Channels",
  "ClippedAudioWarning",
  "CountError",
  "EmptyFolderWarning",
  "FastMRIFolder",
  "FeatureSource",
  "FieldError",
  "FieldSource",
  "FieldStatistics",
  "GlobeError",
  "GlobeFolder",
  "ImageError",
  "ImageFiles",
  "ImageFolder",
  "ImageSource",
  "Inventory",
  "Labelled",
  "LabelledBatch",
  "LabelledBatches",
  "Mesh",
  "MeshError",
  "MeshFiles",
  "MeshFolder",
  "Normalization",
  "OpenMeshWarning",
  "PadCrop",
  "Pair",
  "Part",
  "PoseError",
  "RandomBlocks",
  "RandomResizedCrop",
  "RegriddedFields",
  "RenderedText",
  "SRNScenes",
  "ScaledVolumes",
  "Scene",
  "SceneError",
  "SignedDistances",
  "SilentAudioWarning",
  "TFDSSounds",
  "UnreadableAudioWarning",
  "UnreadableGlobeWarning",
  "UnreadableImageWarning",
  "UnreadableMeshWarning",
  "UnreadableSceneWarning",
  "UnreadableVideoWarning",
  "UnreadableVolumeWarning",
  "UnreadableVoxelsWarning",
  "UnsortedLatitudesWarning",
  "VideoError",
  "VideoFiles",
  "VideoFolder",
  "VideoSource",
  "Volume",
  "VolumeError",
  "VolumeFiles",
  "VolumeFolder",
  "VolumeSource",
  "VoxelError",
  "VoxelGrids",
  "VoxelSource",
  "balanced_batches",
  "cell_tracking_pairs",
  "check_classes",
  "distance_grid",
  "divide",
  "downscale",
  "encode_array",
  "encode_mesh",
  "find_images",
  "flip",
  "from_grid",
  "from_npz",
  "in_order",
  "labelled_folder",
  "labelled_masks",
  "labelled_npz",
  "labelled_tfds",
  "make_pipeline",
  "mesh_distance",
  "named_pairs",
  "occupancy_grid",
  "photographs",
  "read_array",
  "read_audio",
  "read_binvox",
  "read_clip",
  "read_image",
  "read_mesh",
  "read_srn",
  "read_transforms",
  "read_volume",
  "rescale_axes",
  "split_files",
  "take_inventory",
  "tfds_source",
  "to_cube",
  "to_unit_cube",
  "transpose",
  "value_range",
  "voxels_from_npz",
  "with_rays",
]
