"""Model files of codecs, and what is decoded in another process."""

import hashlib
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import inrjax
from inrjax import cli
from inrjax.codec import hyperprior_codec, loading, model_file
from inrjax.data import images
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior

_DECODE = """
import hashlib, json, sys
import numpy as np
import inrjax
codec = inrjax.load(sys.argv[1])
data = open(sys.argv[2], "rb").read()
digest = hashlib.sha256()
for symbols in codec.symbols(data):
  digest.update(str(symbols.shape).encode() + symbols.astype("<i8").tobytes())
np.save(sys.argv[3], codec.decompress(data))
print(json.dumps([digest.hexdigest(), codec.model_id]))
"""


@pytest.fixture(params=["photo_codec", "fixed_codec"])
def made(request):
  return request.getfixturevalue(request.param)


def test_a_loaded_model_writes_the_same_bytes(made, picture, tmp_path):
  path = tmp_path / "a.inrmodel"
  made.save(path)
  loaded = inrjax.load(path)
  assert loaded.model_id == made.model_id == inrjax.load(str(path)).model_id
  assert json.dumps(loaded.info()) == json.dumps(made.info())
  for effort in ("fast", "medium"):
    data = made.compress(picture, effort=effort)
    # fails if a number changes its type or its last bit on the way.
    assert loaded.compress(picture, effort=effort) == data
  np.testing.assert_array_equal(loaded.decompress(data), made.decompress(data))
  again = tmp_path / "b.inrmodel"
  loaded.save(again)
  assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  "environment",
  [
    {
      "OMP_NUM_THREADS": "3",
      "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true "
      "--xla_force_host_platform_device_count=2",
    },
    {"OMP_NUM_THREADS": "1", "JAX_DISABLE_JIT": "1", "XLA_FLAGS": ""},
  ],
)
def test_another_process_decodes_the_same(
  photo_codec, picture, tmp_path, environment
):
  model, stream, out = (
    tmp_path / name for name in ("m.inrmodel", "a.inr", "a.npy")
  )
  photo_codec.save(model)
  data = photo_codec.compress(picture[:24, :31], quality=70)
  stream.write_bytes(data)
  result = subprocess.run(
    [sys.executable, "-c", _DECODE, str(model), str(stream), str(out)],
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  digest = hashlib.sha256()
  for symbols in photo_codec.symbols(data):
    digest.update(str(symbols.shape).encode() + symbols.astype("<i8").tobytes())
  # fails if floating point enters the entropy path.
  expected = [digest.hexdigest(), photo_codec.model_id]
  assert json.loads(result.stdout) == expected
  decoded = photo_codec.decompress(data).astype(int)
  difference = np.abs(np.load(out) - decoded)
  assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_the_card_travels_with_the_model(trained, photo_codec, tmp_path):
  path = tmp_path / "a.inrmodel"
  card = {"data": "twelve photographs", "steps": 150}
  carded = type(photo_codec)(*trained, photo_codec.coder, card=card)
  carded.save(path)
  assert inrjax.load(path).info()["card"] == card
  # fails if the id is of the arrays alone.
  assert carded.model_id != photo_codec.model_id


def test_damaged_bytes_are_noticed_wherever_they_count(photo_codec, tmp_path):
  path = tmp_path / "a.inrmodel"
  photo_codec.save(path)
  content = path.read_bytes()
  noticed = 0
  for place in range(7, len(content), len(content) // 40):
    damaged = bytearray(content)
    damaged[place] ^= 0x20
    path.write_bytes(damaged)
    try:
      # A date in the archive is not part of the model.
      assert inrjax.load(path).model_id == photo_codec.model_id
    except inrjax.CorruptBitstreamError:
      noticed += 1
  assert noticed > 35
  path.write_bytes(content[: len(content) // 2])
  with pytest.raises(inrjax.CorruptBitstreamError):
    inrjax.load(path)


def test_other_kinds_of_codec_are_refused(photo_codec):
  data, model_id = model_file.to_bytes({"codec": "other"}, {"a": np.zeros(2)})
  content = model_file.from_bytes(data)
  assert content.model_id == model_id
  with pytest.raises(inrjax.CorruptBitstreamError, match="'other'"):
    loading.from_model_file(content)


def test_a_model_that_is_not_there_names_those_that_are(tmp_path, monkeypatch):
  monkeypatch.setattr(loading, "_SHIPPED", tmp_path)
  assert inrjax.pretrained_models() == []
  (tmp_path / "tiny.inrmodel").write_bytes(b"")
  (tmp_path / "tiny.md").write_text("The model's card.")
  assert inrjax.pretrained_models() == ["tiny"]
  with pytest.raises(FileNotFoundError, match="shipped are tiny"):
    inrjax.load("huge")


def test_a_shipped_model_is_found_by_its_name(
  photo_codec, tmp_path, monkeypatch
):
  monkeypatch.setattr(loading, "_SHIPPED", tmp_path)
  photo_codec.save(tmp_path / "small.inrmodel")
  assert inrjax.load("small").model_id == photo_codec.model_id


def test_a_hyperprior_works_from_the_command_line(picture, tmp_path, capsys):
  config = hyperprior.HyperpriorConfig(3, 4, 2)
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(config))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda s: rng.normal(0, 0.3, s.shape).astype(np.float32), shapes
  )
  made = hyperprior_codec.HyperpriorCodec(config, params, card={"a": 1})
  model, image, stream, out, curve = (
    str(tmp_path / name)
    for name in ("m.inrmodel", "a.png", "a.inr", "b.png", "c.json")
  )
  made.save(model)
  # fails if `load` does not know the codec, or takes it for another.
  assert inrjax.load(model).info() == made.info()
  (tmp_path / "a.png").write_bytes(images.encode_array(picture, ".png"))
  assert cli.main(["compress", "--model", model, image, stream]) == 0
  assert cli.main(["decompress", "--model", model, stream, out]) == 0
  with open(stream, "rb") as file:
    decoded = made.decompress(file.read())
  np.testing.assert_array_equal(images.read_image(out), decoded)
  assert cli.main(["evaluate", "--model", model, image, "--json", curve]) == 0
  with open(curve, encoding="utf-8") as file:
    # fails if the one rate that it has makes a point for every quality.
    assert len(json.load(file)["results"]["bpp"]) == 1
  capsys.readouterr()
  assert cli.main(["info", "--json", model]) == 0
  shown = json.loads(capsys.readouterr().out)
  assert shown["config"]["spec"]["latent_channels"] == 4
  assert cli.main(["info", stream]) == 0
