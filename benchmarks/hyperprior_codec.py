"""The hyperprior codec: coding an image, and a step of adapting to a clip.

Times and multiply-accumulates of encoding and decoding, apart for networks and
entropy coding; steps of full-model adaptation a second, on crops and on whole
frames; and the most memory that a step takes, each in a process of its own,
with what compiling it takes.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import inrjax
from benchmarks import hyperprior_macs, turns, worker
from inrjax import codec as codec_lib
from inrjax import train
from inrjax.codec import latent_coder, latent_synthesis, latent_windows
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.train import adaptation
from inrjax.types import PyTree

_WIDTHS = {
  "small": hyperprior.small,
  "low_rate": hyperprior.low_rate,
  "high_rate": hyperprior.high_rate,
}


def make_codec(model: str | None, widths: str) -> codec_lib.HyperpriorCodec:
  """The codec of a model file, or one that was never trained."""
  if model is not None:
    found = inrjax.load(model)
    if not isinstance(found, codec_lib.HyperpriorCodec):
      raise SystemExit(f"{model} is no hyperprior.")
    return found
  config = _WIDTHS[widths]()
  made = rate_distortion.RateModel(hyperprior.make_hyperprior(config))
  params = jax.jit(made.init)(jax.random.key(0))
  return codec_lib.HyperpriorCodec(config, jax.device_get(params))


def smooth_frame(height: int, width: int) -> np.ndarray:
  """A frame `[1, H, W, 3]` uint8: noise at several scales."""
  rng = np.random.default_rng(0)
  total = np.zeros((1, height, width, 3), np.float32)
  for side in (4, 16, 64):
    shape = (1, -(-height // side), -(-width // side), 3)
    coarse = rng.normal(0, 8 * side**0.4, shape).astype(np.float32)
    wide = coarse.repeat(side, 1).repeat(side, 2)
    total += wide[:, :height, :width]
  return np.clip(128 + total, 0, 255).astype(np.uint8)


def coding(
  codec: codec_lib.HyperpriorCodec, image: np.ndarray
) -> dict[str, turns.Program]:
  """Encoding and decoding an image, as wholes and in their stages."""
  network, params = hyperprior.make_hyperprior(codec.config), codec.params
  coder = latent_coder.LatentCoder(params["hyper_synthesis"], params["prior"])
  exact = latent_synthesis.ExactHyperSynthesis(params["hyper_synthesis"])
  analysis, hyper_analysis, synthesis = (
    jax.jit(getattr(network, name).apply)
    for name in ("analysis", "hyper_analysis", "synthesis")
  )
  padded = np.asarray(
    hyperprior.pad(jnp.asarray(image[None] / np.float32(255)))
  )[0]

  def analysed() -> Any:
    return latent_windows.analyse(
      lambda x: analysis(params["analysis"], x), padded
    )

  y = analysed()

  def hyper_analysed() -> np.ndarray:
    z = hyper_analysis(params["hyper_analysis"], y[None])
    return np.asarray(z)[0]

  latents = coder.quantize(y, hyper_analysed())
  data, sides = coder.encode(latents), latents.hyper.shape[:2]
  reconstructed = coder.reconstruct(latents)
  file = codec.compress(image)
  stages: dict[str, Callable[[], Any]] = {
    "compress": lambda: codec.compress(image),
    "decompress": lambda: codec.decompress(file),
    "analysis": analysed,
    "hyper_analysis": hyper_analysed,
    "hyper_synthesis": lambda: exact(latents.hyper),
    "latents_to_bytes": lambda: coder.encode(latents),
    "bytes_to_latents": lambda: coder.decode(data, *sides),
    "synthesis": lambda: latent_windows.synthesise(
      lambda x: synthesis(params["synthesis"], x),
      reconstructed,
      (0, 0, *image.shape[:2]),
    ),
  }
  return {name: turns.Program(run, None) for name, run in stages.items()}


def coding_record(
  codec: codec_lib.HyperpriorCodec,
  image: np.ndarray,
  seconds: dict[str, float | None],
) -> dict[str, Any]:
  """What is published of coding one image.

  Both directions of entropy coding begin with the hyper-synthesis, which is
  taken off them here.

  Args:
    codec: what codes.
    image: `[H, W, 3]`.
    seconds: of every stage of `coding`.
  """
  height, width = image.shape[:2]
  counted = hyperprior_macs.macs(codec.config, height, width)
  pixels = height * width

  def without(name: str) -> float | None:
    whole, part = seconds[name], seconds["hyper_synthesis"]
    return None if whole is None or part is None else whole - part

  return {
    "benchmark": "hyperprior_codec_coding",
    "height": height,
    "width": width,
    **dataclasses.asdict(codec.config),
    "bytes": len(codec.compress(image)),
    "macs_per_pixel_encoding": counted.encoding / pixels,
    "macs_per_pixel_decoding": counted.decoding / pixels,
    "macs_per_pixel": {
      name: value / pixels for name, value in counted._asdict().items()
    },
    "seconds_encoding": seconds["compress"],
    "seconds_decoding": seconds["decompress"],
    "seconds": {
      name: seconds[name]
      for name in (
        "analysis",
        "hyper_analysis",
        "hyper_synthesis",
        "synthesis",
      )
    }
    | {
      "entropy_coding": without("latents_to_bytes"),
      "entropy_decoding": without("bytes_to_latents"),
    },
  }


def step(codec: codec_lib.HyperpriorCodec, batch: np.ndarray) -> turns.Program:
  """A step of full-model adaptation on frames, or crops of them."""
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(codec.config))
  found = adaptation.of_model(
    model, codec.params, beta=1e-3, num_pixels=batch[..., 0].size
  )
  optimizer = train.make_optimizer(1e-4)
  state = jax.jit(
    lambda key, start, carry: train.init_state(
      key, start, optimizer, carry=carry
    )
  )(jax.random.key(0), found.start, codec.params)
  step_fn = train.make_train_step(found.objective, optimizer)

  def stepped(state: PyTree, batch: Any) -> tuple[PyTree, PyTree]:
    return step_fn(state, batch)

  return turns.stepping(stepped, state, jax.device_put(batch))


def memory(args: argparse.Namespace, side: tuple[int, int]) -> dict[str, Any]:
  """Peak of a step on one frame or crop of a size, in a fresh process."""
  command = [sys.executable, "-m", "benchmarks.hyperprior_codec"]
  command += [f"--peak_of={side[0]}x{side[1]}", f"--widths={args.widths}"]
  if args.model:
    command.append(f"--model={args.model}")
  done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
  found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
  return found


def _print_peak(args: argparse.Namespace) -> None:
  codec = make_codec(args.model, args.widths)
  before = worker.peak_bytes()
  program = step(codec, smooth_frame(*args.peak_of))
  compiled = worker.peak_bytes()
  for _ in range(2):
    program.run()
  turns.publish(
    {
      "peak_rss": worker.peak_bytes(),
      "peak_rss_before": before,
      "peak_rss_compiled": compiled,
      "temporaries": program.temporaries,
    }
  )


def _size(text: str) -> tuple[int, int]:
  height, _, width = text.partition("x")
  return int(height), int(width)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
  """Reads the flags."""
  parser = argparse.ArgumentParser(
    prog="python -m benchmarks.hyperprior_codec", description=__doc__
  )
  parser.add_argument(
    "--model", default=None, help="a model file; default an untrained one"
  )
  parser.add_argument(
    "--widths",
    default="small",
    choices=list(_WIDTHS),
    help="of the untrained one, default small",
  )
  for name, default, text in (
    ("image", "512x768", "height and width of the image to code"),
    ("frame", "240x320", "of whole frames to adapt to"),
    ("crop", "256x256", "of crops to adapt to"),
    ("large", "1080x1920", "of frames whose steps' memory is measured"),
  ):
    parser.add_argument(
      f"--{name}", type=_size, default=_size(default), help=text
    )
  parser.add_argument(
    "--rounds", type=int, default=turns.ROUNDS, help="measured runs of each"
  )
  parser.add_argument(
    "--memory_of",
    nargs="*",
    default=["large", "crop"],
    choices=["large", "frame", "crop"],
    help="sizes of which one step's memory is measured, in a process each",
  )
  # Set by this program alone, of its processes.
  parser.add_argument(
    "--peak_of", type=_size, default=None, help=argparse.SUPPRESS
  )
  args = parser.parse_args(arguments)
  if args.model and not pathlib.Path(args.model).is_file():
    parser.error(f"--model: there is no file {args.model}")
  return args


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a line for each stage and JSON objects."""
  args = parse(arguments)
  if args.peak_of is not None:
    _print_peak(args)
    return
  codec = make_codec(args.model, args.widths)
  print(f"hyperprior_codec: {codec.config}", flush=True)
  image = smooth_frame(*args.image)[0]
  seen = turns.take_turns(coding(codec, image), rounds=args.rounds, pause=0.03)
  for name, one in seen.items():
    print(f"{name:<18} {one.median or 0:.4f} s", flush=True)
  seconds = {name: one.median for name, one in seen.items()}
  turns.publish(coding_record(codec, image, seconds))
  steps = {
    "crop": step(codec, smooth_frame(*args.crop)),
    "frame": step(codec, smooth_frame(*args.frame)),
  }
  for name, one in turns.take_turns(steps, rounds=args.rounds).items():
    height, width = getattr(args, name)
    turns.publish(
      {
        "benchmark": "hyperprior_codec_adaptation",
        "of": name,
        "height": height,
        "width": width,
        "seconds": one.median,
        "steps_per_second": turns.ratio(1.0, one.median),
        "temporaries": one.temporaries,
        "rounds": len(one.seconds),
      }
    )
  for name in args.memory_of:
    height, width = getattr(args, name)
    turns.publish(
      {
        "benchmark": "hyperprior_codec_memory",
        "of": name,
        "height": height,
        "width": width,
      }
      | memory(args, (height, width))
    )


if __name__ == "__main__":
  main()
