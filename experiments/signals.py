"""Training, evaluation and export for signals that are no images.

The same methods and the same training loop as for images; signals are whole
fields on the sphere, or blocks of sound, of volumes, of voxels and of clips.
Evaluation compresses the test signals with the codec that `--mode=export`
writes: rates are those of files.

Methods that adapt all weights of a network (ECoP) are trained and evaluated by
what their fits reach; there is no codec of what they fit, as there is of images
(`export_sparse`).
"""

import contextlib
import dataclasses
import fractions
import functools
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from experiments import (
  build,
  evaluation,
  frame_points,
  picture_quality,
  signal_quality,
  test_time,
  training,
)
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
from inrjax.coords import grid, masked, patches_nd, sphere
from inrjax.meta import method as method_lib
from inrjax.networks import nerv, siren
from inrjax.sparsity import gates as gates_lib
from inrjax.train import parallel
from inrjax.types import Context

# What signals are to the network of a config.
Spec = grid_spec.GridSpec | frame_points.FrameSpec

# Training signals that tell whether values are missing in any.
_NUM_LOOKED_AT = 64


_NAMED_AT_ONCE = 20  # Files in an error.


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


@dataclasses.dataclass(frozen=True)
class Volumes:
  """Volumes as signals.

  Attributes:
    volumes: gives `[X, Y, Z, 1]` for an index.
    indices: those that are in use.
    value_range: values outside are clipped (COIN++ clips the brightest of MRI,
      thesis C.1.2), and a model without a range takes this one; None leaves
      each volume its own.
    box: most voxels along each axis, of which the middle is taken; None takes
      whole volumes.
  """

  volumes: Any
  indices: Sequence[int]
  value_range: tuple[float, float] | None = None
  box: tuple[int, int, int] | None = None

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> kinds.Signal:
    """The volume at an index, of its own type."""
    with reading():
      values = self.volumes[self.indices[index]]
    if self.box is not None:
      starts = [
        max(0, (n - b) // 2)
        for n, b in zip(values.shape, self.box, strict=False)
      ]
      ends = [a + b for a, b in zip(starts, self.box, strict=True)]
      values = values[tuple(map(slice, starts, ends))]
    if self.value_range is not None:
      values = np.clip(values, *self.value_range).astype(values.dtype)
    return kinds.Signal("volume", values, {})


@dataclasses.dataclass(frozen=True)
class Voxels:
  """Occupancy grids as signals.

  Attributes:
    grids: gives `[S, S, S, 1]` bool for an index.
    indices: those that are in use.
  """

  grids: Any
  indices: Sequence[int]

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> kinds.Signal:
    """The grid at an index, 1 where it is occupied and 0 elsewhere."""
    with reading():
      values = np.asarray(self.grids[self.indices[index]], np.float32)
    return kinds.Signal("occupancy", values, {})


@dataclasses.dataclass(frozen=True)
class Clips:
  """Clips as signals.

  Attributes:
    clips: gives `[T, H, W, 3]` uint8 for an index.
    rate: frames a second, which a file of a clip plays; None is unknown.
  """

  clips: Any
  rate: fractions.Fraction | None = None

  def __len__(self) -> int:
    return len(self.clips)

  def __getitem__(self, index: int) -> kinds.Signal:
    """The clip at an index, with the metadata that a file would have."""
    with reading():
      values = self.clips[index]
    rate = self.rate
    metadata = {} if rate is None else {"rate": [*rate.as_integer_ratio()]}
    return kinds.Signal("video", values, metadata)


@contextlib.contextmanager
def reading() -> Iterator[None]:
  """What a source refuses ends a launcher in one line."""
  try:
    yield
  except (
    data.AudioError,
    data.FieldError,
    data.GlobeError,
    data.VideoError,
    data.VolumeError,
    data.VoxelError,
  ) as error:
    raise errors.UnsupportedSignalError(str(error)) from error


def divided_by_name(
  names: Sequence[str],
  test_files: Sequence[str],
  folder: pathlib.Path,
  *,
  otherwise: str = "",
) -> tuple[list[int], list[int]]:
  """Places of the files for training, and of those for testing.

  Args:
    names: of the files below a folder.
    test_files: names of those for testing, in their order.
    folder: for the message.
    otherwise: what else can be done, ends the message.

  Raises:
    UnsupportedSignalError: for names that are not there, none, or all.
  """
  missing = set(test_files) - set(names)
  if missing or not test_files or len(test_files) == len(names):
    more = len(names) - _NAMED_AT_ONCE
    some = [*names[:_NAMED_AT_ONCE], *([f"{more} more"] if more > 0 else [])]
    raise errors.UnsupportedSignalError(
      f"data.source.test_files is {list(test_files)}, and {folder} has "
      f"{', '.join(some) or 'no such file'}: name some of them, and leave some "
      f"for training{otherwise}."
    )
  train = [i for i, name in enumerate(names) if name not in test_files]
  return train, [list(names).index(name) for name in test_files]


def make_spec(
  config: build.Section, *, num_steps: int, ema_decay: float
) -> Spec:
  """What the model file says of the codec (section `signal`).

  Where all weights adapt there is no model file; it says what blocks are.

  Args:
    config: the whole config; `signal.points` is "places" unless it is there.
    num_steps: inner steps.
    ema_decay: averaging; 1 for none.

  Raises:
    ConfigError: if network and points do not agree, or no codec takes the
      gradient `evaluate.gradient`.
  """
  signal = dict(config["signal"])
  network = build.make_any_network(config)
  points = signal.pop("points", "places")
  kind = {"places": siren.SirenConfig, "frames": nerv.NervConfig}
  if not isinstance(network, build.choose(kind, points, "signal.points")):
    raise build.ConfigError(
      f"signal.points is {points!r}, for which network.kind is "
      f"{'siren' if points == 'places' else 'nerv'!r}."
    )
  if isinstance(network, nerv.NervConfig):
    return frame_points.FrameSpec(network, **signal)
  assert isinstance(network, siren.SirenConfig)
  return grid_spec.GridSpec(
    network=network,
    rates=build.make_rates(config),
    gates=build.make_gates(config),
    num_steps=num_steps,
    ema_decay=None if ema_decay == 1 else ema_decay,
    scaling=test_time.make_scaling(config),
    **signal,
  )


class _Units:
  """Signals of a source as arrays in [0, 1]; NaN stays where one is missing."""

  def __init__(
    self,
    source: SignalSource,
    spec: Spec,
    *,
    may_miss: bool = True,
  ):
    """Wraps a source.

    Args:
      source: the signals.
      spec: the range, and whether a signal is one block.
      may_miss: whether signals may have missing values; False refuses them, as
        blocks of signals do in any case.
    """
    self._source = source
    self._spec = spec
    self._may_miss = may_miss

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    """`[*shape, C]` float32."""
    signal = self._source[index]
    missing = np.isnan(signal.values)
    if missing.all() or np.isinf(signal.values).any():
      raise errors.UnsupportedSignalError(
        f"Signal {index} has infinite values, or none at all; leave it out, or "
        "mark what is missing with NaN."
      )
    if self._spec.value_range is not None:
      low, high = self._spec.value_range
    else:
      low, high = kinds.own_range(signal.kind, signal.values)
    unit = ((signal.values - low) / (high - low)).astype(np.float32)
    if not missing.any():
      return unit
    if self._spec.sides is not None:
      raise errors.UnsupportedSignalError(
        "A signal that is cut into blocks has missing values; fill them: only "
        "whole fields are learned around what is missing."
      )
    if not self._may_miss:
      raise errors.UnsupportedSignalError(
        f"Signal {index} has missing values, and the {_NUM_LOOKED_AT} that "
        "were looked at have none; fill them, or leave it out."
      )
    return unit


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
    problem = self._problem
    if "start" in self.config:
      problem = build.with_principal_start(
        self.config, problem, self._coords, self._start()
      )
    training.fit(
      self.config,
      self.workdir,
      problem,
      self._batches(),
      evaluate_fn=self._validation,
    )

  def measure(self) -> None:
    """Writes and prints errors and the rates of files of the test signals."""
    settings = self.config["evaluate"]
    signals = self._signals("test", settings["num_signals"])
    if build.adapts_weights(self.config):
      record = self._measure_weights(signals)
    else:
      record = self._measure_modulations(signals)
    training.write_record(self.workdir, {"num_signals": len(signals)} | record)

  def write_model(self) -> None:
    """Writes the model file that `inrjax compress --model` takes."""
    if build.adapts_weights(self.config):
      raise build.ConfigError(
        "There is no codec of all weights for signals that are no images; "
        "leave out --mode=export."
      )
    path = self.workdir / "model.inrmodel"
    codec = self._codec(self._outer()[0])
    if parallel.is_primary():
      codec.save(path)
      print(f"Wrote {path}")

  def _measure_weights(self, signals: list[kinds.Signal]) -> evaluation.Record:
    outer, units = self._trained(), _Units(signals, self._spec)
    kind, settings = signals[0].kind, self.config["evaluate"]
    weights, num_pictures = None, 0
    if kind == "video":
      weights = picture_quality.begin(settings, units[0].shape[1:3])
      num_pictures = settings["num_pictures"] if parallel.is_primary() else 0
    records = []
    for gradient in settings["fit"]["gradients"]:
      rows, by_step = [], []
      fits = self._make_fit(gradient=gradient)(outer, units)
      for index, fitted in enumerate(fits):
        by_step.append(fitted.psnrs)
        pair = units[index], fitted.values
        rows.append(signal_quality.of_kind(kind, *pair, weights))
        if index < num_pictures:
          path = self.workdir / f"pictures/{gradient}_{index}.png"
          picture_quality.draw_clip(path, *pair)
      psnrs = np.stack(by_step)
      records.append(
        {
          "gradient": gradient,
          "num_steps": psnrs.shape[1] - 1,
          "psnr": float(psnrs[:, -1].mean()),
          "deviation": float(psnrs[:, -1].std()),
          **signal_quality.means(rows),
          "psnr_by_step": psnrs.mean(axis=0).tolist(),
        }
      )
    if parallel.is_primary():
      hidden = "psnr_by_step"
      rows = [{k: v for k, v in r.items() if k != hidden} for r in records]
      print(f"\nfits\n{evaluation.table(rows)}", end="")
    return {"fits": records}

  @functools.cached_property
  def _make_fit(self) -> Callable[..., signal_quality.Fit]:
    """Of a gradient; each is compiled once."""
    return functools.cache(
      functools.partial(
        signal_quality.make_fit, self.config, self._method, self._coords
      )
    )

  def _measure_modulations(
    self, signals: list[kinds.Signal]
  ) -> evaluation.Record:
    settings = self.config["evaluate"]
    outer, kept = self._outer()
    unquantised = [
      {"num_steps": steps, "ema_decay": decay}
      | self._quality(outer, signals, steps, decay)
      for steps in settings["num_steps"]
      for decay in settings["ema_decays"]
    ]
    codec = self._codec(outer)
    quantised = [
      signal_quality.of_files(
        codec, signals, quality=quality, effort=settings["effort"]
      )
      for quality in settings["qualities"]
    ]
    record = {
      "num_modulations": int(kept.sum()),
      "num_modulations_wanted": self.config["num_modulations"],
      "unquantised": unquantised,
      "quantised": quantised,
    }
    if self._spec.on_sphere and self._spec.value_range is not None:
      known = self.load("train")
      of_mean = signal_quality.of_mean(
        (known[i] for i in range(len(known))),
        signals,
        value_range=self._spec.value_range,
      )
      record["training_mean"] = [of_mean]
    # Configs of earlier runs have no such setting.
    num_bits = settings.get("bits")
    if num_bits:
      record["fixed_width"] = self._fixed_width(outer, signals, num_bits)
    if parallel.is_primary():
      for name in ("unquantised", "quantised", "training_mean", "fixed_width"):
        if name in record:
          print(f"\n{name}\n{evaluation.table(record[name])}", end="")
    return record

  def _fixed_width(
    self,
    outer: method_lib.Outer,
    signals: list[kinds.Signal],
    num_bits: Sequence[int],
  ) -> list[evaluation.Record]:
    """The papers' quantisation, in the statistics of the codec's signals."""
    training = self._signals("train", self.config["export"]["num_signals"])
    known, units = (_Units(some, self._spec) for some in (training, signals))
    with build.of_config():
      return signal_quality.fixed_width(
        grid_network.GridNetwork(self._codec_spec, outer),
        (known[i] for i in range(len(known))),
        [units[i] for i in range(len(units))],
        self._coords,
        kind=signals[0].kind,
        num_bits=num_bits,
        seed=self.config["seed"],
      )

  @functools.cached_property
  def _spec(self) -> Spec:
    if build.adapts_weights(self.config):
      fit = self.config["evaluate"]["fit"]
      return self._make_spec(num_steps=fit["num_steps"], ema_decay=1.0)
    return self._make_spec(**self.config["evaluate"]["encoder"])

  def _make_spec(self, *, num_steps: int, ema_decay: float) -> Spec:
    """The specification, with the training signals' range if it has none."""
    with build.of_config():
      spec = make_spec(self.config, num_steps=num_steps, ema_decay=ema_decay)
    if isinstance(spec, frame_points.FrameSpec) or spec.value_range is not None:
      return spec
    return dataclasses.replace(spec, value_range=self._value_range)

  @property
  def _codec_spec(self) -> grid_spec.GridSpec:
    """The specification where modulations adapt, which a codec stores."""
    assert isinstance(self._spec, grid_spec.GridSpec)
    return self._spec

  @functools.cached_property
  def _value_range(self) -> tuple[float, float] | None:
    source = self.load("train")
    return source.value_range if isinstance(source, Volumes) else None

  @functools.cached_property
  def _method(self) -> method_lib.Method:
    return build.make_method(self.config)

  @functools.cached_property
  def _problem(self) -> build.Problem:
    method = self._method
    coords = jnp.asarray(self._coords)
    num_places = math.prod(self._spec.sides or coords.shape[:1])

    def as_context(signal: Any) -> Any:
      values = signal.reshape(len(coords), -1)
      if self._some_missing:
        return masked.masked_context(coords, values)
      return Context(coords, values)

    return build.make_problem(
      self.config,
      method,
      objective=build.make_objective(self.config, method, as_context),
      num_values=num_places * self._spec.network.out_dim,
    )

  @functools.cached_property
  def _some_missing(self) -> bool:
    """Whether training signals have missing values, which no loss may see.

    Only whole fields may. Of many some are looked at, spread evenly, which
    hold what no field of a variable has; `_batches` refuses what they miss.
    """
    if self._spec.sides is not None:
      return False
    source = self.load("train")
    places = np.linspace(0, len(source) - 1, _NUM_LOOKED_AT).astype(int)
    return any(np.isnan(source[int(i)].values).any() for i in sorted({*places}))

  @functools.cached_property
  def _coords(self) -> np.ndarray:
    """`[N, D]` of a block, of its frames, or of whole fields."""
    spec = self._spec
    if isinstance(spec, frame_points.FrameSpec):
      return spec.coords()
    if spec.sides is not None:
      return grid.grid(spec.sides, low=spec.low, high=spec.high)
    source = self.load("train")
    assert isinstance(source, Fields)
    axes = source.fields.latitudes, source.fields.longitudes
    return sphere.unit_vectors(*axes).reshape(-1, 3)

  def _batches(self) -> Any:
    units = _Units(self.load("train"), self._spec, may_miss=self._some_missing)
    with build.of_config():
      return data.make_pipeline(
        units,
        seed=self.config["seed"],
        crop_size=self._spec.sides,
        shard_index=jax.process_index(),
        shard_count=jax.process_count(),
        **self.config["data"]["pipeline"],
      )

  def _start(self) -> np.ndarray:
    """Training blocks `[n, N, C]`, spread evenly over the signals."""
    if self._some_missing:
      raise build.ConfigError(
        "The training signals have missing values, and principal components "
        "need all of them; take a config without the section start."
      )
    units = _Units(self.load("train"), self._spec, may_miss=False)
    count = self.config["start"]["num_signals"]
    rng = np.random.default_rng(self.config["seed"])
    wanted = -(-count // len(units))
    chosen = []
    for index in range(min(len(units), count)):
      unit = units[index]
      blocks = patches_nd.to_blocks(unit, self._spec.sides or unit.shape[:-1])
      chosen.append(rng.permutation(blocks)[:wanted])
    values = np.concatenate(chosen)[:count]
    return values.reshape(len(values), len(self._coords), -1)

  def _signals(self, split: str, count: int | None) -> list[kinds.Signal]:
    """The first signals of a split; all of them for None."""
    source = self.load(split)
    return [source[i] for i in range(min(len(source), count or len(source)))]

  def _trained(self) -> method_lib.Outer:
    state = self._problem.state
    if self.config["train"]["num_steps"]:  # Else nothing is learned.
      state = training.trained(
        self.config, self.workdir, state, self.trained_in
      )
    params: method_lib.Outer = jax.device_get(state.params)
    return params

  def _outer(self) -> tuple[method_lib.Outer, np.ndarray]:
    """What was trained, its gates fixed, and which values are stored."""
    budget = self.config["evaluate"].get("max_modulations")
    return evaluation.fix_gates(
      self._method, self._trained(), max_modulations=budget
    )

  def _codec(self, outer: method_lib.Outer) -> grid_codec.GridCodec:
    settings = dict(self.config["export"])
    signals = self._signals("train", settings.pop("num_signals"))
    return grid_fit.fit_grid_codec(
      self._codec_spec,
      outer,
      signals,
      card={"config": dict(self.config), "num_training_signals": len(signals)},
      seed=self.config["seed"],
      **settings,
    )

  def _validation(self, state: train.TrainState) -> dict[str, float]:
    """Quality on held-out signals.

    Of modulations in training's own number of inner steps, of weights in the
    test's, on all points.
    """
    count = self.config["evaluate"]["num_validation_signals"]
    signals = self._signals("validation", count)
    outer = jax.device_get(state.params)
    if build.adapts_weights(self.config):
      units = _Units(signals, self._spec)
      fits = self._make_fit(gradient="full")(outer, units)
      found = {"psnr": float(np.mean([fitted.psnrs[-1] for fitted in fits]))}
    else:
      steps = self.config["inner"]["num_steps"]
      found = self._quality(outer, signals, steps, 1.0)
    return {f"validation_{name}": value for name, value in found.items()}

  def _quality(
    self,
    outer: method_lib.Outer,
    signals: list[kinds.Signal],
    num_steps: int,
    ema_decay: float,
  ) -> dict[str, float]:
    """Means over signals of fits, nothing quantised."""
    spec = self._make_spec(num_steps=num_steps, ema_decay=ema_decay)
    assert isinstance(spec, grid_spec.GridSpec)
    if spec.gates is not None and not _any_open(spec.gates, outer):
      return {"psnr": -math.inf}
    units = _Units(signals, spec)
    return signal_quality.of_fits(
      grid_network.GridNetwork(spec, outer),
      (units[i] for i in range(len(units))),
      self._coords,
      kind=signals[0].kind,
    )


def _any_open(gates: method_lib.Gates, outer: method_lib.Outer) -> bool:
  is_open = gates_lib.open_gates(outer.log_alpha, gates.distribution)
  return any(bool(np.any(leaf)) for leaf in jax.tree.leaves(is_open))
