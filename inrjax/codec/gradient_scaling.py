"""Inner gradients of an encoder, in the scale that training's had.

A start that was learned from the points of highest error has learned to expect
their larger gradients (ECoP 2.4, B.2). An encoder fits all points and scales
their gradient as `adapt.scaling` does; here is what a model file says of it.
"""

import dataclasses
import functools

from inrjax.adapt import scaling
from inrjax.coords import select as select_lib
from inrjax.meta import method as method_lib
from inrjax.types import Array, PyTree

_KINDS = {"norm": scaling.by_gradient_norm, "loss": scaling.by_loss}
_SELECTS = ("top_error", "top_gradient_norm")
# Points scored at a time.
_TILE = 8192


@dataclasses.dataclass(frozen=True)
class GradientScaling:
  """How an encoder scales the gradients of all points.

  Attributes:
    kind: "norm", by the ratio of gradient norms (eq. 6), or "loss", by that of
      losses (B.2).
    ratio: gamma, the share of the points that training saw, in (0, 1].
    select: which these were, "top_error" (ECoP) or "top_gradient_norm"
      (GradNCP).
  """

  kind: str
  ratio: float
  select: str = "top_error"

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    if self.kind not in _KINDS:
      raise ValueError(f"kind is {self.kind!r}; choose from {tuple(_KINDS)}.")
    if self.select not in _SELECTS:
      raise ValueError(f"select is {self.select!r}; choose from {_SELECTS}.")
    if type(self.ratio) not in (int, float) or not 0 < self.ratio <= 1:
      raise ValueError(
        f"ratio must lie in (0, 1], got {self.ratio!r}; it is training's gamma."
      )

  def of(self, method: method_lib.Method) -> method_lib.Method:
    """The method with its gradients scaled; it fits and is not trained.

    Args:
      method: one that fits all points.
    """
    pruning = scaling.as_in_training(self._as_trained(method))
    return dataclasses.replace(method, gradient=_KINDS[self.kind](pruning))

  def _as_trained(self, method: method_lib.Method) -> select_lib.Select:
    if self.select == "top_error":
      return select_lib.top_error(method.apply, self.ratio, tile=_TILE)
    return select_lib.top_gradient_norm(
      method.apply,
      functools.partial(_features, method),
      self.ratio,
      output_slope=method.network.output_slope,
      tile=_TILE,
    )


def _features(
  method: method_lib.Method, shared: PyTree, fast: PyTree, coords: Array
) -> Array:
  params = method.partition.join(shared, fast)
  return method.network.features(params, coords)
