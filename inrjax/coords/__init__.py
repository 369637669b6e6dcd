"""From signals to contexts: grids, patches, and the points a step sees."""

from inrjax.coords.grid import grid as coordinate_grid
from inrjax.coords.images import image_context
from inrjax.coords.patches import (
  from_patches,
  grid_shape,
  pad_to_multiple,
  to_patches,
)
from inrjax.coords.select import (
  Select,
  full_context,
  random_points,
  top_error,
  top_gradient_norm,
)
from inrjax.coords.video import frame_context, voxel_context

__all__ = [
  "Select",
  "coordinate_grid",
  "frame_context",
  "from_patches",
  "full_context",
  "grid_shape",
  "image_context",
  "pad_to_multiple",
  "random_points",
  "to_patches",
  "top_error",
  "top_gradient_norm",
  "voxel_context",
]
