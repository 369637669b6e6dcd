"""Classical codecs for sound, as values beside `classical`'s for images.

MP3 and Opus are programs of their own: Debian has them as `lame` and
`opus-tools`, and both in `ffmpeg` (`apt-get install lame opus-tools`). Sounds
pass through 16-bit WAV files in a temporary folder. FLAC needs soundfile.

MP3 and Opus are built to sound right, not to have a high PSNR. They are here as
the papers use them.
"""

import dataclasses
import io
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import (
  overhead,
  programs,
  rate_distortion,
  signal_codecs,
)

Sound = npt.NDArray[np.int16]

INT16_RANGE = (-32768.0, 32767.0)
# Bit rates of layer III in kbit/s, by the lowest sampling rate of its version.
_MP3_RATES = {
  32000: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
  16000: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
  8000: (8, 16, 24, 32, 40, 48, 56, 64),
}
_OPUS_RATES = (6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256)
# Samples of silence before the sound, where a file has no room for LAME's note
# of it: with 16 kHz, below 40 kbit/s. LAME's decoder takes off its own delay,
# ffmpeg's does not.
_LAME_DELAY = 576
_FFMPEG_DELAY = 576 + 529


@dataclasses.dataclass(frozen=True)
class AudioCodec:
  """A codec as a value; see `classical.ImageCodec`.

  Attributes:
    name: for legends and tables.
    settings: from the lowest rate to the highest, in kbit/s where the codec has
      such a thing.
    candidates: `(sound [T, 1] int16, setting)` to one or more files that code
      it equally well; the smallest is taken.
    decode: `(file, T)` to the sound `[T, 1]`, int16.
    sampling_rate: samples a second of the sounds.
    num_bytes: the size that counts as the rate.
  """

  name: str
  settings: tuple[float, ...]
  candidates: Callable[[Sound, float], Sequence[bytes]]
  decode: Callable[[bytes, int], Sound]
  sampling_rate: int
  num_bytes: Callable[[bytes], int] = len

  def encode(self, sound: Sound, setting: float) -> bytes:
    """Compresses a sound.

    Args:
      sound: `[T, 1]` int16.
      setting: one of `settings`, or another the codec understands.

    Returns:
      The bytes of a file that any decoder of the format reads.

    Raises:
      ValueError: for an array that is no such sound.
      ProgramError: if the codec's program fails.
    """
    check_sound(sound)
    return min(self.candidates(sound, setting), key=self.num_bytes)

  def rate(self, data: bytes, num_samples: int) -> rate_distortion.Rate:
    """What a file costs, all of it counted as payload.

    Args:
      data: what `encode` returned.
      num_samples: T.

    Returns:
      The rate; its bits per pixel are bits per sample.
    """
    total = self.num_bytes(data)
    return rate_distortion.Rate(
      num_pixels=num_samples,
      total=total,
      header=0,
      side_information=0,
      payload=total,
    )

  def kbps(self, data: bytes, num_samples: int) -> float:
    """Kilobits a second of sound, as COIN++ states rates of audio.

    Args:
      data: what `encode` returned.
      num_samples: T.
    """
    seconds = num_samples / self.sampling_rate
    return 8 * self.num_bytes(data) / 1000 / seconds


def mp3(
  sampling_rate: int = 16000, *, options: Sequence[str] = ()
) -> AudioCodec:
  """MP3 at a constant bit rate, by `lame`, or else by `ffmpeg`.

  As in COIN++ (thesis C.3.5), `lame -b RATE IN OUT`. LAME itself lowers the
  sampling rate at the lowest rates; decoded sounds are brought back. They
  begin where the original does, even in files too small to say where that is:
  half a frame off, PSNR would be 24 dB at any rate.

  Args:
    sampling_rate: samples a second.
    options: further ones for the encoder.

  Returns:
    The codec; settings are kbit/s.

  Raises:
    MissingProgramError: if neither program is installed.
    ValueError: for a sampling rate below 8000.
  """
  rates = [v for low, v in _MP3_RATES.items() if sampling_rate >= low]
  if not rates:
    raise ValueError(
      f"sampling_rate must be at least 8000 for MP3, got {sampling_rate}."
    )
  program = programs.find("MP3", ("lame", "ffmpeg"))
  if program.endswith("ffmpeg"):
    return _ffmpeg(
      program, "MP3 (ffmpeg)", rates[0], "libmp3lame", "mp3", sampling_rate,
      options,
    )  # fmt: skip

  def encode(source: str, target: str, setting: float) -> list[str]:
    kbps = f"{setting:g}"
    return [program, "--quiet", "-b", kbps, *options, source, target]

  def decode(source: str, target: str) -> list[str]:
    return [program, "--quiet", "--decode", source, target]

  return _of_programs(
    "MP3", rates[0], "mp3", encode, decode, sampling_rate, delay=_LAME_DELAY
  )


def opus(
  sampling_rate: int = 16000, *, options: Sequence[str] = ()
) -> AudioCodec:
  """Opus at a variable bit rate, by `opusenc`, or else by `ffmpeg`.

  The room that opusenc leaves for later comments (512 bytes) is left out, and
  the decoder adds no dither.

  Args:
    sampling_rate: samples a second.
    options: further ones for the encoder.

  Returns:
    The codec; settings are kbit/s.

  Raises:
    MissingProgramError: if neither program is installed.
  """
  program = programs.find("Opus", ("opusenc", "ffmpeg"))
  if program.endswith("ffmpeg"):
    return _ffmpeg(
      program, "Opus (ffmpeg)", _OPUS_RATES, "libopus", "opus", sampling_rate,
      options,
    )  # fmt: skip
  decoder = str(pathlib.Path(program).with_name("opusdec"))

  def encode(source: str, target: str, setting: float) -> list[str]:
    kept = ["--quiet", "--padding", "0", "--serial", "1", "--discard-comments"]
    rate = ["--bitrate", f"{setting:g}"]
    return [program, *kept, *rate, *options, source, target]

  def decode(source: str, target: str) -> list[str]:
    kept = ["--quiet", "--no-dither", "--force-wav"]
    return [decoder, *kept, "--rate", str(sampling_rate), source, target]

  return _of_programs(
    "Opus", _OPUS_RATES, "opus", encode, decode, sampling_rate
  )


def flac(sampling_rate: int = 16000) -> AudioCodec:
  """FLAC (libsndfile), lossless; the one setting is its best compression.

  Args:
    sampling_rate: samples a second.

  Returns:
    The codec.

  Raises:
    ImportError: if soundfile is not installed.
  """
  try:
    # Optional: it brings its own libsndfile.
    import soundfile  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      "FLAC needs soundfile: pip install 'inrjax[audio]'."
    ) from error

  def candidates(sound: Sound, setting: float) -> list[bytes]:
    stream = io.BytesIO()
    soundfile.write(
      stream,
      sound,
      sampling_rate,
      format="FLAC",
      subtype="PCM_16",
      compression_level=setting,
    )
    return [stream.getvalue()]

  def decode(data: bytes, num_samples: int) -> Sound:
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    return _of_length(samples, num_samples)

  return AudioCodec("FLAC", (1.0,), candidates, decode, sampling_rate)


def audio_curve(
  codec: AudioCodec,
  sounds: Iterable[Sound],
  settings: Sequence[float] | None = None,
  *,
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over sounds at each setting.

  Args:
    codec: any codec.
    sounds: `[T, 1]` int16 at the codec's sampling rate; lengths may differ.
    settings: which; all of the codec's by default.
    meta: added to the curve's.

  Returns:
    One point per setting. `bpp` is bits per sample, PSNR has the range of 16
    bits as its peak, and `extra["kbps"]` is kilobits a second.
  """
  curve = signal_codecs.signal_curve(
    as_signal_codec(codec),
    sounds,
    settings,
    comparison=signal_codecs.of_arrays(INT16_RANGE),
    meta={"sampling_rate": codec.sampling_rate, **(meta or {})},
  )
  points = tuple(
    dataclasses.replace(
      point,
      extra={
        **point.extra,
        "kbps": point.bpp * codec.sampling_rate / 1000,
      },
    )
    for point in curve.points
  )
  return dataclasses.replace(
    curve,
    points=points,
    description="mean at fixed settings; bpp is bits per sample",
  )


def as_signal_codec(
  codec: AudioCodec,
) -> signal_codecs.SignalCodec[signal_codecs.Array]:
  """The same codec as those for other signals are; see `signal_codecs`.

  Args:
    codec: any codec; what `num_bytes` leaves out counts as no part of the rate.
  """

  def split(files: signal_codecs.Files) -> overhead.Split:
    return overhead.Split(0, 0, sum(map(codec.num_bytes, files)))

  return signal_codecs.SignalCodec(
    codec.name,
    codec.settings,
    lambda sound, setting: (codec.encode(sound, setting),),
    lambda files, shape: codec.decode(files[0], shape[0]),
    split,
  )


def check_sound(sound: Sound) -> None:
  """Raises ValueError unless `sound` is int16 `[T, 1]`, T at least 1."""
  if (
    not isinstance(sound, np.ndarray)
    or sound.dtype != np.int16
    or sound.ndim != 2
    or sound.shape[1] != 1
    or not sound.size
  ):
    kind = f"{getattr(sound, 'dtype', type(sound))} {np.shape(sound)}"
    raise ValueError(f"The sound is {kind}; audio codecs need int16 [T, 1].")


def _ffmpeg(
  program: str,
  name: str,
  rates: Sequence[float],
  encoder: str,
  suffix: str,
  sampling_rate: int,
  options: Sequence[str],
) -> AudioCodec:
  quiet = [program, "-nostdin", "-v", "error", "-y"]

  def encode(source: str, target: str, setting: float) -> list[str]:
    kept = ["-c:a", encoder, "-b:a", f"{setting:g}k", "-fflags", "+bitexact"]
    return [*quiet, "-i", source, *kept, *options, target]

  def decode(source: str, target: str) -> list[str]:
    kept = ["-ar", str(sampling_rate), "-ac", "1", "-c:a", "pcm_s16le"]
    return [*quiet, "-i", source, *kept, target]

  delay = _FFMPEG_DELAY if suffix == "mp3" else 0
  return _of_programs(
    name, rates, suffix, encode, decode, sampling_rate, delay=delay
  )


def _of_programs(
  name: str,
  rates: Sequence[float],
  suffix: str,
  encode_command: Callable[[str, str, float], list[str]],
  decode_command: Callable[[str, str], list[str]],
  sampling_rate: int,
  delay: int = 0,
) -> AudioCodec:
  def candidates(sound: Sound, setting: float) -> list[bytes]:
    wav = programs.to_wav(sound, sampling_rate)
    return [
      programs.convert(
        wav, "wav", suffix, lambda a, b: encode_command(a, b, setting)
      )
    ]

  def decode(data: bytes, num_samples: int) -> Sound:
    wav = programs.convert(data, suffix, "wav", decode_command)
    samples, rate = programs.from_wav(wav)
    # A file that says where the sound begins gives it without padding.
    if len(samples) >= num_samples * rate // sampling_rate + delay:
      samples = samples[delay:]
    if rate != sampling_rate:
      # Slow to import, and seldom needed.
      from scipy import signal

      common = math.gcd(rate, sampling_rate)
      moved = signal.resample_poly(
        samples.astype(np.float64), sampling_rate // common, rate // common
      )
      samples = np.rint(moved).clip(*INT16_RANGE).astype(np.int16)
    return _of_length(samples, num_samples)

  return AudioCodec(name, tuple(rates), candidates, decode, sampling_rate)


def _of_length(samples: Sound, num_samples: int) -> Sound:
  """Cut at the end, or continued with silence."""
  missing = max(0, num_samples - len(samples))
  return np.pad(samples[:num_samples], ((0, missing), (0, 0)))
