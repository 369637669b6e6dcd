"""From arrays to files and back: quantisation, entropy coding, containers.

What needs JAX is imported when it is first used, so that reading a header does
not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from inrjax.codec.errors import (
  CodecError,
  CorruptBitstreamError,
  UnsupportedSignalError,
  WrongModelError,
)

if TYPE_CHECKING:
  from inrjax.codec.base import RateParts
  from inrjax.codec.coin import CoinCodec
  from inrjax.codec.coin_spec import CoinSpec
  from inrjax.codec.fitting import fit_codec, fit_fixed_width_codec
  from inrjax.codec.gradient_scaling import GradientScaling
  from inrjax.codec.grid_codec import GridCodec
  from inrjax.codec.grid_fit import fit_grid_codec
  from inrjax.codec.grid_spec import GridSpec
  from inrjax.codec.hyperprior_codec import HyperpriorCodec
  from inrjax.codec.image_codec import EFFORTS, ImageCodec
  from inrjax.codec.kinds import Signal
  from inrjax.codec.loading import load, pretrained_models
  from inrjax.codec.sparse_inr import SparseCodec, fit_sparse_codec
  from inrjax.codec.sparse_spec import SparseSpec
  from inrjax.codec.spec import ModulatedSpec

__all__ = [
  "EFFORTS",
  "CodecError",
  "CoinCodec",
  "CoinSpec",
  "CorruptBitstreamError",
  "GradientScaling",
  "GridCodec",
  "GridSpec",
  "HyperpriorCodec",
  "ImageCodec",
  "ModulatedSpec",
  "RateParts",
  "Signal",
  "SparseCodec",
  "SparseSpec",
  "UnsupportedSignalError",
  "WrongModelError",
  "fit_codec",
  "fit_fixed_width_codec",
  "fit_grid_codec",
  "fit_sparse_codec",
  "load",
  "pretrained_models",
]

_HOMES = {
  "CoinCodec": "coin",
  "CoinSpec": "coin_spec",
  "EFFORTS": "image_codec",
  "GradientScaling": "gradient_scaling",
  "GridCodec": "grid_codec",
  "GridSpec": "grid_spec",
  "HyperpriorCodec": "hyperprior_codec",
  "ImageCodec": "image_codec",
  "ModulatedSpec": "spec",
  "RateParts": "base",
  "Signal": "kinds",
  "SparseCodec": "sparse_inr",
  "SparseSpec": "sparse_spec",
  "fit_codec": "fitting",
  "fit_fixed_width_codec": "fitting",
  "fit_grid_codec": "grid_fit",
  "fit_sparse_codec": "sparse_inr",
  "load": "loading",
  "pretrained_models": "loading",
}


def __getattr__(name: str) -> Any:
  """Finds a public name in its module."""
  if name in _HOMES:
    module = importlib.import_module(f"inrjax.codec.{_HOMES[name]}")
    return getattr(module, name)
  raise AttributeError(f"module 'inrjax.codec' has no attribute {name!r}")
