"""Loads a codec from a model file, or a shipped model by its name."""

import os
import pathlib

from inrjax.codec import (
  coders,
  coin,
  errors,
  grid_codec,
  hyperprior_codec,
  image_codec,
  model_check,
  model_file,
  sparse_inr,
)
from inrjax.codec import spec as spec_lib
from inrjax.meta import method as method_lib

_SHIPPED = pathlib.Path(__file__).parent.parent / "pretrained"
_SUFFIX = ".inrmodel"

# Whatever a model file may hold; the methods are the same.
Codec = (
  image_codec.ImageCodec
  | coin.CoinCodec
  | grid_codec.GridCodec
  | hyperprior_codec.HyperpriorCodec
  | sparse_inr.SparseCodec
)


def pretrained_models() -> list[str]:
  """Names of the models that come with the package, for `load`."""
  return sorted(path.stem for path in _SHIPPED.glob(f"*{_SUFFIX}"))


def load(path_or_name: str | os.PathLike[str]) -> Codec:
  """The codec of a model file.

  Args:
    path_or_name: a path, or one of `pretrained_models()`. A name without a
      folder and without a suffix is looked up among the shipped models.

  Returns:
    The codec.

  Raises:
    OSError: if there is no such file, or it cannot be read.
    CorruptBitstreamError: if the file is damaged or no model.
    WrongModelError: if another version wrote it.
  """
  path = pathlib.Path(path_or_name)
  if str(path_or_name) in pretrained_models():
    path = _SHIPPED / f"{path_or_name}{_SUFFIX}"
  elif not path.exists():
    raise FileNotFoundError(
      f"There is no model file {os.fspath(path_or_name)!r}, and no shipped "
      f"model of that name; shipped are {', '.join(pretrained_models())}."
    )
  content = model_file.load_model(path)
  return from_model_file(content)


def from_model_file(content: model_file.ModelFile) -> Codec:
  """The codec of a model file's content.

  Raises:
    CorruptBitstreamError: if the content is not what a codec writes.
  """
  kind = content.config.get("codec")
  if kind == "coin":
    return coin.from_model_file(content)
  if kind == "hyperprior":
    return hyperprior_codec.from_model_file(content)
  if kind not in ("modulated", "sparse_inr", "grid"):
    raise errors.CorruptBitstreamError(
      f"The model file holds a codec {kind!r}, which this version does not "
      "know."
    )
  try:
    if kind == "grid":
      return grid_codec.from_model_file(content)
    if kind == "sparse_inr":
      return sparse_inr.from_model_file(content)
    spec = spec_lib.from_json(content.config["spec"])
    coder = coders.from_arrays(content.arrays)
    trees = model_file.unflatten(content.arrays, "outer")
    outer = method_lib.Outer(
      *(trees.get(name, {}) for name in method_lib.Outer._fields)
    )
    model_check.check_outer(spec, outer)
    codec = image_codec.ImageCodec(
      spec,
      outer,
      coder,
      card=content.config.get("card", {}),
      model_id=content.model_id,
    )
    model_check.check_coder(coder, codec._network.num_stored)
    return codec
  except (LookupError, TypeError, ValueError) as error:
    if isinstance(error, errors.CodecError):
      raise
    raise errors.CorruptBitstreamError(
      f"The model file lacks or garbles a part ({error}); it is damaged or of "
      "another version."
    ) from error
