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

from inrjax.codec import container, description, errors, kinds, output_file

if TYPE_CHECKING:
  import numpy as np

  from inrjax import evaluate
  from inrjax.codec import grid_codec, loading

Load = Callable[[str], "loading.Codec"]

_EFFORTS = ("fast", "medium", "slow")
_DEFAULT_QUALITIES = (20.0, 30.0, 40.0, 50.0, 60.0)
_CLASSICAL = ("jpeg", "jpeg444", "jpeg2000", "webp", "avif", "hevc")
# Pixels that a step of adaptation sees at most, times the hidden channels:
# 1920 x 1080 with the model that comes with inrjax take 3.0 GB.
_MAX_STEP_ACTIVATIONS = 1920 * 1088 * 48
# Larger than any sensible file; what a pipe or a device gives may not end.
_MAX_BYTES = 1 << 30
# Leaves room for a number and a suffix in the 255 bytes of a file's name.
_MAX_STEM_BYTES = 200
# Of the cube of cells around a mesh.
_SIDE = 64
_MAX_SIDE = 512
# What options are for that not every kind of signal has.
_OPTIONS = {
  "--variable": "netCDF files and .npz archives",
  "--convert": "sound",
  "--side": "meshes",
}


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
  parser = commands.add_parser(
    "compress", help="images or other signals into one .inr file"
  )
  _add_model(parser)
  rate = parser.add_mutually_exclusive_group()
  rate.add_argument(
    "--quality", type=_quality, metavar="Q", help="0 (coarsest) to 100"
  )
  rate.add_argument(
    "--bpp", type=_positive, metavar="R", help="most bits per pixel"
  )
  _add_effort(parser)
  _add_adaptation(parser)
  _add_signals(parser)
  parser.add_argument(
    "inputs",
    nargs="+",
    metavar="IN",
    help="image files, or sound (.wav, .flac), fields (.nc), volumes (.nii,"
    " .nii.gz), arrays (.npy, .npz), meshes (.obj, .ply, .stl, .off), voxels"
    " (.binvox; .npz and .npy with --kind occupancy), clips (.mp4, .mkv, .mov,"
    " .avi, .webm, .y4m, .gif)",
  )
  parser.add_argument("output", type=_stream_name, metavar="OUT.inr")
  parser.set_defaults(run=_compress)


def _add_adaptation(parser: argparse.ArgumentParser) -> None:
  group = parser.add_argument_group("adaptation of a hyperprior")
  group.add_argument(
    "--adapt",
    type=_count,
    metavar="STEPS",
    help="first adapt the model to the images, all of one size, or to IN, a"
    " video or folder of frames; the file brings the change along",
  )
  group.add_argument(
    "--beta",
    type=_positive,
    metavar="B",
    help="weight of the rate; by default the model's own",
  )
  group.add_argument(
    "--frames",
    type=_count,
    metavar="N",
    help="of a clip, so many; by default to its end",
  )
  group.add_argument(
    "--stride",
    type=_count,
    default=1,
    metavar="N",
    help="of a clip, every N-th frame",
  )
  group.add_argument(
    "--min-gain",
    type=_positive,
    default=0.0,
    metavar="P",
    help="stop when rate and distortion fall by less than P percent a minute",
  )


def _add_signals(parser: argparse.ArgumentParser) -> None:
  group = parser.add_argument_group("signals that are no images")
  group.add_argument(
    "--kind", choices=kinds.CHOICES, help="by default what a file's name says"
  )
  group.add_argument(
    "--max-error",
    type=_not_negative,
    metavar="E",
    help="store corrections that keep every value this close, in its unit",
  )
  group.add_argument(
    "--variable",
    action="append",
    default=[],
    metavar="NAME",
    help="of a netCDF file, by default all on latitudes and longitudes; or an"
    " array of an .npz file, by default all",
  )
  group.add_argument(
    "--side",
    type=_side,
    default=None,
    metavar="N",
    help=f"cells on a side of a mesh's cube, by default {_SIDE}; --kind"
    " distance takes distances to its surface in place of occupancy",
  )
  group.add_argument(
    "--convert",
    action="store_true",
    help="resample and mix sound of other rates than the model's",
  )


def _add_decompress(commands: Any) -> None:
  parser = commands.add_parser(
    "decompress", help="an .inr file into what it was made of"
  )
  _add_model(parser)
  parser.add_argument("input", metavar="IN.inr")
  parser.add_argument(
    "output",
    metavar="OUT",
    help="a file of the kind that went in, images lossless, or .npy; a folder"
    " if IN.inr holds several",
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
  parser = commands.add_parser(
    "info", help="what an .inr or model file, or a signal's file, holds"
  )
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
  parser.add_argument(
    "--beside",
    type=_list_of(str),
    default=[],
    metavar="CURVE.json[,...]",
    help="curves that were published or measured before, shown with these: of"
    " the same images, if they are to compare",
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


def _count(text: str) -> int:
  try:
    value = int(text)
  except ValueError:
    value = 0
  if value < 1:
    raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
  return value


def _side(text: str) -> int:
  value = _count(text)
  if not 2 <= value <= _MAX_SIDE:
    raise argparse.ArgumentTypeError(f"{text!r} is not in [2, {_MAX_SIDE}]")
  return value


def _positive(text: str) -> float:
  value = _float(text)
  if not 0 < value < math.inf:
    raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
  return value


def _not_negative(text: str) -> float:
  value = _float(text)
  if not 0 <= value < math.inf:
    raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 0")
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
  found = [args.kind or kinds.kind_of(path) for path in args.inputs]
  _check_options(args, found)
  if args.adapt is not None:
    _compress_adapted(args, load)
    return
  if set(found) != {"image"}:
    _compress_signals(args, load, found)
    return
  arrays = [_read_signal(path) for path in args.inputs]
  codec = load(args.model)
  _check_serves_images(args, codec)
  options = {"quality": args.quality, "bpp": args.bpp, "effort": args.effort}
  if len(arrays) == 1:
    data = codec.compress(arrays[0], **options)
  else:
    data = codec.compress_many(arrays, names=_names(args.inputs), **options)
  _write_stream(args.output, data, codec, arrays, args.inputs)


def _check_options(args: argparse.Namespace, found: Sequence[str]) -> None:
  """Refuses options that would do nothing to inputs of the kinds `found`."""
  if args.adapt is not None:
    given = {"--kind": args.kind} | _signal_options(args)
    unused = [name for name, value in given.items() if value]
    if unused:
      raise ValueError(
        f"--adapt is for images and frames, and has no {', '.join(unused)}:"
        " leave it out"
      )
    return
  if _adaptation_options(args):
    raise ValueError(
      "--beta, --min-gain, --frames and --stride are for --adapt: leave them"
      " out"
    )
  unused = [name for name, value in _signal_options(args).items() if value]
  if unused and set(found) == {"image"}:
    raise errors.UnsupportedSignalError(
      f"{args.inputs[0]} is an image, which takes no {', '.join(unused)}: that"
      " is for other signals; leave it out, or name the --kind"
    )
  suffixes = {kinds.suffix_of(path) for path in args.inputs}
  serves = {
    "--max-error": True,
    "--variable": "field" in found or ".npz" in suffixes,
    "--convert": "audio" in found,
    "--side": bool(suffixes.intersection(kinds.MESHES)),
  }
  for name in unused:
    if not serves[name]:
      raise errors.UnsupportedSignalError(
        f"{name} is for {_OPTIONS[name]}, and none is among the inputs"
        f" ({', '.join(dict.fromkeys(found))}): leave it out"
      )


def _adaptation_options(args: argparse.Namespace) -> bool:
  """Whether an option of `--adapt` is given."""
  return (
    args.beta is not None
    or args.min_gain > 0
    or args.frames is not None
    or args.stride != 1
  )


def _signal_options(args: argparse.Namespace) -> dict[str, bool]:
  """Which options of signals are given."""
  return {
    "--max-error": args.max_error is not None,
    "--variable": bool(args.variable),
    "--convert": args.convert,
    "--side": args.side is not None,
  }


def _names(paths: Sequence[str]) -> list[str]:
  return [
    container.safe_name(os.path.basename(path), f"image-{index}")
    for index, path in enumerate(paths)
  ]


def _write_stream(
  output: str,
  data: bytes,
  codec: "loading.Codec",
  arrays: "Sequence[np.ndarray]",
  shown: Sequence[str],
) -> None:
  """Writes a file and says what each of its images takes."""
  decoded = [array for _, array in codec.decompress_many(data)]
  output_file.write_atomically(output, data)
  sizes = [math.prod(array.shape[:2]) for array in arrays]
  psnrs = [_psnr(*pair) for pair in zip(arrays, decoded, strict=True)]
  if len(arrays) > 1:
    totals = [rate.total for rate in codec.rates(data)]
    for row in zip(shown, totals, sizes, psnrs, strict=True):
      print(_summary(*row))
  mean = sum(psnrs) / len(psnrs)
  print(_summary(output, len(data), sum(sizes), mean))


def _compress_adapted(args: argparse.Namespace, load: Load) -> None:
  """`--adapt`: the model's change goes into the file, if that makes it less."""
  if args.quality is not None or args.bpp is not None:
    raise ValueError(
      "--adapt has no --quality or --bpp: its rate is that of --beta and the"
      " model"
    )
  from inrjax.codec import hyperprior_codec, request

  codec = load(args.model)
  if not isinstance(codec, hyperprior_codec.HyperpriorCodec):
    raise errors.CodecError(
      f"{args.model} is no hyperprior, and only that can be adapted: leave out"
      " --adapt, or give another --model"
    )
  if args.effort not in codec.efforts:
    raise ValueError(
      f"--adapt has no --effort {args.effort}: what it takes are its steps"
    )
  frames, names = _read_frames(args.inputs, args.frames, args.stride)
  # Before the steps, not after them.
  request.check_num_values(frames.size)
  from inrjax import data as data_lib
  from inrjax import train
  from inrjax.train import adaptation, clips

  batches = data_lib.make_pipeline(
    data_lib.ArraySource(frames),
    batch_size=1,
    seed=0,
    crop_size=_seen_by_a_step(frames.shape[1:3], codec.config.width),
  )
  progress = train.ProgressLogger(args.adapt, metrics=("bpp", "psnr"))
  try:
    best = clips.adapt_clip(
      codec,
      frames,
      batches,
      beta=args.beta or _beta(codec.card, args.model),
      num_steps=args.adapt,
      min_gain=args.min_gain,
      report=progress.log,
      on_step=lambda step: progress.log(step, {}),
    )
  finally:
    progress.close()
  data = adaptation.compress(codec, best, list(frames), names=names)
  _write_stream(args.output, data, codec, list(frames), names)
  sides = [rate.side for rate in codec.rates(data)]
  print(f"of these for the model's change: {sum(sides):.0f} bytes")


def _seen_by_a_step(size: tuple[int, ...], width: int) -> tuple[int, ...]:
  """Height and width of what a step of adaptation sees of frames.

  Whole frames where memory allows: of crops the zeros around them are a large
  part, and what is learned of these makes frames dearer.

  Args:
    size: of the frames.
    width: hidden channels of the model.
  """
  limit = _MAX_STEP_ACTIVATIONS // width
  if math.prod(size) <= limit:
    return size
  return tuple(min(math.isqrt(limit), side) for side in size)


def _beta(card: Mapping[str, Any], model: str) -> float:
  """The weight of the rate that a model was trained with."""
  config = card.get("config")
  beta = config.get("beta") if isinstance(config, dict) else None
  if not isinstance(beta, float) or not 0 < beta < math.inf:
    raise ValueError(
      f"{model} does not say its beta: give --beta, such as 1e-3"
    )
  return beta


def _read_frames(
  paths: Sequence[str], num_frames: int | None, stride: int
) -> "tuple[np.ndarray, list[str]]":
  """Frames `[T, H, W, C]` of one clip, or of image files, and their names."""
  import numpy as np

  from inrjax.data import images, video

  suffix = pathlib.PurePath(paths[0]).suffix.lower()
  if len(paths) == 1 and (
    os.path.isdir(paths[0]) or suffix not in images.EXTENSIONS
  ):
    frames = video.read_clip(
      paths[0],
      num_frames=num_frames,
      stride=stride,
      max_values=container.DEFAULT_MAX_VALUES,
    )
    numbers = range(0, len(frames) * stride, stride)
    return frames, [f"frame-{number:04d}" for number in numbers]
  if num_frames is not None or stride != 1:
    raise ValueError("--frames and --stride are for a clip: leave them out")
  arrays = [_read_signal(path) for path in paths]
  shapes = {(array.shape, array.dtype.name) for array in arrays}
  if len(shapes) > 1 or arrays[0].ndim != 3 or arrays[0].dtype != np.uint8:
    raise errors.UnsupportedSignalError(
      "--adapt takes 8-bit colour images of one size, got"
      f" {', '.join(f'{t} {list(s)}' for s, t in sorted(shapes))}"
    )
  return np.stack(arrays), _names(paths)


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
  return f"{_shown(path)}: {num_bytes:.0f} bytes, {bpp:.4f} bpp, {psnr:.2f} dB"


def _shown(path: str) -> str:
  # A name on disk need not be text.
  return os.fsencode(path).decode(errors="backslashreplace")


# Signals that are no images.


def _compress_signals(
  args: argparse.Namespace, load: Load, found: Sequence[str]
) -> None:
  """`compress` of files of the kinds `found`."""
  from inrjax import data as tools
  from inrjax.codec import signal_files

  if "image" in found:
    raise errors.UnsupportedSignalError(
      f"{args.inputs[found.index('image')]} is an image by its name, and other"
      " inputs are not: compress them on their own, or name the --kind"
    )
  for path in args.inputs:
    with open(path, "rb"):
      pass  # Before the model, which takes longer.
  codec = _grid_codec(args, load, found)
  rate = codec.spec.sample_rate if args.convert else None
  signals, sources = [], []
  for path, kind in zip(args.inputs, found, strict=True):
    read = signal_files.read(
      path,
      kind=kind,
      variables=args.variable,
      rate=rate,
      side=args.side or _SIDE,
      tools=tools,
    )
    shown = [signal_files.shown_name(signal, path) for signal in read]
    _check_served(codec, read, shown)
    sources += shown
    signals += read
  data = codec.compress_signals(
    signals,
    quality=args.quality,
    bpp=args.bpp,
    effort=args.effort,
    max_error=args.max_error,
  )
  decoded = codec.decompress_signals(data)
  output_file.write_atomically(args.output, data)
  totals = [part.total for part in codec.rates(data)]
  for source, total, *pair in zip(
    sources, totals, signals, decoded, strict=True
  ):
    print(_signal_summary(source, total, codec, *pair))
  print(f"{_shown(args.output)}: {len(data)} bytes")


def _grid_codec(
  args: argparse.Namespace, load: Load, found: Sequence[str]
) -> "grid_codec.GridCodec":
  """The model, if it serves all kinds found."""
  from inrjax.codec import grid_codec

  codec = load(args.model)
  served: tuple[str, ...] = ("image",)
  if isinstance(codec, grid_codec.GridCodec):
    served = codec.spec.kinds
  for path, kind in zip(args.inputs, found, strict=True):
    if kind not in served:
      raise errors.UnsupportedSignalError(
        f"{path} is of kind {kind}, and the model {args.model} serves"
        f" {', '.join(served)}: use a model for its kind"
      )
  assert isinstance(codec, grid_codec.GridCodec)
  return codec


def _check_served(
  codec: "grid_codec.GridCodec",
  signals: Sequence[kinds.Signal],
  shown: Sequence[str],
) -> None:
  """Refuses a file of which the model does not code all; names what it does."""
  served, refusal = [], None
  for signal, name in zip(signals, shown, strict=True):
    try:
      codec.check_signal(signal._replace(name=name))
      served.append(signal.metadata.get("variable"))
    except errors.UnsupportedSignalError as error:
      refusal = refusal or error
  if refusal is None:
    return
  names = [f"--variable {name}" for name in served if isinstance(name, str)]
  if not names:
    raise refusal
  raise errors.UnsupportedSignalError(
    f"{str(refusal).rstrip('.')}; or take what it codes by {' '.join(names)}"
  ) from refusal


def _served(codec: "loading.Codec") -> tuple[str, ...]:
  """The kinds that a model of signals serves; none for a model of images."""
  return tuple(getattr(getattr(codec, "spec", None), "kinds", None) or ())


def _check_serves_images(
  args: argparse.Namespace, codec: "loading.Codec"
) -> None:
  served = _served(codec)
  if served:
    raise errors.UnsupportedSignalError(
      f"{args.inputs[0]} is an image, and the model {args.model} serves"
      f" {', '.join(served)}: use a model for images, or name the --kind"
    )


def _signal_summary(
  source: str,
  num_bytes: float,
  codec: "grid_codec.GridCodec",
  original: kinds.Signal,
  decoded: kinds.Signal,
) -> str:
  """Size, rate and the error in the signal's own unit."""
  import numpy as np

  from inrjax.evaluate import signal_errors

  spec = codec.check_signal(original)
  plan = codec.plan(spec, original.metadata)
  # Distances are measured in the cube around a shape.
  unit = "sides of the cube" if spec.kind == "distance" else original.unit
  errors_found = signal_errors.signal_errors(
    original.values,
    decoded.values,
    value_range=plan.interval,
    unit=unit,
    present=~np.isnan(original.values),
  )
  shown = str(errors_found)
  if spec.kind in ("occupancy", "distance"):
    shown = _shape_summary(source, original, decoded, errors_found.psnr)
    if spec.kind == "distance":
      shown = f"{errors_found}, {shown}"
  bpp = 8 * num_bytes / plan.num_places
  return f"{_shown(source)}: {num_bytes:.0f} bytes, {bpp:.4f} bpp, {shown}"


def _shape_summary(
  source: str, original: kinds.Signal, decoded: kinds.Signal, psnr: float
) -> str:
  """How much of a shape is where it was; warns if nothing is left of it."""
  from inrjax.codec import files_mesh
  from inrjax.evaluate import signal_errors

  before, after = files_mesh.inside(original), files_mesh.inside(decoded)
  if before.any() and not after.any():
    _say(
      "warning",
      f"{source}: nothing is left of its shape, no decoded cell is inside;"
      " choose a higher --quality, or a --max-error below 0.5",
    )
  accuracy = 100 * signal_errors.voxel_accuracy(before, after)
  overlap = signal_errors.intersection_over_union(before, after)
  text = f"voxel accuracy {accuracy:.2f} %, IoU {overlap:.4f}"
  return text if original.kind == "distance" else f"{text}, PSNR {psnr:.2f} dB"


def _decompress_signals(
  args: argparse.Namespace, load: Load, data: bytes
) -> None:
  """`decompress` of signals that are no images."""
  from inrjax import data as tools
  from inrjax.codec import grid_codec, signal_files

  if args.scale != 1 or args.region is not None:
    raise ValueError("--scale and --region are for images.")
  path = pathlib.Path(args.output)
  with _naming(args.input):
    outlines = signal_files.files_in(data)
  held = outlines[0].signals[0].kind
  suffix = kinds.suffix_of(path)
  if len(outlines) == 1:
    output_file.check_file(path)
    allowed = signal_files.suffixes(outlines[0])
    if suffix not in allowed:
      raise errors.UnsupportedSignalError(
        f"cannot write {path}: {args.input} holds {held}, choose"
        f" {', '.join(allowed)}"
      )
  else:
    output_file.check_folder(path)
  codec = load(args.model)
  if not isinstance(codec, grid_codec.GridCodec):
    raise errors.WrongModelError(
      f"{args.input} holds {held}, and the model {args.model} serves images:"
      " give the model it was written with"
    )
  with _naming(args.input):
    files = signal_files.files_of(codec.decompress_signals(data))
    if len(outlines) == 1:
      content = signal_files.write(files[0], suffix, tools=tools)
      output_file.write_atomically(path, content)
    else:
      contents = signal_files.named_contents(files, tools=tools)
      output_file.write_folder_atomically(path, contents)


# decompress


def _decompress(args: argparse.Namespace, load: Load) -> None:
  from inrjax.data import images

  data = _read_bytes(args.input)
  with _naming(args.input):
    peeked = container.peek(data)
  names = peeked.names
  found = [spec.kind if spec is not None else "image" for spec in peeked.specs]
  if set(found) <= set(kinds.KINDS):
    _decompress_signals(args, load, data)
    return
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
  if kinds.kind_of(args.file) != "image":
    from inrjax import data as tools
    from inrjax.codec import signal_files

    found = signal_files.describe(args.file, tools=tools)
    facts = {"file": args.file, **found}
  else:
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
  # Before the model, which takes longer.
  known = [curve for path in args.beside for curve in _known_curves(path)]
  for path in args.paths:
    os.stat(path)
  codec = load(args.model)
  _check_evaluates(args.model, codec)
  pictures, unreadable = _read_pictures(args.paths)
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
  others += known
  for shown in (curve, *others):
    print(f"{shown.name}\n{evaluate.plain(evaluate.point_table(shown))}")
  if args.plot is not None:
    evaluate.rate_distortion_figure(
      args.plot, [curve, *others], highlight=[curve.name]
    )
  if unreadable:
    _say(
      "warning",
      f"{len(unreadable)} of {len(unreadable) + len(pictures)} image files"
      " could not be read and were left out",
    )


def _known_curves(path: str) -> "list[evaluate.Curve]":
  """The curves of a JSON file, which their names say."""
  from inrjax import evaluate

  try:
    curves = evaluate.read_curves(path)
  except ValueError as error:
    raise errors.CodecError(f"{error}; --beside takes curves") from error
  # A curve measured before may have the name of the one measured now.
  stem = pathlib.Path(path).stem
  return [
    dataclasses.replace(curve, name=f"{curve.name} ({stem})")
    for curve in curves
  ]


def _check_evaluates(model: str, codec: "loading.Codec") -> None:
  served = _served(codec)
  if served:
    raise errors.UnsupportedSignalError(
      f"evaluate measures images, and the model {model} serves"
      f" {', '.join(served)}: compress prints the rate and the error of every"
      " signal"
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
