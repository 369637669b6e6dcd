"""Finding the setting of a codec that keeps a rate, and what it gives there."""

import dataclasses
import math
from collections.abc import Iterable

from inrjax.evaluate import classical, metrics, rate_distortion


@dataclasses.dataclass(frozen=True)
class Encoded:
  """An image compressed at one setting.

  Attributes:
    setting: the setting.
    data: the file.
    reconstruction: `[H, W, C]`, uint8.
    measurement: rate and distortion.
  """

  setting: float
  data: bytes
  reconstruction: classical.Uint8Image
  measurement: rate_distortion.Measurement


def sweep(
  codec: classical.ImageCodec,
  image: classical.Uint8Image,
  settings: Iterable[float] | None = None,
) -> tuple[Encoded, ...]:
  """Compresses one image at each setting.

  Args:
    codec: any codec.
    image: `[H, W, C]`, uint8, C 1 or 3.
    settings: which; all of the codec's by default.

  Returns:
    One result per setting, in order.
  """
  trials = Trials(codec, image)
  chosen = codec.settings if settings is None else settings
  return tuple(trials.encoded(setting) for setting in chosen)


def at_rate(
  codec: classical.ImageCodec, image: classical.Uint8Image, target_bpp: float
) -> Encoded | None:
  """The best reconstruction that costs at most `target_bpp`.

  Args:
    codec: any codec.
    image: `[H, W, C]`, uint8, C 1 or 3.
    target_bpp: bits per pixel that must not be exceeded.

  Returns:
    The result, or None when even the lowest setting costs more.
  """
  return Trials(codec, image).at_rate(target_bpp)


class Trials:
  """One image's encodings by one codec, each made once.

  Attributes:
    codec: the codec.
    image: `[H, W, C]`, uint8.
  """

  # Settings looked at on either side of where the bisection ends: encoders are
  # only nearly monotone, and a neighbour may be smaller or better.
  margin = 3

  def __init__(self, codec: classical.ImageCodec, image: classical.Uint8Image):
    """Starts with nothing encoded.

    Args:
      codec: any codec.
      image: `[H, W, C]`, uint8, C 1 or 3.
    """
    classical.check_image(image)
    self.codec = codec
    self.image = image
    self._files: dict[float, bytes] = {}
    self._decoded: dict[float, classical.Uint8Image] = {}
    self._encoded: dict[float, Encoded] = {}

  def bpp(self, setting: float) -> float:
    """Rate at a setting in bits per pixel."""
    height, width = self.image.shape[:2]
    return 8.0 * self.codec.num_bytes(self._file(setting)) / (height * width)

  def encoded(self, setting: float) -> Encoded:
    """The image compressed at a setting, decoded and measured."""
    if setting not in self._encoded:
      data, reconstruction = self._file(setting), self._decode(setting)
      height, width = self.image.shape[:2]
      rate = self.codec.rate(data, height * width)
      measurement = rate_distortion.measure(self.image, reconstruction, rate)
      self._encoded[setting] = Encoded(
        setting, data, reconstruction, measurement
      )
    return self._encoded[setting]

  def at_rate(self, target_bpp: float) -> Encoded | None:
    """As the function of that name: bisection, then the neighbourhood.

    Args:
      target_bpp: bits per pixel that must not be exceeded.

    Returns:
      The result of best PSNR (at equal PSNR the smaller) among the settings
      looked at that keep the limit, or None.

    Raises:
      ValueError: for a target that is not positive and finite.
    """
    if not (math.isfinite(target_bpp) and target_bpp > 0):
      raise ValueError(f"target_bpp is {target_bpp}; it must be positive")
    settings = self.codec.settings
    # Invariant: settings before `low` keep the limit, those from `high` do not.
    low, high = 0, len(settings)
    while low < high:
      middle = (low + high) // 2
      if self.bpp(settings[middle]) <= target_bpp:
        low = middle + 1
      else:
        high = middle
    near = settings[max(0, low - 1 - self.margin) : low + self.margin]
    kept = [setting for setting in near if self.bpp(setting) <= target_bpp]
    if not kept:
      return None
    best = min(
      kept,
      key=lambda setting: (
        metrics.mse(self.image, self._decode(setting)),
        self.bpp(setting),
      ),
    )
    return self.encoded(best)

  def _file(self, setting: float) -> bytes:
    if setting not in self._files:
      self._files[setting] = self.codec.encode(self.image, setting)
    return self._files[setting]

  def _decode(self, setting: float) -> classical.Uint8Image:
    if setting not in self._decoded:
      channels = self.image.shape[2]
      self._decoded[setting] = self.codec.decode(self._file(setting), channels)
    return self._decoded[setting]
