"""What every image codec does alike: requests in, records out, and back.

A codec says how one image becomes a record of the container and a record an
image again; how requests are checked, several images share a file, and bytes
are accounted for is here.
"""

import abc
import os
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from inrjax.codec import container, errors, model_file, request, signals

# One signal of at most this many payload bytes takes the compact profile.
COMPACT_BYTES = 4096


class RateParts(NamedTuple):
  """Where the bytes of one signal go.

  Attributes:
    total: bytes, the shares of the container's header included.
    header: of these, everything but the next two.
    side: side information.
    payload: coded symbols.
    estimated_bits: cost of the symbols under the entropy model.
  """

  total: float
  header: float
  side: int
  payload: int
  estimated_bits: float


class BaseCodec(abc.ABC):
  """Compresses images with one model, at a range of rates.

  Settings are numbered from the coarsest, 0, to the finest.

  Attributes:
    efforts: what may be spent on an image, rising.
    default_quality: taken where neither a quality nor a rate is asked for.
    model_id: identity of the model.
    card: JSON values that describe the model to its users.
  """

  efforts: ClassVar[Collection[str]]
  default_quality: ClassVar[float]
  model_id: str
  card: dict[str, Any]

  @property
  @abc.abstractmethod
  def channels(self) -> int:
    """C of the images it codes."""

  @property
  @abc.abstractmethod
  def num_settings(self) -> int:
    """Number of rates that the model offers."""

  @abc.abstractmethod
  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes the model file; raises `OutputFileError` if it cannot."""
    model_file.save_model(path, *self._model())

  def compress(
    self,
    array: np.ndarray,
    *,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """Compresses one image; arguments as for `compress_many`."""
    return self.compress_many([array], quality=quality, bpp=bpp, effort=effort)

  def compress_many(
    self,
    arrays: Sequence[np.ndarray],
    *,
    names: Sequence[str] | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """Compresses images into one container.

    Args:
      arrays: `[H, W, C]` or `[H, W]`; uint8, uint16, or float in [0, 1].
      names: stored with the images.
      quality: 0 (coarsest) to 100; `default_quality` if no rate is given.
      bpp: highest rate in bits per pixel of every image, as the length of a
        file of its own; the finest setting that keeps it is taken.
      effort: `fast`, `medium` or `slow`.

    Returns:
      The bytes of an `.inr` file.

    Raises:
      UnsupportedSignalError: for an image the model does not code.
      CodecError: if the rate cannot be reached.
      ValueError: for arguments out of range.
    """
    request.check_compression(
      arrays,
      names=names,
      quality=quality,
      bpp=bpp,
      effort=effort,
      efforts=self.efforts,
    )
    # Before floats are made of them.
    request.check_num_values(sum(np.size(array) for array in arrays))
    checked = [signals.to_unit(array, self.channels) for array in arrays]
    records = []
    for index, (unit, spec) in enumerate(checked):
      name = None if names is None else container.safe_name(names[index], "")
      fitted = self._fit(unit, effort)
      if bpp is None:
        t = self._index(quality)
        records.append(self._record(fitted, spec, name, t))
      else:
        records.append(self._record_within(fitted, spec, name, bpp))
    return self._pack(records)

  def decompress(
    self,
    data: bytes,
    *,
    scale: float = 1.0,
    region: tuple[int, int, int, int] | None = None,
  ) -> np.ndarray:
    """The image of a container with one; arguments as `decompress_many`."""
    decoded = self.decompress_many(data, scale=scale, region=region)
    if len(decoded) != 1:
      raise errors.CodecError(
        f"The file holds {len(decoded)} images; use decompress_many."
      )
    return decoded[0][1]

  def decompress_many(
    self,
    data: bytes,
    *,
    scale: float = 1.0,
    region: tuple[int, int, int, int] | None = None,
  ) -> list[tuple[str | None, np.ndarray]]:
    """Decodes a container.

    Args:
      data: the bytes of an `.inr` file.
      scale: output pixels per pixel, in (0, 64].
      region: (y0, x0, y1, x1) in pixels of the coded image; nothing else is
        evaluated than the part, or the tiles that it touches.

    Returns:
      Names (None where there is none) and images, of the type and range of
      what went in.

    Raises:
      CorruptBitstreamError: if the bytes are damaged.
      WrongModelError: if they belong to another model.
      CodecError: for a region outside the image.
      ValueError: for a scale out of range.
    """
    request.check_scale(scale)
    return [
      (record.name, self._decode(record, scale, region))
      for record in self._unpack(data)
    ]

  def rates(self, data: bytes) -> list[RateParts]:
    """Where the bytes go, image by image."""
    records = self._unpack(data)
    coded = sum(len(r.payload) + len(r.side) for r in records)
    header = (len(data) - coded) / len(records)
    parts = []
    for record in records:
      payload, side = len(record.payload), len(record.side)
      parts.append(
        RateParts(
          header + payload + side, header, side, payload, self._estimate(record)
        )
      )
    return parts

  @abc.abstractmethod
  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded integers of every image, `[rows, columns, L']`."""

  @abc.abstractmethod
  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Configuration and arrays of the model file."""

  @abc.abstractmethod
  def _fit(self, unit: np.ndarray, effort: str) -> Any:
    """What `_record` takes of an image `[H, W, C]` in [0, 1]."""

  @abc.abstractmethod
  def _record(
    self,
    fitted: Any,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    """An image at a setting."""

  @abc.abstractmethod
  def _record_within(
    self,
    fitted: Any,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    """The finest setting whose file has at most `bpp` bits per pixel."""

  @abc.abstractmethod
  def _pack(self, records: list[container.SignalRecord]) -> bytes:
    """The file of records."""

  @abc.abstractmethod
  def _unpack(self, data: bytes) -> list[container.SignalRecord]:
    """The records of a file."""

  @abc.abstractmethod
  def _estimate(self, record: container.SignalRecord) -> float:
    """Bits of a record's symbols under the entropy model."""

  @abc.abstractmethod
  def _decode(
    self,
    record: container.SignalRecord,
    scale: float,
    region: tuple[int, int, int, int] | None,
  ) -> np.ndarray:
    """The image of a record."""

  def _index(self, quality: float | None) -> int:
    """The setting of a quality."""
    value = self.default_quality if quality is None else quality
    return round(value / 100 * (self.num_settings - 1))

  def _header(self, t: int) -> bytes:
    """The codec header of a setting; none if there is no choice."""
    return bytes([t]) if self.num_settings > 1 else b""

  def _setting(self, record: container.SignalRecord) -> int:
    """The setting that a record's header names.

    Raises:
      CorruptBitstreamError: if there is none.
    """
    t = record.header[0] if record.header else 0
    if record.header != self._header(t) or t >= self.num_settings:
      raise errors.CorruptBitstreamError(
        f"The stream's codec header {record.header.hex()!r} is not one this "
        "model writes."
      )
    return t
