"""Bad input to a real codec: typed errors, in bounded time and memory."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

import inrjax
from inrjax import cli
from inrjax.codec import compact_profile, container, model_file, records
from inrjax.data import images
from tests.codec import tiny_codec

RGB = tiny_codec.picture(20, 27)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  """Path of the tiny model's file."""
  path = tmp_path_factory.mktemp("model") / "tiny.inrmodel"
  tiny_codec.make().save(path)
  return path


@pytest.fixture(scope="module")
def codec(model):
  return inrjax.load(model)


@pytest.fixture(scope="module")
def other_model(model, tmp_path_factory):
  """Path of a model that differs in its description alone."""
  path = tmp_path_factory.mktemp("other") / "other.inrmodel"
  content = model_file.load_model(model)
  config = {**content.config, "card": {"note": "another"}}
  model_file.save_model(path, config, content.arrays)
  return path


@pytest.fixture(scope="module")
def compact(codec):
  data = codec.compress(RGB, effort="fast")
  assert container.peek(data).profile == "compact"
  return data


@pytest.fixture(scope="module")
def full(codec):
  data = codec.compress_many(
    [RGB, RGB[:9]], names=["a.png", "b.png"], quality=20, effort="fast"
  )
  assert container.peek(data).profile == "full"
  return data


# Signals.


@pytest.mark.parametrize("shape", [(20, 27), (20, 27, 1), (9, 9, 2), (9, 9, 4)])
def test_another_channel_count_is_refused(codec, shape):
  count = str(shape[2] if len(shape) == 3 else 1)
  # fails if channels are repeated or dropped without a word.
  with pytest.raises(inrjax.UnsupportedSignalError, match=f"{count} channel"):
    codec.compress(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.01, -0.01])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_float_without_meaning_is_refused(codec, value, dtype):
  array = np.full((20, 27, 3), 0.5, dtype)
  array[11, 3, 1] = value
  with pytest.raises(inrjax.UnsupportedSignalError):
    codec.compress(array)


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "complex64", "<U3"])
def test_another_type_is_refused(codec, dtype):
  with pytest.raises(inrjax.UnsupportedSignalError, match="uint8"):
    codec.compress(np.zeros((20, 27, 3), dtype))


@pytest.mark.parametrize(
  "shape", [(), (3,), (0, 5, 3), (5, 0, 3), (5, 5, 0), (0, 0), (1, 5, 5, 3)]
)
def test_what_has_no_pixels_or_other_axes_is_refused(codec, shape):
  with pytest.raises(inrjax.UnsupportedSignalError):
    codec.compress(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 30, 3), (17, 1, 3)])
def test_the_smallest_images_are_coded(codec, shape):
  array = tiny_codec.picture(*shape[:2])
  decoded = codec.decompress(codec.compress(array, effort="fast"))
  assert decoded.shape == shape and decoded.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "float32", "float64"])
def test_other_types_come_back_as_they_went_in(codec, dtype, compact):
  top = 65535 if "2" in dtype or dtype == "uint16" else 1
  top = 1 if dtype.startswith("float") else top
  array = (RGB / 255 * top).astype(dtype)[:, ::-1]
  decoded = codec.decompress(codec.compress(array, effort="fast"))
  assert decoded.dtype.name == array.dtype.name
  assert decoded.shape == array.shape
  # fails if the range of another type is assumed, or the axes are mixed up.
  reference = codec.decompress(compact) / 255
  assert abs(decoded[:, ::-1] / top - reference).mean() < 0.1


@pytest.mark.parametrize(
  "options",
  [
    {"quality": -1},
    {"quality": 100.5},
    {"quality": float("nan")},
    {"bpp": 0},
    {"bpp": float("nan")},
    {"quality": 50, "bpp": 0.5},
    {"effort": "utmost"},
  ],
)
def test_options_out_of_range_are_refused(codec, options):
  with pytest.raises(ValueError):
    codec.compress(RGB, **options)


def test_a_rate_that_cannot_be_kept_is_refused(codec):
  with pytest.raises(inrjax.CodecError, match="higher rate"):
    codec.compress(RGB, bpp=0.01, effort="fast")
  data = codec.compress(RGB, bpp=1.5, effort="fast")
  # fails if the limit holds for the payload alone.
  assert 8 * len(data) <= 1.5 * 20 * 27


def test_lists_of_images_are_checked(codec):
  for arrays, names in (([], None), ([RGB], ["a", "b"])):
    with pytest.raises(ValueError):
      codec.compress_many(arrays, names=names)
  with pytest.raises(inrjax.UnsupportedSignalError):
    codec.compress_many([RGB, RGB[..., 0]])


# Streams.


def outcome(codec, data):
  """What the decoder does: arrays, or a typed error; all else is a failure."""
  try:
    return codec.decompress_many(data)
  except inrjax.CodecError as error:
    assert str(error)
    return error


def test_every_truncation_is_noticed(codec, compact, full):
  for data in (compact, full):
    for length in range(len(data)):
      with pytest.raises(inrjax.CodecError):
        codec.decompress_many(data[:length])


def test_every_flipped_byte_is_noticed(codec, compact, full):
  rng = random.Random(0)
  for data in (compact, full):
    for place in range(len(data)):
      for mask in (1 << rng.randrange(8), rng.randrange(1, 256)):
        damaged = bytearray(data)
        damaged[place] ^= mask
        with pytest.raises(inrjax.CodecError):
          codec.decompress_many(bytes(damaged))


def test_ten_thousand_damaged_streams_give_the_typed_error(
  codec, compact, full
):
  rng = random.Random(1)
  for _ in range(10_000):
    data = rng.choice((compact, full))
    other = rng.choice((compact, full, rng.randbytes(200)))
    start, stop = sorted(rng.choices(range(len(data) + 1), k=2))
    first, last = sorted(rng.choices(range(len(other) + 1), k=2))
    damaged = data[:start] + other[first:last] + data[stop:]
    if damaged in (compact, full):
      continue
    # fails if anything but the typed error is raised, or none.
    with pytest.raises(inrjax.CodecError):
      codec.decompress_many(damaged)


@pytest.mark.parametrize("junk", [b"\0", b"\n", b"junk", bytes(5000)])
def test_trailing_junk_is_noticed(codec, compact, full, junk):
  for data in (compact, full):
    with pytest.raises(inrjax.CorruptBitstreamError):
      codec.decompress_many(data + junk)


def sealed(body, codec):
  """The body of a stream with a checksum that fits."""
  if compact_profile.matches(body):
    start = compact_profile.crc24(records.id_bytes(codec.model_id))
    crc = compact_profile.crc24(body, start) ^ 0xFFFFFF
    return bytes(body) + crc.to_bytes(3, "big")
  return bytes(body) + zlib.crc32(body).to_bytes(4, "big")


def test_damage_below_the_checksum_gives_an_image_or_the_typed_error(
  codec, compact, full
):
  rng = random.Random(2)
  bodies = (compact[:-3], full[:-4])
  assert [sealed(b, codec) for b in bodies] == [compact, full]
  outcomes = []
  for _ in range(300):
    body = bytearray(rng.choice(bodies))
    for _ in range(rng.randrange(1, 4)):
      # Mostly the header and the codec's own bytes, where the structure is.
      place = rng.randrange(min(len(body), rng.choice((24, 60, len(body)))))
      body[place] = rng.choice((0, 255, rng.randrange(256)))
    outcomes.append(outcome(codec, sealed(body, codec)))
  # fails if nothing gets past the container, and the test tests nothing.
  assert sum(isinstance(o, list) for o in outcomes) > 5
  assert sum("range coder" in str(o) or "symbols" in str(o) for o in outcomes)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 50, 5000])
def test_random_payloads_give_an_image_or_the_typed_error(codec, length):
  rng = random.Random(length)
  spec = container.SignalSpec("image", RGB.shape)
  for setting in range(0, 256, 5):
    for payload in (rng.randbytes(length), bytes(length), b"\xff" * length):
      record = container.SignalRecord(spec, bytes([setting]), payload)
      data = container.pack(container.Stream(codec.model_id, (record,)))
      result = outcome(codec, data)
      if isinstance(result, list):
        ((_, array),) = result
        assert array.shape == RGB.shape


@pytest.mark.parametrize(
  "spec",
  [
    container.SignalSpec("audio", (16000, 1), "int16"),
    container.SignalSpec("image", (20, 27)),
    container.SignalSpec("image", (20, 27, 4)),
    container.SignalSpec("image", (20, 27, 3), "int16"),
    container.SignalSpec("image", (2, 20, 27, 3)),
    container.SignalSpec("video", (20, 27, 3)),
  ],
)
def test_signals_the_model_cannot_have_written_are_refused(
  codec, compact, spec
):
  stream = container.unpack(compact, model_id=codec.model_id)
  record = stream.signals[0]._replace(spec=spec)
  data = container.pack(container.Stream(codec.model_id, (record,)))
  with pytest.raises(inrjax.CorruptBitstreamError):
    codec.decompress(data)


def test_a_declared_terapixel_costs_nothing(codec):
  spec = container.SignalSpec("image", (10**6, 10**6, 3))
  record = container.SignalRecord(spec, b"\x20", b"payload")
  data = container.pack(container.Stream(codec.model_id, (record,)))
  tracemalloc.start()
  try:
    with pytest.raises(inrjax.CorruptBitstreamError, match="values"):
      codec.decompress(data)
    # fails if anything of the declared size is allocated.
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
  finally:
    tracemalloc.stop()


def test_streams_of_another_model_are_refused(
  codec, other_model, compact, full
):
  other = inrjax.load(other_model)
  assert other.model_id != codec.model_id
  with pytest.raises(inrjax.WrongModelError):
    other.decompress_many(full)
  # One byte of the id is all that the compact profile holds in the open.
  same = other.model_id[:2] == codec.model_id[:2]
  error = inrjax.CorruptBitstreamError if same else inrjax.WrongModelError
  with pytest.raises(error):
    other.decompress_many(compact)


@pytest.mark.parametrize(
  "region", [(0, 0, 21, 5), (0, 0, 5, 28), (5, 0, 5, 9), (-1, 0, 5, 5)]
)
def test_regions_outside_the_image_are_refused(codec, compact, region):
  with pytest.raises(inrjax.CodecError, match="20 x 27"):
    codec.decompress(compact, region=region)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), 1e9])
def test_scales_out_of_range_are_refused(codec, compact, scale):
  with pytest.raises(ValueError):
    codec.decompress(compact, scale=scale)


def test_one_image_is_not_taken_out_of_several(codec, full):
  with pytest.raises(inrjax.CodecError, match="2 images"):
    codec.decompress(full)


# Model files.


def test_damaged_model_files_give_the_typed_error(model, codec, tmp_path):
  rng = random.Random(3)
  content = model.read_bytes()
  path = tmp_path / "damaged.inrmodel"
  for _ in range(150):
    damaged = bytearray(content)
    damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(damaged)
    try:
      # A date in the archive is not part of the model.
      assert inrjax.load(path).model_id == codec.model_id
    except inrjax.CodecError as error:
      assert "damaged.inrmodel" in str(error)
  for length in [0, 1, 100, *rng.choices(range(len(content)), k=100)]:
    path.write_bytes(content[:length])
    with pytest.raises(inrjax.CorruptBitstreamError):
      inrjax.load(path)


def test_model_files_of_another_kind_or_version(model, tmp_path, monkeypatch):
  content = model_file.load_model(model)
  path = tmp_path / "other.inrmodel"
  monkeypatch.setattr(model_file, "FORMAT_VERSION", 2)
  model_file.save_model(path, content.config, content.arrays)
  monkeypatch.undo()
  with pytest.raises(inrjax.WrongModelError, match="version 2"):
    inrjax.load(path)
  arrays = content.arrays
  spec = content.config["spec"]
  for config, kept in (
    ({}, arrays),
    ({**content.config, "codec": "psychic"}, arrays),
    ({**content.config, "spec": {}}, arrays),
    ({**content.config, "spec": {**spec, "side": 0}}, arrays),
    ({**content.config, "spec": {**spec, "side": "8"}}, arrays),
    (content.config, {}),
  ):
    model_file.save_model(path, config, kept)
    # fails if a config that is sound JSON is trusted to be sound.
    with pytest.raises(inrjax.CodecError):
      inrjax.load(path)


def spoilt(array):
  """Versions of a model's array that no codec can use."""
  if array.ndim:
    yield array[:-1]
    yield array[:0]
    yield array[None]
  if array.dtype.kind == "f":
    yield np.full_like(array, np.nan)
    yield np.zeros(array.shape, np.int32)
  yield np.zeros(array.shape, bool)


def test_every_missing_or_misshapen_array_of_a_model_is_noticed(
  model, tmp_path
):
  content = model_file.load_model(model)
  path = tmp_path / "other.inrmodel"
  for name, array in content.arrays.items():
    others = {k: v for k, v in content.arrays.items() if k != name}
    for version in (None, *spoilt(array)):
      changed = others if version is None else {**others, name: version}
      model_file.save_model(path, content.config, changed)
      # fails if an array is trusted because the archive's hash is right.
      with pytest.raises(inrjax.CodecError):
        inrjax.load(path)
  extra = {**content.arrays, "outer/shared/more/w": np.zeros(3, np.float32)}
  model_file.save_model(path, content.config, extra)
  with pytest.raises(inrjax.CodecError, match="unknown"):
    inrjax.load(path)


@pytest.mark.parametrize(
  ("key", "values"),
  [
    ("network", [None, "x", [], 3]),
    ("rates", [None, "x", [], 3]),
    ("num_steps", [None, "x", -1, 1.5, 10**12]),
    ("ema_decay", ["x", -1, 0, 1.5, []]),
    ("side", [None, "8", 0, 7.5, 10**12]),
    ("low", [None, "x", 1.0, 2.0]),
    ("gates", ["x", 3, {}]),
  ],
)
def test_specifications_that_mean_nothing_are_noticed(
  model, tmp_path, key, values
):
  content = model_file.load_model(model)
  path = tmp_path / "other.inrmodel"
  for value in values:
    spec = {**content.config["spec"], key: value}
    config = {**content.config, "spec": spec}
    model_file.save_model(path, config, content.arrays)
    # fails if the error comes with the first image, or is Python's own.
    with pytest.raises(inrjax.CodecError):
      inrjax.load(path)


def test_names_and_paths_that_lead_nowhere(tmp_path):
  for name in ("no-such-model", tmp_path / "no.inrmodel", tmp_path):
    with pytest.raises(OSError):
      inrjax.load(name)


def test_shipped_models_load_by_name():
  for name in inrjax.pretrained_models():
    assert len(inrjax.load(name).model_id) == 64


# The command line, with this model.


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
  monkeypatch.chdir(tmp_path)
  Image.fromarray(RGB).save("a.png")

  def run_command(*argv):
    code = cli.main([str(part) for part in argv])
    return (code, *capfd.readouterr())

  return run_command


def assert_failed(result, *parts):
  code, out, err = result
  assert (code, out, err.count("\n")) == (1, "", 1)
  assert err.startswith("inrjax: error: ")
  for part in parts:
    assert part in err


def test_the_commands_work_on_a_real_model(run, codec, model):
  code, out, err = run("compress", "--model", model, "a.png", "a.inr")
  assert (code, err) == (0, "")
  data = pathlib.Path("a.inr").read_bytes()
  assert f" {len(data)} bytes," in out
  command = ("decompress", "--model", model, "a.inr")
  assert run(*command, "b.png")[0] == 0
  np.testing.assert_array_equal(
    images.read_array("b.png"), codec.decompress(data)
  )
  assert run(*command, "c.png", "--scale=2", "--region=1,2,11,22")[0] == 0
  assert images.read_array("c.png").shape == (20, 40, 3)
  assert run("info", "a.inr")[0] == run("info", model)[0] == 0
  code, out, _ = run(
    "evaluate", "--model", model, "--json=e.json", "--quality=40,70",
    "--effort=fast", "a.png",
  )  # fmt: skip
  assert code == 0
  columns = json.loads(pathlib.Path("e.json").read_text())["results"]
  assert columns["setting"] == [40, 70]
  size = len(codec.compress(RGB, quality=40, effort="fast"))
  assert columns["bpp"][0] == pytest.approx(8 * size / (20 * 27))
  # Coding costs a little more than the entropy, never less.
  payload, estimate = columns["bpp-payload"], columns["bpp-estimated"]
  assert all(p > 0.98 * e for p, e in zip(payload, estimate, strict=True))


def test_16_bit_colour_through_the_commands(run, model):
  wide = RGB.astype(np.uint16) * 257
  pathlib.Path("wide.png").write_bytes(images.encode_array(wide, ".png"))
  assert run("compress", "--model", model, "wide.png", "w.inr")[0] == 0
  assert run("decompress", "--model", model, "w.inr", "w.png")[0] == 0
  decoded = images.read_array("w.png")
  assert decoded.dtype == np.uint16 and decoded.shape == RGB.shape
  assert len(np.unique(decoded % 257)) > 100  # fails if 8 bits lie between


def test_bad_images_through_the_commands(run, model):
  data = pathlib.Path("a.png").read_bytes()
  pathlib.Path("broken.png").write_bytes(data[: len(data) // 2])
  Image.fromarray(RGB[..., 0]).save("grey.png")
  alpha = np.full((20, 27, 1), 128, np.uint8)
  Image.fromarray(np.concatenate([RGB, alpha], -1)).save("alpha.png")
  before = sorted(os.listdir())
  for name, part in (
    ("broken.png", "broken.png"),
    ("grey.png", "1 channel"),
    ("alpha.png", "transparent"),
  ):
    for inputs in ((name,), ("a.png", name)):
      assert_failed(run("compress", "--model", model, *inputs, "x.inr"), part)
    assert_failed(
      run("evaluate", "--model", model, name, "--json=e.json"), part
    )
    assert sorted(os.listdir()) == before


def test_wrong_models_through_the_commands(run, model, other_model, full):
  pathlib.Path("full.inr").write_bytes(full)
  shutil.copy(model, "cut.inrmodel")
  os.truncate("cut.inrmodel", 1000)
  before = sorted(os.listdir())
  for name, part in (
    (other_model, "model"),
    ("cut.inrmodel", "cut.inrmodel"),
    ("a.png", "a.png"),
    ("no-such-model", "no-such-model"),
  ):
    # fails if a part of the output is there before the error.
    assert_failed(run("decompress", "--model", name, "full.inr", "x"), part)
    assert sorted(os.listdir()) == before
  assert_failed(run("info", "cut.inrmodel"), "cut.inrmodel")


def test_damaged_payloads_through_the_commands(run, codec, model, full):
  body = bytearray(full[:-4])
  body[-20:] = b"\xff" * 20
  pathlib.Path("bad.inr").write_bytes(sealed(body, codec))
  before = sorted(os.listdir())
  assert_failed(run("decompress", "--model", model, "bad.inr", "x"), "bad.inr")
  assert sorted(os.listdir()) == before


def test_the_process_ends_without_a_traceback(tmp_path, model, compact):
  (tmp_path / "cut.inr").write_bytes(compact[:-1])
  command = [sys.executable, "-m", "inrjax.cli", "decompress"]
  command += ["--model", str(model), "cut.inr", "x.png"]
  done = subprocess.run(
    command, cwd=tmp_path, capture_output=True, check=False, text=True
  )
  assert (done.returncode, done.stdout) == (1, "")
  # fails if anything else is on the error stream: JAX's or a traceback's.
  assert done.stderr.startswith("inrjax: error: cut.inr: ")
  assert done.stderr.count("\n") == 1
  assert os.listdir(tmp_path) == ["cut.inr"]
