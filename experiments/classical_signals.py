"""Classical codecs on the test signals that learned codecs are measured on.

evaluate  compresses, decodes and measures every signal, codec by codec

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/FILE.py[:CODEC]
      --workdir=DIR --mode=evaluate --data_dir=DATA

Each codec has a file CODEC.json in the working folder, with records like those
of `signal_quality.of_files`: rates are of files. What is there and was asked
for in the same way is kept, so that a run that was stopped goes on. A codec
that is not installed is left out, with a line that says how to install it.
"""

import dataclasses
import importlib
import json
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments import build, evaluation, launch, signals
from inrjax import evaluate
from inrjax.codec import kinds
from inrjax.evaluate import (
  audio_codecs,
  field_codecs,
  files,
  shape_codecs,
  signal_codecs,
)

Codec = signal_codecs.SignalCodec[signal_codecs.Array]


def load(
  split: str, data_dir: pathlib.Path | None, *, data_set: str, **source: Any
) -> signals.SignalSource:
  """The signals of a split, as a learned codec's launcher loads them.

  Args:
    split: "train", "validation" or "test".
    data_dir: as the data set's launcher takes it.
    data_set: name of its launcher, `experiments.DATA_SET`.
    **source: as its configs have in `data.source`.
  """
  module = importlib.import_module(f"experiments.{data_set}")
  found: signals.SignalSource = module.load(split, data_dir, **source)
  return found


def _maps(
  name: str, make: Callable[[], evaluate.ImageCodec]
) -> Callable[[build.Section], Codec]:
  def of(signal: build.Section) -> Codec:
    return field_codecs.slicewise(make(), signal["value_range"], name=name)

  return of


def _mosaics(
  make: Callable[[build.Section], Codec],
) -> Callable[[build.Section], Codec]:
  return lambda signal: field_codecs.mosaic(make(signal))


def _sounds(
  make: Callable[[int], evaluate.AudioCodec],
) -> Callable[[build.Section], Codec]:
  def of(signal: build.Section) -> Codec:
    return audio_codecs.as_signal_codec(make(signal["rate"]))

  return of


# Of a config's section `signal`.
CODECS: dict[str, Callable[[build.Section], Codec]] = {
  "jpeg": _maps("JPEG", evaluate.jpeg),
  "jpeg2000": _maps("JPEG 2000", evaluate.jpeg2000),
  "hevc": _maps("HEVC intra", evaluate.hevc),
  "jpeg_mosaic": _mosaics(_maps("JPEG", evaluate.jpeg)),
  "jpeg2000_mosaic": _mosaics(_maps("JPEG 2000", evaluate.jpeg2000)),
  "hevc_mosaic": _mosaics(_maps("HEVC intra", evaluate.hevc)),
  "zfp": lambda _: field_codecs.zfp_accuracy(),
  "zfp_shares": lambda signal: field_codecs.of_shares(
    field_codecs.zfp_accuracy(), signal["value_range"]
  ),
  "zfp_rate": lambda _: field_codecs.zfp_rate(),
  "sz3": lambda _: field_codecs.sz3(),
  "sz3_shares": lambda signal: field_codecs.of_shares(
    field_codecs.sz3(), signal["value_range"]
  ),
  "mp3": _sounds(evaluate.mp3),
  "opus": _sounds(evaluate.opus),
  "flac": _sounds(evaluate.flac),
  "packed_voxels": lambda _: shape_codecs.packed_voxels(),
}


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the signals of a split, by name.
    trained_in: not used; there is nothing to train.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], signals.SignalSource]
  trained_in: pathlib.Path | None = None

  def meta_learn(self) -> None:
    """Nothing is learned."""
    print("Classical codecs: there is nothing to learn.")

  def measure(self) -> None:
    """Writes and prints rates and errors of each codec on the test signals."""
    source = self.load("test")
    # Volumes have the range of their training set where the config has none.
    known = self.config["signal"]["value_range"]
    signal = dict(self.config["signal"])
    signal["value_range"] = known or getattr(source, "value_range", None)
    count = min(len(source), self.config["num_signals"] or len(source))
    chosen = [source[index] for index in range(count)]
    for name, options in self.config["codecs"].items():
      path = self.workdir / f"{name}.json"
      asked = _as_json(
        {
          "signal": signal,
          "source": self.config["data"]["source"],
          "codec": options,
          "num_signals": count,
        }
      )
      record = _known(path, asked)
      if record is None:
        try:
          make = build.choose(CODECS, options["codec"], f"codecs.{name}.codec")
          codec = make(signal)
        except (ImportError, evaluate.MissingProgramError) as error:
          print(f"Warning: {name} is left out: {error}")
          continue
        record = recorded(codec, options, signal, chosen) | {"asked": asked}
        with files.replacing(path) as place:
          place.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
      print(f"\n{record['name']}\n{evaluation.table(record['quantised'])}")

  def write_model(self) -> None:
    """There is no model."""
    print("Classical codecs: there is no model to write.")


def recorded(
  codec: Codec,
  options: build.Section,
  signal: build.Section,
  chosen: Sequence[kinds.Signal],
) -> evaluation.Record:
  """What the file of one codec holds.

  Args:
    codec: the codec.
    options: its part of section `codecs`.
    signal: section `signal`.
    chosen: the signals.
  """
  how = comparison(signal)
  return {
    "name": options["label"],
    "num_signals": len(chosen),
    "unit": signal["unit"],
    "quantised": [
      measured(
        codec,
        [one.values for one in chosen],
        setting,
        how,
        together=options["together"],
        rate=signal["rate"],
      )
      for setting in options["settings"]
    ],
  }


def comparison(
  signal: build.Section,
) -> signal_codecs.Comparison[signal_codecs.Array]:
  """How signals of a kind are compared; see section `signal` of the configs."""
  if signal["kind"] == "occupancy":
    return shape_codecs.of_occupancy()
  return signal_codecs.of_arrays(signal["value_range"], unit=signal["unit"])


def measured(
  codec: Codec,
  arrays: Sequence[np.ndarray],
  setting: float,
  how: signal_codecs.Comparison[signal_codecs.Array],
  *,
  together: bool = False,
  rate: int | None = None,
) -> evaluation.Record:
  """Rate of the files of all signals, and errors, at one setting.

  Args:
    codec: the codec.
    arrays: the signals, `[..., C]`; NaN is missing. It is coded as the mean of
      the rest, where it lies is free, and no error counts it.
    setting: of the codec.
    how: they are compared.
    together: codes them stacked, as one array with an axis more.
    rate: samples a second of sound.

  Returns:
    As `signal_quality.of_files`. `payload_bpp` leaves container headers out, as
    `evaluate.overhead` defines them; `psnr` is None where all is lossless.
    With a rate also `kbps`, with scores also these.
  """
  codec = field_codecs.filled(codec)
  if together:
    how = dataclasses.replace(how, parts=list)
    arrays = [np.stack(arrays)]
  rows = [
    row
    for array in arrays
    for row in signal_codecs.measure_signal(codec, array, setting, how)
  ]
  num_places = sum(row.rate.num_pixels for row in rows)
  bits = 8 * sum(row.rate.total for row in rows)
  psnr = float(np.mean([row.errors.psnr for row in rows]))
  record: evaluation.Record = {
    "quality": setting,
    "bpp": bits / num_places,
    "payload_bpp": (bits - 8 * sum(row.rate.header for row in rows))
    / num_places,
    "psnr": psnr if math.isfinite(psnr) else None,
    **signal_codecs.extras(rows),
  }
  if rate is not None:
    record["kbps"] = record["bpp"] * rate / 1000
  return record


def _known(path: pathlib.Path, asked: Any) -> evaluation.Record | None:
  """What is there already, if it is what is asked for."""
  if not path.is_file():
    return None
  record: evaluation.Record = json.loads(path.read_text())
  return record if record.get("asked") == asked else None


def _as_json(value: Any) -> Any:
  """The value as it is read back from JSON."""
  return json.loads(json.dumps(value))


if __name__ == "__main__":
  launch.main(load, Run)
