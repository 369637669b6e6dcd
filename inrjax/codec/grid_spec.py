"""What a model file says of a codec of grids, as values that JSON holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from inrjax.codec import gradient_scaling, json_fields, kinds
from inrjax.meta import method as method_lib
from inrjax.meta import recipes
from inrjax.networks import siren
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups


@dataclasses.dataclass(frozen=True)
class GridSpec:
  """A codec of sound, fields, volumes or arrays by modulations of a network.

  Attributes:
    network: the network; `in_dim` coordinates, `out_dim` channels.
    rates: inner learning rates.
    num_steps: inner steps of the encoder.
    kinds: of the signals it serves, of `kinds.KINDS`.
    sides: of the blocks that signals are cut into, one for each axis, each
      block a signal of its own (COIN++: 200 to 1600 samples of sound, 16 x 16 x
      16 voxels); None takes whole fields as points of the unit sphere.
    low: start of the range of coordinates in a block, on all axes; those of the
      sphere are what they are.
    high: its end.
    value_range: the values that become 0 and 1, in the unit of the signals
      (202.66 and 320.93 K in COIN++); None takes each signal's own range, and
      full scale for sound.
    unit: that signals must have; "" for any.
    sample_rate: that sound must have, per second; None for any.
    ema_decay: averaging of the inner iterates (MSCN D.2) or None.
    gates: the gates that were trained with the network (MSCN eq. 10) or None.
    scaling: how gradients are scaled where training saw a part of the points
      (ECoP, eq. 6), or None.
  """

  network: siren.SirenConfig
  rates: recipes.InnerRates
  num_steps: int
  kinds: tuple[str, ...]
  sides: tuple[int, ...] | None
  low: float = -1.0
  high: float = 1.0
  value_range: tuple[float, float] | None = None
  unit: str = ""
  sample_rate: int | None = None
  ema_decay: float | None = None
  gates: method_lib.Gates | None = None
  scaling: gradient_scaling.GradientScaling | None = None

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    unknown = sorted(set(self.kinds) - set(kinds.KINDS))
    if unknown or not self.kinds:
      raise ValueError(
        f"kinds is {self.kinds}; choose from {', '.join(kinds.KINDS)}."
      )
    self._check_axes()
    if not isinstance(self.num_steps, int) or not 0 <= self.num_steps <= 10_000:
      raise ValueError(
        f"num_steps must be an integer in [0, 10000], got {self.num_steps}."
      )
    if self.ema_decay is not None and not 0 < self.ema_decay <= 1:
      raise ValueError(f"ema_decay must lie in (0, 1], got {self.ema_decay}.")
    for low, high in ((self.low, self.high), self.value_range or (0, 1)):
      if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"A range must rise and be finite: {low} to {high}.")
    if self.sample_rate is not None and self.sample_rate < 1:
      raise ValueError(
        f"sample_rate must be at least 1, got {self.sample_rate}."
      )
    if self.gates is not None and self.gates != dataclasses.replace(
      self.gates, on="values", grouping=groups.PerParameter()
    ):
      raise ValueError(
        "The codec stores modulations with a gate each; got gates on "
        f"{self.gates.on} grouped by {self.gates.grouping}."
      )

  @property
  def on_sphere(self) -> bool:
    """Whether coordinates are points of the unit sphere."""
    return self.sides is None

  @property
  def num_axes(self) -> int:
    """k, the axes of a signal before its channels."""
    return 2 if self.sides is None else len(self.sides)

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

  def _check_axes(self) -> None:
    wanted = 3 if self.sides is None else len(self.sides)
    if self.network.in_dim != wanted:
      raise ValueError(
        f"The network has {self.network.in_dim} coordinates; sides "
        f"{self.sides} ask for {wanted}."
      )
    if self.sides is None:
      if self.kinds != ("field",):
        raise ValueError(
          f"Only fields lie on the sphere; got {', '.join(self.kinds)}. Give "
          "sides."
        )
      return
    if not 1 <= len(self.sides) <= 3 or not all(
      isinstance(side, int) and 1 <= side <= 1 << 20 for side in self.sides
    ):
      raise ValueError(
        f"sides must be one to three integers in [1, 2^20], got {self.sides}."
      )
    if math.prod(self.sides) > 1 << 22:
      raise ValueError(
        f"A block of {self.sides} has more than 2^22 points; cut it smaller."
      )
    for kind in self.kinds:
      if kinds.NUM_AXES.get(kind, len(self.sides)) != len(self.sides):
        raise ValueError(
          f"{kind} has {kinds.NUM_AXES[kind]} axes, sides is {self.sides}."
        )


def from_json(config: Mapping[str, Any]) -> GridSpec:
  """The specification that `to_json` wrote.

  Raises:
    CorruptBitstreamError: if fields are missing, unknown or out of range.
  """
  with json_fields.reading():
    fields = json_fields.tuples(config)
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
    return GridSpec(**fields)
