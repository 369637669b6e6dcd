"""Codecs for sound: commands, lengths and rates, with stand-ins for programs.

The stand-ins are scripts named like the real ones, so that commands, files and
errors are tested anywhere; where the real ones are installed, they
are tested, too.
"""

import math
import shutil
import stat
import sys

import numpy as np
import pytest

from inrjax.evaluate import audio_codecs, programs

TIMES = np.arange(16000) / 16000
TONE = np.rint(
  8000 * np.sin(2 * np.pi * 300 * TIMES) * np.hanning(16000)
).astype(np.int16)[:, None]

# Copies what it is given, and notes its words.
STAND_IN = """\
#!/bin/sh
for word; do
  case $word in
    66) echo no such rate >&2; exit 1 ;;
    *.wav|*.mp3|*.opus) source=$target; target=$word ;;
  esac
done
/bin/cp "$source" "$target"
echo "$*" >> "$0.log"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
  """Puts stand-ins for programs on an otherwise empty path."""

  def put(*names):
    for name in names:
      path = tmp_path / name
      path.write_text(STAND_IN)
      path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path))
    return lambda name: (tmp_path / f"{name}.log").read_text().splitlines()

  return put


@pytest.mark.parametrize(
  ("make", "names", "encoded", "decoded"),
  [
    (audio_codecs.mp3, ["lame"], "-b 24", "--decode"),
    (
      audio_codecs.opus,
      ["opusenc", "opusdec"],
      "--bitrate 24",
      "--rate 16000",
    ),
    (audio_codecs.mp3, ["ffmpeg"], "-c:a libmp3lame -b:a 24k", "-ar 16000"),
    (audio_codecs.opus, ["ffmpeg"], "-c:a libopus -b:a 24k", "-ar 16000"),
  ],
  ids=["lame", "opusenc", "ffmpeg-mp3", "ffmpeg-opus"],
)
def test_programs_are_called(install, make, names, encoded, decoded):
  log = install(*names)
  codec = make(16000)
  data = codec.encode(TONE, 24)
  np.testing.assert_array_equal(codec.decode(data, len(TONE)), TONE)
  assert encoded in log(names[0])[0]
  assert decoded in log(names[-1])[-1]


def test_the_first_program_is_preferred(install):
  install("lame", "ffmpeg")
  assert audio_codecs.mp3().name == "MP3"
  with pytest.raises(ValueError, match="at least 8000"):
    audio_codecs.mp3(4000)
  assert max(audio_codecs.mp3(44100).settings) == 320


def test_decoded_sounds_have_their_length_and_rate(install):
  # Fails if a sound is left at the rate the encoder chose, or shifted.
  install("lame")
  codec = audio_codecs.mp3()
  # As LAME lowers the rate of a sound at 8 kbit/s.
  data = programs.to_wav(TONE[::2], 8000)
  found = codec.decode(data, len(TONE))
  assert found.shape == TONE.shape and found.dtype == np.int16
  np.testing.assert_allclose(found, TONE, atol=40)
  assert len(codec.decode(data, 100)) == 100
  assert not codec.decode(data, 17000)[16000:].any()


def test_padding_at_both_ends_is_taken_off(install):
  # Fails if a sound without a note of where it begins is left late.
  install("lame")
  codec = audio_codecs.mp3()
  late = np.pad(TONE, ((576, 431), (0, 0)))
  found = codec.decode(codec.encode(late, 24), len(TONE))
  np.testing.assert_array_equal(found, TONE)


def test_what_fails_is_named(install):
  install()
  with pytest.raises(
    programs.MissingProgramError, match="apt-get install lame .or ffmpeg"
  ):
    audio_codecs.mp3()
  with pytest.raises(programs.MissingProgramError, match="opus-tools"):
    audio_codecs.opus()
  install("lame")
  codec = audio_codecs.mp3()
  with pytest.raises(programs.ProgramError, match="no such rate"):
    codec.encode(TONE, 66)
  with pytest.raises(programs.ProgramError, match="no WAV file"):
    codec.decode(b"nothing", 5)
  for wrong in (TONE[:, 0], TONE.astype(np.float32), TONE[:0]):
    with pytest.raises(ValueError, match="int16"):
      codec.encode(wrong, 24)


def test_flac_is_lossless():
  pytest.importorskip("soundfile", reason="soundfile is not installed")
  codec = audio_codecs.flac()
  data = codec.encode(TONE, codec.settings[0])
  np.testing.assert_array_equal(codec.decode(data, len(TONE)), TONE)
  assert 100 < len(data) < TONE.nbytes
  rate = codec.rate(data, len(TONE))
  assert rate.bpp == 8 * len(data) / len(TONE)
  # One second.
  assert math.isclose(codec.kbps(data, len(TONE)), 8 * len(data) / 1000)


def test_without_soundfile_the_remedy_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, "soundfile", None)
  with pytest.raises(ImportError, match=r"inrjax\[audio\]"):
    audio_codecs.flac()


@pytest.mark.parametrize(
  ("make", "names"),
  [
    (audio_codecs.mp3, ("lame", "ffmpeg")),
    (audio_codecs.opus, ("opusenc", "ffmpeg")),
  ],
  ids=["mp3", "opus"],
)
def test_real_programs(make, names):
  # Fails if the decoder's delay is not taken off: PSNR would be about 20 dB.
  if not any(map(shutil.which, names)):
    pytest.skip(f"None of {names} is installed.")
  codec = make(16000)
  curve = audio_codecs.audio_curve(codec, [TONE], (24, 64))
  low, high = curve.points
  assert low.bpp < high.bpp and low.psnr > 40 and high.psnr > 40
  assert math.isclose(low.extra["kbps"], 16 * low.bpp)
  assert curve.meta["sampling_rate"] == 16000
