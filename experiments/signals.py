"""Training, evaluation and export for signals that are no images.

The same methods and the same training loop as for images; signals are whole
fields on the sphere, or blocks of sound. Evaluation compresses the test signals
with the codec that `--mode=export` writes: rates are those of files.
"""

import contextlib
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from experiments import build, evaluation, training
from inrjax import data, train
from inrjax.codec import (
  errors,
  grid_codec,
  grid_fit,
  grid_network,
  grid_spec,
  json_arrays,
  kinds,
)
from inrjax.coords import grid, patches_nd, sphere
from inrjax.evaluate import signal_errors
from inrjax.meta import method as method_lib
from inrjax.meta import objectives
from inrjax.sparsity import gates as gates_lib
from inrjax.train import parallel
from inrjax.types import Context


class SignalSource(Protocol):
  """Anything with a length that gives one signal per index."""

  def __len__(self) -> int:
    """Number of signals."""

  def __getitem__(self, index: int) -> kinds.Signal:
    """The signal at an index in `[0, len)`."""


@dataclasses.dataclass(frozen=True)
class Fields:
  """Fields on one grid as signals.

  Attributes:
    fields: gives `[H, W, 1]` for an index, at its `latitudes` `[H]` and
      `longitudes` `[W]`, in degrees.
    indices: those that are in use.
    variable: its name.
    unit: of the values.
  """

  fields: Any
  indices: range
  variable: str
  unit: str

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> kinds.Signal:
    """The field at an index, with the metadata that a file would have."""
    with reading():
      values = np.asarray(self.fields[self.indices[index]], np.float32)
    return kinds.Signal("field", values, self._metadata, self.unit)

  @functools.cached_property
  def _metadata(self) -> dict[str, Any]:
    axes = (
      ("latitude", self.fields.latitudes, "degrees_north"),
      ("longitude", self.fields.longitudes, "degrees_east"),
    )
    return {
      "variable": self.variable,
      "dims": ["latitude", "longitude"],
      "grid": ["latitude", "longitude"],
      "attributes": {"units": self.unit},
      "coords": {
        name: {
          "dims": [name],
          "attributes": {"units": units},
          "values": json_arrays.pack(values),
        }
        for name, values, units in axes
      },
      "dataset": {},
    }


@dataclasses.dataclass(frozen=True)
class Sounds:
  """Sounds of one rate as signals.

  Attributes:
    sounds: gives `[T, 1]` int16 for an index.
    indices: those that are in use.
    rate: samples a second.
  """

  sounds: Any
  indices: range
  rate: int

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> kinds.Signal:
    """The sound at an index."""
    with reading():
      values = self.sounds[self.indices[index]]
    return kinds.Signal("audio", values, {"rate": self.rate})


@contextlib.contextmanager
def reading() -> Iterator[None]:
  """What a source refuses ends a launcher in one line."""
  try:
    yield
  except (data.AudioError, data.FieldError, data.GlobeError) as error:
    raise errors.UnsupportedSignalError(str(error)) from error


def make_spec(
  config: build.Section, *, num_steps: int, ema_decay: float
) -> grid_spec.GridSpec:
  """What the model file says of the codec (section `signal`).

  Args:
    config: the whole config.
    num_steps: inner steps.
    ema_decay: averaging; 1 for none.
  """
  return grid_spec.GridSpec(
    network=build.make_network(config),
    rates=build.make_rates(config),
    gates=build.make_gates(config),
    num_steps=num_steps,
    ema_decay=None if ema_decay == 1 else ema_decay,
    **config["signal"],
  )


class _Units:
  """Signals of a source as arrays in [0, 1], with the axes of images."""

  def __init__(self, source: SignalSource, spec: grid_spec.GridSpec):
    self._source = source
    self._spec = spec

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    """`[H, W, 1]`, or `[T, 1, 1]` of sound."""
    signal = self._source[index]
    if self._spec.value_range is not None:
      low, high = self._spec.value_range
    else:
      low, high = kinds.own_range(signal.kind, signal.values)
    unit = ((signal.values - low) / (high - low)).astype(np.float32)
    if not np.isfinite(unit).all():
      raise errors.UnsupportedSignalError(
        "A training signal has missing values; fill them, or choose another "
        "variable."
      )
    return unit if unit.ndim == 3 else unit[:, np.newaxis]


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the signals of a split, by name.
    trained_in: the working folder whose checkpoint is evaluated and exported;
      None is this run's own.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], SignalSource]
  trained_in: pathlib.Path | None = None

  def meta_learn(self) -> None:
    """Meta-learns, from the newest checkpoint if there is one."""
    training.fit(
      self.config,
      self.workdir,
      self._problem,
      self._batches(),
      evaluate_fn=self._validation,
    )

  def measure(self) -> None:
    """Writes and prints errors and the rates of files of the test signals."""
    settings = self.config["evaluate"]
    signals = self._signals("test", settings["num_signals"])
    outer, kept = self._outer()
    unquantised = [
      {"num_steps": steps, "ema_decay": decay}
      | {"psnr": self._psnr(outer, signals, steps, decay)}
      for steps in settings["num_steps"]
      for decay in settings["ema_decays"]
    ]
    codec = self._codec(outer)
    quantised = [
      measured(codec, signals, quality=quality, effort=settings["effort"])
      for quality in settings["qualities"]
    ]
    record = {
      "num_modulations": int(kept.sum()),
      "num_modulations_wanted": self.config["num_modulations"],
      "num_signals": len(signals),
      "unquantised": unquantised,
      "quantised": quantised,
    }
    training.write_record(self.workdir, record)
    if parallel.is_primary():
      for name in ("unquantised", "quantised"):
        print(f"\n{name}\n{evaluation.table(record[name])}", end="")

  def write_model(self) -> None:
    """Writes the model file that `inrjax compress --model` takes."""
    path = self.workdir / "model.inrmodel"
    codec = self._codec(self._outer()[0])
    if parallel.is_primary():
      codec.save(path)
      print(f"Wrote {path}")

  @functools.cached_property
  def _spec(self) -> grid_spec.GridSpec:
    return make_spec(self.config, **self.config["evaluate"]["encoder"])

  @functools.cached_property
  def _method(self) -> method_lib.Method:
    return build.make_method(self.config)

  @functools.cached_property
  def _problem(self) -> build.Problem:
    method = self._method
    coords = jnp.asarray(self._coords())
    channels = self._spec.network.out_dim

    def as_context(signal: Any) -> Context:
      return Context(coords, signal.reshape(len(coords), channels))

    objective = objectives.post_adaptation(
      method, as_context, task_tile=self.config["outer"]["task_tile"]
    )
    return build.make_problem(
      self.config,
      method,
      objective=objective,
      num_values=len(coords) * channels,
    )

  def _coords(self) -> np.ndarray:
    spec = self._spec
    if spec.sides is not None:
      return grid.grid(spec.sides, low=spec.low, high=spec.high)
    source = self.load("train")
    assert isinstance(source, Fields)
    axes = source.fields.latitudes, source.fields.longitudes
    return sphere.unit_vectors(*axes).reshape(-1, 3)

  def _batches(self) -> Any:
    sides = self._spec.sides
    return data.make_pipeline(
      _Units(self.load("train"), self._spec),
      seed=self.config["seed"],
      crop_size=None if sides is None else (sides[0], 1),
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **self.config["data"]["pipeline"],
    )

  def _signals(self, split: str, count: int | None) -> list[kinds.Signal]:
    """The first signals of a split; all of them for None."""
    source = self.load(split)
    return [source[i] for i in range(min(len(source), count or len(source)))]

  def _outer(self) -> tuple[method_lib.Outer, np.ndarray]:
    """What was trained, its gates fixed, and which values are stored."""
    state = training.trained(
      self.config, self.workdir, self._problem.state, self.trained_in
    )
    budget = self.config["evaluate"].get("max_modulations")
    return evaluation.fix_gates(
      self._method, jax.device_get(state.params), max_modulations=budget
    )

  def _codec(self, outer: method_lib.Outer) -> grid_codec.GridCodec:
    settings = dict(self.config["export"])
    signals = self._signals("train", settings.pop("num_signals"))
    return grid_fit.fit_grid_codec(
      self._spec,
      outer,
      signals,
      card={"config": dict(self.config), "num_training_signals": len(signals)},
      seed=self.config["seed"],
      **settings,
    )

  def _validation(self, state: train.TrainState) -> dict[str, float]:
    """PSNR on held-out signals, in training's own number of inner steps."""
    count = self.config["evaluate"]["num_validation_signals"]
    signals = self._signals("validation", count)
    steps = self.config["inner"]["num_steps"]
    outer = jax.device_get(state.params)
    return {"validation_psnr": self._psnr(outer, signals, steps, 1.0)}

  def _psnr(
    self,
    outer: method_lib.Outer,
    signals: list[kinds.Signal],
    num_steps: int,
    ema_decay: float,
  ) -> float:
    """Mean PSNR of fits, nothing quantised."""
    spec = make_spec(self.config, num_steps=num_steps, ema_decay=ema_decay)
    if spec.gates is not None and not _any_open(spec.gates, outer):
      return -math.inf
    network = grid_network.GridNetwork(spec, outer)
    coords = self._coords()
    found = []
    for unit in (_Units(signals, spec)[i] for i in range(len(signals))):
      blocks = unit[np.newaxis]
      if spec.sides is not None:
        blocks = patches_nd.to_blocks(unit, (spec.sides[0], 1))
      flat = blocks.reshape(-1, len(coords), unit.shape[-1])
      decoded = network.values(network.fit(flat, coords), coords)
      found.append(-10 * math.log10(np.square(decoded - flat).mean()))
    return float(np.mean(found))


def measured(
  codec: grid_codec.GridCodec,
  signals: list[kinds.Signal],
  *,
  quality: float,
  effort: str,
) -> evaluation.Record:
  """Rate of one file of all signals, and errors, at one quality.

  Args:
    codec: the codec.
    signals: what is compressed; fields on one grid are steps in time of one
      signal, as in their files.
    quality: 0 to 100.
    effort: of the encoder.

  Returns:
    Bits per place with and without headers and metadata; means over the signals
    of PSNR, with the model's range as peak, and of the error in their unit; the
    largest error of all.
  """
  together = _stacked(signals)
  encoded = codec.compress_signals(together, quality=quality, effort=effort)
  rows = []
  decoded = codec.decompress_signals(encoded)
  for before, after in zip(together, decoded, strict=True):
    plan = codec.plan(codec.check_signal(before), before.metadata)
    pairs = (s.values.reshape(plan.shape) for s in (before, after))
    for original, result in zip(*pairs, strict=True):
      rows.append(
        signal_errors.signal_errors(original, result, value_range=plan.interval)
      )
  num_places = sum(s.values.size for s in signals) / codec.channels
  rates = codec.rates(encoded)
  return {
    "quality": quality,
    "bpp": 8 * len(encoded) / num_places,
    "payload_bpp": 8 * sum(r.payload for r in rates) / num_places,
    "psnr": float(np.mean([row.psnr for row in rows])),
    "rmse": float(np.mean([row.root_mean_square for row in rows])),
    "max_error": max(row.max_absolute for row in rows),
  }


def _stacked(signals: list[kinds.Signal]) -> list[kinds.Signal]:
  """Fields on one grid as one signal; others as they are."""
  first = signals[0]
  if first.kind != "field" or any(
    s.metadata != first.metadata for s in signals
  ):
    return signals
  metadata = {**first.metadata, "dims": ["time", *first.metadata["dims"]]}
  values = np.stack([signal.values for signal in signals])
  return [first._replace(values=values, metadata=metadata)]


def _any_open(gates: method_lib.Gates, outer: method_lib.Outer) -> bool:
  is_open = gates_lib.open_gates(outer.log_alpha, gates.distribution)
  return any(bool(np.any(leaf)) for leaf in jax.tree.leaves(is_open))
