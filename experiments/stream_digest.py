"""What a hyperprior's decoder reads of a file, as hashes, to compare machines.

  python -m experiments.stream_digest MODEL FILE.inr

prints one JSON object. All but "pixels" must be the same with any number of
threads, on any machine, under any version of JAX and NumPy, with and without
`JAX_DISABLE_JIT=1`: everything up to the latents is integers. Pixels may differ
by a level in a few places.

For another version, install inrjax into another environment and run this with
its Python; the test of this module does so with that of INRJAX_OTHER_PYTHON.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

import inrjax
from inrjax import codec as codec_lib
from inrjax.codec import container, latent_update


def digests(model: str, stream: bytes) -> dict[str, Any]:
  """Hashes of everything that is decoded.

  Args:
    model: file or name of the global model.
    stream: a file of it.

  Returns:
    "model_id", and hashes of the "updates" (symbols), of the "parameters" that
    they make, of the "latents" and of the "pixels".

  Raises:
    CodecError: if the model is no hyperprior, or the stream none of its.
  """
  codec = inrjax.load(model)
  if not isinstance(codec, codec_lib.HyperpriorCodec):
    raise codec_lib.CodecError(f"{model} is no hyperprior.")
  records = container.unpack(stream, model_id=codec.model_id).signals
  updates = [
    latent_update.decode(record.side, codec.receiver)
    for record in records
    if record.side
  ]
  symbols = jax.tree.leaves([update.symbols for update in updates])
  changed = jax.tree.leaves(
    [latent_update.apply(codec.receiver, update) for update in updates]
  )
  return {
    "model_id": codec.model_id,
    "updates": _digest(symbols, "<i4"),
    "parameters": _digest(changed, "<f4"),
    "latents": _digest(codec.symbols(stream), "<i4"),
    "pixels": _digest(
      (image for _, image in codec.decompress_many(stream)), "<u2"
    ),
  }


def main(arguments: Sequence[str] | None = None) -> None:
  """Prints the hashes, and what computed them."""
  arguments = sys.argv[1:] if arguments is None else arguments
  if len(arguments) != 2:
    raise SystemExit("usage: python -m experiments.stream_digest MODEL FILE")
  model, path = arguments
  found = digests(model, pathlib.Path(path).read_bytes())
  versions = {"jax": jax.__version__, "numpy": np.__version__}
  print(json.dumps(found | versions))


def _digest(arrays: Iterable[Any], kind: str) -> str:
  """Of arrays, their shapes and values."""
  digest = hashlib.sha256()
  for array in arrays:
    digest.update(str(array.shape).encode())
    digest.update(np.ascontiguousarray(array).astype(kind).tobytes())
  return digest.hexdigest()[:16]


if __name__ == "__main__":
  main()
