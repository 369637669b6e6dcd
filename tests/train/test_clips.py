"""Adapting to a clip on the way to a file, and the command that does."""

import itertools
import json
import types

import jax
import numpy as np
import pytest

import inrjax
from inrjax import cli
from inrjax import codec as codec_lib
from inrjax.codec import container
from inrjax.data import images, video
from inrjax.train import adaptation, clips, loop
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL


@pytest.fixture(scope="module")
def frames():
  found = np.asarray(adaptive_problem.make_images())
  return np.rint(255 * found).astype(np.uint8)


@pytest.fixture(scope="module")
def codec():
  return codec_lib.HyperpriorCodec(
    MODEL.network.config,
    jax.device_get(adaptive_problem.make_params()),
    card={"config": {"beta": BETA}},
  )


@pytest.fixture
def clock(monkeypatch):
  """A minute passes whenever somebody looks."""
  minutes = itertools.count()
  fake = types.SimpleNamespace(monotonic=lambda: 60.0 * next(minutes))
  monkeypatch.setattr(clips, "time", fake)


def stands_still(state, step_fn, batches, *, num_steps, **settings):
  del step_fn, settings
  # Fails if frames are cut to less than a crop, or scaled.
  assert next(batches).shape == (1, 37, 48, 3)
  return state._replace(step=np.asarray(num_steps))


def _adapt(codec, frames, num_steps, **settings):
  seen = []
  best = clips.adapt_clip(
    codec,
    frames,
    itertools.cycle(frames[:, None]),
    beta=BETA,
    num_steps=num_steps,
    learning_rate=3e-3,
    report=lambda step, metrics: seen.append((step, metrics)),
    **settings,
  )
  return best, seen


def test_it_goes_on_while_there_is_a_gain(
  codec, frames, clock, monkeypatch
) -> None:
  monkeypatch.setattr(clips, "_MEASUREMENTS", 3)
  passed = []
  monkeypatch.setattr(clips, "_STEPS_SHOWN", 2)
  best, seen = _adapt(codec, frames, 16, on_step=passed.append)
  # Fails if a segment begins again, or the last one runs over.
  assert [step for step, _ in seen] == [0, 6, 12, 16]
  # Fails if the steps are shown where they are measured alone.
  assert passed == [2, 4, 6, 8, 10, 12, 14, 16]
  assert best.improves and 0 < best.step <= 16
  last = seen[-1][1]
  assert last["bpp"] == pytest.approx(last["rate"] + last["model_rate"])
  # Fails if it goes on without a gain.
  monkeypatch.setattr(loop, "train", stands_still)
  _, few = _adapt(codec, frames, 3, min_gain=1e-9)
  assert len(few) == 3
  with pytest.raises(ValueError, match="min_gain"):
    _adapt(codec, frames, 3, min_gain=-1.0)


def test_what_diverges_leaves_the_best(codec, frames, monkeypatch) -> None:
  def diverges(*args, **settings):
    raise loop.NonFiniteError(1, "loss", float("nan"))

  monkeypatch.setattr(loop, "train", diverges)
  with pytest.warns(adaptation.DivergedWarning, match="step 0"):
    best, seen = _adapt(codec, frames, 4)
  assert not best.improves and len(seen) == 1
  plain = codec.compress_many([*frames])
  with pytest.warns(adaptation.UnadaptedWarning, match="not lowered"):
    # Fails if what is not finite reaches the file, or there is none.
    assert adaptation.compress(codec, best, [*frames]) == plain


@pytest.mark.filterwarnings("default::inrjax.train.adaptation.UnadaptedWarning")
def test_the_command(codec, frames, tmp_path, capsys, monkeypatch) -> None:
  monkeypatch.setattr(loop, "train", stands_still)
  model, stream, out = (
    str(tmp_path / name) for name in ("m.inrmodel", "a.inr", "out")
  )
  codec.save(model)
  folder = tmp_path / "frames"
  folder.mkdir()
  for index, frame in enumerate(frames):
    content = images.encode_array(frame, ".png")
    (folder / f"{index}.png").write_bytes(content)
  command = ["compress", "--model", model, "--adapt", "1"]
  assert cli.main([*command, str(folder), stream]) == 0
  said = capsys.readouterr()
  assert "for the model's change: 0 bytes" in said.out
  # Fails if a change of nothing is sent.
  assert "UnadaptedWarning" in said.err
  assert cli.main(["decompress", "--model", model, stream, out]) == 0
  decoded = images.read_image(tmp_path / "out" / "frame-0001.png")
  with open(stream, "rb") as file:
    (_, (name, expected)) = inrjax.load(model).decompress_many(file.read())
  assert name == "frame-0001"
  np.testing.assert_array_equal(decoded, expected)
  capsys.readouterr()
  wrong = (
    (["--bpp", "1", str(folder)], "no --quality or --bpp"),
    ([str(tmp_path / "none.mp4")], "none.mp4"),
  )
  for arguments, problem in wrong:
    assert cli.main([*command, *arguments, stream]) == 1
    assert problem in capsys.readouterr().err


def test_frames_of_several_sizes_are_refused(codec, frames, tmp_path, capsys):
  paths = []
  for index, frame in enumerate((frames[0], frames[1, :20])):
    path = tmp_path / f"{index}.png"
    path.write_bytes(images.encode_array(frame, ".png"))
    paths.append(str(path))
  command = ["compress", "--model", "m", "--adapt", "1"]
  stream = str(tmp_path / "a.inr")
  load = lambda name: codec  # noqa: E731
  assert cli.main([*command, *paths, stream], load=load) == 1
  assert "one size" in capsys.readouterr().err
  # Fails if any codec with `compress_many` is taken for a hyperprior.
  other = lambda name: types.SimpleNamespace()  # noqa: E731
  assert cli.main([*command, paths[0], stream], load=other) == 1
  assert "no hyperprior" in capsys.readouterr().err
  with pytest.raises(ValueError, match="--beta"):
    cli._beta(json.loads("{}"), "m")


def _write_folder(folder, clip):
  folder.mkdir()
  for index, frame in enumerate(clip):
    content = images.encode_array(frame, ".png")
    (folder / f"{index}.png").write_bytes(content)
  return folder


def _write_y4m(path, clip):
  """Frames as Xiph's are, their colour halved."""
  av = pytest.importorskip("av", reason="PyAV is not installed")
  with av.open(str(path), "w", format="yuv4mpegpipe") as file:
    stream = file.add_stream("rawvideo", rate=25)
    stream.height, stream.width = clip.shape[1:3]
    stream.pix_fmt = "yuv420p"
    for frame in clip:
      packed = av.VideoFrame.from_ndarray(frame, format="rgb24")
      file.mux(stream.encode(packed))
    file.mux(stream.encode())
  return path


@pytest.fixture
def adapt_command(codec, tmp_path, monkeypatch):
  """Runs `compress --adapt 1` without a step; the shapes of the frames."""
  stream = tmp_path / "a.inr"

  def stands(state, step_fn, batches, *, num_steps, **settings):
    del step_fn, settings
    next(batches)
    return state._replace(step=np.asarray(num_steps))

  monkeypatch.setattr(loop, "train", stands)

  def run(*inputs):
    command = ["compress", "--model", "m", "--adapt", "1", "--beta", "0.01"]
    paths = [*map(str, inputs), str(stream)]
    assert cli.main([*command, *paths], load=lambda name: codec) == 0
    decoded = codec.decompress_many(stream.read_bytes())
    return [frame.shape for _, frame in decoded]

  return run


@pytest.mark.filterwarnings("default::inrjax.train.adaptation.UnadaptedWarning")
def test_clips_of_one_frame_of_odd_sizes_and_grey(
  adapt_command, frames, tmp_path
) -> None:
  one = _write_folder(tmp_path / "one", frames[:1])
  # Fails if a clip must have two frames, or a folder more than a file.
  assert adapt_command(one) == adapt_command(one / "0.png") == [(37, 48, 3)]
  odd = _write_folder(tmp_path / "odd", frames[:, :1, :3])
  assert adapt_command(odd) == [(1, 3, 3)] * 2
  grey = _write_folder(tmp_path / "grey", frames[..., 0])
  # A clip's frames become colour; pictures on their own are left as they are.
  assert adapt_command(grey) == [(37, 48, 3)] * 2


@pytest.mark.filterwarnings("default::inrjax.train.adaptation.UnadaptedWarning")
def test_frames_as_xiph_has_them(adapt_command, tmp_path) -> None:
  clip = np.full((3, 18, 34, 3), 90, np.uint8) + np.arange(
    0, 90, 30, dtype=np.uint8
  ).reshape(3, 1, 1, 1)
  path = _write_y4m(tmp_path / "sunflower_1080p25.y4m", clip)
  found = video.read_clip(path)
  assert video.find_clips(tmp_path) == [path]
  # Fails if a frame is left out, or they come in another order.
  np.testing.assert_allclose(found.astype(float), clip, atol=3)
  assert adapt_command(path) == [(18, 34, 3)] * 3
  assert adapt_command("--stride", "2", path) == [(18, 34, 3)] * 2
  assert adapt_command("--frames", "1", path) == [(18, 34, 3)]


def test_clips_that_are_none_leave_no_file(
  codec, frames, tmp_path, capsys, monkeypatch
):
  broken = tmp_path / "b.mp4"
  broken.write_bytes(b"not a video")
  cut = _write_y4m(tmp_path / "c.y4m", frames[:, :36])
  cut.write_bytes(cut.read_bytes()[:900])
  mixed = _write_folder(tmp_path / "m", frames)
  (mixed / "2.png").write_bytes(images.encode_array(frames[0, :9], ".png"))
  empty = _write_folder(tmp_path / "e", frames[:0])
  grey = tmp_path / "g.png"
  grey.write_bytes(images.encode_array(frames[0, ..., 0], ".png"))
  stream = tmp_path / "a.inr"
  command = ["compress", "--model", "m", "--adapt", "1"]
  whole = _write_folder(tmp_path / "w", frames)
  monkeypatch.setattr(container, "DEFAULT_MAX_VALUES", frames.size - 1)
  for arguments, problem in (
    (["--frames", "9", str(grey)], "are for a clip"),
    (["--effort", "slow", str(whole)], "no --effort slow"),
    ([str(whole)], "take fewer"),
    (["--stride", "9", "--frames", "9", str(whole)], "too few"),
  ):
    # Fails if an option does nothing, or a clip is too long after its steps.
    command_line = [*command, *arguments, str(stream)]
    assert cli.main(command_line, load=lambda name: codec) == 1, problem
    assert problem in capsys.readouterr().err
    assert not stream.exists()
  monkeypatch.undo()
  for path, problem in (
    (broken, "b.mp4"),
    (cut, "c.y4m"),
    (mixed, "frame 2 is 9 x 48"),
    (empty, "0 frames"),
    (grey, "8-bit colour"),
  ):
    arguments = [*command, str(path), str(stream)]
    # Fails if what is wrong is a traceback, or comes after adapting.
    assert cli.main(arguments, load=lambda name: codec) == 1, problem
    assert problem in capsys.readouterr().err
    assert not stream.exists()


def test_a_model_that_no_codec_evaluates_gives_the_unadapted_file(
  codec, frames
) -> None:
  """Better by what is measured, and beyond the codec's arithmetic."""
  start = adaptation.of_model(
    MODEL, codec.params, beta=BETA, num_pixels=frames[..., 0].size
  ).start
  start["transmitter"] = jax.tree.map(
    lambda leaf: np.full_like(leaf, np.nan), start["transmitter"]
  )
  best = types.SimpleNamespace(fast=start, improves=True)
  with pytest.warns(adaptation.UnadaptedWarning, match="not finite"):
    found = adaptation.compress(codec, best, [*frames])
  assert found == codec.compress_many([*frames])


def test_a_lower_beta_takes_more_bytes_and_says_so(
  codec, frames, monkeypatch
) -> None:
  plain = codec.compress_many([*frames])
  longer = types.SimpleNamespace(
    compress_many=lambda frames, names: plain + b"0"
  )
  monkeypatch.setattr(
    adaptation, "adapted_codec", lambda codec, fast, prior: longer
  )
  best = types.SimpleNamespace(fast={}, improves=True)
  with pytest.warns(adaptation.UnadaptedWarning, match="a larger beta"):
    # Fails if a file that is larger is returned.
    assert adaptation.compress(codec, best, [*frames]) == plain


@pytest.mark.filterwarnings("default::inrjax.train.adaptation.UnadaptedWarning")
def test_steps_see_what_fits_into_memory(
  codec, frames, tmp_path, monkeypatch
) -> None:
  seen = []

  def stands(state, step_fn, batches, *, num_steps, **settings):
    del step_fn, settings
    seen.append(next(batches).shape[1:3])
    return state._replace(step=np.asarray(num_steps))

  monkeypatch.setattr(loop, "train", stands)
  folder, stream = _write_folder(tmp_path / "f", frames), tmp_path / "a.inr"
  command = ["compress", "--model", "m", "--adapt", "1", "--beta", "0.01"]
  for pixels in (37 * 48, 20 * 20):
    limit = pixels * codec.config.width
    monkeypatch.setattr(cli, "_MAX_STEP_ACTIVATIONS", limit)
    arguments = [*command, str(folder), str(stream)]
    assert cli.main(arguments, load=lambda name: codec) == 0
  # Fails if frames that fit are cropped, or a crop is of more than fits.
  assert seen == [(37, 48), (20, 20)]
