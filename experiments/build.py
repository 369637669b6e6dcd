"""From the sections of a config to the library's values, in one place.

Every section is unpacked into the keyword arguments of one constructor, so a
setting that nothing reads is an error and not a dead knob.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax import train
from inrjax.adapt import gradient, links
from inrjax.coords import images, select
from inrjax.meta import bootstrap, objectives, pruned, recipes, reptile
from inrjax.meta import method as method_lib
from inrjax.networks import fourier, nerv, siren, transinr, warm_start
from inrjax.networks import network as network_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups, pruning
from inrjax.sparsity import penalty as penalty_lib
from inrjax.types import Context, PyTree

# Settings of selects that rank points; those of others have no use for them.
_OF_RANKING = ("tile", "recall")

# A section of a config, or all of it.
Section = Mapping[str, Any]

_GRADIENTS = {
  "mixed_mode": gradient.mixed_mode,
  "reverse": gradient.reverse,
  "first_order": gradient.first_order,
}
_PENALTIES = {
  "constant": penalty_lib.constant,
  "ramped": penalty_lib.ramped,
  "controlled": penalty_lib.controlled,
}
_NETWORKS = {
  "siren": siren.SirenConfig,
  "fourier": fourier.FourierConfig,
  "nerv": nerv.NervConfig,
}
_GROUPINGS = {"parameter": groups.PerParameter, "unit": groups.PerUnit}
_SCORES = {"magnitude": pruning.magnitude, "chance": pruning.chance}
_ON_NONFINITE = {"stop": lambda: train.stop, "restore": train.RestoreLastGood}


class ConfigError(ValueError):
  """A setting has a value that its reader refuses."""


@contextlib.contextmanager
def of_config() -> Iterator[None]:
  """What a constructor refuses is wrong in the config."""
  try:
    yield
  except ConfigError:
    raise
  except ValueError as error:
    raise ConfigError(str(error)) from error


class Problem(NamedTuple):
  """What the training loop is given.

  Attributes:
    objective: the outer objective.
    optimizer: the outer optimiser.
    state: the state before the first step.
  """

  objective: objectives.Objective
  optimizer: optax.GradientTransformation
  state: train.TrainState


def choose(options: Mapping[str, Any], name: str, what: str) -> Any:
  """The option of that name.

  Args:
    options: by name.
    name: one of them.
    what: the setting it belongs to, for the message.

  Raises:
    ValueError: for an unknown name.
  """
  if name not in options:
    raise ValueError(f"{what} is {name!r}; choose from {sorted(options)}.")
  return options[name]


@of_config()
def make_as_context(
  side: int, *, channels: int, tiled: bool, low: float, high: float
) -> Any:
  """The function from one signal to its context (section `signal`).

  Args:
    side: P, of the square that is one signal.
    channels: C; checked against every image.
    tiled: whether the signals are tiles of larger images.
    low: start of the coordinate range.
    high: its end.
  """
  del tiled  # A tile and a whole image are the same to a network.
  as_context = images.image_context(side, side, low=low, high=high)

  def checked(image: Any) -> Context:
    if image.shape[-1] != channels:
      raise ValueError(
        f"The images have {image.shape[-1]} channels; signal.channels is "
        f"{channels}."
      )
    return as_context(image)

  return checked


def make_network(config: Section) -> siren.SirenConfig:
  """The shape of a SIREN (section `network`)."""
  return siren.SirenConfig(**config["network"])


@of_config()
def make_any_network(config: Section) -> network_lib.Config:
  """The network's shape (section `network`), a SIREN unless `kind` differs."""
  network = dict(config["network"])
  kind = network.pop("kind", "siren")
  return choose(_NETWORKS, kind, "network.kind")(**network)


def adapts_weights(config: Section) -> bool:
  """Whether weights are fast; without modulations nothing else can be."""
  return not config["network"].get("modulate")


def make_hypernetwork(config: Section) -> transinr.TransInrConfig:
  """TransINR's shape (section `hypernetwork`), for signals of the config's."""
  signal = config["signal"]
  sides = signal["sides"] if "sides" in signal else (signal["side"],) * 2
  return transinr.TransInrConfig(
    sides=tuple(sides),
    channels=config["network"]["out_dim"],
    **config["hypernetwork"],
  )


def make_rates(config: Section) -> recipes.InnerRates:
  """The inner learning rates (section `inner`)."""
  inner = dict(config["inner"])
  for name in ("num_steps", "gradient", "point_tile"):
    inner.pop(name, None)  # `make_method` takes them.
  return recipes.InnerRates(**inner)


def make_gates(config: Section) -> method_lib.Gates | None:
  """The gates (section `gates`), or None where there is no such section."""
  if "gates" not in config:
    return None
  gates = dict(config["gates"])
  del gates["penalty"]  # It belongs to the objective.
  distribution = gates_lib.HardConcrete(**gates.pop("distribution"))
  grouping = dict(gates.pop("grouping", {"kind": "parameter"}))
  make_grouping = choose(
    _GROUPINGS, grouping.pop("kind"), "gates.grouping.kind"
  )
  return method_lib.Gates(
    distribution=distribution, grouping=make_grouping(**grouping), **gates
  )


@of_config()
def make_method(config: Section) -> method_lib.Method:
  """The meta-learning method in training."""
  inner = config["inner"]
  common = {
    "rates": make_rates(config),
    "gates": make_gates(config),
    "num_steps": inner["num_steps"],
    "gradient": choose(_GRADIENTS, inner["gradient"], "inner.gradient"),
  }
  if "hypernetwork" in config:
    method = recipes.transinr(
      network=make_any_network(config),
      hypernetwork=make_hypernetwork(config),
      **common,
    )
  elif adapts_weights(config):
    method = recipes.maml(
      network=make_any_network(config), prunable="prune" in config, **common
    )
  else:
    method = recipes.modulated(network=make_network(config), **common)
  return dataclasses.replace(
    method,
    select=make_select(config, method),
    point_tile=inner.get("point_tile"),
  )


def make_select(config: Section, method: method_lib.Method) -> select.Select:
  """The points that each inner step sees (section `select`); all without it."""
  return _select(config.get("select", {"kind": "all"}), method, "select")


def _select(
  section: Section, method: method_lib.Method, where: str
) -> select.Select:
  """What a section `where` selects.

  Settings that are None are left out, and those of a ranking where there is
  none, so that one section serves all kinds.
  """
  settings = {k: v for k, v in section.items() if v is not None}
  kind = settings.pop("kind")
  if kind in ("all", "random"):
    for name in _OF_RANKING:
      settings.pop(name, None)
  features = functools.partial(_features, method)
  selects = {
    "all": lambda: select.full_context,
    "random": select.random_points,
    "top_error": functools.partial(select.top_error, method.apply),
    "top_gradient_norm": functools.partial(
      select.top_gradient_norm,
      method.apply,
      features,
      output_slope=method.network.output_slope,
    ),
  }
  make = choose(selects, kind, f"{where}.kind")
  if kind == "all" and settings:
    raise ValueError(
      f"{where}.kind 'all' takes no {', '.join(settings)}: leave it out, or "
      f"choose another of {sorted(selects)}."
    )
  chosen: select.Select = make(**settings)
  return chosen


def _features(
  method: method_lib.Method, shared: PyTree, fast: PyTree, coords: Any
) -> Any:
  return method.network.features(method.partition.join(shared, fast), coords)


@of_config()
def make_objective(
  config: Section,
  method: method_lib.Method,
  as_context: Callable[[PyTree], Context] | None = None,
) -> objectives.Objective:
  """What is minimised (section `objective`): else the loss after a fit.

  Args:
    config: the whole config.
    method: what `make_method` gave for it.
    as_context: of one signal of a batch; None is that of images.
  """
  settings = dict(config.get("objective", {"kind": "post_adaptation"}))
  kind = settings.pop("kind")
  if kind == "bootstrapped":
    settings["target"] = make_target(config, method)
    for name in ("num_steps", "learning_rate", "select"):
      del settings[name]  # They are the target's.
  kinds = {
    "post_adaptation": objectives.post_adaptation,
    "bootstrapped": bootstrap.bootstrapped,
    "reptile": reptile.reptile,
  }
  objective: objectives.Objective = choose(kinds, kind, "objective.kind")(
    method,
    as_context or make_as_context(**config["signal"]),
    task_tile=config["outer"]["task_tile"],
    **settings,
  )
  return objective


def make_target(
  config: Section, method: method_lib.Method
) -> bootstrap.Target | None:
  """The bootstrapped target (section `objective`), or None without one."""
  settings = config.get("objective", {"kind": "post_adaptation"})
  if settings["kind"] != "bootstrapped":
    return None
  rate = settings["learning_rate"]
  return bootstrap.Target(
    num_steps=settings["num_steps"],
    link=None if rate is None else links.sgd(rate),
    select=_select(settings["select"], method, "objective.select"),
  )


def make_schedule(config: Section) -> pruning.Schedule | None:
  """When pruning happens (section `prune`), or None without that section."""
  if "prune" not in config:
    return None
  prune = dict(config["prune"])
  for name in ("score", "roles"):  # `make_problem` takes them.
    del prune[name]
  return pruning.Schedule(**prune)


@of_config()
def milestones(config: Section) -> tuple[int, ...]:
  """Steps whose checkpoints are evaluated: ends of levels of sparsity.

  Of the levels `evaluate.rounds`, or of all. Where nothing is pruned, the steps
  `evaluate.checkpoints` and the last.

  Raises:
    ValueError: if no checkpoint is written at one of them, or there are not so
      many rounds.
  """
  schedule, every = make_schedule(config), config["train"]["checkpoint_every"]
  last = config["train"]["num_steps"]
  if schedule is None:
    wanted = {*config.get("evaluate", {}).get("checkpoints", ()), last}
    between = sorted(s for s in wanted if s % every and s != last)
    if between:
      raise ValueError(
        f"evaluate.checkpoints has {between}, between two checkpoints; "
        f"train.checkpoint_every is {every}: choose multiples of it."
      )
    return tuple(sorted(s for s in wanted if s <= last))
  ends = (*schedule.steps, schedule.num_steps)
  rounds = config["evaluate"]["rounds"]
  if rounds is not None and not set(rounds) <= set(range(len(ends))):
    raise ValueError(
      f"evaluate.rounds is {tuple(rounds)}, but prune.num_rounds is "
      f"{schedule.num_rounds}: choose rounds of these."
    )
  steps = tuple(
    end
    for count, end in enumerate(ends)
    if end <= last and (rounds is None or count in rounds)
  )
  missed = [s for s in steps if s % every and s != last]
  if missed:
    raise ValueError(
      f"The levels of sparsity end at steps {missed}, between two checkpoints; "
      f"train.checkpoint_every is {every}: choose one that divides them."
    )
  return steps


@of_config()
def exported_step(config: Section) -> int | None:
  """The step whose checkpoint is exported: the end of a level of sparsity.

  That of `export.rounds` rounds of pruning; None is the last.

  Raises:
    ValueError: if there are not so many rounds.
  """
  schedule = make_schedule(config)
  rounds = None if schedule is None else config["export"]["rounds"]
  if schedule is None or rounds is None:
    return None
  ends = (*schedule.steps, schedule.num_steps)
  if not 0 <= rounds < len(ends):
    raise ValueError(
      f"export.rounds is {rounds}, but prune.num_rounds is "
      f"{schedule.num_rounds}: choose one of these."
    )
  return ends[rounds]


@of_config()
def make_problem(
  config: Section,
  method: method_lib.Method,
  *,
  objective: objectives.Objective | None = None,
  num_values: int | None = None,
) -> Problem:
  """Objective, optimiser and initial state (sections `gates`, `outer`).

  Args:
    config: the whole config.
    method: what `make_method` gave for it.
    objective: what is minimised, before any penalty on gates; None makes it of
      images.
    num_values: N C of a signal; None is that of an image.
  """
  outer = dict(config["outer"])
  init_key, train_key = jax.random.split(jax.random.key(config["seed"]))
  params = method.init(init_key)
  del outer["task_tile"]  # `make_objective` takes it.
  if objective is None:
    objective = make_objective(config, method)
  carry: PyTree = ()
  if method.gates is not None:
    weight = _make_penalty(
      params.log_alpha, method.gates.distribution, **config["gates"]["penalty"]
    )
    if num_values is None:
      signal = config["signal"]
      num_values = signal["side"] ** 2 * signal["channels"]
    objective = objectives.with_l0_penalty(
      objective, weight, num_values=num_values
    )
    carry = ((), weight.init())
  optimizer = _make_optimizer(method, **outer)
  schedule = make_schedule(config)
  if schedule is not None:
    prune = config["prune"]
    optimizer = pruned.with_pruning(
      optimizer,
      method,
      schedule,
      score=choose(_SCORES, prune["score"], "prune.score"),
      pruned_roles=tuple(prune["roles"]),
      key=jax.random.fold_in(init_key, 1),
    )
  state = train.init_state(train_key, params, optimizer, carry=carry)
  return Problem(objective, optimizer, state)


@of_config()
def with_principal_start(
  config: Section, problem: Problem, coords: np.ndarray, values: np.ndarray
) -> Problem:
  """The problem, begun from the principal components (section `start`).

  Args:
    config: the whole config.
    problem: its problem.
    coords: `[N, D]`, of every signal.
    values: `[n, N, C]` training signals in [0, 1].
  """
  network = make_network(config)
  key = jax.random.key(config["seed"])
  params = warm_start.principal_start(
    network,
    network_lib.make_siren(network).init(key),
    jnp.asarray(coords),
    values,
    num_steps=config["start"]["num_steps"],
  )
  outer = problem.state.params
  # The fast parameters start from zero, whatever the network's start.
  shared, _ = make_method(config).partition.split(params)
  state = problem.state._replace(params=outer._replace(shared=shared))
  return problem._replace(state=state)


@of_config()
def on_nonfinite(name: str) -> train.OnNonFinite:
  """What to do about a loss that is not finite, by its name in configs."""
  return choose(_ON_NONFINITE, name, "train.on_nonfinite")()


def _make_penalty(
  log_alpha: PyTree,
  distribution: gates_lib.HardConcrete,
  *,
  kind: str,
  **settings: Any,
) -> penalty_lib.PenaltyWeight:
  """lambda; a controller's `target` is a number of open gates here.

  The range of log alpha leaves even a closed gate a chance of being sampled
  open, so E[L0] at `target` open gates is higher than `target`; the controller
  is given that value.
  """
  make = choose(_PENALTIES, kind, "gates.penalty.kind")
  if kind == "controlled":
    low, high = distribution.log_alpha_range
    is_open = gates_lib.top_gates(log_alpha, settings["target"])
    wanted = jax.tree.map(lambda keep: jnp.where(keep, high, low), is_open)
    expected = gates_lib.expected_l0(wanted, distribution)
    settings["target"] = float(expected)
  return make(**settings)


def _make_optimizer(
  method: method_lib.Method,
  *,
  num_steps: int,
  learning_rate: float,
  schedule: str,
  clip_norm: float | None,
  rate_factors: Mapping[str, float],
) -> optax.GradientTransformation:
  """Adam with a factor per field of `Outer`; log alpha stays in its range."""
  adam = train.make_optimizer(
    rate_by_step(schedule, learning_rate, num_steps),
    clip_norm=clip_norm,
    labels=method_lib.Outer(*method_lib.Outer._fields),
    rate_factors=rate_factors,
  )
  if method.gates is None:
    return adam
  return optax.chain(adam, _project_gates(method.gates.distribution))


def rate_by_step(
  schedule: str, learning_rate: float, num_steps: int
) -> optax.ScalarOrSchedule:
  """The learning rate of every outer step (`outer.schedule`).

  Args:
    schedule: "constant", or "cosine", to zero.
    learning_rate: at first.
    num_steps: where a schedule ends.

  Raises:
    ValueError: for another schedule.
  """
  schedules = {
    "constant": lambda: learning_rate,
    "cosine": lambda: optax.cosine_decay_schedule(learning_rate, num_steps),
  }
  chosen: optax.ScalarOrSchedule = choose(
    schedules, schedule, "outer.schedule"
  )()
  return chosen


def _project_gates(
  distribution: gates_lib.HardConcrete,
) -> optax.GradientTransformation:
  def project(
    updates: method_lib.Outer, params: method_lib.Outer | None
  ) -> method_lib.Outer:
    assert params is not None
    moved = optax.apply_updates(params.log_alpha, updates.log_alpha)
    inside = gates_lib.project_log_alpha(moved, distribution)
    return updates._replace(
      log_alpha=jax.tree.map(jnp.subtract, inside, params.log_alpha)
    )

  return optax.stateless(project)
