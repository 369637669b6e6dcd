"""Whether the parameters of a hyperprior are those of its config."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from inrjax.codec import errors
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.types import PyTree

# A layer of 5 x 5 taps between two such has 400 MB.
_MAX_CHANNELS = 2048


def checked(
  config: hyperprior.HyperpriorConfig, params: Mapping[str, Any]
) -> PyTree:
  """Parameters, once they are known to be those of a config.

  Args:
    config: the widths.
    params: by part, as `meta.rate_distortion.RateModel.init` makes them.

  Returns:
    The same tree, of NumPy arrays.

  Raises:
    CodecError: if an array is missing, superfluous, of another shape or type,
      or not finite; names it.
  """
  if max(dataclasses.astuple(config)) > _MAX_CHANNELS:
    raise errors.CodecError(
      f"A layer has at most {_MAX_CHANNELS} channels, got {config}."
    )
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(config))
  expected = _by_path(jax.eval_shape(model.init, jax.random.key(0)))
  found = _by_path(dict(params))
  for name in sorted(expected.keys() ^ found.keys()):
    state = "lacks" if name in expected else "has an unknown"
    raise errors.CodecError(f"The model {state} array {name}.")
  for name, leaf in found.items():
    array = np.asarray(leaf)
    if array.shape != expected[name].shape or array.dtype != np.float32:
      raise errors.CodecError(
        f"Array {name} of the model is {array.dtype} {list(array.shape)}, not "
        f"float32 {list(expected[name].shape)}."
      )
    if not np.isfinite(array).all():
      raise errors.CodecError(
        f"Array {name} of the model is not finite: training diverged."
      )
  return jax.tree.map(np.asarray, dict(params))


def _by_path(tree: Any) -> dict[str, Any]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
