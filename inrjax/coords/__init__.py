"""From signals to contexts: grids, patches, and the points a step sees."""

from inrjax.coords.audio import COINPP_RANGE, ECOP_RANGE, audio_context
from inrjax.coords.grid import grid as coordinate_grid
from inrjax.coords.images import image_context
from inrjax.coords.masked import (
  MaskedContext,
  balanced,
  masked_context,
  masked_squared_error,
)
from inrjax.coords.patches import (
  from_patches,
  grid_shape,
  pad_to_multiple,
  to_patches,
)
from inrjax.coords.patches_nd import block_counts, from_blocks, to_blocks
from inrjax.coords.rays import (
  OPENCV,
  OPENGL,
  camera_rays,
  check_rigid,
  view_context,
)
from inrjax.coords.select import (
  Select,
  full_context,
  random_points,
  top_error,
  top_gradient_norm,
)
from inrjax.coords.sphere import (
  equal_angles,
  masked_sphere_context,
  sphere_context,
  unit_vectors,
)
from inrjax.coords.video import frame_context, voxel_context
from inrjax.coords.volume import volume_context

__all__ = [
  "COINPP_RANGE",
  "ECOP_RANGE",
  "OPENCV",
  "OPENGL",
  "MaskedContext",
  "Select",
  "audio_context",
  "balanced",
  "block_counts",
  "camera_rays",
  "check_rigid",
  "coordinate_grid",
  "equal_angles",
  "frame_context",
  "from_blocks",
  "from_patches",
  "full_context",
  "grid_shape",
  "image_context",
  "masked_context",
  "masked_sphere_context",
  "masked_squared_error",
  "pad_to_multiple",
  "random_points",
  "sphere_context",
  "to_blocks",
  "to_patches",
  "top_error",
  "top_gradient_norm",
  "unit_vectors",
  "view_context",
  "volume_context",
  "voxel_context",
]
