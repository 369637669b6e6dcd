"""Classical codecs for shapes, as `SignalCodec`s: packed voxels and Draco."""

import lzma
import math
import zlib
from typing import Any, NamedTuple

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


class Mesh(NamedTuple):
  """Triangles.

  Attributes:
    vertices: `[V, 3]` floats.
    faces: `[F, 3]` integers, rows of `vertices`.
  """

  vertices: Array
  faces: Array


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


def draco() -> SignalCodec[Mesh]:
  """Draco at its highest compression; settings are bits of a coordinate.

  Vertices come back in another order.

  Returns:
    The codec, of anything with `vertices` and `faces`.

  Raises:
    ImportError: if DracoPy is not installed.
  """
  library = _dracopy()

  def encode(mesh: Mesh, setting: float) -> Files:
    if setting != int(setting) or not 1 <= setting <= 30:
      raise ValueError(
        f"Draco's bits must be a whole number from 1 to 30, got {setting}."
      )
    data = library.encode(
      np.asarray(mesh.vertices, np.float64),
      np.asarray(mesh.faces, np.uint32),
      quantization_bits=int(setting),
      compression_level=10,
    )
    return (data,)

  def decode(files: Files, shape: tuple[int, ...]) -> Mesh:
    del shape  # Draco's files say how much there is.
    found = library.decode(files[0])
    return Mesh(np.asarray(found.points), np.asarray(found.faces))

  return SignalCodec("Draco", tuple(range(4, 17)), encode, decode)


def of_meshes() -> signal_codecs.Comparison[Mesh]:
  """Compares meshes by their vertices, in any order.

  Errors are distances from each vertex to the nearest one of the other mesh,
  both ways; the largest is the Hausdorff distance of the vertices. PSNR's peak
  is the longest side of the original's bounding box. Places are vertices.
  """
  return signal_codecs.Comparison(_mesh_errors, lambda mesh: len(mesh.vertices))


def of_occupancy() -> signal_codecs.Comparison[Array]:
  """Compares occupancies: accuracy and intersection over union (MSCN, 5.2)."""
  return signal_codecs.of_arrays(
    (0.0, 1.0),
    scores={
      "accuracy": signal_errors.voxel_accuracy,
      "intersection_over_union": signal_errors.intersection_over_union,
    },
  )


def _mesh_errors(original: Mesh, decoded: Mesh) -> signal_errors.SignalErrors:
  # Slow to import, and seldom needed.
  from scipy import spatial

  first = np.asarray(original.vertices, np.float64)
  second = np.asarray(decoded.vertices, np.float64)
  distances = np.concatenate(
    [
      spatial.cKDTree(to).query(points)[0]
      for points, to in ((first, second), (second, first))
    ]
  )
  square = float(np.mean(distances**2))
  peak = float(np.ptp(first, axis=0).max())
  return signal_errors.SignalErrors(
    unit="",
    root_mean_square=math.sqrt(square),
    mean_absolute=float(distances.mean()),
    max_absolute=float(distances.max()),
    bias=0.0,
    psnr=-10 * math.log10(square / peak**2) if square else math.inf,
    num_values=len(distances),
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


def _dracopy() -> Any:
  try:
    import DracoPy  # type: ignore[import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      "Draco needs DracoPy: pip install 'inrjax[meshes]'."
    ) from error
  return DracoPy
