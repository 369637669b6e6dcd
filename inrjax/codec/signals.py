"""Arrays in, arrays out: what an image codec takes and gives back."""

import numpy as np

from inrjax.codec import errors, signal_spec

_DTYPES = ("uint8", "uint16", "float32", "float64")


def to_unit(
  array: np.ndarray, channels: int
) -> tuple[np.ndarray, signal_spec.SignalSpec]:
  """Checks an image and brings it to [0, 1].

  Args:
    array: `[H, W, C]`, or `[H, W]` for one channel; uint8, uint16, or float in
      [0, 1].
    channels: C of the model.

  Returns:
    `[H, W, C]` float32 and what the array was.

  Raises:
    UnsupportedSignalError: for another shape, type or range, or values that
      are not finite.
  """
  array = np.asarray(array)
  if array.dtype.name not in _DTYPES:
    raise errors.UnsupportedSignalError(
      f"The image has type {array.dtype}; give uint8, uint16, or float in "
      "[0, 1]."
    )
  image = array[..., None] if array.ndim == 2 else array
  if image.ndim != 3 or min(image.shape) < 1:
    raise errors.UnsupportedSignalError(
      f"An image has shape [H, W, C] or [H, W] and no empty axis, got "
      f"{array.shape}."
    )
  if image.shape[2] != channels:
    raise errors.UnsupportedSignalError(
      f"The image has {image.shape[2]} channel(s), the model codes {channels}: "
      "convert the image, or use a model for its channels."
    )
  if image.dtype.kind == "f":
    if not np.isfinite(image).all():
      raise errors.UnsupportedSignalError(
        "The image has NaN or infinite values; replace them first."
      )
    if image.min() < 0 or image.max() > 1:
      raise errors.UnsupportedSignalError(
        f"A float image lies in [0, 1]; this one in [{image.min():g}, "
        f"{image.max():g}]: rescale it."
      )
    unit = image.astype(np.float32)
  else:
    unit = image.astype(np.float32)
    unit /= np.float32(np.iinfo(image.dtype).max)
  spec = signal_spec.SignalSpec("image", array.shape, array.dtype.name)
  return unit, spec


def from_unit(values: np.ndarray, spec: signal_spec.SignalSpec) -> np.ndarray:
  """Brings decoded values to the type and range of what went in.

  Args:
    values: `[H, W, C]` float, near [0, 1]; of any resolution.
    spec: what the array was.

  Returns:
    `[H, W, C]`, or `[H, W]` if the array had no channel axis.
  """
  values = np.clip(values, 0.0, 1.0)
  if len(spec.shape) == 2:
    values = values[..., 0]
  if spec.dtype.startswith("uint"):
    top = np.iinfo(spec.dtype).max
    return np.rint(values.astype(np.float64) * top).astype(spec.dtype)
  return values.astype(spec.dtype)


def check_image_spec(
  spec: signal_spec.SignalSpec, channels: int
) -> tuple[int, int]:
  """Height and width of a coded signal that a model for images can decode.

  Raises:
    CorruptBitstreamError: if it is no image of that many channels.
  """
  shape = spec.shape if len(spec.shape) == 3 else (*spec.shape, 1)
  if (
    spec.kind != "image"
    or len(shape) != 3
    or shape[2] != channels
    or spec.dtype not in _DTYPES
    or spec.value_range is not None
  ):
    raise errors.CorruptBitstreamError(
      f"The stream declares a {spec.kind} of shape {spec.shape}, type "
      f"{spec.dtype} and range {spec.interval}, which this model cannot have "
      "written."
    )
  return shape[0], shape[1]
