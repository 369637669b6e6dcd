"""Fields on the globe as contexts: points of the unit sphere.

Rows and columns keep the order of the file. Since every point's coordinates
come from its own latitude and longitude, it makes no difference in which order
latitudes run or where longitudes start.

COIN++ (thesis 5.3.2), MSCN (appendix A) and ECoP (A.1) use the same map.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from inrjax.coords import masked
from inrjax.types import Array, Context


def unit_vectors(latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
  """x = (cos lat cos lon, cos lat sin lon, sin lat) of a grid of the globe.

  Args:
    latitudes: `[H]` in degrees, in [-90, 90], no two alike, in any order.
    longitudes: `[W]` in degrees east; they wrap, so that -90 is 270.

  Returns:
    `[H, W, 3]` float32 of unit norm.

  Raises:
    ValueError: for latitudes that no row of a globe has.
  """
  latitudes = np.asarray(latitudes, np.float64)
  longitudes = np.asarray(longitudes, np.float64)
  _check_axis("latitudes", latitudes)
  _check_axis("longitudes", longitudes)
  if np.abs(latitudes).max() > 90:
    raise ValueError(
      f"latitudes must lie in [-90, 90] degrees, got {latitudes.min():g} to "
      f"{latitudes.max():g}; are they radians, or a projection's metres?"
    )
  if len(np.unique(latitudes)) < len(latitudes):
    raise ValueError(
      f"latitudes must differ, but {len(latitudes)} rows have "
      f"{len(np.unique(latitudes))} of them; drop the repeated rows."
    )
  # Reduced first: in float64 the same place then has the same coordinates
  # whichever turn of the globe the file counts from.
  phi = np.deg2rad(np.mod(longitudes, 360.0))
  lam = np.deg2rad(latitudes)[:, np.newaxis]
  parts = np.broadcast_arrays(
    np.cos(lam) * np.cos(phi), np.cos(lam) * np.sin(phi), np.sin(lam)
  )
  return np.stack(parts, axis=-1).astype(np.float32)


def equal_angles(
  num_latitudes: int, num_longitudes: int
) -> tuple[np.ndarray, np.ndarray]:
  """The papers' grid: latitudes with both poles, longitudes from 0 eastwards.

  MSCN appendix A: latitudes equally spaced in [-pi/2, pi/2], longitudes in
  [0, 2 pi (n - 1) / n]. For files without coordinates; others use their own.

  Args:
    num_latitudes: H, 46 or 181 in the papers; at least 2.
    num_longitudes: W, 90 or 360 in the papers.

  Returns:
    `[H]` latitudes from south to north and `[W]` longitudes, in degrees.

  Raises:
    ValueError: for fewer than two latitudes or no longitude.
  """
  if num_latitudes < 2 or num_longitudes < 1:
    raise ValueError(
      "num_latitudes must be at least 2 and num_longitudes at least 1, got "
      f"{num_latitudes} and {num_longitudes}."
    )
  return (
    np.linspace(-90.0, 90.0, num_latitudes),
    np.arange(num_longitudes) * (360.0 / num_longitudes),
  )


def sphere_context(
  latitudes: np.ndarray,
  longitudes: np.ndarray,
  *,
  low: float = 0.0,
  high: float = 1.0,
) -> Callable[[Array], Context]:
  """A function that turns fields on one grid into contexts.

  For fields with missing values see `masked_sphere_context`.

  Args:
    latitudes: `[H]` degrees, see `unit_vectors`.
    longitudes: `[W]` degrees.
    low: the value that becomes 0, in the field's unit (Functa's range for ERA5
      2 m temperature is 202.66 to 320.93 K).
    high: the value that becomes 1.

  Returns:
    A function of `[H, W]` or `[H, W, C]` to a context.

  Raises:
    ValueError: for impossible grids or an empty range.
  """
  grid = unit_vectors(latitudes, longitudes)
  _check_range(low, high)
  coords = jnp.asarray(grid.reshape(-1, 3))

  def as_context(field: Array) -> Context:
    values = _rows(field, grid.shape[:2])
    return Context(coords, (values - low) / (high - low))

  return as_context


def masked_sphere_context(
  latitudes: np.ndarray,
  longitudes: np.ndarray,
  *,
  low: float = 0.0,
  high: float = 1.0,
) -> Callable[[Array], masked.MaskedContext]:
  """As `sphere_context`, for fields each with missing values of its own.

  Args:
    latitudes: `[H]` degrees.
    longitudes: `[W]` degrees.
    low: the value that becomes 0.
    high: the value that becomes 1.

  Returns:
    A function of `[H, W]` or `[H, W, C]`, NaN where a value is missing, to a
    masked context of `N = H W` points.

  Raises:
    ValueError: for impossible grids or an empty range.
  """
  grid = unit_vectors(latitudes, longitudes)
  _check_range(low, high)
  coords = jnp.asarray(grid.reshape(-1, 3))

  def as_context(field: Array) -> masked.MaskedContext:
    values = _rows(field, grid.shape[:2])
    return masked.masked_context(coords, (values - low) / (high - low))

  return as_context


def _check_axis(name: str, degrees: np.ndarray) -> None:
  if degrees.ndim != 1 or not degrees.size or not np.isfinite(degrees).all():
    raise ValueError(
      f"{name} must be a non-empty list of finite degrees, got shape "
      f"{degrees.shape} with {np.count_nonzero(~np.isfinite(degrees))} values "
      "that are not finite."
    )


def _check_range(low: float, high: float) -> None:
  if not low < high:
    raise ValueError(f"low must be below high, got {low} and {high}.")


def _rows(field: Array, shape: tuple[int, ...]) -> Array:
  """`[H W, C]` of a field; integers become floating point."""
  if field.ndim not in (2, 3) or field.shape[:2] != shape:
    raise ValueError(
      f"The field is {'x'.join(map(str, field.shape))}, the context was made "
      f"for {shape[0]}x{shape[1]}, with or without channels."
    )
  values = jnp.asarray(field).reshape(shape[0] * shape[1], -1)
  if not jnp.issubdtype(values.dtype, jnp.floating):
    values = values.astype(jnp.float32)
  return values
