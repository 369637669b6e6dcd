"""Published methods as sentences, built from numbers that fit in a JSON file.

COIN++   modulated(latent_dim=L, fixed rates)     thesis 5.2, eq. 5.9
Functa   modulated(latent_dim=L, learned rates)   Dupont et al., 2022
MSCN     modulated(gates=Gates(...))              Schwarz & Teh, eq. 10
MAML     maml(...)                                Learnit
Meta-SGD maml(learned rates)                      Li et al., 2017
Meta-SparseINR  maml(prunable=True) and `pruned.with_pruning`
MSCN in weights maml(gates=Gates(on="updates"))   Schwarz & Teh, eq. 9
TransINR transinr(hypernetwork=...)               Chen & Wang, 2022
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links
from inrjax.meta import method as method_lib
from inrjax.networks import network as network_lib
from inrjax.networks import siren
from inrjax.networks import transinr as transinr_lib


@dataclasses.dataclass(frozen=True)
class InnerRates:
  """Inner learning rates.

  Attributes:
    low: the lowest initial rate.
    high: the highest; equal to `low` for one value.
    clip: range of the rates in use when they are meta-learned (meta-SGD); None
      keeps them fixed at `low`, which must then equal `high`.
  """

  low: float
  high: float
  clip: tuple[float, float] | None = None

  def __post_init__(self) -> None:
    if not 0 < self.low <= self.high:
      raise ValueError(
        "Inner learning rates need 0 < low <= high, got "
        f"{self.low} and {self.high}."
      )
    if self.clip is None and self.low != self.high:
      raise ValueError(
        f"Fixed inner rates need low = high, got {self.low} and {self.high}; "
        "set clip=(low, high) to learn them."
      )

  def link(self) -> links.Link:
    """The update rule with these rates."""
    if self.clip is None:
      return links.sgd(self.low)
    return links.meta_sgd(clip=self.clip)

  def init_meta(self) -> Callable[..., Any]:
    """Initial value of what the link reads."""
    if self.clip is None:
      return method_lib.no_meta
    return method_lib.UniformRates(self.low, self.high)


def modulated(
  *,
  network: siren.SirenConfig,
  rates: InnerRates,
  num_steps: int = 3,
  gates: method_lib.Gates | None = None,
  gradient: Callable[
    [gradient_lib.LossFn], gradient_lib.GradientFn
  ] = gradient_lib.mixed_mode,
  ema_decay: float | None = None,
) -> method_lib.Method:
  """Methods that adapt modulations or a latent and share everything else.

  Args:
    network: the SIREN; `latent_dim` set gives COIN++ and Functa.
    rates: inner learning rates.
    num_steps: inner steps S.
    gates: L0 gates, which make it MSCN.
    gradient: how the inner gradient is differentiated.
    ema_decay: alpha of the averaged iterates (MSCN D.2) or None.
  """
  return method_lib.Method(
    network=network_lib.make_siren(network),
    fast_roles=("modulation",),
    link=rates.link(),
    num_steps=num_steps,
    init_meta=rates.init_meta(),
    gates=gates,
    gradient=gradient,
    ema_decay=ema_decay,
  )


def maml(
  *,
  network: network_lib.Config,
  rates: InnerRates,
  num_steps: int = 2,
  gates: method_lib.Gates | None = None,
  prunable: bool = False,
  gradient: Callable[
    [gradient_lib.LossFn], gradient_lib.GradientFn
  ] = gradient_lib.mixed_mode,
) -> method_lib.Method:
  """Methods that adapt all weights and biases from a learned start.

  Args:
    network: the network, without modulations.
    rates: inner learning rates; learned ones make it meta-SGD.
    num_steps: inner steps S.
    gates: L0 gates: on the updates, MSCN's sparse gradients (eq. 9); on the
      values, its fully sparse network (appendix C).
    prunable: keeps a mask that `pruned.with_pruning` changes (Meta-SparseINR).
    gradient: how the inner gradient is differentiated; `first_order` makes it
      FOMAML.
  """
  return method_lib.Method(
    network=network_lib.make_network(network),
    fast_roles=("weight", "bias"),
    link=rates.link(),
    num_steps=num_steps,
    start=method_lib.learned_start,
    init_meta=rates.init_meta(),
    init_mask=method_lib.full_mask if prunable else method_lib.no_mask,
    gates=gates,
    gradient=gradient,
  )


def transinr(
  *,
  network: network_lib.Config,
  hypernetwork: transinr_lib.TransInrConfig,
  rates: InnerRates,
  num_steps: int = 0,
  gates: method_lib.Gates | None = None,
  gradient: Callable[
    [gradient_lib.LossFn], gradient_lib.GradientFn
  ] = gradient_lib.mixed_mode,
) -> method_lib.Method:
  """TransINR (Chen & Wang, 2022): weights that a transformer predicts.

  With steps, the fit goes on from there: at test time (ECoP B.3), or in
  training, which no paper has.

  Args:
    network: the network, without modulations.
    hypernetwork: the transformer.
    rates: inner learning rates.
    num_steps: inner steps S.
    gates: as in `maml`.
    gradient: as in `maml`.
  """
  fitted = maml(
    network=network,
    rates=rates,
    num_steps=num_steps,
    gates=gates,
    gradient=gradient,
  )
  return dataclasses.replace(
    fitted, hypernetwork=transinr_lib.make_transinr(hypernetwork, network)
  )
