"""What a model file says of its codec, as values that JSON holds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from inrjax.codec import gradient_scaling, json_fields
from inrjax.meta import method as method_lib
from inrjax.meta import recipes
from inrjax.networks import siren
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups


@dataclasses.dataclass(frozen=True)
class ModulatedSpec:
  """A codec that transmits modulations of a shared network.

  Attributes:
    network: the network.
    rates: inner learning rates.
    num_steps: inner steps of the encoder.
    side: P; images are cut into tiles of P x P, each a signal of its own.
    low: start of the coordinate range of a tile, on both axes.
    high: its end.
    image_side: height and width of the images whose shape small files leave
      out; None for one tile.
    ema_decay: averaging of the inner iterates (MSCN D.2) or None.
    gates: the gates that were trained with the network (MSCN eq. 10), one for
      each modulation, or None.
    scaling: how gradients are scaled where training saw a part of the points
      (ECoP, eq. 6), or None.
  """

  network: siren.SirenConfig
  rates: recipes.InnerRates
  num_steps: int
  side: int
  low: float = -1.0
  high: float = 1.0
  image_side: int | None = None
  ema_decay: float | None = None
  gates: method_lib.Gates | None = None
  scaling: gradient_scaling.GradientScaling | None = None

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    if not 2 <= self.side <= 4096:
      raise ValueError(f"side must lie in [2, 4096], got {self.side}.")
    if not isinstance(self.side, int) or not isinstance(self.num_steps, int):
      raise ValueError(
        f"side and num_steps must be integers, got {self.side} and"
        f" {self.num_steps}."
      )
    if not 0 <= self.num_steps <= 10_000:
      raise ValueError(
        f"num_steps must lie in [0, 10000], got {self.num_steps}."
      )
    if self.ema_decay is not None and not 0 < self.ema_decay <= 1:
      raise ValueError(f"ema_decay must lie in (0, 1], got {self.ema_decay}.")
    if not self.low < self.high:
      raise ValueError(
        f"The range of coordinates is empty: {self.low} to {self.high}."
      )
    if self.image_side is not None and not 1 <= self.image_side <= 4096:
      raise ValueError(
        f"image_side must lie in [1, 4096] or be None, got {self.image_side}."
      )
    if self.gates is not None and self.gates != dataclasses.replace(
      self.gates, on="values", grouping=groups.PerParameter()
    ):
      raise ValueError(
        "The codec stores modulations with a gate each; got gates on "
        f"{self.gates.on} grouped by {self.gates.grouping}."
      )
    if self.network.out_dim not in (1, 3):
      raise ValueError(
        "The image codec serves 1 or 3 channels; out_dim is "
        f"{self.network.out_dim}."
      )

  def method(self) -> method_lib.Method:
    """The method whose inner loop encodes."""
    method = recipes.modulated(
      network=self.network,
      rates=self.rates,
      num_steps=self.num_steps,
      gates=self.gates,
      ema_decay=self.ema_decay,
    )
    return method if self.scaling is None else self.scaling.of(method)

  def to_json(self) -> dict[str, Any]:
    """The specification as JSON values."""
    fields = dataclasses.asdict(self)
    if self.scaling is None:
      del fields["scaling"]  # Unknown to models of before.
    if self.gates is not None:
      for name in ("on", "grouping"):  # The same for all such codecs.
        del fields["gates"][name]
    return fields


def from_json(config: Mapping[str, Any]) -> ModulatedSpec:
  """The specification that `to_json` wrote.

  Raises:
    CorruptBitstreamError: if fields are missing, unknown or out of range.
  """
  with json_fields.reading():
    fields = dict(config)
    fields["network"] = siren.SirenConfig(
      **json_fields.tuples(fields["network"])
    )
    fields["rates"] = recipes.InnerRates(**json_fields.tuples(fields["rates"]))
    if fields["gates"] is not None:
      gates = dict(fields["gates"])
      gates["distribution"] = gates_lib.HardConcrete(
        **json_fields.tuples(gates["distribution"])
      )
      fields["gates"] = method_lib.Gates(**gates)
    if fields.get("scaling") is not None:
      fields["scaling"] = gradient_scaling.GradientScaling(**fields["scaling"])
    return ModulatedSpec(**fields)
