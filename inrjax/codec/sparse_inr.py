"""The codec of weights: what differs from a meta-learned start.

The model holds the start of a fit and which parameters may change, so positions
cost nothing (Meta-SparseINR, MSCN eq. 9); a stream holds, for each tile, the
change of those parameters, quantised and entropy-coded. Tiles as large as the
images are the papers' setting.

Differs from the papers: appendix F of Meta-SparseINR stores what survives in 16
bits each; here one model serves many rates, and zeros are cheap.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.codec import (
  errors,
  model_check,
  model_file,
  sparse_encoder,
  sparse_fit,
  sparse_network,
  sparse_spec,
  sparse_weights,
  tiled_codec,
)
from inrjax.meta import method as method_lib

DEFAULT_QUALITY = 50
EFFORTS = tuple(sparse_encoder.EFFORTS)


class SparseCodec(tiled_codec.TiledCodec):
  """Compresses images into changes of a network's weights."""

  efforts = EFFORTS
  default_quality = DEFAULT_QUALITY
  spec: sparse_spec.SparseSpec
  coder: sparse_weights.SparseCoder
  _network: sparse_network.SparseNetwork

  def __init__(
    self,
    network: sparse_network.SparseNetwork,
    coder: sparse_weights.SparseCoder,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together; see `fit_sparse_codec` for making one.

    Args:
      network: the trained start.
      coder: from changes to bytes.
      card: JSON values that describe the model to its users.
      model_id: identity of the model, computed if not known.
    """
    self.spec = network.spec
    self.coder = coder
    self.card = dict(card or {})
    self._network = network
    self.model_id = model_id or model_file.to_bytes(*self._model())[1]

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return self._facts("sparse_inr") | {
      "parameters": self._network.size,
      "patterns": "tile" if self.coder.prunes else "model",
    }

  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = {
      "codec": "sparse_inr",
      "spec": self.spec.to_json(),
      "card": self.card,
    }
    outer = self._network.outer._asdict()
    learned = {name: tree for name, tree in outer.items() if tree}
    return config, (
      self.coder.arrays()
      | {"stored": self._network.stored}
      | model_file.flatten(learned, "outer")
    )

  def _fit(self, unit: np.ndarray, effort: str) -> sparse_encoder.SparseEncoder:
    return sparse_encoder.SparseEncoder(self._network, self.coder, unit, effort)


def fit_sparse_codec(
  spec: sparse_spec.SparseSpec,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  *,
  card: dict[str, Any] | None = None,
  seed: int = 0,
  max_tiles: int = 512,
) -> SparseCodec:
  """A codec of a trained start.

  Args:
    spec: network, gates, tiles and fit.
    outer: what training learned with `meta.recipes.maml`: the start, its mask
      if any, its gates if any; inner rates are not kept.
    images: `[H, W, C]` training images, for step sizes and frequencies.
    card: description that the model file carries.
    seed: of the choice of training tiles.
    max_tiles: most training tiles to fit.

  Raises:
    ValueError: if network and specification differ, or no gate is open.
    CodecError: if a fit diverges.
  """
  network = sparse_network.SparseNetwork(
    spec, sparse_network.prepare(spec, outer)
  )
  coder = sparse_fit.fit_coder(network, images, max_tiles=max_tiles, seed=seed)
  return SparseCodec(network, coder, card=card)


def from_model_file(content: model_file.ModelFile) -> SparseCodec:
  """The codec of a model file with weights.

  Raises:
    CorruptBitstreamError: if the content is not what `SparseCodec.save` writes.
    LookupError, TypeError, ValueError: likewise; see `loading`.
  """
  spec = sparse_spec.from_json(content.config["spec"])
  trees = model_file.unflatten(content.arrays, "outer")
  outer = method_lib.Outer(
    *(trees.get(name, {}) for name in method_lib.Outer._fields)
  )
  model_check.check_outer(spec, outer)
  stored = content.arrays["stored"]
  model_check.check_stored(stored, outer)
  network = sparse_network.SparseNetwork(spec, outer, stored=stored)
  coder = sparse_weights.from_arrays(content.arrays, network.group)
  model_check.check_sparse_coder(coder, network.num_stored, network.may_prune)
  card = content.config.get("card", {})
  if not isinstance(card, dict):
    raise errors.CorruptBitstreamError(
      "The model's card is no JSON object; the file is damaged."
    )
  return SparseCodec(network, coder, card=card, model_id=content.model_id)
