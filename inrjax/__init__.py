"""Meta-learned implicit neural representations and learned compression."""

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from inrjax.codec import (
    CodecError,
    CorruptBitstreamError,
    ImageCodec,
    UnsupportedSignalError,
    WrongModelError,
    load,
    pretrained_models,
  )

__all__ = [
  "CodecError",
  "CorruptBitstreamError",
  "ImageCodec",
  "UnsupportedSignalError",
  "WrongModelError",
  "load",
  "pretrained_models",
]

try:
  __version__ = metadata.version("inrjax")
except metadata.PackageNotFoundError:  # A checkout that is not installed.
  __version__ = "unknown"


def __getattr__(name: str) -> Any:
  """Imports the codec when it is first used: JAX takes a second to load."""
  if name in __all__:
    from inrjax import codec

    return getattr(codec, name)
  raise AttributeError(f"module 'inrjax' has no attribute {name!r}")
