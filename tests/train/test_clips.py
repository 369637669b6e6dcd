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
from inrjax.data import images
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


def stands_still(state, step_fn, batches, *, num_steps, placement):
  del step_fn, placement
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
  best, seen = _adapt(codec, frames, 16)
  # Fails if a segment begins again, or the last one runs over.
  assert [step for step, _ in seen] == [6, 12, 16]
  assert best.improves and 0 < best.step <= 16
  last = seen[-1][1]
  assert last["bpp"] == pytest.approx(last["rate"] + last["model_rate"])
  # Fails if it goes on without a gain.
  monkeypatch.setattr(loop, "train", stands_still)
  _, few = _adapt(codec, frames, 3, min_gain=1e-9)
  assert len(few) == 2
  with pytest.raises(ValueError, match="min_gain"):
    _adapt(codec, frames, 3, min_gain=-1.0)


def test_what_diverges_leaves_the_best(codec, frames, monkeypatch) -> None:
  def diverges(*args, **settings):
    raise loop.NonFiniteError(1, "loss", float("nan"))

  monkeypatch.setattr(loop, "train", diverges)
  with pytest.warns(adaptation.DivergedWarning, match="step 0"):
    best, seen = _adapt(codec, frames, 4)
  assert not best.improves and not seen


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
