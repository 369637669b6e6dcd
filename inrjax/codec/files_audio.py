"""Sound from and to .wav and .flac files (through soundfile).

Sample rate and sample format come back as they were, all channels too. Samples
of 16 bits are integers here; those of other formats are floats, full scale
being [-1, 1], which formats of floats may leave.
"""

import io
import math
import os
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from inrjax.codec import errors, file_tools, kinds

_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_SUBTYPES = {
  "WAV": ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"),
  "FLAC": ("PCM_16", "PCM_24", "PCM_S8"),
}
_TAGS = ("title", "artist", "album", "comment", "copyright", "date", "genre")
# Formats with more than the 24 bits of a float32.
_LONG = ("PCM_32", "DOUBLE")
_FLOATS = ("FLOAT", "DOUBLE")
_MAX_RATE = 10_000_000


class MixedChannelsWarning(UserWarning):
  """A sound of several channels is converted, and has one from then on."""


def read(
  path: str | os.PathLike[str],
  *,
  tools: file_tools.Tools,
  rate: int | None = None,
) -> kinds.Signal:
  """A sound, every channel a signal.

  Args:
    path: a .wav or .flac file.
    tools: `inrjax.data`.
    rate: samples a second to convert the sound to, if it has others, by
      polyphase filters; it is mixed to one channel then, with a
      `MixedChannelsWarning`, and of 16 bits. None takes it as it is.

  Returns:
    `[T, 1]` of one channel, `[channels, T, 1]` of several: int16, float32, or
    float64 where the file has more than 24 bits; full scale is [-1, 1]. The
    warnings of `data.read_audio` name silent and clipped sound.

  Raises:
    UnsupportedSignalError: if the file cannot be read, breaks off, or is empty;
      if it is to be converted and goes beyond full scale.
    ImportError: if soundfile is not installed.
  """
  soundfile = _soundfile(path)
  try:
    with soundfile.SoundFile(os.fspath(path)) as file:
      form, subtype, own_rate = file.format, file.subtype, file.samplerate
      declared, notes = file.frames, file.extra_info
      integers = subtype == "PCM_16" and rate in (None, own_rate)
      samples: np.ndarray = file.read(
        dtype="int16" if integers else "float64", always_2d=True
      )
      tags = {k: v for k, v in file.copy_metadata().items() if k in _TAGS}
  except (soundfile.SoundFileError, OSError, ValueError) as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  if form not in _SUBTYPES or subtype not in _SUBTYPES[form]:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} is {form} of {subtype}; convert it to FLAC or to WAV "
      "of plain samples."
    )
  if not len(samples) or not np.isfinite(samples).all():
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} has no samples, or some that are not finite."
    )
  if len(samples) < declared or tools.sound_is_cut_short(notes):
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} breaks off after {len(samples)} samples and declares "
      "more: get the whole file, or save what there is as a new one."
    )
  if rate is not None and rate != own_rate:
    samples = _converted(samples, own_rate, rate, path)
    own_rate, subtype = rate, "PCM_16"
  elif samples.dtype == np.float64 and subtype not in _LONG:
    samples = samples.astype(np.float32)
  _warn_of_quality(samples, path, tools)
  values = samples.T[..., np.newaxis]
  metadata: dict[str, Any] = {"rate": own_rate}
  if form != "WAV":
    metadata["format"] = form
  if subtype != "PCM_16":
    metadata["subtype"] = subtype
  if tags:
    metadata["tags"] = tags
  return kinds.Signal(
    "audio", values[0] if len(values) == 1 else values, metadata
  )


def write(signal: kinds.Signal, suffix: str) -> bytes:
  """A sound as a file.

  Args:
    signal: with the metadata that `read` gives.
    suffix: .wav or .flac.

  Returns:
    The file's bytes.

  Raises:
    CorruptBitstreamError: for metadata that no sound has.
    UnsupportedSignalError: for sound beyond full scale and a format that ends
      there.
    ImportError: if soundfile is not installed.
  """
  soundfile = _soundfile("sound")
  form = _FORMATS[suffix]
  samples = signal.values
  samples = samples[np.newaxis] if samples.ndim == 2 else samples
  rate = signal.metadata.get("rate")
  subtype = signal.metadata.get("subtype", "PCM_16")
  tags = signal.metadata.get("tags", {})
  if (
    samples.ndim != 3
    or samples.shape[2] != 1
    or not isinstance(rate, int)
    or not 1 <= rate <= _MAX_RATE
    or not any(subtype in known for known in _SUBTYPES.values())
    or not isinstance(tags, dict)
  ):
    raise errors.CorruptBitstreamError(
      f"A sound of shape {samples.shape}, rate {rate!r} and format {subtype!r} "
      "cannot be: the file is damaged."
    )
  if subtype not in _SUBTYPES[form]:  # FLAC has no floats, for one.
    subtype = "PCM_24"
  peak = np.abs(samples).max() if samples.dtype.kind == "f" else 0
  if peak > 1 and subtype not in _FLOATS:
    raise errors.UnsupportedSignalError(
      f"The sound reaches {peak:g} times full scale, which {form} of {subtype} "
      "cannot hold: choose .wav, if it was one, or .npy."
    )
  out = io.BytesIO()
  try:
    with soundfile.SoundFile(
      out, "w", rate, len(samples), subtype, format=form
    ) as file:
      for name in _TAGS:
        if isinstance(tags.get(name), str):
          setattr(file, name, tags[name])
      file.write(np.ascontiguousarray(samples[..., 0].T))
  except (soundfile.SoundFileError, ValueError, TypeError) as error:
    raise errors.CorruptBitstreamError(
      f"No {form} file can be made of this sound: {error}"
    ) from error
  return out.getvalue()


def _converted(
  samples: np.ndarray, own_rate: int, rate: int, path: str | os.PathLike[str]
) -> np.ndarray:
  """`[T', 1]` int16, mixed and resampled."""
  from scipy import signal  # Slow to import, and seldom needed.

  if samples.dtype == np.int16:
    samples = samples / 32768
  peak = np.abs(samples).max()
  if peak > 1:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} reaches {peak:g} times full scale, and converted "
      "sound has 16 bits: scale it to [-1, 1], or convert it elsewhere."
    )
  if samples.shape[1] > 1:
    warnings.warn(
      f"{os.fspath(path)} is resampled from {own_rate} to {rate} samples a "
      f"second, and its {samples.shape[1]} channels are mixed to one.",
      MixedChannelsWarning,
      stacklevel=4,
    )
  mono = samples.mean(axis=1)
  common = math.gcd(own_rate, rate)
  mono = signal.resample_poly(mono, rate // common, own_rate // common)
  levels = np.clip(np.rint(mono * 32768), -32768, 32767)
  return levels.astype(np.int16)[:, np.newaxis]


def _warn_of_quality(
  samples: np.ndarray, path: str | os.PathLike[str], tools: file_tools.Tools
) -> None:
  levels = samples
  if samples.dtype.kind == "f":
    if np.abs(samples).max() > 1:
      return  # Neither silent nor cut at full scale.
    levels = np.clip(np.rint(samples * 32768.0), -32768, 32767)
  tools.warn_of_sound(path, levels)


def _soundfile(what: str | os.PathLike[str]) -> ModuleType:
  try:
    # Optional: it brings its own libsndfile.
    import soundfile  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"{os.fspath(what)}: sound needs soundfile: pip install 'inrjax[audio]'."
    ) from error
  module: ModuleType = soundfile
  return module
