"""Clips from and to video files, opened again by PyAV and Pillow."""

import fractions
import io

import numpy as np
import pytest
from PIL import Image

from inrjax import data
from inrjax.codec import errors, files_field, files_video, kinds, signal_files

av = pytest.importorskip("av", reason="PyAV is not installed")

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (4, 7, 13, 3), np.uint8)


def a_clip(frames=FRAMES, name=None, **metadata):
  return kinds.Signal("video", frames, metadata, name=name)


def write(signal, suffix):
  return signal_files.write(signal_files.File(None, (signal,)), suffix)


def read(path):
  (signal,) = signal_files.read(path, tools=data)
  return signal


def few_colours(num):
  colours = RNG.integers(0, 256, (num, 3), np.uint8)
  return colours[RNG.integers(0, num, (4, 9, 11))]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("rate", [[25, 1], [30000, 1001]], ids=str)
def test_decoded_frames_are_kept_exactly(tmp_path, suffix, rate):
  signal = a_clip(rate=rate)
  path = tmp_path / f"a{suffix}"
  path.write_bytes(write(signal, suffix))
  with av.open(str(path)) as file:
    (stream,) = file.streams.video
    # Fails if odd sides are rounded, or the frame rate is lost.
    assert (stream.height, stream.width) == (7, 13)
    assert float(stream.average_rate) == pytest.approx(rate[0] / rate[1])
  found = read(path)
  # Fails if colours are halved, or pass through YUV.
  np.testing.assert_array_equal(found.values, FRAMES)
  assert found.metadata["rate"][0] / found.metadata["rate"][1] == (
    pytest.approx(rate[0] / rate[1], rel=1e-4)
  )
  # Fails if an identity or the time of day gets into the file.
  assert path.read_bytes() == write(signal, suffix)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 2, 300, 3), (40, 3, 2, 3)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_clips_of_any_size_are_written(tmp_path, suffix, shape):
  frames = np.repeat(RNG.integers(0, 256, shape[:3], np.uint8)[..., None], 3, 3)
  path = tmp_path / f"a{suffix}"
  path.write_bytes(write(a_clip(frames), suffix))
  np.testing.assert_array_equal(read(path).values, frames)


@pytest.mark.parametrize("num_colours", [2, 255, 256])
def test_gifs_of_few_colours_are_exact(tmp_path, num_colours):
  frames = few_colours(num_colours)
  path = tmp_path / "a.gif"
  path.write_bytes(write(a_clip(frames, rate=[20, 1]), ".gif"))
  found = read(path)
  # Fails if colours are dithered, or a frame is drawn over the one before.
  np.testing.assert_array_equal(found.values, frames)
  assert found.metadata == {"rate": [20, 1], "loops": 0}
  with Image.open(path) as image:
    assert image.n_frames == 4 and image.info["duration"] == 50


def test_gifs_of_many_colours_are_near(tmp_path):
  ramp = np.stack(np.meshgrid(*[np.arange(40)] * 2, indexing="ij"), -1)
  frame = np.concatenate([ramp * 6, ramp[..., :1] * 3], -1).astype(np.uint8)
  path = tmp_path / "a.gif"
  path.write_bytes(write(a_clip(np.stack([frame, frame[::-1]])), ".gif"))
  error = read(path).values.astype(int) - np.stack([frame, frame[::-1]])
  assert np.abs(error).mean() < 8


def test_gifs_keep_the_times_of_their_frames(tmp_path):
  pictures = [Image.fromarray(frame) for frame in few_colours(9)]
  path = tmp_path / "a.gif"
  times = [100, 30, 30, 640]
  pictures[0].save(
    path, save_all=True, append_images=pictures[1:], duration=times, loop=3
  )
  signal = read(path)
  assert signal.metadata["rate"] == [5, 1]
  again = tmp_path / "again.gif"
  again.write_bytes(write(signal, ".gif"))
  # Fails if all frames get one time, or the loop is another.
  assert read(again).metadata == signal.metadata
  np.testing.assert_array_equal(read(again).values, signal.values)


def test_frames_that_stand_still_keep_their_time(tmp_path):
  frames = few_colours(9)[[0, 0, 1, 2]]
  path = tmp_path / "a.gif"
  path.write_bytes(write(a_clip(frames, rate=[10, 1]), ".gif"))
  found = read(path)
  # Fails if the clip gets shorter where nothing moves.
  np.testing.assert_array_equal(found.values, frames[1:])
  assert found.metadata["durations"] == [200, 100, 100]


def test_a_gif_that_plays_once_plays_once(tmp_path):
  path = tmp_path / "a.gif"
  Image.fromarray(few_colours(3)[0]).save(path)
  signal = read(path)
  assert signal.values.shape[0] == 1 and signal.metadata["loops"] is None
  with Image.open(io.BytesIO(write(signal, ".gif"))) as image:
    assert "loop" not in image.info


def test_lossy_files_of_other_kinds_are_read(tmp_path):
  path = tmp_path / "a.avi"
  with av.open(str(path), "w") as file:
    stream = file.add_stream("mpeg4", rate=fractions.Fraction(12))
    stream.height, stream.width, stream.pix_fmt = 16, 32, "yuv420p"
    for level in (40, 80, 120):
      frame = np.full((16, 32, 3), level, np.uint8)
      packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
      file.mux(stream.encode(packed))
    file.mux(stream.encode())
  signal = read(path)
  assert signal.metadata == {"rate": [12, 1]}
  assert signal_files.suffixes(signal_files.File("a.avi", (signal,))) == (
    ".mp4",
    ".mkv",
    ".gif",
    ".npy",
  )
  means = signal.values.mean(axis=(1, 2, 3))
  np.testing.assert_allclose(means, [40, 80, 120], atol=3)


def test_bare_frames_are_read(tmp_path):
  path = tmp_path / "a.y4m"
  picture = b"FRAME\n" + bytes([60] * 35 + [128] * 70)
  path.write_bytes(b"YUV4MPEG2 W7 H5 F30:1 C444\n" + 3 * picture)
  signal = read(path)
  assert signal.values.shape == (3, 5, 7, 3)
  assert signal.metadata == {"rate": [30, 1]}


def test_sound_that_is_left_out_is_named(tmp_path):
  path = tmp_path / "a.mkv"
  with av.open(str(path), "w") as file:
    video = file.add_stream("ffv1", rate=25)
    video.height, video.width, video.pix_fmt = 7, 13, "bgr0"
    sound = file.add_stream("pcm_s16le", rate=8000)
    for frame in FRAMES:
      packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
      file.mux(video.encode(packed))
    silence = av.AudioFrame.from_ndarray(
      np.zeros((1, 320), np.int16), format="s16", layout="mono"
    )
    silence.sample_rate = 8000
    file.mux(sound.encode(silence))
    file.mux(video.encode())
    file.mux(sound.encode())
  with pytest.warns(files_field.LeftOutWarning, match="sound of .*a.mkv"):
    assert len(read(path).values) == 4


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.8])
def test_a_clip_that_breaks_off_is_one_error(tmp_path, suffix, part):
  frames = RNG.integers(0, 256, (9, 30, 40, 3), np.uint8)
  content = write(a_clip(frames), suffix)
  path = tmp_path / f"a{suffix}"
  path.write_bytes(content[: int(part * len(content))])
  # Fails if PyAV's own error comes out, or half a clip does.
  with pytest.raises(errors.UnsupportedSignalError, match=f"a{suffix}"):
    read(path)


def test_frames_that_are_missing_in_between_are_noticed(tmp_path):
  path = tmp_path / "a.mkv"
  with av.open(str(path), "w") as file:
    stream = file.add_stream("ffv1", rate=25)
    stream.height, stream.width, stream.pix_fmt = 7, 13, "bgr0"
    for time, frame in zip((0, 1, 18, 19), FRAMES, strict=True):
      packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
      packed.pts, packed.time_base = time, fractions.Fraction(1, 25)
      file.mux(stream.encode(packed))
    file.mux(stream.encode())
  # Its frames are not counted, and the last is there.
  with pytest.warns(files_video.ShortClipWarning, match="a.mkv has 4 frames"):
    np.testing.assert_array_equal(read(path).values, FRAMES)


def test_what_no_file_may_hold_is_not_decoded(tmp_path, monkeypatch):
  paths = [tmp_path / name for name in ("a.mp4", "a.gif")]
  for path in paths:
    path.write_bytes(write(a_clip(), path.suffix))
  limit = FRAMES.size - 1
  monkeypatch.setattr(files_video.container, "DEFAULT_MAX_VALUES", limit)
  for path in paths:
    with pytest.raises(errors.UnsupportedSignalError, match="cut it into"):
      read(path)


def test_transparent_animations_are_refused(tmp_path):
  frames = few_colours(4)
  alpha = np.zeros((*frames.shape[:3], 1), np.uint8)
  alpha[:, 2:] = 255
  pictures = [Image.fromarray(f) for f in np.concatenate([frames, alpha], -1)]
  path = tmp_path / "a.gif"
  pictures[0].save(path, save_all=True, append_images=pictures[1:])
  with pytest.raises(errors.UnsupportedSignalError, match="transparent"):
    read(path)


@pytest.mark.parametrize(
  ("signal", "suffix"),
  [
    (a_clip(FRAMES[..., :1]), ".mp4"),
    (a_clip(FRAMES.astype(np.float32)), ".gif"),
    (a_clip(rate=[0, 1]), ".mp4"),
    (a_clip(rate=[1, 1 << 40]), ".mkv"),
    (a_clip(rate=25), ".mp4"),
    (a_clip(rate=[True, 1]), ".mp4"),
    (a_clip(rate=[100_000, 1]), ".mp4"),
    (a_clip(durations=[1]), ".gif"),
    (a_clip(durations=[1, 2, 3, -4]), ".gif"),
    (a_clip(durations=3), ".gif"),
    (a_clip(loops="x"), ".gif"),
    (a_clip(loops=1 << 20), ".gif"),
  ],
  ids=[f"{i}" for i in range(12)],
)
def test_impossible_metadata_are_a_damaged_stream(signal, suffix):
  with pytest.raises(errors.CorruptBitstreamError):
    write(signal, suffix)


def test_clips_are_uint8():
  with pytest.raises(errors.UnsupportedSignalError, match="uint8"):
    kinds.checked(a_clip(FRAMES.astype(np.float32)))
  assert kinds.own_range("video", FRAMES[:1, :1, :1]) == (0, 255)


def test_real_clips_survive(data_dir, tmp_path):
  source = min(
    (data_dir / "video").glob("*.mp4"), key=lambda p: p.stat().st_size
  )
  frames = data.read_clip(source, num_frames=2)[:, :50, :81]
  path = tmp_path / "a.mp4"
  path.write_bytes(write(a_clip(frames), ".mp4"))
  np.testing.assert_array_equal(read(path).values, frames)
