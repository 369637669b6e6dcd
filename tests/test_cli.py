"""The commands, with a codec that is quick and has no network in it.

`tests/codec/test_api_bad_input.py` runs them with a real one.
"""

import errno
import json
import math
import os
import pathlib
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest
from PIL import Image

from inrjax import cli, evaluate
from inrjax.codec import container, errors, model_file
from inrjax.data import images

MODEL_ID = "ab" * 32
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)


class FakeCodec:
  """Keeps the upper bits of every sample, and deflates them."""

  model_id = MODEL_ID

  def __init__(self):
    self.calls = []

  def compress(self, array, **options):
    return self.compress_many([array], **options)

  def compress_many(
    self, arrays, *, names=None, quality=None, bpp=None, effort="medium"
  ):
    self.calls.append({"quality": quality, "bpp": bpp, "effort": effort})
    if bpp is not None and bpp < 1:
      raise errors.CodecError(f"{bpp} bpp cannot be kept")
    step = 64 if quality is None else 128 - int(quality)
    records = []
    for index, array in enumerate(arrays):
      if array.shape[2:] != (3,):
        raise errors.UnsupportedSignalError(f"no RGB image: {array.shape}")
      symbols = array // step
      records.append(
        container.SignalRecord(
          container.SignalSpec("image", array.shape, array.dtype.name),
          bytes([step]),
          zlib.compress(symbols.tobytes()),
          b"side",
          None if names is None else names[index],
        )
      )
    return container.pack(container.Stream(MODEL_ID, tuple(records)))

  def decompress(self, data):
    ((_, array),) = self.decompress_many(data)
    return array

  def decompress_many(self, data, *, scale=1.0, region=None):
    out = []
    for record in container.unpack(data, model_id=MODEL_ID).signals:
      raw = np.frombuffer(zlib.decompress(record.payload), record.spec.dtype)
      step = record.header[0]
      array = raw.reshape(record.spec.shape) * step + step // 2
      if region is not None:
        y0, x0, y1, x1 = region
        array = array[y0:y1, x0:x1]
      array = array.repeat(int(scale), 0).repeat(int(scale), 1)
      out.append((record.name, array))
    return out

  def rates(self, data):
    stream = container.unpack(data, model_id=MODEL_ID)
    return [
      types.SimpleNamespace(
        total=len(data) / len(stream.signals),
        side=len(record.side),
        payload=len(record.payload),
        estimated_bits=100.0,
      )
      for record in stream.signals
    ]


@pytest.fixture
def codec():
  return FakeCodec()


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """The working folder, with `a.png` in it."""
  monkeypatch.chdir(tmp_path)
  Image.fromarray(RGB).save("a.png")
  return tmp_path


@pytest.fixture
def run(folder, codec, capfd):
  """Runs a command; gives its exit code and what it printed."""

  def run_command(*argv, load=lambda name: codec):
    code = cli.main([str(part) for part in argv], load=load)
    return types.SimpleNamespace(
      code=code, **dict(zip(("out", "err"), capfd.readouterr(), strict=True))
    )

  return run_command


def listing():
  return sorted(path.name for path in pathlib.Path().iterdir())


def pixels(path):
  return np.asarray(Image.open(path))


def coarse(array, step=64):
  return array // step * step + step // 2


def test_one_image_there_and_back(run):
  result = run("compress", "--model", "m", "a.png", "a.inr")
  assert (result.code, result.err) == (0, "")
  data = pathlib.Path("a.inr").read_bytes()
  bpp = 8 * len(data) / (12 * 16)
  psnr = evaluate.psnr(RGB, coarse(RGB))
  # fails if the size is an estimate, or the PSNR not of what is decoded.
  assert (
    result.out == f"a.inr: {len(data)} bytes, {bpp:.4f} bpp, {psnr:.2f} dB\n"
  )
  assert run("decompress", "--model", "m", "a.inr", "b.png").code == 0
  np.testing.assert_array_equal(pixels("b.png"), coarse(RGB))
  assert listing() == ["a.inr", "a.png", "b.png"]


def test_options_reach_the_codec(run, codec):
  run("compress", "--model", "m", "--quality", 100, "a.png", "a.inr")
  run(
    "compress", "--model", "m", "--bpp=2.5", "--effort=slow", "a.png", "b.inr"
  )
  # fails if an option is swallowed or a default is not the codec's own.
  assert codec.calls == [
    {"quality": 100.0, "bpp": None, "effort": "medium"},
    {"quality": None, "bpp": 2.5, "effort": "slow"},
  ]
  command = ["decompress", "--model", "m", "a.inr"]
  assert run(*command, "b.png", "--scale", 2, "--region", "1,2,6,9").code == 0
  part = coarse(RGB, 28)[1:6, 2:9]
  np.testing.assert_array_equal(pixels("b.png"), part.repeat(2, 0).repeat(2, 1))


def test_several_images_make_one_container_and_a_folder(run, folder):
  os.mkdir("sub")
  Image.fromarray(RGB[::-1]).save("sub/a.png")
  Image.fromarray(RGB[:5]).save("b.png")
  names = ["a.png", "sub/a.png", "b.png"]
  result = run("compress", "--model", "m", *names, "all.inr")
  data = pathlib.Path("all.inr").read_bytes()
  lines = result.out.splitlines()
  # fails if each image becomes a file of its own, or a line is missing.
  assert [line.split(":")[0] for line in lines] == [*names, "all.inr"]
  assert f" {len(data)} bytes," in lines[-1]
  assert run("decompress", "--model", "m", "all.inr", "out").code == 0
  # fails if equal names overwrite each other.
  assert sorted(os.listdir("out")) == ["a-2.png", "a.png", "b.png"]
  np.testing.assert_array_equal(pixels("out/a-2.png"), coarse(RGB[::-1]))
  # Others can read it: fails if the temporary folder's mode is kept.
  assert os.stat("out").st_mode & 0o077 == os.stat("sub").st_mode & 0o077
  again = run("decompress", "--model", "m", "all.inr", "out")
  # fails if what is in a folder already is touched.
  assert again.code == 1 and "empty" in again.err


def test_hostile_names_stay_in_the_folder(run, folder, codec):
  evil = ["../../evil.png", "/etc/passwd", "..", "a", "A", "x" * 250]
  stream = container.unpack(codec.compress(RGB), model_id=MODEL_ID)
  records = [stream.signals[0]._replace(name=name) for name in evil]
  data = container.pack(container.Stream(MODEL_ID, tuple(records)))
  pathlib.Path("evil.inr").write_bytes(data)
  assert run("decompress", "--model", "m", "evil.inr", "out").code == 0
  # fails if a name leads out of the folder, or two differ by case alone.
  found = {name.lower() for name in os.listdir("out")}
  assert len(found) == 6
  assert found >= {"evil.png", "passwd.png", "image-2.png", "a.png", "a-2.png"}
  assert listing() == ["a.png", "evil.inr", "out"]


def test_16_bits_come_back_as_16_bits(run):
  wide = RNG.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
  pathlib.Path("wide.png").write_bytes(images.encode_array(wide, ".png"))
  result = run("compress", "--model", "m", "wide.png", "wide.inr")
  # fails if the error is measured on the lower or the upper byte.
  psnr = evaluate.psnr(wide / 65535, coarse(wide) / 65535)
  assert result.out.endswith(f" {psnr:.2f} dB\n")
  assert run("decompress", "--model", "m", "wide.inr", "back.png").code == 0
  np.testing.assert_array_equal(images.read_array("back.png"), coarse(wide))
  # Formats that hold less refuse, rather than round.
  result = run("decompress", "--model", "m", "wide.inr", "back.bmp")
  assert_failed(result, ".png")
  assert "back.bmp" not in listing()


def test_opaque_alpha_is_dropped_with_a_warning_and_other_alpha_refused(run):
  alpha = np.full((12, 16, 1), 255, np.uint8)
  Image.fromarray(np.concatenate([RGB, alpha], -1)).save("opaque.png")
  result = run("compress", "--model", "m", "opaque.png", "a.inr")
  assert result.code == 0
  assert result.err.startswith("inrjax: warning: opaque.png: ")
  run("decompress", "--model", "m", "a.inr", "b.png")
  np.testing.assert_array_equal(pixels("b.png"), coarse(RGB))
  alpha[3, 4] = 254
  Image.fromarray(np.concatenate([RGB, alpha], -1)).save("clear.png")
  result = run("compress", "--model", "m", "clear.png", "c.inr")
  # fails if one pixel in 192 is overlooked, or transparency is flattened.
  assert_failed(result, "clear.png", "background")
  assert "c.inr" not in listing()


def assert_failed(result, *parts):
  """One line on the error stream that holds the parts; exit code 1."""
  assert result.code == 1 and result.out == ""
  assert result.err.startswith("inrjax: error: ")
  assert result.err.count("\n") == 1 and result.err.endswith("\n")
  for part in parts:
    assert part in result.err


def damage(name, kind):
  data = pathlib.Path(name).read_bytes()
  broken = {
    "truncated": data[:-1],
    "flipped": data[:30] + bytes([data[30] ^ 1]) + data[31:],
    "junk": data + b"junk",
    "empty": b"",
    "foreign": b"GIF89a" + data,
    "huge": b"\x8fINR\1"
    + bytes(8)
    + b"\1\0\0\0\3"
    + b"\xff\xff\xff\xff\x7f" * 2,
  }[kind]
  pathlib.Path(name).write_bytes(broken)


@pytest.mark.parametrize(
  "kind", ["truncated", "flipped", "junk", "empty", "foreign", "huge"]
)
def test_damaged_streams_fail_in_one_line_and_leave_nothing(run, kind):
  run("compress", "--model", "m", "a.png", "a.inr")
  damage("a.inr", kind)
  for command in (
    ["decompress", "--model", "m", "a.inr", "b.png"],
    ["info", "a.inr"],
  ):
    # fails if an output is opened before the stream is checked.
    assert_failed(run(*command), "a.inr")
    assert listing() == ["a.inr", "a.png"]


@pytest.mark.parametrize(
  ("argv", "part"),
  [
    (["compress", "missing.png", "a.inr"], "missing.png"),
    (["compress", "broken.png", "a.inr"], "broken.png"),
    (["compress", "a.png", "nowhere/a.inr"], "nowhere"),
    (["compress", "a.png", "folder.inr"], "folder.inr"),
    (["compress", "folder", "a.inr"], "folder"),
    (["compress", "--bpp=0.1", "a.png", "a.inr"], "0.1 bpp"),
    (["decompress", "missing.inr", "b.png"], "missing.inr"),
    (["decompress", "folder", "b.png"], "folder"),
    (["decompress", "good.inr", "folder.inr"], "folder.inr"),
    (["decompress", "good.inr", "nowhere/b.png"], "nowhere"),
    (["decompress", "good.inr", "b.jpg"], ".png"),
    (["decompress", "good.inr", "/dev/null"], "regular"),
    (["decompress", "two.inr", "a.png"], "folder"),
    (["decompress", "two.inr", "nowhere/out"], "nowhere"),
    (["evaluate", "a.png", "--json=nowhere/e.json"], "nowhere"),
    (["evaluate", "a.png", "--json=e.json", "--plot=no/e.png"], "no/e.png"),
    (["evaluate", "broken.png", "--json=e.json"], "broken.png"),
    (["evaluate", "folder", "--json=e.json"], "folder"),
    (["evaluate", "missing", "--json=e.json"], "missing"),
    (["evaluate", "wide.png", "--json=e.json"], "wide.png"),
    (["evaluate", "a.png", "--json=e.json", "--bpp=0.1,0.2"], "0.1 bpp"),
  ],
)
def test_what_cannot_work_fails_in_one_line_and_leaves_nothing(
  run, codec, argv, part
):
  os.mkdir("folder")
  os.mkdir("folder.inr")
  pathlib.Path("broken.png").write_bytes(
    pathlib.Path("a.png").read_bytes()[:99]
  )
  Image.fromarray(np.zeros((5, 7), np.uint16)).save("wide.png")
  pathlib.Path("good.inr").write_bytes(codec.compress(RGB))
  pathlib.Path("two.inr").write_bytes(codec.compress_many([RGB, RGB]))
  before = listing()
  command, *rest = argv
  # fails if a traceback comes through, or a file is begun too early.
  assert_failed(run(command, "--model=m", *rest), part)
  assert listing() == before


@pytest.mark.parametrize(
  ("argv"),
  [
    ["compress", "a.png", "nowhere/a.inr"],
    ["compress", "missing.png", "a.inr"],
    ["decompress", "good.inr", "nowhere/b.png"],
    ["decompress", "good.inr", "b.jpg"],
    ["decompress", "bad.inr", "b.png"],
    ["evaluate", "a.png", "--json=nowhere/e.json"],
  ],
)
def test_the_model_is_loaded_after_what_is_cheap_was_checked(run, codec, argv):
  pathlib.Path("good.inr").write_bytes(codec.compress(RGB))
  pathlib.Path("bad.inr").write_bytes(codec.compress(RGB)[:-1])

  def load(name):
    raise AssertionError("too early")

  command, *rest = argv
  assert run(command, "--model=m", *rest, load=load).code == 1


def test_a_missing_model_is_reported(run):
  def load(name):
    raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)

  result = run("compress", "--model=no.inrmodel", "a.png", "a.inr", load=load)
  # fails if the name of the file or the reason is lost.
  assert_failed(result, "no.inrmodel: No such file")
  assert listing() == ["a.png"]


@pytest.mark.parametrize(
  "argv",
  [
    [],
    ["expand"],
    ["compress", "--model=m", "a.png"],
    ["compress", "--model=m", "a.png", "b.png"],
    ["compress", "a.png", "a.inr"],
    ["compress", "--model=m", "--bpp=1", "--quality=1", "a.png", "a.inr"],
    ["compress", "--model=m", "--bpp=0", "a.png", "a.inr"],
    ["compress", "--model=m", "--bpp=nan", "a.png", "a.inr"],
    ["compress", "--model=m", "--quality=101", "a.png", "a.inr"],
    ["compress", "--model=m", "--effort=utmost", "a.png", "a.inr"],
    ["decompress", "--model=m", "a.inr", "b.png", "--scale=-1"],
    ["decompress", "--model=m", "a.inr", "b.png", "--scale=inf"],
    ["decompress", "--model=m", "a.inr", "b.png", "--region=0,0,5"],
    ["decompress", "--model=m", "a.inr", "b.png", "--region=5,0,5,9"],
    ["decompress", "--model=m", "a.inr", "b.png", "--region=a,b,c,d"],
    ["evaluate", "--model=m", "a.png"],
    ["evaluate", "--model=m", "a.png", "--json=e.json", "--compare=gif"],
    ["evaluate", "--model=m", "a.png", "--json=e.json", "--bpp=0.1,x"],
  ],
)
def test_wrong_usage_has_exit_code_2(folder, capsys, argv):
  # fails if a value is not checked, or one picture may replace another.
  with pytest.raises(SystemExit) as stop:
    cli.main(argv)
  assert stop.value.code == 2
  assert "usage:" in capsys.readouterr().err
  assert listing() == ["a.png"]


def test_a_full_disk_leaves_nothing(run, codec, monkeypatch):
  pathlib.Path("good.inr").write_bytes(codec.compress(RGB))
  pathlib.Path("two.inr").write_bytes(codec.compress_many([RGB, RGB]))
  before = listing()

  def full(_):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  for argv in (
    ["compress", "--model=m", "a.png", "new.inr"],
    ["compress", "--model=m", "a.png", "good.inr"],
    ["decompress", "--model=m", "good.inr", "b.png"],
    ["decompress", "--model=m", "two.inr", "out"],
  ):
    # fails if the temporary file or folder stays behind.
    assert_failed(run(*argv), "No space left")
    assert listing() == before
  # fails if the file that was there is opened for writing.
  assert pathlib.Path("good.inr").read_bytes() == codec.compress(RGB)


def test_an_interrupt_has_exit_code_130_and_leaves_nothing(run):
  def load(name):
    raise KeyboardInterrupt

  result = run("compress", "--model=m", "a.png", "a.inr", load=load)
  assert result.code == 130 and "Traceback" not in result.err
  assert listing() == ["a.png"]


def test_a_bug_is_not_dressed_up_as_an_error(run):
  def load(name):
    raise AttributeError("a bug")

  # fails if main catches everything.
  with pytest.raises(AttributeError):
    run("compress", "--model=m", "a.png", "a.inr", load=load)


def test_an_endless_input_is_refused(run, monkeypatch):
  monkeypatch.setattr(cli, "_MAX_BYTES", 1000)
  # fails if the whole of it is read first (it has no end).
  assert_failed(run("info", "/dev/zero"), "1000")


def test_info_on_a_stream(run, codec):
  data = codec.compress_many([RGB, RGB], names=["a.png", "b\u00e9.png"])
  pathlib.Path("a.inr").write_bytes(data)
  facts = json.loads(run("info", "a.inr", "--json").out)
  assert facts["kind"] == "stream" and facts["profile"] == "full"
  assert facts["model"] == MODEL_ID[:16] and facts["checksum"] == "verified"
  # fails if a part is counted twice or left out.
  parts = facts["bytes"]
  assert parts["total"] == len(data) == sum(parts.values()) - parts["total"]
  assert facts["signals"][1] == {
    "name": "b\u00e9.png",
    "kind": "image",
    "shape": [12, 16, 3],
    "type": "uint8",
    "range": [0.0, 255.0],
  }
  text = run("info", "a.inr").out
  assert f"total: {len(data)}" in text and "name: b\u00e9.png" in text


def test_info_on_a_compact_stream_says_what_it_cannot_know(run):
  record = container.SignalRecord(
    container.SignalSpec("image", (8, 8, 3)), b"q", b"payload"
  )
  data = container.pack(
    container.Stream(MODEL_ID, (record,), "compact"), default_shape=(8, 8, 3)
  )
  pathlib.Path("a.inr").write_bytes(data)
  facts = json.loads(run("info", "a.inr", "--json").out)
  # fails if a checksum that needs the model is said to be right.
  assert facts["checksum"] != "verified"
  assert facts["signals"] == [{"name": None, "shape": None}]
  assert run("info", "a.inr").code == 0


def test_info_on_a_model_file(run):
  arrays = {"outer/w": np.zeros((3, 4), np.float32)}
  config = {"spec": {"side": 8}, "card": {"note": "a\x1b[31mb"}}
  model_id = model_file.save_model("m.inrmodel", config, arrays)
  facts = json.loads(run("info", "m.inrmodel", "--json").out)
  assert (facts["kind"], facts["model"]) == ("model", model_id)
  assert facts["config"] == config and facts["num_values"] == 12
  assert facts["arrays"] == {"outer/w": "float32 [3, 4]"}
  text = run("info", "m.inrmodel").out
  # fails if what a file says reaches the terminal as a command.
  assert "side: 8" in text and "\x1b" not in text
  damage("m.inrmodel", "truncated")
  assert_failed(run("info", "m.inrmodel"), "m.inrmodel")


def test_evaluate_writes_what_the_files_cost(run, codec):
  os.mkdir("set")
  pictures = [RGB, RGB[::-1, :8]]
  for index, picture in enumerate(pictures):
    Image.fromarray(picture).save(f"set/{index}.png")
  result = run(
    "evaluate", "--model=m", "--json=e.json", "--quality=64,100", "set"
  )
  assert (result.code, result.err) == (0, "")
  content = json.loads(pathlib.Path("e.json").read_text())
  columns = content["results"]
  for step, column in ((64, 0), (28, 1)):
    files = [codec.compress(p, quality=128 - step) for p in pictures]
    sizes = [p.shape[0] * p.shape[1] for p in pictures]
    bpps = [8 * len(f) / n for f, n in zip(files, sizes, strict=True)]
    # fails if rates are pooled over images, or are estimates.
    assert columns["bpp"][column] == pytest.approx(np.mean(bpps), rel=1e-12)
    parts = ("bpp-header", "bpp-side-information", "bpp-payload")
    assert sum(columns[part][column] for part in parts) == pytest.approx(
      columns["bpp"][column], rel=1e-12
    )
    assert columns["bpp-estimated"][column] == pytest.approx(
      np.mean([100 / n for n in sizes])
    )
    errors_ = [evaluate.mse(p, coarse(p, step)) for p in pictures]
    # fails if the two averages are mistaken for each other.
    assert columns["psnr-rgb"][column] == pytest.approx(
      np.mean([evaluate.psnr_from_mse(e) for e in errors_])
    )
    assert columns["psnr-of-mean-mse"][column] == pytest.approx(
      evaluate.psnr_from_mse(np.mean(errors_))
    )
  assert columns["setting"] == [64, 100] and columns["num-images"] == [2, 2]
  assert content["meta"]["model_id"] == MODEL_ID
  assert content["meta"]["images"] == ["set/0.png", "set/1.png"]
  for title in ("header", "estimate", "PSNR of mean MSE", "SSIM"):
    assert title in result.out


def test_evaluate_names_and_counts_the_unreadable_file(run):
  os.mkdir("set")
  Image.fromarray(RGB).save("set/a.png")
  pathlib.Path("set/b.png").write_bytes(b"no picture")
  result = run("evaluate", "--model=m", "--json=e.json", "--quality=64", "set")
  # fails if one bad file among many stops everything, or passes unnoticed.
  assert result.code == 0
  assert "set/b.png" in result.err and "1 of 2" in result.err
  meta = json.loads(pathlib.Path("e.json").read_text())["meta"]
  assert meta["unreadable"] == ["set/b.png"]


def test_evaluate_leaves_out_rates_that_cannot_be_kept(run):
  result = run(
    "evaluate", "--model=m", "--json=e.json", "--bpp=0.5,30", "a.png"
  )
  curve = evaluate.read_curve("e.json")
  assert result.code == 0 and "0.5 bpp" in result.err
  # fails if the mean is over those images that can keep it.
  assert [point.setting for point in curve.points] == [30]
  assert curve.meta["unreached_bpp"] == [0.5]


def test_evaluate_compares_and_draws(run):
  Image.fromarray(RGB.repeat(4, 0).repeat(4, 1)).save("big.png")
  result = run(
    "evaluate", "--model=m", "--json=e.json", "--plot=e.png",
    "--quality=64,100", "--compare=jpeg,webp", "big.png",
  )  # fmt: skip
  assert result.code == 0
  compared = evaluate.read_curve("e.json").meta["compared"]
  curve = evaluate.read_curve("e.json")
  for other in compared:
    # fails if a classical codec may spend more than ours.
    assert max(other["results"]["bpp"]) <= max(curve.bpp)
  assert [c["name"] for c in compared] == ["JPEG 4:2:0", "WebP"]
  assert "JPEG 4:2:0" in result.out and pixels("e.png").size > 10_000


def test_evaluate_shows_published_curves_beside_its_own(run):
  published = {
    "name": "Theirs",
    "results": {"bpp": [0.5, 1.0], "psnr-rgb": [31.25, 33.5]},
  }
  pathlib.Path("theirs.json").write_text(json.dumps(published))
  command = ["evaluate", "--model=m", "--json=e.json", "--quality=64", "a.png"]
  result = run(*command, "--beside=theirs.json", "--plot=e.png")
  assert result.code == 0
  # Fails if the curve is left out, or taken for a measurement.
  assert "Theirs" in result.out and "31.25" in result.out
  assert evaluate.read_curve("e.json").name == "m"
  drawn = pixels("e.png")
  run(*command, "--plot=alone.png")
  assert np.any(drawn != pixels("alone.png"))
  # Fails if a curve measured before cannot be told from this one.
  pathlib.Path("before.json").write_text(pathlib.Path("e.json").read_text())
  assert "m (before)\n" in run(*command, "--beside=before.json").out
  pathlib.Path("wrong.json").write_text("{}")
  result = run(*command, "--beside=wrong.json")
  assert result.code == 1 and "wrong.json" in result.err
  assert "--beside" in result.err
  # Fails if what is no text is not said by name.
  result = run(*command, "--beside=a.png")
  assert result.code == 1 and "a.png: " in result.err


def test_a_lossless_image_is_reported_without_a_division(run, codec):
  run("compress", "--model=m", "a.png", "a.inr")
  run("decompress", "--model=m", "a.inr", "b.png")
  result = run("compress", "--model=m", "b.png", "b.inr")
  assert result.out.endswith(f" {math.inf:.2f} dB\n")


def test_help_and_info_do_not_wait_for_jax(folder, codec):
  (folder / "a.inr").write_bytes(codec.compress(RGB))
  script = (
    "import sys\nfrom inrjax import cli\n"
    "code = cli.main(['info', 'a.inr'])\n"
    "sys.exit(code or 'jax' in sys.modules)"
  )
  # fails if any module on the way imports JAX, which takes seconds.
  done = subprocess.run(
    [sys.executable, "-c", script], cwd=folder, capture_output=True, check=False
  )
  assert done.returncode == 0, done.stderr.decode()
