"""What the model file of a COIN says, as values that JSON holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from inrjax.codec import json_fields
from inrjax.networks import siren

# Widths of a weight; 16 bits are half-precision floats.
MAX_BITS = 16
# Weights and biases of a network: far more than any COIN, 64 MiB.
_MAX_PARAMS = 1 << 24
_MAX_STEPS = 10_000_000
ROBUST_KINDS = ("decay", "gradient_l1", "gradient_l2", "straight_through")


@dataclasses.dataclass(frozen=True)
class Robust:
  """How the last steps of a fit prepare the weights for being rounded.

  Chapter 4 of Alizadeh's thesis, for a network that is stored and not run in
  few bits: its weights are rounded, its activations are not. The learning rate
  of these steps falls to 0 along a cosine.

  Attributes:
    kind: "gradient_l1" or "gradient_l2", a norm of the gradient beside the
      squared error (eq. 4.3; 4.2.3), for any width; "straight_through", steps
      on the rounded weights (Bengio et al., 2013), for one width; or "decay",
      the falling rate alone, to compare with.
    weight: lambda of the norm, positive; without meaning for the others.
    num_bits: the width of "straight_through", in `[1, 15]`; without meaning for
      the others.
    part: of the steps, the last ones; in (0, 1].
  """

  kind: str
  weight: float = 1e-3
  num_bits: int = 8
  part: float = 0.25

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    if self.kind not in ROBUST_KINDS:
      raise ValueError(
        f"kind {self.kind!r} is unknown; choose from {ROBUST_KINDS}."
      )
    if not 0 < self.weight < math.inf:
      raise ValueError(f"weight must be positive, got {self.weight}.")
    if type(self.num_bits) is not int or not 1 <= self.num_bits < MAX_BITS:
      raise ValueError(
        f"num_bits must lie in [1, {MAX_BITS - 1}], got {self.num_bits}."
      )
    if not 0 < self.part <= 1:
      raise ValueError(f"part must lie in (0, 1], got {self.part}.")


@dataclasses.dataclass(frozen=True)
class CoinSpec:
  """A COIN architecture and how it is fitted.

  Attributes:
    network: a SIREN without modulations.
    num_steps: Adam steps of the full fit.
    learning_rate: their rate.
    num_bits: widths that a weight may be stored with, rising, each in
      `[1, 16]`; 16 bits are half-precision floats.
    low: start of the coordinate range, on both axes.
    high: its end.
    robust: how the last steps prepare the weights for being rounded, or None.
  """

  network: siren.SirenConfig
  num_steps: int = 50_000
  learning_rate: float = 2e-4
  num_bits: tuple[int, ...] = (16,)
  low: float = -1.0
  high: float = 1.0
  robust: Robust | None = None

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    net = self.network
    counts = (net.depth, net.width, net.out_dim, self.num_steps, *self.num_bits)
    if not all(type(value) is int for value in counts):
      raise ValueError(
        f"depth, width, out_dim, num_steps and num_bits are integers, got "
        f"{counts}."
      )
    if net.modulate or net.basis_dim is not None or net.in_dim != 2:
      raise ValueError(
        "COIN's network is a SIREN of two coordinates without modulations or "
        f"basis, got {net}."
      )
    if net.out_dim not in (1, 3):
      raise ValueError(
        f"The image codec serves 1 or 3 channels; out_dim is {net.out_dim}."
      )
    if self.num_params > _MAX_PARAMS:
      raise ValueError(
        f"The network has {self.num_params} weights and biases, at most "
        f"{_MAX_PARAMS} are allowed: make it smaller."
      )
    if not 1 <= self.num_steps <= _MAX_STEPS:
      raise ValueError(
        f"num_steps must lie in [1, {_MAX_STEPS}], got {self.num_steps}."
      )
    if not 0 < self.learning_rate < math.inf:
      raise ValueError(
        f"learning_rate must be positive, got {self.learning_rate}."
      )
    rising = sorted(set(self.num_bits))
    if not rising or rising != list(self.num_bits):
      raise ValueError(f"num_bits must rise, got {self.num_bits}.")
    if rising[0] < 1 or rising[-1] > MAX_BITS:
      raise ValueError(
        f"num_bits must lie in [1, {MAX_BITS}], got {self.num_bits}."
      )
    if not -math.inf < self.low < self.high < math.inf:
      raise ValueError(
        f"The range of coordinates is empty: {self.low} to {self.high}."
      )
    robust = self.robust
    if (
      robust is not None
      and robust.kind == "straight_through"
      and robust.num_bits not in self.num_bits
    ):
      raise ValueError(
        f"robust.num_bits is {robust.num_bits}, but weights are stored with "
        f"{self.num_bits} bits: add it to num_bits."
      )

  @property
  def num_params(self) -> int:
    """L, the weights and biases."""
    width, depth = self.network.width, self.network.depth
    hidden = (depth - 1) * (width + 1) * width
    return 3 * width + hidden + (width + 1) * self.network.out_dim

  def to_json(self) -> dict[str, Any]:
    """The specification as JSON values."""
    fields = dataclasses.asdict(self)
    if self.robust is None:
      del fields["robust"]  # Unknown to models of before.
    return fields


def from_json(config: Mapping[str, Any]) -> CoinSpec:
  """The specification that `CoinSpec.to_json` wrote.

  Raises:
    CorruptBitstreamError: if fields are missing, unknown or out of range.
  """
  with json_fields.reading():
    fields = json_fields.tuples(config)
    network = siren.SirenConfig(**json_fields.tuples(fields.pop("network")))
    robust = fields.pop("robust", None)
    if robust is not None:
      robust = Robust(**json_fields.tuples(robust))
    return CoinSpec(network, robust=robust, **fields)
