"""Fields on latitudes and longitudes from and to netCDF files (through xarray).

Every variable on the grid is a signal, or those that are named; its positions
on other dimensions, such as time, are fields of one signal. Names, dimensions,
coordinates and attributes come back, and so do other variables, as they are.
Times stay numbers. Packed variables (scale_factor, add_offset) are unpacked
once and for all. 64-bit integers come back as such; those that take more than
32 bits are kept with the other variables.
"""

import os
import pathlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from inrjax.codec import errors, json_arrays, kinds

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
_AXES = (
  (
    "latitude",
    ("degrees_north", "degree_north", "degrees_n", "degree_n"),
    ("lat", "lats", "latitude", "latitudes"),
  ),
  (
    "longitude",
    ("degrees_east", "degree_east", "degrees_e", "degree_e"),
    ("lon", "lons", "long", "longitude", "longitudes"),
  ),
)
# Of a variable of texts, all as long as the longest.
_MAX_TEXT = 1 << 18
# From here on not every integer is a float64.
_MAX_EXACT = 2**53


class LeftOutWarning(UserWarning):
  """A variable beside the signals is not kept."""


class UnsortedLatitudesWarning(UserWarning):
  """Rows of a field that go neither north nor south."""


def read(
  path: str | os.PathLike[str], *, variables: Sequence[str] = ()
) -> list[kinds.Signal]:
  """The fields of a file.

  Args:
    path: a netCDF file, version 3 or 4.
    variables: names of those to take, in this order; none takes all numeric
      ones on the grid. With names, nothing else of the file is kept.

  Returns:
    For each variable a signal `[..., H, W, 1]`, NaN where values are missing.
    A `LeftOutWarning` names what is not kept, an `UnsortedLatitudesWarning`
    latitudes that neither rise nor fall.

  Raises:
    UnsupportedSignalError: if the file cannot be read, or has no such variable
      on a grid of latitudes and longitudes in degrees.
    ImportError: if xarray or its backend is not installed.
  """
  path = pathlib.Path(path)
  dataset, classic = _open(path)
  with dataset:
    grids = {
      str(name): grid
      for name, array in dataset.data_vars.items()
      if array.dtype.kind in "iuf" and (grid := _grid(dataset, array))
    }
    for name in variables:
      if name not in grids:
        raise errors.UnsupportedSignalError(
          f"{path} has no variable {name!r} on a grid of the globe; choose "
          f"from {sorted(grids)}."
        )
    if not grids:
      raise errors.UnsupportedSignalError(
        f"{path} has no variable on a grid with one latitude for each row and "
        "one longitude for each column; mark them with the units degrees_north "
        "and degrees_east, or regrid the file."
      )
    try:
      names = list(variables)
      if not variables:
        # If all are too wide, the first says so.
        names = [n for n in grids if not _is_wide(dataset[n])] or list(grids)
      for grid in dict.fromkeys(grids[name] for name in names):
        _check_grid(dataset, grid, path)
      # What none of the signals has is of no use to them.
      wanted = [
        str(name)
        for name in dataset.variables
        if str(name) not in names
        and (not variables or any(name in dataset[n].coords for n in names))
      ]
      packed = _all_packed(dataset, wanted, path)
      signals = [
        _signal(dataset, name, grids[name], packed, classic, path)
        for name in names
      ]
      used = {name for signal in signals for name in signal.metadata["coords"]}
      others = {n: value for n, value in packed.items() if n not in used}
      if others:
        signals[0].metadata["others"] = others  # type: ignore[index]
      _warn_of_unnamed(dataset, {*names, *wanted}, path)
    except _READ_ERRORS as error:
      if isinstance(error, errors.CodecError):
        raise
      raise errors.UnsupportedSignalError(
        f"Cannot read {path}: {error}"
      ) from error
  return signals


def write(signals: Sequence[kinds.Signal]) -> bytes:
  """Fields as one netCDF file.

  Args:
    signals: with the metadata that `read` gives.

  Returns:
    The file's bytes, in the format of the original, classic or netCDF 4.

  Raises:
    CorruptBitstreamError: for metadata of no such fields.
    ImportError: if xarray or its backend is not installed.
  """
  xarray = _xarray("field")
  try:
    variables, coordinates, attributes = {}, {}, {}
    for signal in signals:
      meta = signal.metadata
      variables[meta["variable"]] = _variable(xarray, signal)
      for name, packed in meta["coords"].items():
        coordinates[name] = _unpacked(xarray, packed)
      for name, packed in meta.get("others", {}).items():
        variables[name] = _unpacked(xarray, packed)
      attributes.update(json_arrays.unpack_attributes(meta["dataset"]))
    dataset = xarray.Dataset(variables, coordinates, attributes)
    classic = signals[0].metadata.get("format") == "classic"
    # To memory only the classic format can be written.
    with tempfile.TemporaryDirectory() as folder:
      target = pathlib.Path(folder, "field.nc")
      dataset.to_netcdf(target, engine="scipy" if classic else "h5netcdf")
      return target.read_bytes()
  except ImportError as error:
    raise ImportError(
      f"netCDF needs more packages: pip install 'inrjax[climate]' ({error})."
    ) from error
  except _READ_ERRORS as error:
    if isinstance(error, errors.CodecError):
      raise
    raise errors.CorruptBitstreamError(
      f"The metadata make no netCDF file ({error!r}): the file is damaged."
    ) from error


def degrees(
  metadata: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
  """Latitudes and longitudes of a field's rows and columns.

  Args:
    metadata: of a signal that `read` gave.
    shape: (H, W).

  Returns:
    `[H]` and `[W]` float64 degrees.

  Raises:
    KeyError: if the signal has none.
    CorruptBitstreamError: if they are of another size.
  """
  found = []
  for name, count in zip(metadata["grid"], shape, strict=True):
    values = json_arrays.unpack(metadata["coords"][name]["values"])
    if values.shape != (count,):
      raise errors.CorruptBitstreamError(
        f"{name} has {values.shape} values for {count} rows or columns."
      )
    found.append(values.astype(np.float64))
  return found[0], found[1]


def _signal(
  dataset: Any,
  name: str,
  grid: tuple[str, str],
  packed: Mapping[str, Any],
  classic: bool,
  path: pathlib.Path,
) -> kinds.Signal:
  """A variable; of its coordinates those that are among the packed."""
  array = dataset[name]
  dims = [str(d) for d in array.dims]
  lead = [d for d in dims if d not in grid]
  values = array.transpose(*lead, *grid).values
  try:
    values, wider = kinds.narrowed(values)
    _check_exact(array, values)
  except errors.UnsupportedSignalError as error:
    raise errors.UnsupportedSignalError(
      f"{path}, {name}: {error} Or choose other variables by --variable."
    ) from error
  coords = {str(k): packed[str(k)] for k in array.coords if str(k) in packed}
  metadata: dict[str, Any] = {
    "variable": name,
    "dims": dims,
    "grid": list(grid),
    "attributes": json_arrays.pack_attributes(array.attrs),
    "coords": coords,
    "dataset": json_arrays.pack_attributes(dataset.attrs),
    **wider,
  }
  fill = array.encoding.get("_FillValue")
  if (
    fill is not None
    and np.isfinite(fill)
    and values.dtype.kind == "f"
    and "scale_factor" not in array.encoding
    and "add_offset" not in array.encoding
  ):
    metadata["fill"] = float(fill)
  if classic:
    metadata["format"] = "classic"
  unit = str(array.attrs.get("units", ""))
  return kinds.Signal("field", values[..., np.newaxis], metadata, unit)


def _variable(xarray: ModuleType, signal: kinds.Signal) -> Any:
  meta = signal.metadata
  lead = [d for d in meta["dims"] if d not in meta["grid"]]
  values = kinds.restored(signal)[..., 0]
  array = xarray.DataArray(
    values,
    dims=[*lead, *meta["grid"]],
    attrs=json_arrays.unpack_attributes(meta["attributes"]),
  ).transpose(*meta["dims"])
  variable = array.variable
  if values.dtype.kind == "f":
    fill = meta.get("fill", float("nan"))
    variable.encoding["_FillValue"] = values.dtype.type(fill)
  return variable


def _packed(array: Any) -> dict[str, Any]:
  """A variable of numbers, truth values or texts as JSON values."""
  packed = {
    "dims": [str(d) for d in array.dims],
    "attributes": json_arrays.pack_attributes(array.attrs),
  }
  values = np.asarray(array.values)
  if values.dtype.kind == "b":
    bits = json_arrays.pack(values.astype(np.uint8))
    return {**packed, "values": bits, "bool": True}
  if values.dtype.kind in "OUS":
    return {**packed, **_packed_text(values)}
  return {**packed, "values": json_arrays.pack(values)}


def _packed_text(values: np.ndarray) -> dict[str, Any]:
  texts = values.ravel().tolist()
  raw = values.dtype.kind == "S"
  if raw:
    texts = [text.decode("latin-1") for text in texts]
  if not all(isinstance(text, str) for text in texts):
    raise errors.UnsupportedSignalError(
      "It holds neither numbers nor texts; convert it."
    )
  if not _is_short(texts):
    raise errors.UnsupportedSignalError(
      f"{len(texts)} texts, of at most {max(map(len, texts))} characters, are "
      "too long to be kept beside the signal."
    )
  flag = {"bytes": True} if raw else {}
  return {"shape": list(values.shape), "texts": texts, **flag}


def _unpacked(xarray: ModuleType, packed: Any) -> Any:
  if "texts" in packed:
    values = _unpacked_text(packed)
  else:
    values = json_arrays.unpack(packed["values"])
    values = values.astype(bool) if packed.get("bool") else values
  return xarray.Variable(
    tuple(packed["dims"]),
    values,
    json_arrays.unpack_attributes(packed["attributes"]),
    encoding={"_FillValue": None},  # Coordinates have none.
  )


def _unpacked_text(packed: Any) -> np.ndarray:
  texts = packed["texts"]
  if not all(isinstance(text, str) for text in texts) or not _is_short(texts):
    raise ValueError("no texts where they should be")
  if packed.get("bytes"):
    texts = [text.encode("latin-1") for text in texts]
    return np.array(texts, np.bytes_).reshape(packed["shape"])
  return np.array(texts, np.str_).reshape(packed["shape"])


def _is_short(texts: Sequence[str]) -> bool:
  # As long as an array of them is.
  return len(texts) * max(map(len, texts), default=0) <= _MAX_TEXT


def _all_packed(
  dataset: Any, names: Sequence[str], path: pathlib.Path
) -> dict[str, Any]:
  """Coordinates and other variables, without those that cannot be kept."""
  found = {}
  for name in names:
    try:
      found[name] = _packed(dataset.variables[name])
    except errors.UnsupportedSignalError as error:
      warnings.warn(
        f"{name} of {path} is left out: {error}", LeftOutWarning, stacklevel=4
      )
  return found


def _warn_of_unnamed(dataset: Any, kept: set[str], path: pathlib.Path) -> None:
  left = [str(name) for name in dataset.variables if str(name) not in kept]
  if left:
    warnings.warn(
      f"{', '.join(left)} of {path} are left out, since they are not among the "
      "variables that are named.",
      LeftOutWarning,
      stacklevel=4,
    )


def _is_wide(array: Any) -> bool:
  """Whether a variable has integers of more than 32 bits."""
  if array.dtype.kind not in "iu":
    return False
  try:
    kinds.narrowed(array.values)
  except errors.UnsupportedSignalError:
    return True
  return False


def _check_exact(array: Any, values: np.ndarray) -> None:
  """Refuses 64-bit integers, some missing, that no float64 can be."""
  stored = np.dtype(array.encoding.get("dtype") or values.dtype)
  if (
    values.dtype == np.float64
    and stored.kind in "iu"
    and stored.itemsize == 8
    and "scale_factor" not in array.encoding
    and (np.abs(values) >= _MAX_EXACT).any()
  ):
    raise errors.UnsupportedSignalError(
      "Integers of more than 53 bits, some of them missing, cannot be coded."
    )


def _check_grid(
  dataset: Any, grid: tuple[str, str], path: pathlib.Path
) -> None:
  """Refuses radians; warns of rows in no order."""
  for name in grid:
    if str(dataset[name].attrs.get("units", "")).lower().startswith("rad"):
      raise errors.UnsupportedSignalError(
        f"{name} of {path} is in radians; convert it to degrees."
      )
  steps = np.diff(dataset[grid[0]].values.astype(np.float64))
  if not ((steps > 0).all() or (steps < 0).all()):
    warnings.warn(
      f"Latitudes of {path} neither rise nor fall. Rows keep the file's order "
      "and each its own latitude.",
      UnsortedLatitudesWarning,
      stacklevel=4,
    )


def _grid(dataset: Any, array: Any) -> tuple[str, str] | None:
  """Dimensions of an array's rows and columns, if it has a grid."""
  found = []
  for standard, units, names in _AXES:
    axes = [
      str(dim)
      for dim in array.dims
      if dim in dataset.coords
      and dataset[dim].dtype.kind in "iuf"
      and (
        str(dataset[dim].attrs.get("units", "")).lower() in units
        or dataset[dim].attrs.get("standard_name") == standard
        or str(dim).lower() in names
      )
    ]
    if len(axes) != 1:
      return None
    found.append(axes[0])
  return found[0], found[1]


def _open(path: pathlib.Path) -> tuple[Any, bool]:
  """A dataset, and whether its file is of the classic format."""
  xarray = _xarray(path)
  with path.open("rb") as stream:
    classic = stream.read(3) == b"CDF"
  try:
    with warnings.catch_warnings():
      # A fill value of another type than its variable's, which xarray drops.
      warnings.simplefilter("ignore", xarray.SerializationWarning)
      dataset = xarray.open_dataset(
        path,
        decode_times=False,
        decode_timedelta=False,
        engine="scipy" if classic else "h5netcdf",
      )
    return dataset, classic
  except _READ_ERRORS as error:
    if "unrecognized engine" in str(error):
      raise ImportError(
        f"Reading {path} needs more packages: pip install 'inrjax[climate]'."
      ) from error
    raise errors.UnsupportedSignalError(
      f"Cannot read {path} as netCDF: {error}"
    ) from error


def _xarray(what: str | os.PathLike[str]) -> ModuleType:
  try:
    # Optional, and slow to import.
    import xarray
  except ImportError as error:
    raise ImportError(
      f"{os.fspath(what)}: netCDF needs xarray: pip install 'inrjax[climate]'."
    ) from error
  return xarray
