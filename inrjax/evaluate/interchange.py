"""Curves as JSON, in the format CompressAI, COIN and COIN++ share.

    {"name": ..., "description": ...,
     "results": {"bpp": [...], "psnr-rgb": [...], ...}, "meta": {...}}

`meta` is ours: readers that do not know it ignore it. COIN and COIN++ write
"psnr" for "psnr-rgb", and nest the columns of ablations one or two levels
deeper ("3 steps" / "5 bits"); each such variant is read as a curve of its own.

JSON has no infinity: infinite values (lossless points) are written as null. A
null PSNR is read back as infinity, any other null as unknown. Columns not known
here are kept in the points' `extra`.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from inrjax.evaluate import files, rate_distortion

FORMAT_VERSION = 1

# Field of RatePoint -> keys in `results`: the first is written, all are read.
_KEYS: dict[str, tuple[str, ...]] = {
  "bpp": ("bpp",),
  "psnr": ("psnr-rgb", "psnr"),
  "psnr_of_mean_mse": ("psnr-of-mean-mse",),
  "ssim": ("ssim",),
  "header_bpp": ("bpp-header",),
  "side_information_bpp": ("bpp-side-information",),
  "payload_bpp": ("bpp-payload",),
  "estimated_bpp": ("bpp-estimated",),
  "num_images": ("num-images",),
  "setting": ("setting",),
}
_FIELDS = {key: field for field, keys in _KEYS.items() for key in keys}


def curve_to_json(curve: rate_distortion.Curve) -> dict[str, Any]:
  """The curve as a JSON object.

  Args:
    curve: any curve. A column is written when any point has it, with null where
      a point has not.

  Returns:
    What `json.dumps(..., allow_nan=False)` accepts.

  Raises:
    ValueError: when an extra column takes a reserved name.
  """
  results: dict[str, list[Any]] = {}
  for field, (key, *_) in _KEYS.items():
    column = [getattr(point, field) for point in curve.points]
    if any(value is not None for value in column):
      results[key] = [_finite_or_none(value) for value in column]
  for name in sorted({name for point in curve.points for name in point.extra}):
    if name in _FIELDS:
      raise ValueError(f"extra column {name!r} has a reserved name; rename it")
    results[name] = [
      _finite_or_none(point.extra.get(name)) for point in curve.points
    ]
  return {
    "name": curve.name,
    "description": curve.description,
    "results": results,
    "meta": {"format_version": FORMAT_VERSION, **curve.meta},
  }


def curves_from_json(content: Any) -> tuple[rate_distortion.Curve, ...]:
  """Every curve of a JSON object; ablations give one per variant.

  Args:
    content: parsed JSON of the form above.

  Returns:
    At least one curve. Nested variants are named "name, 3 steps, 5 bits".

  Raises:
    ValueError: when there is no rate-distortion curve in it, or columns have
      different lengths or hold something other than numbers.
  """
  results = content.get("results") if isinstance(content, dict) else None
  if not isinstance(results, dict):
    raise ValueError('JSON holds no "results" object: not a curve')
  name = str(content.get("name", ""))
  meta = content.get("meta", {})
  if not isinstance(meta, dict):
    raise ValueError(f'"meta" is {meta!r}; it must be an object')
  curves = tuple(
    rate_distortion.Curve(
      ", ".join((name, *variant)),
      _points(columns),
      str(content.get("description", "")),
      {key: value for key, value in meta.items() if key != "format_version"},
    )
    for variant, columns in _tables(results, ())
  )
  if not curves:
    raise ValueError(
      f'{name!r} holds no rate-distortion curve: no "bpp" with "psnr" or '
      '"psnr-rgb" beside it'
    )
  return curves


def read_curves(
  path: str | os.PathLike[str],
) -> tuple[rate_distortion.Curve, ...]:
  """Reads every curve of a file, as `curves_from_json`.

  Args:
    path: a JSON file.

  Returns:
    At least one curve.

  Raises:
    OSError: when the file cannot be read.
    ValueError: when it holds no curve; the message names the file.
  """
  with open(path, encoding="utf-8") as file:
    try:
      return curves_from_json(json.loads(file.read()))
    except ValueError as error:  # Nor is it text, perhaps.
      raise ValueError(f"{os.fspath(path)}: {error}") from error


def read_curve(path: str | os.PathLike[str]) -> rate_distortion.Curve:
  """Reads the one curve of a file.

  Args:
    path: a JSON file.

  Returns:
    The curve.

  Raises:
    OSError: when the file cannot be read.
    ValueError: when it holds none, or several.
  """
  curves = read_curves(path)
  if len(curves) > 1:
    names = ", ".join(repr(curve.name) for curve in curves)
    raise ValueError(
      f"{os.fspath(path)} holds {len(curves)} curves ({names}); use read_curves"
    )
  return curves[0]


def write_curve(
  path: str | os.PathLike[str], curve: rate_distortion.Curve
) -> None:
  """Writes a curve, atomically.

  Args:
    path: the JSON file to write or replace.
    curve: what to write.

  Raises:
    OSError: when the file cannot be written.
    ValueError: when `meta` or a column holds what JSON cannot.
  """
  text = json.dumps(curve_to_json(curve), indent=2, allow_nan=False)
  with files.replacing(path) as temporary:
    temporary.write_text(text + "\n", encoding="utf-8")


def _tables(
  node: Mapping[str, Any], variant: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
  """Nested objects that hold the columns of a curve, with their names."""
  if isinstance(node.get("bpp"), list):
    if any(isinstance(node.get(key), list) for key in _KEYS["psnr"]):
      yield variant, node
    return
  for key, child in node.items():
    if isinstance(child, dict):
      yield from _tables(child, (*variant, key))


def _points(
  columns: Mapping[str, Any],
) -> tuple[rate_distortion.RatePoint, ...]:
  count = len(columns["bpp"])
  rows: list[dict[str, Any]] = [{"extra": {}} for _ in range(count)]
  for key, column in columns.items():
    if not isinstance(column, list) or len(column) != count:
      raise ValueError(
        f"column {key!r} is not a list of {count} values, as bpp is"
      )
    for row, value in zip(rows, column, strict=True):
      field = _FIELDS.get(key)
      if field != "setting" and not _is_number(value):
        raise ValueError(f"column {key!r} holds {value!r}; numbers are needed")
      if value is None and field == "bpp":
        raise ValueError("column 'bpp' holds null; a point needs a rate")
      if value is None and field == "psnr":
        value = math.inf
      if field is not None:
        row[field] = value
      elif value is not None:
        row["extra"][key] = value
  return tuple(rate_distortion.RatePoint(**row) for row in rows)


def _is_number(value: Any) -> bool:
  return value is None or (
    isinstance(value, int | float) and not isinstance(value, bool)
  )


def _finite_or_none(value: Any) -> Any:
  if isinstance(value, float) and math.isinf(value):
    return None
  return value
