"""Multiply-accumulates of the hyperprior's networks, from their widths."""

from typing import NamedTuple

from inrjax.networks import hyperprior

# Taps of its kernel that an output of a transposed convolution meets.
_UPSAMPLED = 25 / 4


class Macs(NamedTuple):
  """Multiply-accumulates of one image, borders as if all taps were inside."""

  analysis: float
  hyper_analysis: float
  hyper_synthesis: float
  synthesis: float

  @property
  def encoding(self) -> float:
    """Of an encoder, which predicts what the decoder will."""
    return self.analysis + self.hyper_analysis + self.hyper_synthesis

  @property
  def decoding(self) -> float:
    """Of a decoder."""
    return self.hyper_synthesis + self.synthesis


def macs(config: hyperprior.HyperpriorConfig, height: int, width: int) -> Macs:
  """Counted from the shapes: convolutions, and GDN's sums over channels.

  Args:
    config: the widths.
    height: of the image, before padding.
    width: of the image.
  """
  height, width = hyperprior.padded_size(height, width)
  wide, latent, hyper, image = (
    config.width,
    config.latent_channels,
    config.hyper_channels,
    config.image_channels,
  )
  pixels = height * width
  # Positions after so many halvings.
  at = [pixels / 4**k for k in range(7)]
  analysis = (
    at[1] * (25 * image * wide + wide**2)
    + (at[2] + at[3]) * (25 * wide**2 + wide**2)
    + at[4] * 25 * wide * latent
  )
  synthesis = (
    at[3] * (_UPSAMPLED * latent * wide + wide**2)
    + (at[2] + at[1]) * (_UPSAMPLED * wide**2 + wide**2)
    + at[0] * _UPSAMPLED * wide * image
  )
  return Macs(
    analysis=analysis,
    hyper_analysis=at[4] * 9 * latent * hyper + (at[5] + at[6]) * 25 * hyper**2,
    hyper_synthesis=(at[5] + at[4]) * _UPSAMPLED * hyper**2
    + at[4] * 9 * hyper * 2 * latent,
    synthesis=synthesis,
  )
