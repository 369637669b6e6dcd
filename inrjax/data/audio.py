"""Sound out of .wav and .flac files (through soundfile)."""

import math
import os
import pathlib
import re
import warnings
from collections.abc import Iterable
from types import ModuleType

import numpy as np

from inrjax.data import listing, substitution

EXTENSIONS = frozenset((".wav", ".flac"))
_OTHER_RATES = ("refuse", "resample")
_OTHER_CHANNELS = ("refuse", "mix")
_TOP = 32767
# Consecutive samples at full scale that a waveform does not have by itself.
_CLIPPED_RUN = 3
# What libsndfile notes of a .wav file with fewer bytes than it declares; a
# program that could not know the length declares the largest.
_CUT_SHORT = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 2**32 - 2**8
# Zero crossings of scipy's default resampling filter on either side.
_FILTER_REACH = 10


class AudioError(ValueError):
  """A file that holds no sound this package can use."""


class BrokenAudioError(AudioError):
  """A file that cannot be read, or not to its end."""


class AudioFormatError(AudioError):
  """A sound of another rate, of several channels, or too short."""


class UnreadableAudioWarning(UserWarning):
  """A file among many could not be used and is left out."""


class ClippedAudioWarning(UserWarning):
  """A sound that reaches full scale and stays there; it is used as it is."""


class SilentAudioWarning(UserWarning):
  """A sound in which nothing moves; it is used as it is."""


def read_audio(
  path: str | os.PathLike[str],
  *,
  rate: int = 16000,
  seconds: float | None = None,
  other_rate: str = "refuse",
  other_channels: str = "refuse",
) -> np.ndarray:
  """Decodes the beginning of a sound.

  COIN++ and ECoP take the first 3 s, or 1 s, of LibriSpeech at 16 kHz (thesis
  C.1.4, ECoP A.1).

  Args:
    path: a .wav or .flac file.
    rate: samples a second of the result.
    seconds: how much to take from the start; None takes all.
    other_rate: "refuse" a file of another rate, or "resample" it (polyphase, in
      float64, then rounded).
    other_channels: "refuse" a file of several channels, or "mix" them to their
      mean.

  Returns:
    `[T, 1]` int16, `T = round(seconds rate)`; a file of more bits is rounded
    to 16. A `ClippedAudioWarning` or a `SilentAudioWarning` names the file if
    it is clipped or silent.

  Raises:
    BrokenAudioError: if the file cannot be read that far.
    AudioFormatError: for a sound that is too short, or of a rate or number of
      channels that is refused.
    ImportError: if soundfile is not installed.
    ValueError: for arguments out of range.
  """
  _check(rate, seconds, other_rate, other_channels)
  path = pathlib.Path(path)
  wanted = None if seconds is None else round(seconds * rate)
  samples, file_rate = _decode(
    path, rate, wanted, other_rate == "refuse", other_channels == "refuse"
  )
  mono = samples.mean(axis=1)
  if file_rate != rate:
    # Slow to import, and seldom needed.
    from scipy import signal

    common = math.gcd(file_rate, rate)
    mono = signal.resample_poly(mono, rate // common, file_rate // common)
  if wanted is not None:
    if len(mono) < wanted:
      raise AudioFormatError(
        f"{path} lasts {len(mono) / rate:.3g} s, less than the {seconds:g} s "
        "that were asked for; ask for less, or leave it out."
      )
    mono = mono[:wanted]
  sound = np.clip(np.rint(mono * (_TOP + 1)), -_TOP - 1, _TOP)
  warn_of_sound(path, sound)
  return sound.astype(np.int16)[:, np.newaxis]


class AudioFiles(substitution.SubstitutingFiles):
  """Sounds of one length, decoded when asked for.

  One that cannot be used (broken, too short, of a rate that is refused) is
  found when it is first decoded: its place is then taken by the next one that
  can, so that indices keep their meaning, with one `UnreadableAudioWarning`.
  """

  ERROR = AudioError
  WARNING = UnreadableAudioWarning
  WHAT = "audio files"

  def __init__(
    self,
    paths: Iterable[str | os.PathLike[str]],
    *,
    seconds: float,
    rate: int = 16000,
    other_rate: str = "refuse",
    other_channels: str = "refuse",
  ):
    """Keeps the paths; nothing is opened yet.

    Args:
      paths: the files, in the order of the indices.
      seconds: length of every sound, from its start.
      rate: samples a second.
      other_rate: "refuse" or "resample", see `read_audio`.
      other_channels: "refuse" or "mix".

    Raises:
      AudioError: for no paths.
      ValueError: for arguments out of range.
    """
    super().__init__()
    _check(rate, seconds, other_rate, other_channels)
    self._seconds = seconds
    self._rate = rate
    self._other_rate = other_rate
    self._other_channels = other_channels
    self._paths = [pathlib.Path(path) for path in paths]
    if not self._paths:
      raise AudioError(
        f"There are no sounds; expected {', '.join(sorted(EXTENSIONS))} files."
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    return read_audio(
      path,
      rate=self._rate,
      seconds=self._seconds,
      other_rate=self._other_rate,
      other_channels=self._other_channels,
    )


class AudioFolder(AudioFiles):
  """Every sound below a folder, in sorted order; see `AudioFiles`."""

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    seconds: float,
    rate: int = 16000,
    other_rate: str = "refuse",
    other_channels: str = "refuse",
  ):
    """Lists a folder.

    Args:
      root: the folder, searched recursively; LibriSpeech's `train-clean-100`
        and `test-clean`, say.
      seconds: length of every sound, from its start.
      rate: samples a second.
      other_rate: "refuse" or "resample".
      other_channels: "refuse" or "mix".

    Raises:
      AudioError: if there is no folder, or no sound in it.
      ValueError: for arguments out of range.
    """
    super().__init__(
      listing.find_files(root, EXTENSIONS, error=AudioError),
      seconds=seconds,
      rate=rate,
      other_rate=other_rate,
      other_channels=other_channels,
    )


def is_clipped(sound: np.ndarray) -> bool:
  """Whether three neighbouring samples lie at the same end of the range.

  Args:
    sound: `[T]` or `[T, 1]`, in the levels of int16.
  """
  flat = np.asarray(sound).reshape(-1)
  for at_end in (flat >= _TOP, flat <= -_TOP):
    if len(flat) < _CLIPPED_RUN:
      return False
    runs = np.lib.stride_tricks.sliding_window_view(at_end, _CLIPPED_RUN)
    if runs.all(axis=1).any():
      return True
  return False


def sound_is_cut_short(notes: str) -> bool:
  """Whether a .wav file has fewer bytes of sound than it declares.

  Args:
    notes: what libsndfile says of the file (`SoundFile.extra_info`).
  """
  found = _CUT_SHORT.search(notes)
  if found is None:
    return False
  declared, present = int(found[1]), int(found[2])
  return present < declared < _UNKNOWN_LENGTH


def warn_of_sound(name: str | os.PathLike[str], sound: np.ndarray) -> None:
  """Names a sound that is silent, or clipped, in a warning.

  Args:
    name: of the sound.
    sound: `[T]` or `[T, C]`, in the levels of int16; silent if all its
      channels are, clipped if one is.
  """
  shown = os.fspath(name)
  channels = sound.reshape(len(sound), -1).T
  if all(float(c.max()) - float(c.min()) <= 1 for c in channels):
    warnings.warn(
      f"{shown} is silent: no sample is further than one level from the next. "
      "It is used as it is.",
      SilentAudioWarning,
      stacklevel=3,
    )
  elif any(is_clipped(channel) for channel in channels):
    warnings.warn(
      f"{shown} is clipped: it stays at full scale for {_CLIPPED_RUN} samples "
      "or more. It is used as it is; PSNR will be low where it is.",
      ClippedAudioWarning,
      stacklevel=3,
    )


def _check(
  rate: int, seconds: float | None, other_rate: str, other_channels: str
) -> None:
  if rate < 1:
    raise ValueError(f"rate must be at least 1, got {rate}.")
  if seconds is not None and not round(seconds * rate) >= 1:
    raise ValueError(f"seconds must be positive, got {seconds}.")
  if other_rate not in _OTHER_RATES:
    raise ValueError(
      f"other_rate must be one of {_OTHER_RATES}, got {other_rate!r}."
    )
  if other_channels not in _OTHER_CHANNELS:
    raise ValueError(
      f"other_channels must be one of {_OTHER_CHANNELS}, got "
      f"{other_channels!r}."
    )


def _decode(
  path: pathlib.Path,
  rate: int,
  wanted: int | None,
  same_rate: bool,
  one_channel: bool,
) -> tuple[np.ndarray, int]:
  """Samples `[T, C]` float64 in [-1, 1] at the file's own rate, and that."""
  soundfile = _soundfile(path)
  try:
    with soundfile.SoundFile(str(path)) as file:
      file_rate, declared = file.samplerate, file.frames
      if same_rate and file_rate != rate:
        raise AudioFormatError(
          f"{path} has {file_rate} samples a second, the model {rate}; pass "
          "other_rate='resample' to convert it."
        )
      if one_channel and file.channels != 1:
        raise AudioFormatError(
          f"{path} has {file.channels} channels, the model 1; pass "
          "other_channels='mix' to take their mean."
        )
      count = needed = declared
      if wanted is not None:
        # As far as the resampling filter reaches beyond the last sample.
        stretch = max(1.0, file_rate / rate)
        margin = math.ceil(_FILTER_REACH * stretch) + 1
        needed = math.ceil(wanted * file_rate / rate)
        count = min(declared, needed + margin)
      if sound_is_cut_short(file.extra_info) and (
        wanted is None or declared < needed
      ):
        raise BrokenAudioError(f"{path} breaks off after {declared} samples.")
      samples: np.ndarray = file.read(count, dtype="float64", always_2d=True)
  except (soundfile.SoundFileError, OSError, ValueError) as error:
    if isinstance(error, AudioError):
      raise
    raise BrokenAudioError(f"Cannot read {path}: {error}") from error
  if len(samples) < count:
    raise BrokenAudioError(
      f"{path} breaks off after {len(samples)} of the {declared} samples it "
      "declares."
    )
  if not len(samples) or not np.isfinite(samples).all():
    raise BrokenAudioError(
      f"{path} has no samples, or some that are not finite."
    )
  return samples, int(file_rate)


def _soundfile(path: pathlib.Path) -> ModuleType:
  try:
    # Optional: it brings its own libsndfile.
    import soundfile  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs soundfile: pip install 'inrjax[audio]'."
    ) from error
  module: ModuleType = soundfile
  return module
