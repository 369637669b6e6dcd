"""Everything once, in minutes: `make quickstart`.

  python -m experiments.quickstart [--out=FOLDER]

Trains an MSCN codec on the photographs bundled with scikit-image, exports its
model file, compresses a held-out photograph into a file and decompresses it in
a fresh process, draws both side by side, and compares rate and distortion with
the classical codecs. A model that is there already, of the same settings, is
used again; an interrupted training goes on.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging
from PIL import Image, features

import inrjax
from experiments import build, evaluation, launch
from experiments.configs.kodak import mscn_quickstart
from inrjax import data, evaluate, train
from inrjax.evaluate import files

NAME = "inrjax MSCN"
PHOTOGRAPH = "astronaut"  # Of the held-out ones.
BPP = 0.3  # The most its file may take.
QUALITIES = (27, 35, 41, 47, 53, 60)
# At most; what is reached lies a little below, and the table's rates between.
CLASSICAL_BPPS = (0.095, 0.14, 0.2, 0.3, 0.4, 0.55)
TABLE_BPPS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)

Images = Mapping[str, np.ndarray]


class Clock:
  """Prints lines that begin with the time since it was made."""

  def __init__(self) -> None:
    """Starts it."""
    self._start = time.monotonic()

  def say(self, text: str) -> None:
    """One line."""
    elapsed = time.monotonic() - self._start
    print(f"[{elapsed:4.0f} s] {text}", flush=True)


def photographs(split: str) -> data.ImageSource:
  """The bundled photographs; validation is on the held-out ones."""
  return data.photographs("train" if split == "train" else "test")


def train_model(
  config: build.Section,
  workdir: pathlib.Path,
  load: Callable[[str], data.ImageSource],
) -> pathlib.Path:
  """The model file of a config, trained unless it is there.

  Args:
    config: the whole config.
    workdir: of the run; what a run of other settings left there is removed.
    load: the images of "train" and "validation".

  Returns:
    The path of the model file.
  """
  record, model = workdir / evaluation.CONFIG, workdir / "model.inrmodel"
  text = json.dumps(config, indent=2) + "\n"
  if record.exists() and record.read_text() != text:
    shutil.rmtree(workdir)
  if model.exists() and record.exists():
    print(f"Using {model}; remove it to train again.")
    return model
  with files.replacing(record) as path:
    path.write_text(text)
  train.enable_compilation_cache(workdir / "compiled")
  run = launch.Run(config, workdir, load)
  run.meta_learn()
  run.write_model()
  return model


def round_trip(
  model: pathlib.Path, image: np.ndarray, stem: pathlib.Path, *, bpp: float
) -> tuple[int, np.ndarray]:
  """Compresses and decompresses on the command line, a process each.

  Args:
    model: the model file.
    image: `[H, W, 3]` uint8.
    stem: where files go, without their suffixes: .png, .inr, -decoded.png.
    bpp: most bits per pixel.

  Returns:
    The length of the .inr file in bytes, and what it decodes to.

  Raises:
    SystemExit: if a command fails; it has said why.
  """
  original, stream = stem.with_suffix(".png"), stem.with_suffix(".inr")
  decoded = stem.with_name(f"{stem.name}-decoded.png")
  with files.replacing(original) as path:
    Image.fromarray(image).save(path)
  _command("compress", "--model", model, "--bpp", bpp, original, stream)
  _command("decompress", "--model", model, stream, decoded)
  with Image.open(decoded) as picture:
    return stream.stat().st_size, np.asarray(picture)


def classical_codecs() -> list[evaluate.ImageCodec]:
  """The classical codecs that this installation has."""
  codecs = [evaluate.jpeg("4:2:0"), evaluate.jpeg("4:4:4")]
  for feature, make in (
    ("jpg_2000", evaluate.jpeg2000),
    ("webp", evaluate.webp),
    ("avif", evaluate.avif),
  ):
    if features.check(feature):
      codecs.append(make())
    else:
      print(f"Pillow is without {feature} here, which is left out.")
  try:
    codecs.append(evaluate.hevc())
  except ImportError as error:
    print(f"HEVC is left out: {error}")
  return codecs


def main(argv: Sequence[str] | None = None) -> None:
  """Runs the quickstart.

  Args:
    argv: the arguments; by default the process's.
  """
  parser = argparse.ArgumentParser(
    prog="python -m experiments.quickstart", description=__doc__.split("\n")[0]
  )
  parser.add_argument("--out", type=pathlib.Path, default="quickstart")
  out = parser.parse_args(argv).out
  logging.set_verbosity(logging.WARNING)  # Orbax is talkative,
  jax.config.update("jax_logging_level", "WARNING")  # and so is JAX.
  try:
    _quickstart(out, mscn_quickstart.get_config().to_dict())
  except (OSError, ImportError, train.CheckpointError) as error:
    raise SystemExit(f"{type(error).__name__}: {error}") from error


def _quickstart(out: pathlib.Path, config: build.Section) -> None:
  clock = Clock()
  names = [pathlib.Path(p).stem for p in data.PHOTOGRAPHS["test"]]
  held_out = photographs("test")
  images = {name: held_out[index] for index, name in enumerate(names)}
  clock.say(
    f"Training on {len(photographs('train'))} photographs: "
    f"{config['train']['num_steps']} steps, the gates to keep "
    f"at most {config['num_modulations']} modulations per "
    f"{config['signal']['side']} x {config['signal']['side']} patch"
  )
  model = train_model(config, out / "training", photographs)
  codec = inrjax.load(model)
  kept = codec.info()["values_per_tile"]
  clock.say(f"The model keeps {kept}; it takes {model.stat().st_size} bytes")

  clock.say(f"Compressing {PHOTOGRAPH} to at most {BPP} bpp, and back")
  original = images[PHOTOGRAPH]
  size, decoded = round_trip(model, original, out / PHOTOGRAPH, bpp=BPP)
  evaluate.side_by_side(
    out / f"{PHOTOGRAPH}-error.png",
    original,
    decoded,
    bpp=8 * size / (original.shape[0] * original.shape[1]),
    name=NAME,
  )

  clock.say(f"Rate and distortion on {' and '.join(names)}: {NAME}")
  curves = [evaluate.curve_at_qualities(codec, images, QUALITIES, name=NAME)]
  for classical in classical_codecs():
    clock.say(f"Rate and distortion on the same: {classical.name}")
    curves.append(
      evaluate.curve_at_rates(classical, images.values(), CLASSICAL_BPPS)
    )
  evaluate.rate_distortion_figure(
    out / "rate-distortion.png",
    curves,
    title=f"Held-out photographs: {', '.join(names)}",
    rate_limits=(TABLE_BPPS[0], TABLE_BPPS[-1]),
    highlight=[NAME],
  )
  table = evaluate.markdown(
    evaluate.rate_table(curves, TABLE_BPPS, anchor=curves[1])
  )
  with files.replacing(out / "rate-distortion.md") as path:
    path.write_text(table)
  clock.say(f"Done; everything is in {out}/")
  print(f"\nMean PSNR (dB) at bits per pixel, in bytes written:\n\n{table}")


def _command(*arguments: Any) -> None:
  words = [str(argument) for argument in arguments]
  done = subprocess.run(
    [sys.executable, "-m", "inrjax.cli", *words], check=False
  )
  if done.returncode:
    raise SystemExit(f"inrjax {words[0]} failed (exit {done.returncode}).")


if __name__ == "__main__":
  main()
