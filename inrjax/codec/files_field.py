"""Fields on latitudes and longitudes from and to netCDF files (through xarray).

Every variable on the grid is a signal, or those that are named; its positions
on other dimensions, such as time, are fields of one signal. Names, dimensions,
coordinates and attributes come back, and so do other variables, as they are.
Times stay numbers. Packed variables (scale_factor, add_offset) are unpacked
once and for all.
"""

import os
import pathlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from inrjax.codec import errors, json_arrays, kinds, signal_spec

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


class LeftOutWarning(UserWarning):
  """A variable beside the signals cannot be kept, and is left out."""


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

  Raises:
    UnsupportedSignalError: if the file cannot be read, or has no such variable
      on a grid of latitudes and longitudes.
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
    signals = []
    try:
      for name in variables or grids:
        signals.append(_signal(dataset, name, grids[name], classic))
      if not variables:
        others = _others(dataset, set(grids), path)
        if others:
          signals[0].metadata["others"] = others  # type: ignore[index]
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
  dataset: Any, name: str, grid: tuple[str, str], classic: bool
) -> kinds.Signal:
  array = dataset[name]
  dims = [str(d) for d in array.dims]
  lead = [d for d in dims if d not in grid]
  values = array.transpose(*lead, *grid).values
  if values.dtype.name not in signal_spec.DTYPES:
    values = values.astype(np.float64)
  values = values.astype(values.dtype.newbyteorder("="))
  coords = {
    str(key): _packed(coordinate)
    for key, coordinate in array.coords.items()
    if coordinate.dtype.kind in "iuf"
  }
  metadata: dict[str, Any] = {
    "variable": name,
    "dims": dims,
    "grid": list(grid),
    "attributes": json_arrays.pack_attributes(array.attrs),
    "coords": coords,
    "dataset": json_arrays.pack_attributes(dataset.attrs),
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
  values = signal.values[..., 0]
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
  return {
    "dims": [str(d) for d in array.dims],
    "attributes": json_arrays.pack_attributes(array.attrs),
    "values": json_arrays.pack(array.values),
  }


def _unpacked(xarray: ModuleType, packed: Any) -> Any:
  return xarray.Variable(
    tuple(packed["dims"]),
    json_arrays.unpack(packed["values"]),
    json_arrays.unpack_attributes(packed["attributes"]),
    encoding={"_FillValue": None},  # Coordinates have none.
  )


def _others(
  dataset: Any, taken: set[str], path: pathlib.Path
) -> dict[str, Any]:
  """Variables that are no fields, and coordinates that no field has."""
  used = {name for key in taken for name in dataset[key].coords}
  others = {}
  for name, array in dataset.variables.items():
    if name in taken or name in used:
      continue
    try:
      others[str(name)] = _packed(array)
    except errors.UnsupportedSignalError as error:
      warnings.warn(
        f"{name} of {path} is left out: {error}", LeftOutWarning, stacklevel=3
      )
  return others


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
