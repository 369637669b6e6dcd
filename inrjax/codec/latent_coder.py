"""Latents of the hyperprior to bytes and back.

A stream holds the hyper-latents under the tables of their learned densities,
and then the latents, less the means that the hyper-latents predict, under the
tables of the scales that they predict: two calls of the range coder for an
image. Everything that decides on a table is an integer
(`inrjax.codec.latent_synthesis`, `inrjax.codec.latent_tables`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import entropy, errors, latent_synthesis, latent_tables
from inrjax.quantize import rate_models

# Far beyond what a trained model gives, and exact in float32.
_MAX_RESIDUAL = 1 << 22


class Latents(NamedTuple):
  """What is coded of an image.

  Attributes:
    hyper: `[h, w, K]` int32 rounded hyper-latents.
    residuals: `[4 h, 4 w, M]` int32 rounded latents less their means.
  """

  hyper: np.ndarray
  residuals: np.ndarray


class LatentBits(NamedTuple):
  """Cost of an image's latents under the tables, in bits.

  Attributes:
    hyper: of the hyper-latents.
    residuals: of the latents.
  """

  hyper: float
  residuals: float


class LatentCoder:
  """Rounds, codes and decodes the latents of one model.

  Attributes:
    hyper_channels: K.
    latent_channels: M.
  """

  def __init__(
    self,
    hyper_synthesis: Mapping[str, Any],
    prior: Mapping[str, Any],
    grid: rate_models.ScaleGrid = rate_models.DEFAULT_GRID,
  ) -> None:
    """Builds the tables; with an adapted model, of the adapted parameters.

    Args:
      hyper_synthesis: parameters of the hyper-synthesis network.
      prior: parameters of the hyper-latents' densities.
      grid: the scales that the codec knows.

    Raises:
      CodecError: if the parameters cannot be used, or do not fit together.
    """
    self._synthesis = latent_synthesis.ExactHyperSynthesis(
      hyper_synthesis, grid
    )
    self._gaussian = latent_tables.gaussian_tables(grid)
    self._prior = latent_tables.factorized_tables(prior)
    self.hyper_channels = self._synthesis.hyper_channels
    self.latent_channels = self._synthesis.latent_channels
    if self._prior.num_tables != self.hyper_channels:
      raise errors.CodecError(
        f"the model has {self._prior.num_tables} densities for "
        f"{self.hyper_channels} channels of hyper-latents: it is damaged"
      )

  def quantize(self, latents: np.ndarray, hyper_latents: np.ndarray) -> Latents:
    """Rounds what the analysis networks gave.

    Args:
      latents: `[4 h, 4 w, M]` finite floats.
      hyper_latents: `[h, w, K]` finite floats.

    Returns:
      The integers to code.

    Raises:
      CodecError: if shapes differ or values are not finite.
    """
    latents = np.asarray(latents, np.float64)
    hyper = self.round_hyper(hyper_latents)
    expected = (4 * hyper.shape[0], 4 * hyper.shape[1], self.latent_channels)
    if latents.shape != expected:
      raise errors.CodecError(
        f"latents have the shape {list(latents.shape)}, the hyper-latents "
        f"call for {list(expected)}"
      )
    _check_finite(latents, "latents")
    means = latent_synthesis.to_float(self._synthesis(hyper).means)
    residuals = np.clip(np.rint(latents - means), -_MAX_RESIDUAL, _MAX_RESIDUAL)
    return Latents(hyper, residuals.astype(np.int32))

  def round_hyper(self, hyper_latents: np.ndarray) -> np.ndarray:
    """Rounded hyper-latents `[h, w, K]` int32; raises as `quantize`."""
    hyper_latents = np.asarray(hyper_latents, np.float64)
    if (
      hyper_latents.ndim != 3 or hyper_latents.shape[-1] != self.hyper_channels
    ):
      raise errors.CodecError(
        f"hyper-latents are [h, w, {self.hyper_channels}], got "
        f"{list(hyper_latents.shape)}"
      )
    _check_finite(hyper_latents, "hyper-latents")
    bound = latent_synthesis.MAX_HYPER_LATENT
    return np.clip(np.rint(hyper_latents), -bound, bound).astype(np.int32)

  def reconstruct(self, latents: Latents) -> np.ndarray:
    """What the synthesis network is given: `[4 h, 4 w, M]` float32."""
    means = latent_synthesis.to_float(self._synthesis(latents.hyper).means)
    return (latents.residuals + means).astype(np.float32)

  def encode(self, latents: Latents) -> bytes:
    """The bytes of an image's latents."""
    scales = self._synthesis(latents.hyper).scales
    encoder = entropy.Encoder()
    encoder.encode(
      latents.hyper.ravel(), self._channels(latents.hyper.shape), self._prior
    )
    residuals, index = (
      latents.residuals.ravel(),
      scales.ravel().astype(np.int32),
    )
    for chosen, first, tables in self._families(index):
      encoder.encode(residuals[chosen], index[chosen] - first, tables)
    return encoder.finish()

  def decode(self, data: bytes, height: int, width: int) -> Latents:
    """Reads an image's latents.

    Args:
      data: the bytes.
      height: h, rows of the hyper-latents.
      width: w, their columns.

    Returns:
      What was encoded.

    Raises:
      CorruptBitstreamError: if no encoder can have written the bytes.
    """
    shape = (height, width, self.hyper_channels)
    decoder = entropy.Decoder(data)
    hyper = decoder.decode(self._channels(shape), self._prior)
    bound = latent_synthesis.MAX_HYPER_LATENT
    if hyper.size and max(hyper.max(), -int(hyper.min())) > bound:
      raise errors.CorruptBitstreamError(
        f"a hyper-latent leaves the range of +-{bound}: the stream is damaged"
      )
    hyper = hyper.reshape(shape)
    scales = self._synthesis(hyper).scales
    index = scales.ravel().astype(np.int32)
    residuals = np.empty(index.size, np.int32)
    for chosen, first, tables in self._families(index):
      residuals[chosen] = decoder.decode(index[chosen] - first, tables)
    decoder.finish()
    if residuals.size and (
      max(residuals.max(), -int(residuals.min())) > _MAX_RESIDUAL
    ):
      raise errors.CorruptBitstreamError(
        f"a latent leaves the range of +-{_MAX_RESIDUAL}: the stream is damaged"
      )
    return Latents(hyper, residuals.reshape(scales.shape))

  def cost(self, latents: Latents) -> LatentBits:
    """Bits under the tables: an estimate, never reported as a file's size."""
    scales = self._synthesis(latents.hyper).scales
    channels = self._channels(latents.hyper.shape).reshape(latents.hyper.shape)
    hyper = entropy.cost_bits(latents.hyper, channels, self._prior).sum()
    residuals, index = (
      latents.residuals.ravel(),
      scales.ravel().astype(np.int32),
    )
    total = 0.0
    for chosen, first, tables in self._families(index):
      total += entropy.cost_bits(
        residuals[chosen], index[chosen] - first, tables
      ).sum()
    return LatentBits(float(hyper), float(total))

  def _families(
    self, index: np.ndarray
  ) -> list[tuple[np.ndarray, int, entropy.FrequencyTables]]:
    """Which latents take which tables, in the order they are coded."""
    split, narrow, wide = self._gaussian
    return [(index < split, 0, narrow), (index >= split, split, wide)]

  @staticmethod
  def _channels(shape: tuple[int, ...]) -> np.ndarray:
    """The channel of every hyper-latent, `[h w K]`."""
    count = shape[0] * shape[1]
    return np.tile(np.arange(shape[2], dtype=np.int32), count)


def _check_finite(values: np.ndarray, what: str) -> None:
  if not np.isfinite(values).all():
    raise errors.CodecError(
      f"the {what} are not finite: the image holds values that are not, or "
      "training or adaptation diverged"
    )
