"""Clips from files and folders: which frames, and what is refused."""

import fractions
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from inrjax import data
from inrjax.data import video

RNG = np.random.default_rng(0)


def smooth_clip(num_frames, height, width):
  """Frames that a codec keeps: a ramp that moves, brighter with each frame."""
  t, y, x = np.meshgrid(
    np.arange(num_frames), np.arange(height), np.arange(width), indexing="ij"
  )
  ramp = np.stack([40 + 8 * t, 100 + y, 60 + x], axis=-1)
  return np.clip(ramp, 0, 255).astype(np.uint8)


def write_folder(root, clip, name="{}.png"):
  root.mkdir(parents=True, exist_ok=True)
  for i, frame in enumerate(clip):
    Image.fromarray(frame).save(root / name.format(i))
  return root


@pytest.fixture(scope="module")
def av():
  """PyAV, where it is installed."""
  return pytest.importorskip("av", reason="PyAV is not installed")


@pytest.fixture
def write_video(av):
  """Writes a lossless video file of a clip, at 25 frames a second.

  `times` are the numbers of its frames, and `sound` seconds of silence.
  """

  def write(path, clip, times=None, sound=0):
    with av.open(str(path), "w") as container:
      stream = container.add_stream("ffv1", rate=25)
      stream.height, stream.width = clip.shape[1:3]
      stream.pix_fmt = "bgr0"
      silent = container.add_stream("pcm_s16le", rate=8000) if sound else None
      for time, frame in zip(times or range(len(clip)), clip, strict=True):
        packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
        packed.pts, packed.time_base = time, fractions.Fraction(1, 25)
        container.mux(stream.encode(packed))
      if silent is not None:
        silence = av.AudioFrame.from_ndarray(
          np.zeros((1, 8000 * sound), np.int16), format="s16", layout="mono"
        )
        silence.sample_rate = 8000
        container.mux(silent.encode(silence))
        container.mux(silent.encode())
      container.mux(stream.encode())
    return path

  return write


@pytest.fixture
def frames(tmp_path):
  clip = RNG.integers(0, 256, (12, 10, 14, 3), np.uint8)
  return write_folder(tmp_path / "clip", clip), clip


def test_folder_is_read_in_the_order_of_its_numbers(frames):
  # Fails if 10.png comes before 2.png.
  root, clip = frames
  np.testing.assert_array_equal(video.read_clip(root), clip)
  np.testing.assert_array_equal(
    video.read_clip(root, num_frames=3, start=2, stride=4), clip[2:11:4]
  )
  # The last frame that is needed is the last there is.
  assert len(video.read_clip(root, num_frames=4, start=2, stride=3)) == 4


def test_frames_are_cut_to_shape_in_the_middle_and_resized(frames):
  # Fails if a frame is stretched, or cut at a corner.
  root, clip = frames
  found = video.read_clip(root, num_frames=2, size=(10, 10))
  np.testing.assert_array_equal(found, clip[:2, :, 2:12])
  assert video.read_clip(root, num_frames=2, size=(5, 5)).shape == (2, 5, 5, 3)
  wide = video.read_clip(root, num_frames=1, size=(4, 14))
  np.testing.assert_array_equal(wide, clip[:1, 3:7])
  constant = np.full((240, 320, 3), 77, np.uint8)
  constant[:, :40] = constant[:, 280:] = 0
  np.testing.assert_array_equal(
    video.fit(constant, (128, 128)), np.full((128, 128, 3), 77)
  )
  assert video.fit(constant[:9, :7], (16, 16)).shape == (16, 16, 3)


def test_a_clip_that_is_too_short_is_named(frames):
  root, _ = frames
  for changes in ({"num_frames": 13}, {"num_frames": 3, "stride": 6}):
    with pytest.raises(video.ShortClipError, match="clip has 12 frames, too"):
      video.read_clip(root, **changes)
  with pytest.raises(video.ShortClipError, match="12 frames"):
    video.read_clip(root, start=12)


def test_frames_of_different_sizes_are_named(frames):
  # Fails if they are resized to one size in silence.
  root, _ = frames
  Image.fromarray(np.zeros((10, 15, 3), np.uint8)).save(root / "7.png")
  with pytest.raises(video.FrameSizeError, match="frame 7 is 10 x 15"):
    video.read_clip(root, size=(8, 8))
  assert len(video.read_clip(root, num_frames=7)) == 7


def test_a_broken_frame_is_named(frames):
  root, _ = frames
  (root / "3.png").write_bytes((root / "3.png").read_bytes()[:90])
  with pytest.raises(video.BrokenVideoError, match="3.png"):
    video.read_clip(root)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"num_frames": 0}, "num_frames must be at least 1"),
    ({"num_frames": 2, "size": (8, 0)}, "size must be a positive"),
    ({"num_frames": 2, "start": -1}, "start must not be negative"),
    ({"num_frames": 2, "stride": 0}, "stride must be at least 1"),
  ],
)
def test_bad_numbers_are_refused_before_anything_is_read(changes, message):
  with pytest.raises(ValueError, match=message):
    video.read_clip("nowhere", **changes)
  with pytest.raises(ValueError, match=message):
    video.VideoFiles(["nowhere"], **{"size": (8, 8)} | changes)


def test_source_survives_clips_that_cannot_be_used(tmp_path):
  # Fails if indices move, or a broken clip is reported at every epoch.
  clips = RNG.integers(0, 256, (4, 5, 8, 8, 3), np.uint8)
  for i, clip in enumerate(clips):
    write_folder(tmp_path / "class" / f"v{i}", clip[: 2 if i == 1 else 5])
  (tmp_path / ".hidden.mp4").write_bytes(b"")
  source = data.VideoFolder(tmp_path, num_frames=4, size=(8, 8))
  assert len(source) == 4
  assert [p.name for p in source.paths] == ["v0", "v1", "v2", "v3"]
  with pytest.warns(data.UnreadableVideoWarning, match="v1.*1 unreadable"):
    replaced = source[1]
  np.testing.assert_array_equal(replaced, clips[2, :4])
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    np.testing.assert_array_equal(source[1], source[2])
  np.testing.assert_array_equal(source[3], clips[3, :4])
  assert [p.name for p in source.unreadable] == ["v1"]
  assert len(list(source)) == 4
  with pytest.raises(IndexError):
    source[-1]


def test_nothing_to_read_is_an_error(tmp_path):
  with pytest.raises(video.VideoError, match="not a folder"):
    data.VideoFolder(tmp_path / "none", num_frames=1, size=(8, 8))
  with pytest.raises(video.VideoError, match="no clips"):
    data.VideoFolder(tmp_path, num_frames=1, size=(8, 8))
  write_folder(tmp_path / "v", np.zeros((1, 4, 4, 3), np.uint8))
  source = data.VideoFolder(tmp_path, num_frames=2, size=(8, 8))
  with (
    pytest.warns(data.UnreadableVideoWarning),
    pytest.raises(video.VideoError, match="None of 1 clips"),
  ):
    source[0]


def test_without_pyav_the_remedy_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "av", None)
  with pytest.raises(ImportError, match=r"inrjax\[video\]"):
    video.read_clip(tmp_path / "clip.mp4")


def test_file_gives_the_frames_that_went_in(tmp_path, write_video):
  # Fails if a frame is skipped, or red and blue are swapped.
  clip = smooth_clip(9, 16, 24)
  path = write_video(tmp_path / "clip.mkv", clip)
  np.testing.assert_array_equal(video.read_clip(path), clip)
  found = video.read_clip(path, num_frames=3, start=1, stride=3, size=(16, 16))
  np.testing.assert_array_equal(found, clip[1:8:3, :, 4:20])
  with pytest.raises(video.ShortClipError, match="9 frames"):
    video.read_clip(path, num_frames=10)


def test_a_file_that_breaks_off_is_not_a_short_clip(tmp_path, write_video):
  # An AVI declares its frames, as UCF-101's do.
  clip = RNG.integers(0, 256, (9, 32, 48, 3), np.uint8)
  path = write_video(tmp_path / "clip.avi", clip)
  whole = path.read_bytes()
  path.write_bytes(whole[: len(whole) // 2])
  with pytest.raises(video.BrokenVideoError, match="clip.avi"):
    video.read_clip(path, num_frames=9)
  # What is asked for lies before the break.
  assert len(video.read_clip(path, num_frames=2)) == 2
  for content in (b"", b"not a video", whole[:100]):
    path.write_bytes(content)
    with pytest.raises(video.BrokenVideoError, match="clip.avi"):
      video.read_clip(path, num_frames=1)
  with pytest.raises(video.BrokenVideoError, match="none.mp4"):
    video.read_clip(tmp_path / "none.mp4", num_frames=1)


def test_a_matroska_file_that_breaks_off_is_not_a_short_clip(
  tmp_path, write_video
):
  # It declares when it ends, not how many frames it has.
  clip = RNG.integers(0, 256, (20, 32, 48, 3), np.uint8)
  path = write_video(tmp_path / "clip.mkv", clip)
  whole = path.read_bytes()
  np.testing.assert_array_equal(video.read_clip(path), clip)
  for part in (0.1, 0.5, 0.8):
    path.write_bytes(whole[: int(part * len(whole))])
    # Fails if half a clip passes for a whole one.
    with pytest.raises(video.BrokenVideoError, match=r"of the 0\.80 seconds"):
      video.read_clip(path)
  # What is asked for lies before the break.
  assert len(video.read_clip(path, num_frames=9)) == 9
  with pytest.raises(video.BrokenVideoError):
    video.read_clip(path, num_frames=20)
  # A frame or two may be a matter of rounding.
  path.write_bytes(whole[: int(0.97 * len(whole))])
  assert len(video.read_clip(path)) == 19


@pytest.mark.parametrize(
  "times",
  [[0, 1, 2, 9, 10, 40, 41, 99], range(250, 258), range(8), [0]],
  ids=["uneven", "late", "even", "one"],
)
def test_whole_matroska_files_pass(tmp_path, write_video, times):
  clip = smooth_clip(len(times), 16, 24)
  path = write_video(tmp_path / "clip.mkv", clip, times)
  # Fails if frames are counted where they are of unequal lengths.
  np.testing.assert_array_equal(video.read_clip(path), clip)


def test_sound_may_last_longer_than_the_frames(tmp_path, write_video):
  clip = smooth_clip(8, 16, 24)
  path = write_video(tmp_path / "clip.mkv", clip, sound=2)
  np.testing.assert_array_equal(video.read_clip(path), clip)


@pytest.mark.parametrize("params", [b"", b" Ip"], ids=["plain", "params"])
def test_bare_frames_that_break_off_are_noticed(av, tmp_path, params):
  frame = b"FRAME" + params + b"\n" + bytes([60] * 35 + [128] * 70)
  content = b"YUV4MPEG2 W7 H5 F30:1 C444\n" + 4 * frame
  path = tmp_path / "clip.y4m"
  path.write_bytes(content)
  assert video.find_clips(tmp_path) == [path]
  assert video.read_clip(path).shape == (4, 5, 7, 3)
  if params:
    return
  for missing in (1, 104, 110):
    path.write_bytes(content[:-missing])
    # Fails if a file that was cut is taken for a shorter clip.
    with pytest.raises(video.BrokenVideoError, match="after 3 of the 4"):
      video.read_clip(path)
    assert len(video.read_clip(path, num_frames=3)) == 3
  path.write_bytes(content[: -len(frame)])
  assert len(video.read_clip(path)) == 3


def test_real_clips(av, data_dir):
  source = data.VideoFolder(data_dir / "video", num_frames=4, size=(128, 128))
  shapes = {
    "bigbuckbunny.mp4": 132,
    "bikes.mp4": 250,
    "carphone_pristine.mp4": 120,
    "realshort.mp4": 36,
  }
  assert [p.name for p in source.paths] == sorted(shapes)
  for clip in source:
    assert clip.shape == (4, 128, 128, 3) and clip.dtype == np.uint8
  short = data_dir / "video" / "realshort.mp4"
  assert video.read_clip(short).shape == (36, 240, 320, 3)
  with pytest.raises(video.ShortClipError, match="36 frames"):
    video.read_clip(short, num_frames=37)
