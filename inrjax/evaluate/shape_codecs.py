"""A classical codec for shapes, as a `SignalCodec`: packed voxels."""

import lzma
import math
import zlib

import numpy as np

from inrjax.evaluate import signal_codecs, signal_errors
from inrjax.evaluate.signal_codecs import Array, Files, SignalCodec

# Without a container, whose 60 bytes are many here. The dictionary holds a grid
# of 200^3 cells; that of the preset takes half a gigabyte to encode.
_LZMA = [
  {
    "id": lzma.FILTER_LZMA1,
    "preset": 9 | lzma.PRESET_EXTREME,
    "dict_size": 1 << 20,
  }
]
_RAW, _DEFLATED, _LZMA_TAG = b"\0", b"\1", b"\2"


def packed_voxels() -> SignalCodec[Array]:
  """A bit for each cell, raw, deflated or by LZMA, whichever is smallest.

  Settings are sides of cubes that share a bit, which is set if more than half
  of the cube is full; 1 is lossless.

  Returns:
    The codec, of occupancies `[D, H, W, 1]`, full above 0.5; decoded ones are
    float32, 0 or 1.
  """

  def encode(signal: Array, setting: float) -> Files:
    full = _occupancy(signal)
    side = _side(setting)
    padded = np.pad(full, [(0, -n % side) for n in full.shape])
    cells = [n // side for n in padded.shape]
    cubes = padded.reshape(cells[0], side, cells[1], side, cells[2], side)
    coarse = cubes.mean((1, 3, 5)) > 0.5
    packed = np.packbits(coarse).tobytes()
    candidates = (
      _RAW + packed,
      _DEFLATED + zlib.compress(packed, 9, -zlib.MAX_WBITS),
      _LZMA_TAG + lzma.compress(packed, lzma.FORMAT_RAW, filters=_LZMA),
    )
    return (bytes([side]) + min(candidates, key=len),)

  def decode(files: Files, shape: tuple[int, ...]) -> Array:
    (data,) = files
    side, tag, body = data[0], data[1:2], data[2:]
    if tag == _DEFLATED:
      body = zlib.decompress(body, -zlib.MAX_WBITS)
    elif tag == _LZMA_TAG:
      body = lzma.decompress(body, lzma.FORMAT_RAW, filters=_LZMA)
    cells = [-(-n // side) for n in shape[:3]]
    bits = np.unpackbits(np.frombuffer(body, np.uint8), count=math.prod(cells))
    fine = np.kron(bits.reshape(cells), np.ones((side,) * 3, np.uint8))
    cut = fine[: shape[0], : shape[1], : shape[2]]
    return cut.astype(np.float32).reshape(shape)

  return SignalCodec("packed voxels", (8, 4, 2, 1), encode, decode)


def of_occupancy() -> signal_codecs.Comparison[Array]:
  """Compares occupancies: accuracy and intersection over union (MSCN, 5.2)."""
  return signal_codecs.of_arrays(
    (0.0, 1.0),
    scores={
      "accuracy": signal_errors.voxel_accuracy,
      "intersection_over_union": signal_errors.intersection_over_union,
    },
  )


def _occupancy(signal: Array) -> Array:
  if (
    not isinstance(signal, np.ndarray)
    or signal.ndim != 4
    or signal.shape[-1] != 1
    or not signal.size
  ):
    raise ValueError(
      f"The occupancy has shape {np.shape(signal)}; [D, H, W, 1] is needed."
    )
  return signal[..., 0] > 0.5


def _side(setting: float) -> int:
  side = int(setting)
  if side != setting or not 1 <= side <= 255:
    raise ValueError(
      f"The side must be a whole number from 1 to 255, got {setting}."
    )
  return side
