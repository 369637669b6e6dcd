"""What the model file of a codec of weights says, as values that JSON holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import optax

from inrjax.adapt import links
from inrjax.codec import json_fields
from inrjax.meta import method as method_lib
from inrjax.meta import pruned, recipes
from inrjax.networks import fourier, siren
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups, prospr
from inrjax.sparsity import saliency as saliency_lib

# Weights and biases of a network: 64 MiB.
_MAX_PARAMS = 1 << 24
_MAX_STEPS = 1_000_000
_NETWORKS: dict[str, Any] = {
  "siren": siren.SirenConfig,
  "fourier": fourier.FourierConfig,
}
_GROUPINGS: dict[str, Any] = {
  "parameter": groups.PerParameter,
  "unit": groups.PerUnit,
}


SALIENCIES = ("random", "magnitude", "snip", "prospr")


@dataclasses.dataclass(frozen=True)
class AtStart:
  """What a tile's network is pruned by before it is fitted.

  Attributes:
    kind: "random", "magnitude", "snip" or "prospr" (`inrjax.sparsity`).
    num_steps: M, inner steps of "prospr", in [0, 16]: each keeps the weights.
      Without meaning for the others.
    learning_rate: of these steps of gradient descent,
    momentum: with this momentum.
  """

  kind: str
  num_steps: int = 3
  learning_rate: float = 1e-2
  momentum: float = 0.9

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    if self.kind not in SALIENCIES:
      raise ValueError(
        f"kind {self.kind!r} is unknown; choose from {SALIENCIES}."
      )
    if type(self.num_steps) is not int or not 0 <= self.num_steps <= 16:
      raise ValueError(f"num_steps must lie in [0, 16], got {self.num_steps}.")
    if not 0 < self.learning_rate < math.inf or not 0 <= self.momentum < 1:
      raise ValueError(
        "learning_rate must be positive and momentum in [0, 1), got "
        f"{self.learning_rate} and {self.momentum}."
      )

  def saliency(self) -> saliency_lib.Saliency:
    """The scores of single weights."""
    if self.kind == "prospr":
      optimizer = optax.sgd(self.learning_rate, momentum=self.momentum)
      return prospr.ProsPr(optimizer, self.num_steps)
    plain: dict[str, saliency_lib.Saliency] = {
      "random": saliency_lib.Random(),
      "magnitude": saliency_lib.Magnitude(),
      "snip": saliency_lib.SNIP(),
    }
    return plain[self.kind]


@dataclasses.dataclass(frozen=True)
class SparseSpec:
  """A codec that transmits the change of a network's weights.

  The start of the fit and the pattern of what may change belong to the model:
  a mask (Meta-SparseINR), gates on the updates (MSCN eq. 9) or on the values
  (MSCN, appendix C), or everything (MAML).

  Attributes:
    network: a network without modulations.
    side: P; images are cut into tiles of P x P, each a signal of its own.
    num_steps: Adam steps of the encoder, on all points (100 in
      Meta-SparseINR, section 5.1).
    learning_rate: their rate.
    gates: the gates that were trained with the network, or None.
    num_kept: prunes while a tile is fitted: parameters of the pruned roles left
      after each round, falling (MAML+OneShot and MAML+IMP, section 5.1). The
      steps are shared out among the rounds. Each tile then brings a pattern of
      its own and pays for it. Empty keeps to the model's pattern.
    pruned_roles: what these rounds prune, of "weight" and "bias".
    at_start: prunes to the one number of `num_kept` before the fit instead of
      after a part of it; None prunes by magnitude after each part.
    low: start of the coordinate range of a tile, on both axes.
    high: its end.
    image_side: height and width of the images whose shape small files leave
      out; None for one tile.
  """

  network: siren.SirenConfig | fourier.FourierConfig
  side: int
  num_steps: int = 100
  learning_rate: float = 1e-3
  gates: method_lib.Gates | None = None
  num_kept: tuple[int, ...] = ()
  pruned_roles: tuple[str, ...] = pruned.PRUNED_ROLES
  at_start: AtStart | None = None
  low: float = -1.0
  high: float = 1.0
  image_side: int | None = None

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    _check_network(self.network)
    counts = (self.side, self.num_steps, self.image_side or 1, *self.num_kept)
    if not all(type(count) is int for count in counts):
      raise ValueError(
        "side, num_steps, image_side and num_kept are integers, got "
        f"{self.side}, {self.num_steps}, {self.image_side} and {self.num_kept}."
      )
    if not 2 <= self.side <= 4096:
      raise ValueError(f"side must lie in [2, 4096], got {self.side}.")
    if self.image_side is not None and not 1 <= self.image_side <= 4096:
      raise ValueError(
        f"image_side must lie in [1, 4096] or be None, got {self.image_side}."
      )
    if not len(self.num_kept) < self.num_steps <= _MAX_STEPS:
      raise ValueError(
        f"num_steps must lie in [1, {_MAX_STEPS}] and exceed the rounds of "
        f"pruning, got {self.num_steps} and {len(self.num_kept)} rounds."
      )
    if not 0 < self.learning_rate < math.inf:
      raise ValueError(
        f"learning_rate must be positive, got {self.learning_rate}."
      )
    if self.gates is not None and self.gates.adapt_rate:
      raise ValueError(
        "The codec keeps one pattern of gates for all signals; "
        f"gates.adapt_rate is {self.gates.adapt_rate}, set it to 0."
      )
    if sorted(set(self.num_kept), reverse=True) != list(self.num_kept) or any(
      kept < 1 for kept in self.num_kept
    ):
      raise ValueError(
        f"num_kept must fall and stay positive, got {self.num_kept}."
      )
    if self.num_kept and self.gates is not None:
      raise ValueError(
        "Pruning while fitting does not go with gates: leave out num_kept "
        f"({self.num_kept}) or gates."
      )
    if self.at_start is not None and len(self.num_kept) != 1:
      raise ValueError(
        "Pruning at the start has one number of weights to keep, got num_kept="
        f"{self.num_kept}."
      )
    roles = set(self.pruned_roles)
    if not roles or not roles <= {"weight", "bias"}:
      raise ValueError(
        f'pruned_roles are of "weight" and "bias", got {self.pruned_roles}.'
      )
    if not -math.inf < self.low < self.high < math.inf:
      raise ValueError(
        f"The range of coordinates is empty: {self.low} to {self.high}."
      )

  def method(self, *, extra_steps: int = 0) -> method_lib.Method:
    """The method whose inner loop encodes.

    Args:
      extra_steps: beyond `num_steps`.

    Returns:
      Adam from the learned start; where the fit prunes, one part of it.
    """
    method = recipes.maml(
      network=self.network,
      rates=recipes.InnerRates(self.learning_rate, self.learning_rate),
      gates=self.gates,
      prunable=True,
    )
    rounds = 0 if self.at_start is not None else len(self.num_kept)
    num_steps = (self.num_steps + extra_steps) // (rounds + 1)
    return dataclasses.replace(
      method, link=links.adam(self.learning_rate), num_steps=num_steps
    )

  def to_json(self) -> dict[str, Any]:
    """The specification as JSON values."""
    fields = dataclasses.asdict(self)
    fields["network"]["kind"] = _kind(_NETWORKS, self.network)
    if self.at_start is None:
      del fields["at_start"]  # Unknown to models of before.
    if self.gates is not None:
      fields["gates"]["grouping"]["kind"] = _kind(
        _GROUPINGS, self.gates.grouping
      )
    return fields


def from_json(config: Mapping[str, Any]) -> SparseSpec:
  """The specification that `SparseSpec.to_json` wrote.

  Raises:
    CorruptBitstreamError: if fields are missing, unknown or out of range.
  """
  with json_fields.reading():
    fields = json_fields.tuples(config)
    fields["network"] = _of_kind(_NETWORKS, fields["network"])
    if fields["gates"] is not None:
      gates = dict(fields["gates"])
      gates["distribution"] = gates_lib.HardConcrete(
        **json_fields.tuples(gates["distribution"])
      )
      gates["grouping"] = _of_kind(_GROUPINGS, gates["grouping"])
      fields["gates"] = method_lib.Gates(**gates)
    if fields.get("at_start") is not None:
      fields["at_start"] = AtStart(**json_fields.tuples(fields["at_start"]))
    return SparseSpec(**fields)


def _check_network(net: siren.SirenConfig | fourier.FourierConfig) -> None:
  counts = (net.depth, net.width, net.in_dim, net.out_dim)
  if not all(type(count) is int for count in counts):
    raise ValueError(f"depth, width and dimensions are integers, got {counts}.")
  if isinstance(net, siren.SirenConfig) and (
    net.modulate or net.basis_dim is not None
  ):
    raise ValueError(
      f"The network is one without modulations or basis, got {net}."
    )
  if net.in_dim != 2 or net.out_dim not in (1, 3):
    raise ValueError(
      "The image codec serves 2 coordinates and 1 or 3 channels; the network "
      f"has {net.in_dim} and {net.out_dim}."
    )
  num_params = net.depth * (net.width + 1) * net.width
  if num_params > _MAX_PARAMS:
    raise ValueError(
      f"The network has some {num_params} weights, at most {_MAX_PARAMS} are "
      "allowed: make it smaller."
    )


def _kind(options: Mapping[str, Any], value: Any) -> str:
  """The name of a value's class.

  Raises:
    ValueError: if it is none of the options.
  """
  for name, cls in options.items():
    if type(value) is cls:
      return name
  raise ValueError(f"{value} is none of {sorted(options)}, so it has no name.")


def _of_kind(options: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:
  """The value whose class a field `kind` names."""
  others = json_fields.tuples(fields)
  return options[others.pop("kind")](**others)
