"""Curves as tables: a row per method, a column per rate."""

import unicodedata
from collections.abc import Sequence

from inrjax.evaluate import bjontegaard, rate_distortion

MISSING = "-"


def rate_table(
  curves: Sequence[rate_distortion.Curve],
  bpps: Sequence[float],
  *,
  metric: str = "psnr",
  anchor: rate_distortion.Curve | None = None,
) -> list[list[str]]:
  """The curves' values at given rates, as cells of text.

  Args:
    curves: one row each, in order.
    bpps: one column each, in bits per pixel.
    metric: as in `rate_distortion.interpolate`.
    anchor: when given, a last column holds each curve's BD-rate against it.

  Returns:
    Rows of equal length; the first holds the titles. "-" stands where a curve
    does not reach: nothing is extrapolated.
  """
  title = ["codec", *(f"{bpp:g}" for bpp in bpps)]
  if anchor is not None:
    title.append(f"BD-rate vs {anchor.name}")
  rows = [title]
  for curve in curves:
    values = [rate_distortion.interpolate(curve, bpp, metric) for bpp in bpps]
    cells = [MISSING if value is None else _number(value) for value in values]
    row = [curve.name, *cells]
    if anchor is not None:
      row.append(_bd_rate(anchor, curve, metric))
    rows.append(row)
  return rows


def point_table(curve: rate_distortion.Curve) -> list[list[str]]:
  """Every number of a curve's points, one row per point.

  Args:
    curve: any curve.

  Returns:
    Rows of equal length; the first holds the titles. Bits per pixel are split
    into header, side information and payload; the entropy estimate stands
    beside them, not among them.
  """
  columns = (
    ("bpp", "bpp", 4),
    ("header", "header_bpp", 4),
    ("side", "side_information_bpp", 4),
    ("payload", "payload_bpp", 4),
    ("estimate", "estimated_bpp", 4),
    ("mean PSNR", "psnr", 2),
    ("PSNR of mean MSE", "psnr_of_mean_mse", 2),
    ("SSIM", "ssim", 4),
    ("images", "num_images", 0),
  )
  rows = [["setting", *(title for title, _, _ in columns)]]
  for point in curve.points:
    values = [point.value(name) for _, name, _ in columns]
    cells = [
      MISSING if value is None else f"{value:.{digits}f}"
      for value, (_, _, digits) in zip(values, columns, strict=True)
    ]
    setting = point.setting
    if isinstance(setting, float):
      setting = f"{setting:g}"
    rows.append([MISSING if setting is None else str(setting), *cells])
  return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
  """Lays rows out as a Markdown table that also reads well as text.

  Args:
    rows: of equal length; the first holds the titles.

  Returns:
    Lines ending in a newline; the first column left-aligned, the others right.
  """
  escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
  widths = _widths(escaped)
  rule = [":" + "-" * (widths[0] - 1)]
  rule += ["-" * (width - 1) + ":" for width in widths[1:]]
  lines = [_aligned(row, widths) for row in escaped]
  lines.insert(1, rule)
  return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def plain(rows: Sequence[Sequence[str]]) -> str:
  """Lays rows out for a terminal.

  Args:
    rows: of equal length; the first holds the titles.

  Returns:
    Lines ending in a newline; the first column left-aligned, the others right.
  """
  widths = _widths(rows)
  lines = [_aligned(row, widths) for row in rows]
  lines.insert(1, ["-" * width for width in widths])
  return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def _number(value: float) -> str:
  """Two decimals for decibels, four for scores of at most 1."""
  return f"{value:.2f}" if abs(value) > 1 else f"{value:.4f}"


def _bd_rate(
  anchor: rate_distortion.Curve, curve: rate_distortion.Curve, metric: str
) -> str:
  try:
    return f"{bjontegaard.bd_rate(anchor, curve, metric=metric):+.1f} %"
  except bjontegaard.NoOverlapError:
    return MISSING


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
  if not rows or len({len(row) for row in rows}) != 1:
    raise ValueError("a table needs rows of equal length, titles first")
  # A rule of Markdown needs three characters to be one everywhere.
  return [max(3, *map(_width, column)) for column in zip(*rows, strict=True)]


def _width(text: str) -> int:
  """Columns of a terminal the text takes."""
  return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
  pads = [
    " " * (width - _width(cell))
    for cell, width in zip(row, widths, strict=True)
  ]
  return [row[0] + pads[0]] + [
    pad + cell for pad, cell in zip(pads[1:], row[1:], strict=True)
  ]
