"""Another process reads the same integers of a file, under other conditions."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import inrjax
from experiments import stream_digest
from inrjax import codec as codec_lib
from inrjax.codec import latent_update
from inrjax.quantize import spike_and_slab
from tests.meta import adaptive_problem

_ROOT = pathlib.Path(__file__).parents[2]
# An interpreter with another version of JAX, and inrjax importable from here.
_OTHER = os.environ.get("INRJAX_OTHER_PYTHON")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
  """A model, and a file of two frames with an update in it."""
  folder = tmp_path_factory.mktemp("files")
  codec = codec_lib.HyperpriorCodec(
    adaptive_problem.MODEL.network.config,
    jax.device_get(adaptive_problem.make_params()),
  )
  codec.save(folder / "m.inrmodel")
  rng = np.random.default_rng(0)
  delta = jax.tree.map(
    lambda p: rng.normal(0, 0.05, p.shape) * (rng.random(p.shape) < 0.2),
    codec.receiver,
  )
  update = latent_update.quantize(spike_and_slab.SpikeAndSlab(), delta)
  frames = np.asarray(adaptive_problem.make_images())
  frames = np.rint(255 * frames).astype(np.uint8)
  stream = codec.adapted(update).compress_many([*frames])
  (folder / "a.inr").write_bytes(stream)
  return str(folder / "m.inrmodel"), str(folder / "a.inr")


@pytest.mark.parametrize(
  "environment",
  [
    {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "XLA_FLAGS": ""},
    {"OMP_NUM_THREADS": "1", "JAX_DISABLE_JIT": "1"},
  ],
  ids=["threads", "no jit"],
)
def test_another_process_reads_the_same(files, environment) -> None:
  done = subprocess.run(
    [_OTHER or sys.executable, "-m", "experiments.stream_digest", *files],
    env=os.environ | environment | {"PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
    check=True,
  )
  found = json.loads(done.stdout)
  expected = stream_digest.digests(
    files[0], pathlib.Path(files[1]).read_bytes()
  )
  for name in ("model_id", "updates", "parameters", "latents"):
    # Fails if floating point that may differ decides on a symbol.
    assert found[name] == expected[name], name
  assert (found["jax"] == jax.__version__) == (_OTHER is None)


def test_other_latents_have_another_digest(files) -> None:
  model, path = files
  data = pathlib.Path(path).read_bytes()
  first = stream_digest.digests(model, data)
  codec = inrjax.load(model)
  frames = [255 - frame for _, frame in codec.decompress_many(data)]
  zero = latent_update.zero_update(codec.receiver)
  other = codec.adapted(zero).compress_many(frames)
  second = stream_digest.digests(model, other)
  # Fails if a digest is of shapes alone, or of nothing.
  assert first["model_id"] == second["model_id"]
  names = ("updates", "parameters", "latents", "pixels")
  assert all(first[name] != second[name] for name in names)
  with pytest.raises(SystemExit, match="usage"):
    stream_digest.main([model])
