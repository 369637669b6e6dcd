"""Classical codecs for fields and volumes, as `SignalCodec`s.

Image codecs see 8-bit grey maps, as in COIN++ (thesis, 5.3.2): a field on the
globe is one flat map, a volume a file for each slice. Rounding to 8 bits alone
costs them what is above 58.9 dB. ZFP and SZ3 are made for scientific arrays and
code floats; they need zfpy and pysz (extra `scientific`).
"""

import dataclasses
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.evaluate import classical, overhead, signal_codecs
from inrjax.evaluate.signal_codecs import Array, Files, SignalCodec

# Ends of a signal's range, where the decoder does not know them.
_RANGE = struct.Struct("<2f")
# Shares of the range that absolute errors are bounded by.
_BOUNDS = tuple(2.0**-k for k in range(2, 15))
_RATES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
# Bits: a sign and an exponent of float32. Below that, zfpy 1.0.1 writes past
# its buffer.
_MIN_ZFP_BLOCK = 9
_ZFP_HEADER = 12  # bytes, of magic, type, shape and a short mode.
_SZ_START = struct.Struct("<4sIQQ")  # Magic, version, length of data, raw.
_SZ_MAGIC = bytes.fromhex("10f342f3")
_MAX_AXES = 4


def slicewise(
  image_codec: classical.ImageCodec,
  value_range: tuple[float, float] | None = None,
  *,
  axes: tuple[int, int] | None = None,
  name: str | None = None,
) -> SignalCodec[Array]:
  """An image codec on maps of 8 bits: of a field, or of a volume's slices.

  Args:
    image_codec: of one channel; a `header_stripped` one is no other here, the
      rate has what its headers take.
    value_range: values that become 0 and 255, known to the decoder; what is
      outside is clipped. None writes the range of each signal, 8 bytes.
    axes: of a map; None takes the two longest before the channels, the later
      ones of several as long.
    name: None for the image codec's.

  Returns:
    The codec, of arrays `[..., C]`; each channel has maps of its own.

  Raises:
    ValueError: for a range that does not rise.
  """
  if value_range is not None and not value_range[0] < value_range[1]:
    raise ValueError(f"value_range must rise, got {value_range}.")

  def encode(signal: Array, setting: float) -> Files:
    check_finite(signal)
    given = value_range or _rounded_range(signal)
    start = () if value_range else (_RANGE.pack(*given),)
    maps = np.moveaxis(signal, _axes(signal.shape, axes), (-2, -1))
    sides = maps.shape[-2:]
    units = (maps.astype(np.float64) - given[0]) / (given[1] - given[0])
    grey = np.rint(255 * units).clip(0, 255).astype(np.uint8)
    return *start, *(
      image_codec.encode(np.ascontiguousarray(one)[..., None], setting)
      for one in grey.reshape(-1, *sides)
    )

  def decode(files: Files, shape: tuple[int, ...]) -> Array:
    low, high = value_range or _RANGE.unpack(files[0])
    images = files if value_range else files[1:]
    grey = np.stack([image_codec.decode(file, 1)[..., 0] for file in images])
    places = _axes(shape, axes)
    others = [n for i, n in enumerate(shape) if i not in places]
    maps = grey.reshape(*others, *grey.shape[1:]).astype(np.float64)
    values = low + maps / 255 * (high - low)
    return np.moveaxis(values, (-2, -1), places).astype(np.float32)

  def split(files: Files) -> overhead.Split:
    images = files if value_range else files[1:]
    parts = [image_codec.split(file) for file in images]
    return overhead.Split(
      sum(part.header for part in parts),
      sum(part.side_information for part in parts)
      + (0 if value_range else _RANGE.size),
      sum(part.payload for part in parts),
    )

  return SignalCodec(
    name or image_codec.name, image_codec.settings, encode, decode, split
  )


def mosaic(codec: SignalCodec[Array]) -> SignalCodec[Array]:
  """Codes maps below one another as one map, in one file.

  Of many small maps, as of a series in time, a container for each can take more
  than what is in them.

  Args:
    codec: of maps, such as `slicewise` makes.

  Returns:
    The codec, of arrays `[..., H, W, C]`.
  """

  def stacked(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (math.prod(shape[:-2]), *shape[-2:])

  def encode(signal: Array, setting: float) -> Files:
    return codec.encode(signal.reshape(stacked(signal.shape)), setting)

  def decode(files: Files, shape: tuple[int, ...]) -> Array:
    return codec.decode(files, stacked(shape)).reshape(shape)

  return dataclasses.replace(codec, encode=encode, decode=decode)


def zfp_accuracy(
  value_range: tuple[float, float] = (0.0, 1.0),
) -> SignalCodec[Array]:
  """ZFP at a fixed accuracy; settings are largest absolute errors.

  Args:
    value_range: of the signals, which the listed settings are shares of; any
      other positive setting does.

  Returns:
    The codec, of arrays of up to four axes longer than 1. Decoded values are
    float32, at most the setting off.

  Raises:
    ImportError: if zfpy is not installed.
  """
  zfpy = _zfpy()

  def encode(signal: Array, setting: float) -> Files:
    _check_bound(setting)
    return (zfpy.compress_numpy(_compact(signal), tolerance=setting),)

  return SignalCodec(
    "ZFP (accuracy)", _bounds(value_range), encode, _zfp_decode, _zfp_split
  )


def zfp_rate() -> SignalCodec[Array]:
  """ZFP at a fixed rate; settings are bits per value.

  The one that a reader may enter anywhere, and the weaker one for that.

  Returns:
    The codec, of arrays as for `zfp_accuracy`.

  Raises:
    ImportError: if zfpy is not installed.
  """
  zfpy = _zfpy()

  def encode(signal: Array, setting: float) -> Files:
    compact = _compact(signal)
    least = _MIN_ZFP_BLOCK / 4**compact.ndim
    if setting < least:
      raise ValueError(
        f"ZFP needs at least {least:g} bits per value with {compact.ndim} "
        f"axes, got {setting:g}; take zfp_accuracy for lower rates."
      )
    return (zfpy.compress_numpy(compact, rate=setting),)

  return SignalCodec("ZFP (rate)", _RATES, encode, _zfp_decode, _zfp_split)


def sz3(
  value_range: tuple[float, float] = (0.0, 1.0),
) -> SignalCodec[Array]:
  """SZ3; settings are largest absolute errors.

  The smallest of its three predictors: Lorenzo and regression, interpolation,
  and interpolation with Lorenzo.

  Args:
    value_range: as for `zfp_accuracy`.

  Returns:
    The codec, of arrays of up to four axes longer than 1. Decoded values are
    float32, at most the setting off (to float32's last digit).

  Raises:
    ImportError: if pysz is not installed.
  """
  pysz = _pysz()
  algorithms = pysz.szAlgorithm
  predictors = (
    algorithms.INTERP_LORENZO, algorithms.LORENZO_REG, algorithms.INTERP
  )  # fmt: skip

  def candidate(compact: Array, setting: float, predictor: int) -> bytes:
    config = pysz.szConfig()
    config.errorBoundMode = pysz.szErrorBoundMode.ABS
    config.absErrorBound = setting
    config.cmprAlgo = predictor
    return bytes(pysz.sz.compress(compact, config)[0])

  def encode(signal: Array, setting: float) -> Files:
    _check_bound(setting)
    compact = _compact(signal)
    files = [candidate(compact, float(setting), p) for p in predictors]
    return (min(files, key=len),)

  def decode(files: Files, shape: tuple[int, ...]) -> Array:
    data = np.frombuffer(files[0], np.uint8)
    sides = _compact_shape(shape)
    return np.array(pysz.sz.decompress(data, np.float32, sides)[0]).reshape(
      shape
    )

  return SignalCodec("SZ3", _bounds(value_range), encode, decode, split_sz3)


def filled(codec: SignalCodec[Array]) -> SignalCodec[Array]:
  """The same codec for arrays with missing values (NaN).

  They are coded as the mean of those that are there. Which ones they are is in
  no file: the codec gets the mask for free, and decoded arrays have values
  everywhere, so compare what is there alone, as `signal_codecs.of_arrays` does.

  Args:
    codec: of arrays without missing values.

  Returns:
    The codec; arrays that miss nothing are coded as before.
  """

  def encode(signal: Array, setting: float) -> Files:
    missing = np.isnan(signal)
    if missing.any() and not missing.all():
      mean = signal.mean(where=~missing, dtype=np.float64)
      signal = np.where(missing, mean.astype(signal.dtype), signal)
    return codec.encode(signal, setting)

  return dataclasses.replace(codec, encode=encode)


def of_shares(
  codec: SignalCodec[Array], value_range: tuple[float, float] | None = None
) -> SignalCodec[Array]:
  """The same codec with settings as shares of the range of the values.

  Args:
    codec: one whose settings are errors, for a range of 1.
    value_range: whose shares; None takes the range of each signal. The decoder
      does not need it.
  """

  def encode(signal: Array, setting: float) -> Files:
    check_finite(signal)
    low, high = value_range or signal_codecs.own_range(signal)
    return codec.encode(signal, setting * (high - low))

  return dataclasses.replace(codec, encode=encode)


def split_sz3(files: Files) -> overhead.Split:
  """Splits one file of SZ3, version 3.

  Header is what stands before the data (magic, version, two lengths), side
  information what stands after it (shape, bound, predictor).

  Args:
    files: the one file.

  Returns:
    Its bytes by purpose.

  Raises:
    ValueError: when it is no such file.
  """
  (data,) = files
  if len(data) < _SZ_START.size:
    raise ValueError(f"not an SZ3 file: {len(data)} bytes")
  magic, _, length, _ = _SZ_START.unpack_from(data)
  rest = len(data) - _SZ_START.size - length
  if magic != _SZ_MAGIC or rest < 0:
    raise ValueError("not an SZ3 file: wrong magic, or cut short")
  return overhead.Split(_SZ_START.size, rest, length)


def check_finite(signal: Array) -> None:
  """Raises ValueError for an empty array, or values that are missing."""
  if not isinstance(signal, np.ndarray) or signal.ndim < 2 or not signal.size:
    raise ValueError(
      f"The signal has shape {np.shape(signal)}; codecs need arrays [..., C] "
      "of at least one value."
    )
  if not np.isfinite(signal).all():
    raise ValueError(
      "The signal has values that are missing or infinite, which these codecs "
      "cannot code; fill them, or choose another variable."
    )


def _zfp_decode(files: Files, shape: tuple[int, ...]) -> Array:
  return np.asarray(_zfpy().decompress_numpy(files[0])).reshape(shape)


def _zfp_split(files: Files) -> overhead.Split:
  return overhead.Split(_ZFP_HEADER, 0, len(files[0]) - _ZFP_HEADER)


def _compact(signal: Array) -> Array:
  """Float32 without axes of one value."""
  check_finite(signal)
  compact = signal.astype(np.float32).reshape(_compact_shape(signal.shape))
  if compact.ndim > _MAX_AXES:
    raise ValueError(
      f"The signal has shape {signal.shape}; ZFP and SZ3 take at most "
      f"{_MAX_AXES} axes longer than 1."
    )
  return np.ascontiguousarray(compact)


def _compact_shape(shape: Sequence[int]) -> tuple[int, ...]:
  return tuple(n for n in shape if n > 1) or (1,)


def _bounds(value_range: tuple[float, float]) -> tuple[float, ...]:
  low, high = value_range
  return tuple(share * (high - low) for share in _BOUNDS)


def _check_bound(setting: float) -> None:
  if not (math.isfinite(setting) and setting > 0):
    raise ValueError(
      f"The largest error must be positive and finite, got {setting}."
    )


def _rounded_range(signal: Array) -> tuple[float, float]:
  """The signal's range as float32 can hold it, for both ends to agree."""
  return _RANGE.unpack(_RANGE.pack(*signal_codecs.own_range(signal)))


def _axes(
  shape: Sequence[int], given: tuple[int, int] | None
) -> tuple[int, int]:
  """Places of a map's axes, counted from the front."""
  if len(shape) < 3:
    raise ValueError(
      f"The signal has shape {tuple(shape)}; maps need [..., H, W, C]."
    )
  if given is not None:
    first, second = (axis % len(shape) for axis in given)
    return first, second
  by_length = sorted((n, axis) for axis, n in enumerate(shape[:-1]))
  first, second = sorted(axis for _, axis in by_length[-2:])
  return first, second


def _zfpy() -> Any:
  try:
    import zfpy  # type: ignore[import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      "ZFP needs zfpy: pip install 'inrjax[scientific]'."
    ) from error
  return zfpy


def _pysz() -> Any:
  try:
    import pysz  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      "SZ3 needs pysz: pip install 'inrjax[scientific]'."
    ) from error
  return pysz
