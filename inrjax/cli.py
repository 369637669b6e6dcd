"""The command line: `inrjax compress | decompress | info | evaluate`.

A command checks what is cheap to check first: its arguments, where it is to
write, the files it reads, the model. Then it works, and writes its results
whole or not at all. What a user can mend is reported in one line, with exit
code 1; wrong usage has exit code 2. JAX is imported by the commands that need
it, once they need it.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import math
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inrjax.codec import container, description, errors, output_file

if TYPE_CHECKING:
  import numpy as np

  from inrjax import evaluate
  from inrjax.codec import loading

Load = Callable[[str], "loading.Codec"]

_EFFORTS = ("fast", "medium", "slow")
_DEFAULT_QUALITIES = (20.0, 30.0, 40.0, 50.0, 60.0)
_CLASSICAL = ("jpeg", "jpeg444", "jpeg2000", "webp", "avif", "hevc")
# Larger than any sensible file; what a pipe or a device gives may not end.
_MAX_BYTES = 1 << 30
# Leaves room for a number and a suffix in the 255 bytes of a file's name.
_MAX_STEM_BYTES = 200


def main(argv: Sequence[str] | None = None, *, load: Load | None = None) -> int:
  """Runs one command.

  Args:
    argv: the arguments after the program's name; by default the process's.
    load: gives the codec of a model's path or name; by default `inrjax.load`.

  Returns:
    The exit code: 0, 1 for an error, 130 for an interrupt.

  Raises:
    SystemExit: for wrong usage (code 2) and after `--help` (code 0).
  """
  args = _parser().parse_args(argv)
  try:
    with warnings.catch_warnings():
      warnings.showwarning = _show_warning
      args.run(args, load or _load)
  except KeyboardInterrupt:
    return 130
  # The library's own errors are ValueErrors that name value and remedy.
  except (ValueError, OSError, ImportError, MemoryError) as error:
    _say("error", _message(error))
    return 1
  return 0


def _load(name: str) -> "loading.Codec":
  import inrjax

  return inrjax.load(name)


def _say(kind: str, message: str) -> None:
  """One line on the standard error stream."""
  print(f"inrjax: {kind}: {' '.join(message.split())}", file=sys.stderr)


def _message(error: Exception) -> str:
  if isinstance(error, OSError) and error.strerror and error.filename:
    return f"{error.filename}: {error.strerror}"
  return str(error) or type(error).__name__


def _show_warning(
  message: Warning | str, category: type[Warning], *_: Any, **__: Any
) -> None:
  _say("warning", f"{category.__name__}: {message}")


# Arguments.


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog="inrjax", description="Meta-learned implicit neural compression."
  )
  commands = parser.add_subparsers(
    dest="command", required=True, metavar="COMMAND"
  )
  _add_compress(commands)
  _add_decompress(commands)
  _add_info(commands)
  _add_evaluate(commands)
  return parser


def _add_compress(commands: Any) -> None:
  parser = commands.add_parser("compress", help="images into one .inr file")
  _add_model(parser)
  rate = parser.add_mutually_exclusive_group()
  rate.add_argument(
    "--quality", type=_quality, metavar="Q", help="0 (coarsest) to 100"
  )
  rate.add_argument(
    "--bpp", type=_positive, metavar="R", help="most bits per pixel"
  )
  _add_effort(parser)
  parser.add_argument("inputs", nargs="+", metavar="IN", help="image files")
  parser.add_argument("output", type=_stream_name, metavar="OUT.inr")
  parser.set_defaults(run=_compress)


def _add_decompress(commands: Any) -> None:
  parser = commands.add_parser("decompress", help="an .inr file into images")
  _add_model(parser)
  parser.add_argument("input", metavar="IN.inr")
  parser.add_argument(
    "output",
    metavar="OUT",
    help="an image file, lossless or .npy; a folder if IN.inr holds several",
  )
  parser.add_argument(
    "--scale",
    type=_positive,
    default=1.0,
    metavar="S",
    help="pixels per original pixel, along each axis",
  )
  parser.add_argument(
    "--region",
    type=_region,
    metavar="y0,x0,y1,x1",
    help="the part to decode, in original pixels",
  )
  parser.set_defaults(run=_decompress)


def _add_info(commands: Any) -> None:
  parser = commands.add_parser("info", help="what an .inr or model file holds")
  parser.add_argument("file", metavar="FILE")
  parser.add_argument("--json", action="store_true", help="for programs")
  parser.set_defaults(run=_info)


def _add_evaluate(commands: Any) -> None:
  parser = commands.add_parser(
    "evaluate", help="rate and distortion over images"
  )
  _add_model(parser)
  parser.add_argument(
    "paths", nargs="+", metavar="PATH", help="image files and folders of them"
  )
  parser.add_argument("--json", required=True, metavar="OUT.json")
  rate = parser.add_mutually_exclusive_group()
  rate.add_argument(
    "--quality",
    type=_list_of(_quality),
    metavar="Q[,Q...]",
    help=f"by default {','.join(f'{q:g}' for q in _DEFAULT_QUALITIES)}",
  )
  rate.add_argument(
    "--bpp",
    type=_list_of(_positive),
    metavar="R[,R...]",
    help="highest rates of every image, in bits per pixel",
  )
  _add_effort(parser)
  parser.add_argument(
    "--compare",
    type=_list_of(_classical_name),
    default=[],
    metavar="C[,C...]",
    help=f"classical codecs at the same rates: {', '.join(_CLASSICAL)}",
  )
  parser.add_argument("--plot", metavar="OUT.png", help="the curves, drawn")
  parser.set_defaults(run=_evaluate)


def _add_model(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    "--model",
    required=True,
    metavar="M",
    help="a model file, or the name of a model that comes with inrjax",
  )


def _add_effort(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    "--effort", choices=_EFFORTS, default="medium", help="of the encoder"
  )


def _quality(text: str) -> float:
  value = _float(text)
  if not 0 <= value <= 100:
    raise argparse.ArgumentTypeError(f"{text!r} is not a number in [0, 100]")
  return value


def _positive(text: str) -> float:
  value = _float(text)
  if not 0 < value < math.inf:
    raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
  return value


def _float(text: str) -> float:
  try:
    return float(text)
  except ValueError:
    return math.nan


def _stream_name(text: str) -> str:
  # Otherwise `compress a.png b.png` would replace a picture.
  if not text.lower().endswith(".inr"):
    raise argparse.ArgumentTypeError(f"{text!r} does not end in .inr")
  return text


def _list_of(item: Callable[[str], Any]) -> Callable[[str], list[Any]]:
  def parse(text: str) -> list[Any]:
    return list(dict.fromkeys(item(part) for part in text.split(",")))

  return parse


def _classical_name(text: str) -> str:
  if text not in _CLASSICAL:
    raise argparse.ArgumentTypeError(
      f"{text!r} is none of {', '.join(_CLASSICAL)}"
    )
  return text


def _region(text: str) -> tuple[int, int, int, int]:
  try:
    y0, x0, y1, x1 = (int(part) for part in text.split(","))
  except ValueError:
    y0 = x0 = y1 = x1 = -1
  if not (0 <= y0 < y1 and 0 <= x0 < x1):
    raise argparse.ArgumentTypeError(
      f"{text!r} is not y0,x0,y1,x1 with 0 <= y0 < y1 and 0 <= x0 < x1"
    )
  return y0, x0, y1, x1


# compress


def _compress(args: argparse.Namespace, load: Load) -> None:
  output_file.check_file(args.output)
  arrays = [_read_signal(path) for path in args.inputs]
  codec = load(args.model)
  options = {"quality": args.quality, "bpp": args.bpp, "effort": args.effort}
  if len(arrays) == 1:
    data = codec.compress(arrays[0], **options)
  else:
    names = [
      container.safe_name(os.path.basename(path), f"image-{index}")
      for index, path in enumerate(args.inputs)
    ]
    data = codec.compress_many(arrays, names=names, **options)
  decoded = [array for _, array in codec.decompress_many(data)]
  output_file.write_atomically(args.output, data)
  sizes = [math.prod(array.shape[:2]) for array in arrays]
  psnrs = [_psnr(*pair) for pair in zip(arrays, decoded, strict=True)]
  if len(arrays) > 1:
    totals = [rate.total for rate in codec.rates(data)]
    for row in zip(args.inputs, totals, sizes, psnrs, strict=True):
      print(_summary(*row))
  mean = sum(psnrs) / len(psnrs)
  print(_summary(args.output, len(data), sum(sizes), mean))


def _read_signal(path: str) -> "np.ndarray":
  """An image file's array, without an alpha channel that says nothing."""
  from inrjax.data import images

  array = images.read_array(path)
  if array.ndim == 2 or array.shape[2] not in (2, 4):
    return array
  if array[..., -1].min() < _top(array):
    raise errors.UnsupportedSignalError(
      f"{path} is partly transparent, which no model codes: blend it with a"
      " background, or save it without its alpha channel"
    )
  _say("warning", f"{path}: dropped its alpha channel, which is fully opaque")
  return array[..., 0] if array.shape[2] == 2 else array[..., :3]


def _top(array: "np.ndarray") -> int:
  """The largest value of an unsigned type."""
  return (1 << 8 * array.itemsize) - 1


def _psnr(original: "np.ndarray", decoded: "np.ndarray") -> float:
  """In dB, after rounding both to 8 bits."""
  from inrjax.evaluate import metrics

  if original.itemsize > 1:
    original, decoded = (a / _top(a) for a in (original, decoded))
  return metrics.psnr(original, decoded)


def _summary(path: str, num_bytes: float, num_pixels: int, psnr: float) -> str:
  bpp = 8 * num_bytes / num_pixels
  # A name on disk need not be text.
  shown = os.fsencode(path).decode(errors="backslashreplace")
  return f"{shown}: {num_bytes:.0f} bytes, {bpp:.4f} bpp, {psnr:.2f} dB"


# decompress


def _decompress(args: argparse.Namespace, load: Load) -> None:
  from inrjax.data import images

  data = _read_bytes(args.input)
  with _naming(args.input):
    names = container.peek(data).names
  path = pathlib.Path(args.output)
  if len(names) == 1:
    output_file.check_file(path)
    if path.suffix.lower() not in images.WRITABLE:
      raise images.ImageError(
        f"cannot write {path}: choose a lossless format,"
        f" {', '.join(sorted(images.WRITABLE))}"
      )
  else:
    output_file.check_folder(path)
  codec = load(args.model)
  with _naming(args.input):
    decoded = codec.decompress_many(data, scale=args.scale, region=args.region)
  if len(names) == 1:
    content = images.encode_array(decoded[0][1], path.suffix)
    output_file.write_atomically(path, content)
  else:
    files = {}
    for stem, (_, array) in zip(_stems(names), decoded, strict=True):
      suffix = ".png" if array.dtype.kind == "u" else ".npy"
      files[stem + suffix] = images.encode_array(array, suffix)
    output_file.write_folder_atomically(path, files)


def _stems(names: Iterable[str | None]) -> list[str]:
  """File names without suffix: safe, and different whatever their case."""
  stems: list[str] = []
  taken: set[str] = set()
  for index, name in enumerate(names):
    stem = pathlib.PurePath(container.safe_name(name, f"image-{index}")).stem
    stem = stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    distinct, number = stem, 2
    while distinct.casefold() in taken:
      distinct, number = f"{stem}-{number}", number + 1
    taken.add(distinct.casefold())
    stems.append(distinct)
  return stems


# info


def _info(args: argparse.Namespace, load: Load) -> None:
  del load
  data = _read_bytes(args.file)
  with _naming(args.file):
    facts = {"file": args.file, **description.describe(data)}
  text = json.dumps(facts, indent=2) if args.json else _text(facts)
  print(text)


def _text(facts: Mapping[str, Any], indent: str = "") -> str:
  """Nested facts, one per line; what cannot be printed is escaped."""
  lines = []
  for name, value in facts.items():
    if isinstance(value, Mapping) and value:
      lines += [f"{indent}{name}:", _text(value, indent + "  ")]
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
      items = {f"{name}[{index}]": item for index, item in enumerate(value)}
      lines.append(_text(items, indent))
    elif isinstance(value, str) and value.isprintable():
      lines.append(f"{indent}{name}: {value}")
    else:
      lines.append(f"{indent}{name}: {json.dumps(value)}")
  return "\n".join(lines)


# evaluate


def _evaluate(args: argparse.Namespace, load: Load) -> None:
  from inrjax import evaluate

  output_file.check_file(args.json)
  if args.plot is not None:
    output_file.check_file(args.plot)
    if importlib.util.find_spec("matplotlib") is None:
      raise ImportError("--plot needs matplotlib: pip install 'inrjax[plots]'")
  baselines = [_baseline(name) for name in args.compare]
  pictures, unreadable = _read_pictures(args.paths)
  codec = load(args.model)
  curve = _curve(args, codec, pictures, unreadable)
  for target in curve.meta.get("unreached_bpp", ()):
    _say("warning", f"not every image can keep {target:g} bpp: left out")
  targets = args.bpp or [point.bpp for point in curve.points]
  others = []
  for baseline in baselines:
    try:
      other = evaluate.curve_at_rates(baseline, pictures.values(), targets)
      others.append(other)
    except ValueError as error:  # it keeps none of the rates
      _say("warning", str(error))
  compared = [evaluate.curve_to_json(other) for other in others]
  curve = dataclasses.replace(curve, meta={**curve.meta, "compared": compared})
  evaluate.write_curve(args.json, curve)
  if args.plot is not None:
    evaluate.rate_distortion_figure(
      args.plot, [curve, *others], highlight=[curve.name]
    )
  for shown in (curve, *others):
    print(f"{shown.name}\n{evaluate.plain(evaluate.point_table(shown))}")
  if unreadable:
    _say(
      "warning",
      f"{len(unreadable)} of {len(unreadable) + len(pictures)} image files"
      " could not be read and were left out",
    )


def _curve(
  args: argparse.Namespace,
  codec: "loading.Codec",
  pictures: "Mapping[str, np.ndarray]",
  unreadable: Sequence[str],
) -> "evaluate.Curve":
  """The codec's curve over the images, with where it comes from."""
  import inrjax
  from inrjax import evaluate

  name = pathlib.PurePath(args.model).stem
  meta = {
    "model": args.model,
    "model_id": codec.model_id,
    "effort": args.effort,
    "images": list(pictures),
    "unreadable": list(unreadable),
    "inrjax": inrjax.__version__,
  }
  if args.bpp is not None:
    return evaluate.curve_at_bpps(
      codec, pictures, args.bpp, name=name, effort=args.effort, meta=meta
    )
  return evaluate.curve_at_qualities(
    codec,
    pictures,
    args.quality or _DEFAULT_QUALITIES,
    name=name,
    effort=args.effort,
    meta=meta,
  )


def _read_pictures(
  paths: Iterable[str],
) -> "tuple[dict[str, np.ndarray], list[str]]":
  """8-bit images `[H, W, C]` by path, and the unreadable ones in folders."""
  from inrjax.data import images

  pictures: dict[str, np.ndarray] = {}
  unreadable = []
  for path in paths:
    in_folder = os.path.isdir(path)
    for file in images.find_images(path) if in_folder else [path]:
      try:
        array = _read_signal(os.fspath(file))
      except images.ImageError as error:
        if not in_folder:
          raise
        unreadable.append(os.fspath(file))
        _say("warning", f"{error} Left out.")
        continue
      if array.itemsize > 1:
        raise errors.UnsupportedSignalError(
          f"{file} has {8 * array.itemsize} bits per sample, distortion is"
          " measured in 8: convert it"
        )
      pictures[os.fspath(file)] = array[..., None] if array.ndim == 2 else array
  if not pictures:
    raise images.ImageError(f"no readable image in {', '.join(paths)}")
  return pictures, unreadable


def _baseline(name: str) -> "evaluate.ImageCodec":
  from inrjax import evaluate

  return {
    "jpeg": evaluate.jpeg,
    "jpeg444": lambda: evaluate.jpeg("4:4:4"),
    "jpeg2000": evaluate.jpeg2000,
    "webp": evaluate.webp,
    "avif": evaluate.avif,
    "hevc": evaluate.hevc,
  }[name]()


# files


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
  """Puts a path in front of what a codec's error says."""
  try:
    yield
  except errors.CodecError as error:
    raise type(error)(f"{path}: {error}") from error


def _read_bytes(path: str) -> bytes:
  with open(path, "rb") as file:
    data = file.read(_MAX_BYTES + 1)
  if len(data) > _MAX_BYTES:
    raise errors.CorruptBitstreamError(
      f"{path} has more than {_MAX_BYTES} bytes, as no sound file has"
    )
  return data


if __name__ == "__main__":
  sys.exit(main())
