"""Fields on the globe out of netCDF and Zarr files (through xarray).

ERA5 comes as a variable over time, latitude and longitude; each step in time is
one signal, as in MSCN (appendix A) and ECoP (A.1). Rows and columns stay as
they are in the file, whichever way its latitudes run: the coordinates, which
are read and never assumed, say where they are.
"""

import math
import os
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

_LATITUDE_UNITS = frozenset(
  ("degrees_north", "degree_north", "degree_n", "degrees_n", "degreen")
)
_LONGITUDE_UNITS = frozenset(
  ("degrees_east", "degree_east", "degree_e", "degrees_e", "degreee")
)
_LATITUDE_NAMES = frozenset(("lat", "lats", "latitude", "latitudes", "nav_lat"))
_LONGITUDE_NAMES = frozenset(
  ("lon", "lons", "long", "longitude", "longitudes", "nav_lon")
)
# What the backends of xarray raise on damaged files.
_READ_ERRORS = (
  OSError,
  ValueError,
  KeyError,
  IndexError,
  TypeError,
  AttributeError,
  RuntimeError,
  EOFError,
)


class FieldError(ValueError):
  """A file, or a variable in it, that this package cannot use."""


class UnsortedLatitudesWarning(UserWarning):
  """Latitudes neither rise nor fall; the file's order is kept."""


class FieldStatistics(NamedTuple):
  """What all fields of a source have in common.

  Attributes:
    low: the smallest value, in the variable's unit.
    high: the largest.
    present: `[H, W]` bool, where every field has a value.
  """

  low: float
  high: float
  present: np.ndarray


class FieldSource:
  """One variable of a file, one signal for each position along dimensions.

  Attributes:
    variable: its name.
    unit: as the file gives it ("K"), or "" where it does not.
    latitudes: `[H]` float64 degrees, in the order of the rows.
    longitudes: `[W]` float64 degrees east, in the order of the columns.
    attributes: of the variable, as in the file.
  """

  def __init__(
    self,
    path: str | os.PathLike[str],
    variable: str,
    *,
    along: str | Sequence[str] | None = None,
    at: Mapping[str, int] | None = None,
    stride: int = 1,
    latitude: str | None = None,
    longitude: str | None = None,
  ):
    """Opens a file and checks the variable's grid; no values are read yet.

    Args:
      path: a netCDF file (3 or 4) or a Zarr folder.
      variable: the variable's name.
      along: the dimension, or dimensions, whose positions are the signals (the
        last one varies fastest); None takes all but latitude and longitude.
      at: positions on dimensions at which the variable is cut, such as
        {"level": 0}.
      stride: every how many rows and columns to take. Of ERA5's 721 x 1440
        points, 16 leaves the 46 x 90 of COIN++ and 4 the 181 x 360 of MSCN and
        ECoP, with both poles.
      latitude: name of the latitudes, where attributes and names do not tell.
      longitude: name of the longitudes.

    Raises:
      FieldError: if the file cannot be read, has no such variable, or its
        latitudes or longitudes are no grid of the globe.
      ImportError: if xarray or the format's package is not installed.
      ValueError: for a stride below 1.
    """
    if stride < 1:
      raise ValueError(f"stride must be at least 1, got {stride}.")
    self._path = pathlib.Path(path)
    self._dataset = _open(self._path)
    try:
      self._array = self._cut(variable, dict(at or {}))
      rows = _axis(self._dataset, self._array, True, latitude)
      columns = _axis(self._dataset, self._array, False, longitude)
      self._along = self._signals(along, (rows.dims[0], columns.dims[0]))
      self.latitudes = self._degrees(rows)[::stride]
      self.longitudes = self._degrees(columns)[::stride]
      self._check_latitudes()
    except BaseException:
      self._dataset.close()
      raise
    grid = (rows.dims[0], columns.dims[0])
    self._array = self._array.transpose(*self._along, *grid).isel(
      dict.fromkeys(grid, slice(None, None, stride))
    )
    self.variable = variable
    self.attributes = dict(self._array.attrs)
    self.unit = str(self.attributes.get("units", ""))
    self._shape = tuple(int(self._array.sizes[name]) for name in self._along)
    self._statistics: FieldStatistics | None = None

  def __len__(self) -> int:
    return math.prod(self._shape)

  def __getitem__(self, index: int) -> np.ndarray:
    """The field `[H, W, 1]` float32 at an index; NaN where it is missing."""
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} fields.")
    places = np.unravel_index(index, self._shape) if self._shape else ()
    chosen = {name: int(i) for name, i in zip(self._along, places, strict=True)}
    try:
      values = self._array.isel(chosen).values.astype(np.float32)
    except _READ_ERRORS as error:
      raise FieldError(
        f"Cannot read {self.variable} at {chosen} of {self._path}: {error}"
      ) from error
    if np.isinf(values).any():
      raise FieldError(
        f"{self.variable} of {self._path} is infinite at {chosen}; mark what "
        "is missing with _FillValue or NaN."
      )
    return values[..., np.newaxis]

  def __enter__(self) -> "FieldSource":
    return self

  def __exit__(self, *exception: object) -> None:
    self.close()

  def close(self) -> None:
    """Closes the file."""
    self._dataset.close()

  def statistics(self) -> FieldStatistics:
    """Range and common mask of all fields, in one pass over the file.

    The range belongs to a model that is trained on the fields: low and high
    become 0 and 1.

    Raises:
      FieldError: if all values are missing, or all are the same.
    """
    if self._statistics is None:
      low, high = math.inf, -math.inf
      shape = (len(self.latitudes), len(self.longitudes))
      present = np.ones(shape, bool)
      for field in self._fields():
        there = ~np.isnan(field)
        present &= there
        if there.any():
          low = min(low, float(field[there].min()))
          high = max(high, float(field[there].max()))
      if not low < high:
        what = "no value that is not missing" if low > high else "one value"
        raise FieldError(
          f"{self.variable} of {self._path} has {what} in {len(self)} fields; "
          "choose another variable."
        )
      self._statistics = FieldStatistics(low, high, present)
    return self._statistics

  def _fields(self) -> Iterator[np.ndarray]:
    for index in range(len(self)):
      yield self[index][..., 0]

  def _cut(self, variable: str, at: dict[str, int]) -> Any:
    if variable not in self._dataset.data_vars:
      raise FieldError(
        f"{self._path} has no variable {variable!r}, only "
        f"{sorted(map(str, self._dataset.data_vars))}."
      )
    array = self._dataset[variable]
    if array.dtype.kind not in "iuf":
      raise FieldError(
        f"{variable} of {self._path} has type {array.dtype}; give a numeric "
        "variable."
      )
    for name, place in at.items():
      if name not in array.dims or not 0 <= place < array.sizes[name]:
        raise FieldError(
          f"{variable} has no position {place} on {name!r}; its dimensions are "
          f"{dict(array.sizes)}."
        )
    return array.isel(at)

  def _signals(
    self, along: str | Sequence[str] | None, grid: tuple[str, str]
  ) -> tuple[str, ...]:
    others = [str(name) for name in self._array.dims if name not in grid]
    if along is None:
      return tuple(others)
    names = (along,) if isinstance(along, str) else tuple(along)
    for name in names:
      if name not in others:
        raise FieldError(
          f"{self._array.name} has no dimension {name!r} beside its grid, only "
          f"{others}."
        )
    left = [name for name in others if name not in names]
    longer = {n: self._array.sizes[n] for n in left if self._array.sizes[n] > 1}
    if longer:
      raise FieldError(
        f"{self._array.name} has further dimensions {longer}: add them to "
        "`along`, or choose positions with `at`."
      )
    self._array = self._array.isel(dict.fromkeys(left, 0))
    return names

  def _degrees(self, axis: Any) -> np.ndarray:
    values = np.asarray(axis.values, np.float64)
    if str(axis.attrs.get("units", "")).lower().startswith("rad"):
      raise FieldError(
        f"{axis.name} of {self._path} is in radians; convert it to degrees."
      )
    if not values.size or not np.isfinite(values).all():
      raise FieldError(
        f"{axis.name} of {self._path} is empty or has values that are not "
        "finite; mend the file's coordinates."
      )
    return values

  def _check_latitudes(self) -> None:
    latitudes = self.latitudes
    if np.abs(latitudes).max() > 90:
      raise FieldError(
        f"Latitudes of {self._path} reach {latitudes.min():g} to "
        f"{latitudes.max():g}, beyond 90 degrees."
      )
    if len(np.unique(latitudes)) < len(latitudes):
      raise FieldError(
        f"{len(latitudes)} rows of {self._path} have only "
        f"{len(np.unique(latitudes))} different latitudes; drop the repeated "
        "rows, or mend the coordinates."
      )
    steps = np.diff(latitudes)
    if not ((steps > 0).all() or (steps < 0).all()):
      warnings.warn(
        f"Latitudes of {self._path} neither rise nor fall. Rows keep the "
        "file's order and each its own latitude; image codecs will see them "
        "in that order, too.",
        UnsortedLatitudesWarning,
        stacklevel=3,
      )


def variables(path: str | os.PathLike[str]) -> tuple[str, ...]:
  """The names of a file's numeric variables that lie on a latitude grid.

  Args:
    path: a netCDF file or a Zarr folder.

  Returns:
    Names for `FieldSource`, in the file's order.

  Raises:
    FieldError: if the file cannot be read.
    ImportError: if xarray or the format's package is not installed.
  """
  names = []
  with _open(pathlib.Path(path)) as dataset:
    for name, array in dataset.data_vars.items():
      if array.dtype.kind not in "iuf":
        continue
      try:
        _axis(dataset, array, True, None)
        _axis(dataset, array, False, None)
      except FieldError:
        continue
      names.append(str(name))
  return tuple(names)


def _axis(dataset: Any, array: Any, north: bool, given: str | None) -> Any:
  """The coordinate variable of an array's rows, or of its columns."""
  what = "latitude" if north else "longitude"
  candidates = {
    str(name): dataset[name]
    for name, variable in dataset.variables.items()
    if variable.dims and set(variable.dims) <= set(array.dims)
  }
  if given is not None:
    found = [candidates[given]] if given in candidates else []
  else:
    found = [
      axis
      for name, axis in candidates.items()
      if name != array.name and _is_axis(name, axis.attrs, north)
    ]
  flat = [axis for axis in found if axis.ndim == 1]
  if flat:
    return flat[0]
  if found:
    raise FieldError(
      f"The {what} of {array.name} has dimensions {found[0].dims}; only grids "
      "with one latitude for each row can be used: regrid the file."
    )
  raise FieldError(
    f"{array.name} has no {what} among {sorted(candidates)}; name it with "
    f"{what}=..., or give its coordinate the units degrees_"
    f"{'north' if north else 'east'}."
  )


def _is_axis(name: str, attributes: Mapping[str, Any], north: bool) -> bool:
  units = _LATITUDE_UNITS if north else _LONGITUDE_UNITS
  names = _LATITUDE_NAMES if north else _LONGITUDE_NAMES
  standard = "latitude" if north else "longitude"
  return (
    str(attributes.get("units", "")).lower() in units
    or attributes.get("standard_name") == standard
    or name.lower() in names
  )


def _open(path: pathlib.Path) -> Any:
  xarray = _xarray(path)
  options: dict[str, Any] = {}
  if path.is_dir():
    options = {"engine": "zarr", "consolidated": False}
  elif path.is_file():
    with path.open("rb") as stream:
      classic = stream.read(3) == b"CDF"
    options = {"engine": "scipy" if classic else "h5netcdf"}
  else:
    raise FieldError(f"There is no file {path}.")
  try:
    with warnings.catch_warnings():
      # A fill value of another type than its variable's, which xarray drops.
      warnings.simplefilter("ignore", xarray.SerializationWarning)
      # Times stay numbers: calendars and dates before 1678 need more packages.
      return xarray.open_dataset(
        path, decode_times=False, decode_timedelta=False, **options
      )
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs more packages: pip install 'inrjax[climate]'. "
      f"Cause: {error}"
    ) from error
  except _READ_ERRORS as error:
    if "unrecognized engine" in str(error):
      raise ImportError(
        f"Reading {path} needs more packages: pip install 'inrjax[climate]'. "
        f"Cause: {error}"
      ) from error
    raise FieldError(
      f"Cannot read {path} as netCDF or Zarr: {error}"
    ) from error


def _xarray(path: pathlib.Path) -> ModuleType:
  try:
    # Optional, and slow to import.
    import xarray
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs xarray: pip install 'inrjax[climate]'."
    ) from error
  return xarray
