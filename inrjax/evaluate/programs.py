"""Programs that codecs run, on files in a temporary folder."""

import io
import pathlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.int16]

# Debian's names.
_PACKAGES = {"lame": "lame", "opusenc": "opus-tools", "ffmpeg": "ffmpeg"}
_TIMEOUT = 120.0  # seconds


class MissingProgramError(RuntimeError):
  """A program that a codec runs is not installed."""


class ProgramError(RuntimeError):
  """A program that a codec runs failed."""


def find(codec: str, names: Sequence[str]) -> str:
  """The first of some programs that is installed.

  Args:
    codec: what needs it, for the message.
    names: of programs, the preferred one first.

  Returns:
    Its path.

  Raises:
    MissingProgramError: if none is.
  """
  for name in names:
    found = shutil.which(name)
    if found is not None:
      return found
  packages = [_PACKAGES[name] for name in names]
  raise MissingProgramError(
    f"{codec} needs one of the programs {', '.join(names)}, and none is "
    f"installed: apt-get install {packages[0]} (or {', '.join(packages[1:])})."
  )


def convert(
  data: bytes,
  from_suffix: str,
  to_suffix: str,
  command: Callable[[str, str], list[str]],
) -> bytes:
  """What a program makes of a file.

  Args:
    data: the file.
    from_suffix: of its name, without a dot.
    to_suffix: of the name of the file to make.
    command: from the two names to the words of the command.

  Returns:
    The file that the program wrote.

  Raises:
    ProgramError: if it fails, or takes more than two minutes.
  """
  with tempfile.TemporaryDirectory(prefix="inrjax-") as folder:
    source = pathlib.Path(folder, f"in.{from_suffix}")
    target = pathlib.Path(folder, f"out.{to_suffix}")
    source.write_bytes(data)
    words = command(str(source), str(target))
    try:
      done = subprocess.run(
        words, capture_output=True, timeout=_TIMEOUT, check=False
      )
    except (OSError, subprocess.TimeoutExpired) as error:
      raise ProgramError(f"{words[0]} did not run: {error}") from error
    if done.returncode or not target.is_file():
      said = done.stderr.decode(errors="replace").strip()[-500:]
      raise ProgramError(
        f"{' '.join(words)} failed with status {done.returncode}: {said}"
      )
    return target.read_bytes()


def to_wav(sound: Sound, sampling_rate: int) -> bytes:
  """A WAV file of 16 bits.

  Args:
    sound: `[T, 1]`.
    sampling_rate: samples a second.
  """
  stream = io.BytesIO()
  with wave.open(stream, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(sampling_rate)
    file.writeframes(sound.astype("<i2").tobytes())
  return stream.getvalue()


def from_wav(data: bytes) -> tuple[Sound, int]:
  """The sound of a WAV file of 16 bits.

  Args:
    data: the file.

  Returns:
    `[T, 1]`, of several channels the first, and samples a second.

  Raises:
    ProgramError: if it is no such file.
  """
  try:
    with wave.open(io.BytesIO(data), "rb") as file:
      if file.getsampwidth() != 2:
        raise ProgramError(f"The decoder wrote {8 * file.getsampwidth()} bits.")
      content = file.readframes(file.getnframes())
      channels, rate = file.getnchannels(), file.getframerate()
  except (wave.Error, EOFError) as error:
    raise ProgramError(f"The decoder wrote no WAV file: {error}") from error
  samples = np.frombuffer(content, "<i2").reshape(-1, channels)
  return samples[:, :1].astype(np.int16), rate
