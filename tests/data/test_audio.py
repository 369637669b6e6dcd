"""Sound from files and folders: what comes out, and what is refused."""

import sys
import types
import warnings

import grain
import numpy as np
import pytest

from inrjax import data
from inrjax.data import audio, pipeline

soundfile = pytest.importorskip(
  "soundfile", reason="soundfile is not installed"
)

RNG = np.random.default_rng(0)


def noise(num_samples, channels=1):
  return RNG.integers(-9000, 9000, (num_samples, channels)).astype(np.int16)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_samples_are_exact(tmp_path, suffix):
  # Fails if 16-bit samples are rounded, or the beginning is not the beginning.
  sound = noise(1000)
  sound[:2, 0] = -32768, 32767
  path = tmp_path / f"a{suffix}"
  soundfile.write(path, sound, 16000, subtype="PCM_16")
  np.testing.assert_array_equal(audio.read_audio(path), sound)
  found = audio.read_audio(path, seconds=0.01)
  np.testing.assert_array_equal(found, sound[:160])


def test_stereo_is_refused_or_mixed(tmp_path):
  path = tmp_path / "a.wav"
  sound = noise(100, 2)
  soundfile.write(path, sound, 16000)
  with pytest.raises(audio.AudioFormatError, match="2 channels.*'mix'"):
    audio.read_audio(path)
  found = audio.read_audio(path, other_channels="mix")
  expected = np.rint(sound.mean(axis=1, keepdims=True))
  np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("file_rate", [44100, 8000])
def test_another_rate_is_refused_or_resampled(tmp_path, file_rate):
  # Fails if up and down are swapped, or the end of the cut is not resampled
  # with what follows it.
  path = tmp_path / "a.wav"
  times = np.arange(file_rate // 2) / file_rate
  soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * times), file_rate)
  with pytest.raises(audio.AudioFormatError, match="other_rate='resample'"):
    audio.read_audio(path)
  found = audio.read_audio(path, seconds=0.25, other_rate="resample")
  expected = 16384 * np.sin(2 * np.pi * 440 * np.arange(4000) / 16000)
  assert found.shape == (4000, 1)
  # The filter starts in silence; its end has what follows.
  np.testing.assert_allclose(found[200:, 0], expected[200:], atol=100)


def test_short_and_broken_files_are_named(tmp_path):
  path = tmp_path / "a.flac"
  soundfile.write(path, noise(40000), 16000)
  with pytest.raises(audio.AudioFormatError, match="lasts 2.5 s"):
    audio.read_audio(path, seconds=3)
  whole = path.read_bytes()
  path.write_bytes(whole[: len(whole) // 2])
  with pytest.raises(audio.BrokenAudioError, match="a.flac"):
    audio.read_audio(path)
  damaged = bytearray(whole)
  damaged[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
  path.write_bytes(damaged)
  with pytest.raises(audio.BrokenAudioError, match="a.flac"):
    audio.read_audio(path)
  path.write_bytes(b"nothing")
  with pytest.raises(audio.BrokenAudioError, match="a.flac"):
    audio.read_audio(path)
  with pytest.raises(audio.BrokenAudioError, match="none.wav"):
    audio.read_audio(tmp_path / "none.wav")
  path = tmp_path / "b.wav"
  soundfile.write(path, noise(40000), 16000)
  path.write_bytes(path.read_bytes()[:40044])
  # What is asked for lies before the break.
  assert len(audio.read_audio(path, seconds=1)) == 16000
  for seconds in (None, 2):
    with pytest.raises(audio.BrokenAudioError, match="after 20000 samples"):
      audio.read_audio(path, seconds=seconds)
  soundfile.write(path, np.zeros((0, 1)), 16000)
  with pytest.raises(audio.BrokenAudioError, match="no samples"):
    audio.read_audio(path)
  path = tmp_path / "nan.wav"
  soundfile.write(path, np.array([0.0, np.nan]), 16000, subtype="FLOAT")
  with pytest.raises(audio.BrokenAudioError, match="finite"):
    audio.read_audio(path)


def test_clipping_and_silence_are_named(tmp_path):
  # Fails if a single peak is called clipping, or silence passes unnoticed.
  path = tmp_path / "a.wav"
  sound = noise(500)
  sound[7] = sound[100:102] = 32767
  soundfile.write(path, sound, 16000)
  audio.read_audio(path)
  sound[102] = 32767
  soundfile.write(path, sound, 16000)
  with pytest.warns(audio.ClippedAudioWarning, match="a.wav is clipped"):
    np.testing.assert_array_equal(audio.read_audio(path), sound)
  soundfile.write(path, np.zeros(500, np.int16), 16000)
  with pytest.warns(audio.SilentAudioWarning, match="a.wav is silent"):
    assert not audio.read_audio(path).any()


def test_a_damaged_file_in_a_folder_of_many_loses_nothing_else(tmp_path):
  # Fails if indices move, or the broken file is reported at every epoch.
  sounds = [noise(200) for _ in range(4)]
  for i, sound in enumerate(sounds):
    soundfile.write(tmp_path / f"{i}.flac", sound, 16000)
  (tmp_path / "1.flac").write_bytes(b"fLaC" + bytes(50))
  (tmp_path / ".hidden.wav").write_bytes(b"")
  source = audio.AudioFolder(tmp_path, seconds=0.01)
  assert len(source) == 4
  with pytest.warns(audio.UnreadableAudioWarning, match="1.flac"):
    found = source[1]
  np.testing.assert_array_equal(found, sounds[2][:160])
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    np.testing.assert_array_equal(source[1], source[2])
  np.testing.assert_array_equal(source[3], sounds[3][:160])
  assert [p.name for p in source.unreadable] == ["1.flac"]


def test_grain_takes_it(tmp_path):
  for i in range(4):
    soundfile.write(tmp_path / f"{i}.wav", noise(200), 16000)
  source = audio.AudioFolder(tmp_path, seconds=0.01)
  batches = list(grain.MapDataset.source(source).batch(2))
  assert [batch.shape for batch in batches] == [(2, 160, 1)] * 2
  batch = next(pipeline.make_pipeline(source, batch_size=2, seed=0))
  assert batch.shape == (2, 160, 1) and batch.dtype == np.int16


def test_bad_arguments_and_empty_folders(tmp_path):
  with pytest.raises(audio.AudioError, match="not a folder"):
    audio.AudioFolder(tmp_path / "none", seconds=1)
  with pytest.raises(audio.AudioError, match="No file"):
    audio.AudioFolder(tmp_path, seconds=1)
  with pytest.raises(audio.AudioError, match="no sounds"):
    audio.AudioFiles([], seconds=1)
  for changes in (
    {"rate": 0},
    {"seconds": 0},
    {"other_rate": "x"},
    {"other_channels": "x"},
  ):
    with pytest.raises(ValueError, match=next(iter(changes))):
      audio.AudioFiles(["a"], **{"seconds": 1, **changes})


def test_without_soundfile_the_remedy_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "soundfile", None)
  with pytest.raises(ImportError, match=r"inrjax\[audio\]"):
    audio.read_audio(tmp_path / "a.wav")


def test_real_speech(data_dir):
  source = audio.AudioFolder(data_dir / "librispeech" / "test", seconds=3)
  assert len(source) == 40
  sound = source[0]
  assert sound.shape == (48000, 1) and sound.dtype == np.int16
  digit = data_dir / "fsdd" / "test" / "0_george_0.wav"
  assert audio.read_audio(digit, rate=8000).shape[0] > 1000


def fake_tfds(monkeypatch, examples):
  module = types.ModuleType("tensorflow_datasets")
  module.data_source = lambda name, *, split, data_dir: examples
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)


def test_sounds_of_tfds_are_cut_and_short_ones_replaced(monkeypatch):
  # Fails if a short example shifts the indices of those behind it.
  speech = [np.arange(n) - 5 for n in (40, 12, 30)]
  fake_tfds(monkeypatch, [{"speech": s, "id": "x"} for s in speech])
  sounds = data.TFDSSounds(
    "librispeech", split="test_clean", seconds=2.0, rate=10
  )
  assert len(sounds) == 3
  np.testing.assert_array_equal(sounds[0][:, 0], np.arange(20) - 5)
  with pytest.warns(data.UnreadableAudioWarning, match="test_clean/1.*1.2 s"):
    np.testing.assert_array_equal(sounds[1], sounds[2])
  assert sounds[0].dtype == np.int16 and sounds[0].shape == (20, 1)


def test_clipping_and_silence_in_tfds_are_named(monkeypatch):
  # Fails if sound of TFDS is less looked at than that of files.
  loud = np.arange(40)
  loud[3:6] = 32767
  fake_tfds(monkeypatch, [{"speech": loud}, {"speech": np.zeros(40, int)}])
  sounds = data.TFDSSounds("a", split="b", seconds=2.0, rate=10)
  with pytest.warns(data.ClippedAudioWarning, match="b/0 is clipped"):
    _ = sounds[0]
  with pytest.warns(data.SilentAudioWarning, match="b/1 is silent"):
    _ = sounds[1]


@pytest.mark.parametrize(
  ("samples", "match"),
  [
    (np.zeros(20), "float64"),
    (np.zeros((20, 2), int), r"\(20, 2\)"),
    (np.full(20, 40000), "40000"),
  ],
)
def test_what_tfds_has_must_be_16_bit_samples(monkeypatch, samples, match):
  fake_tfds(monkeypatch, [{"speech": samples}])
  sounds = data.TFDSSounds("a", split="b", seconds=2.0, rate=10)
  with (
    pytest.warns(data.UnreadableAudioWarning, match=match),
    pytest.raises(data.AudioError, match="None of 1 sounds"),
  ):
    _ = sounds[0]


def test_tfds_sounds_name_a_feature_that_is_missing(monkeypatch):
  fake_tfds(monkeypatch, [{"audio": np.zeros(20, int)}])
  sounds = data.TFDSSounds("a", split="b", seconds=2.0, rate=10)
  with pytest.raises(ValueError, match="'speech'.*'audio'"):
    _ = sounds[0]
  with pytest.raises(ValueError, match="seconds"):
    data.TFDSSounds("a", split="b", seconds=0.0)
  fake_tfds(monkeypatch, [])
  with pytest.raises(data.AudioError, match="a/b"):
    data.TFDSSounds("a", split="b", seconds=1.0)
