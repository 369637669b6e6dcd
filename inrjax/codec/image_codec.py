"""The image codec of a modulated network: arrays to bytes and back.

An image is cut into tiles, the inner loop fits the network's modulations to
each, a latent coder turns them into symbols, and the symbols are range coded.
"""

from typing import Any

import numpy as np

from inrjax.codec import (
  base,
  coders,
  model_file,
  tile_encoder,
  tile_network,
  tiled_codec,
)
from inrjax.codec import spec as spec_lib
from inrjax.meta import method as method_lib

DEFAULT_QUALITY = 50
EFFORTS = tuple(tile_encoder.EFFORTS)
RateParts = base.RateParts


class ImageCodec(tiled_codec.TiledCodec):
  """Compresses images with one modulated network, at a range of rates."""

  efforts = EFFORTS
  default_quality = DEFAULT_QUALITY
  spec: spec_lib.ModulatedSpec
  coder: coders.Coder

  def __init__(
    self,
    spec: spec_lib.ModulatedSpec,
    outer: method_lib.Outer,
    coder: coders.Coder,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together; see `fitting.fit_codec` for making one.

    Args:
      spec: network and inner loop.
      outer: what training learned.
      coder: from fast parameters to bytes.
      card: JSON values that describe the model to its users.
      model_id: identity of the model, computed if not known.
    """
    self.spec = spec
    self.coder = coder
    self.card = dict(card or {})
    self._outer = outer
    self._network = tile_network.TileNetwork(spec, outer)
    self.model_id = model_id or model_file.to_bytes(*self._model())[1]

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return self._facts("modulated")

  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = {
      "codec": "modulated",
      "spec": self.spec.to_json(),
      "card": self.card,
    }
    learned = {k: tree for k, tree in self._outer._asdict().items() if tree}
    return config, self.coder.arrays() | model_file.flatten(learned, "outer")

  def _fit(self, unit: np.ndarray, effort: str) -> tile_encoder.TileEncoder:
    return tile_encoder.TileEncoder(self._network, self.coder, unit, effort)
