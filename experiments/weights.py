"""What methods that adapt weights reach: fits of many steps from their start.

Each test image is fitted with Adam from the meta-learned start (Meta-SparseINR
section 5.1: 100 steps, full batch) at every level of sparsity that the training
went through. Baselines that prune while fitting (MAML+OneShot, MAML+IMP, and
winning tickets, which rewind after each round) begin from the same start. Rates
are those of appendix F: 16 bits for each value that survives, positions not
counted, since the pattern belongs to the model.

Methods that are trained for the steps of their own inner loop take these at
test time (`evaluate.fit.kind` "inner", see `test_time.py`), with each of the
gradients that are to be compared.

With a folder to write to, some reconstructions and the patterns of survivors
are kept there, for `sweep.py` to draw.
"""

import dataclasses
import functools
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import (
  build,
  evaluation,
  inner_steps,
  patterns,
  picture_quality,
  test_time,
)
from inrjax import data, evaluate
from inrjax.adapt import links, loop
from inrjax.codec import sparse_spec
from inrjax.evaluate import files
from inrjax.meta import method as method_lib
from inrjax.meta import pruned
from inrjax.sparsity import pruning
from inrjax.train import parallel
from inrjax.types import Array, Context, PyTree

PATTERNS = "patterns.npz"


class DivergedFitWarning(UserWarning):
  """The fit of a test image has ended in values that are not finite."""


class Fitting(NamedTuple):
  """One way of fitting the test images, which gives one or more levels.

  Attributes:
    name: how it is done: "fit", or one of `evaluate.pruned_fits.procedures`; of
      inner steps the first of the gradients is "fit" and the others keep their
      names.
    num_kept: prunable parameters kept after each round of pruning while an
      image is fitted.
    survivors: what is stored of each image, for each level that is reported.
      There is one, the last, but of a ticket every round's end is one.
    gradient: that of inner steps (`test_time.make_method`); None is Adam.
    after_round: where a part of the fit begins (`pruned.fit_pruned`).
    every_part: each part takes all steps and is reported, as of a ticket, which
      is trained in full after each round; else parts share the steps.
    at_start: prunes before the fit, by this saliency; None prunes after parts.
  """

  name: str
  num_kept: tuple[int, ...]
  survivors: tuple[pruning.Survivors, ...]
  gradient: str | None = None
  after_round: Callable[[PyTree, PyTree], PyTree] = pruned.go_on
  every_part: bool = False
  at_start: sparse_spec.AtStart | None = None

  @property
  def num_parts(self) -> int:
    """Parts that share the steps."""
    if self.every_part or self.at_start is not None:
      return 1
    return len(self.num_kept) + 1


# `(outer, images [n, P, P, C]) -> (losses [n, K, steps + 1], values, values,
# mask)` of K levels; the values `[n, K, N, C]` as fitted, and as stored in 16
# bits; the masks that the last of them have of their own, `{}` for none.
Fit = Callable[[method_lib.Outer, Any], tuple[Array, Array, Array, PyTree]]


def evaluate_images(
  config: build.Section,
  method: method_lib.Method,
  outers: Mapping[int, method_lib.Outer],
  images: Sequence[np.ndarray],
  *,
  folder: pathlib.Path | None = None,
) -> evaluation.Record:
  """Fits the test images at every level.

  Args:
    config: the whole config; section `evaluate` says how.
    method: the method as trained.
    outers: what training had learned, by step.
    images: `[P, P, C]` uint8 each.
    folder: where the first `evaluate.num_pictures` reconstructions of every
      level go, and the patterns of survivors; of inner steps also the figures
      of `inner_steps.describe`. None keeps none of them.

  Returns:
    The record of an evaluation, with a list "levels"; of inner steps also what
    `inner_steps.describe` gives, as "adaptation".
  """
  settings = config["evaluate"]
  if _kind(settings) == "inner":  # Adam's records have no LPIPS.
    picture_quality.begin(settings, (config["signal"]["side"],) * 2)
  roles = tuple(settings["pruned_roles"])
  num_pictures = settings["num_pictures"]
  if folder is not None and not parallel.is_primary():
    folder = None
  if folder is not None:
    save_pictures(folder, "original", images[:num_pictures])
  # Levels that training went through differ in `outer` alone: one program.
  make_fit = functools.cache(functools.partial(_make_fit, config, method))
  levels, found = [], {}
  for step, outer in outers.items():
    present = patterns.present(method, outer)
    all_roles = method.partition.roles
    found[str(step)] = patterns.flat(present, all_roles, roles)
    layers = patterns.by_layer(present, all_roles, roles)
    survivors = count_survivors(method, outer, roles)
    for fitting in _fittings(survivors, settings):
      fit = functools.partial(make_fit(fitting._replace(survivors=())), outer)
      for measured, decoded in _measure(config, fit, fitting, images):
        record = {"step": step, "procedure": fitting.name} | measured
        if fitting.name == "fit":  # Else each image has a pattern of its own.
          record["layers"] = layers
        if folder is not None:
          name = f"{step}_{fitting.name}_{record['prunable']}"
          chosen = decoded[:num_pictures]
          record["pictures"] = save_pictures(folder, name, chosen)
        levels.append(record)
  if folder is not None:
    patterns.write(folder / PATTERNS, found)
  record = {
    "num_modulations": levels[-1]["prunable"],
    "num_modulations_wanted": config.get("num_modulations"),
    "levels": levels,
    "unquantised": [
      {
        k: v
        for k, v in one.items()
        if k not in ("psnr_by_step", "deviation", "layers", "pictures")
      }
      for one in levels
    ],
    "quantised": [
      {
        "num_bits": 16,
        "nominal_bpp": one["nominal_bpp"],
        "psnr": one["psnr_16_bit"],
        "psnr_of_mean_mse": one["psnr_of_mean_mse_16_bit"],
      }
      for one in levels
    ],
  }
  if folder is not None and _kind(settings) == "inner":
    record["adaptation"] = inner_steps.describe(
      config, method, outer, images[:num_pictures], folder=folder
    )
  return record


def place(name: str, index: int) -> str:
  """Where a picture lies below a run's working folder.

  Args:
    name: of what it shows; "original" for the test image itself.
    index: of the test image.
  """
  return f"pictures/{name}_{index}.png"


def save_pictures(
  folder: pathlib.Path, name: str, pictures: Sequence[np.ndarray]
) -> list[str]:
  """Writes pictures and returns their places below the folder.

  Args:
    folder: a run's working folder.
    name: of what the pictures show.
    pictures: `[P, P, C]` uint8 each.
  """
  places = [place(name, index) for index in range(len(pictures))]
  for where, picture in zip(places, pictures, strict=True):
    with files.replacing(folder / where) as path:
      path.write_bytes(data.encode_array(picture, ".png"))
  return places


def _kind(settings: build.Section) -> str:
  """Of the fit (section `evaluate.fit`): "adam" or "inner"."""
  kind: str = settings["fit"].get("kind", "adam")
  return kind


@build.of_config()
def _fittings(
  survivors: pruning.Survivors, settings: build.Section
) -> list[Fitting]:
  """The fits that the section `evaluate` asks for.

  Raises:
    build.ConfigError: for kinds that are unknown, or rounds that prune all.
  """
  kinds = {
    "adam": lambda: _pruned_fits(survivors, **settings["pruned_fits"]),
    "inner": lambda: _inner_fits(survivors, settings["fit"]["gradients"]),
  }
  found: list[Fitting] = build.choose(
    kinds, _kind(settings), "evaluate.fit.kind"
  )()
  return found


def _inner_fits(
  survivors: pruning.Survivors, gradients: Sequence[str]
) -> list[Fitting]:
  """Inner steps with each of the gradients."""
  return [
    Fitting("fit" if index == 0 else name, (), (survivors,), name)
    for index, name in enumerate(gradients)
  ]


def _pruned_fits(
  survivors: pruning.Survivors,
  *,
  ratio: float,
  rounds: Sequence[int],
  procedures: Sequence[str],
  at_start: build.Section,
) -> list[Fitting]:
  """The plain fit with Adam, and those that prune before or on the way."""
  fittings = [Fitting("fit", (), (survivors,))]
  starts = [
    sparse_spec.AtStart(kind, **at_start) for kind in sparse_spec.SALIENCIES
  ]
  for count in rounds:
    kept = pruning.Schedule(0, 1, ratio, count).num_kept(survivors.prunable)
    left = tuple(
      survivors._replace(
        prunable=count, stored=survivors.stored - survivors.prunable + count
      )
      for count in kept
    )
    known = {
      "one_shot": Fitting("one_shot", kept[-1:], left[-1:]),
      "imp": Fitting("imp", kept, left[-1:]),
      "ticket": Fitting(
        "ticket", kept, left, after_round=pruned.rewind, every_part=True
      ),
    } | {
      f"{start.kind}_at_start": Fitting(
        f"{start.kind}_at_start", kept[-1:], left[-1:], at_start=start
      )
      for start in starts
    }
    fittings += [
      build.choose(known, name, "evaluate.pruned_fits.procedures")
      for name in procedures
    ]
  return fittings


def count_survivors(
  method: method_lib.Method,
  outer: method_lib.Outer,
  roles: tuple[str, ...],
) -> pruning.Survivors:
  """What a signal's description holds: unmasked, and behind an open gate.

  Args:
    method: any method that adapts weights.
    outer: what training learned.
    roles: the roles counted as prunable.
  """
  present = patterns.present(method, outer)
  return pruning.survivors(present, method.partition.roles, roles)


@build.of_config()
def _make_fit(
  config: build.Section, method: method_lib.Method, fitting: Fitting
) -> Fit:
  """The compiled fit of images, pruned on the way where it prunes."""
  as_context = build.make_as_context(**config["signal"])
  num_kept, at_start = fitting.num_kept, fitting.at_start
  if fitting.gradient is None:
    settings = config["evaluate"]["fit"]
    part = dataclasses.replace(
      method,
      link=links.adam(settings["learning_rate"]),
      num_steps=settings["num_steps"] // fitting.num_parts,
    )
  else:
    part = test_time.make_method(config, method, fitting.gradient)
  roles = tuple(config["evaluate"]["pruned_roles"])
  key = jax.random.key(config["seed"])

  def adapt(
    outer: method_lib.Outer, context: Context
  ) -> tuple[Array, PyTree, PyTree]:
    """Losses `[K, steps + 1]`, fast parameters `[K, ..]`, the last mask."""
    if not num_kept:
      plain = part.adapt(key, outer, {}, context)
      fasts = jax.tree.map(lambda x: x[None], plain.fast)
      return plain.losses[None], fasts, {}
    adapted, mask, parts = pruned.fit_pruned(
      part,
      key,
      outer,
      context,
      num_kept=num_kept,
      pruned_roles=roles,
      after_round=fitting.after_round,
      at_start=None if at_start is None else at_start.saliency(),
    )
    if fitting.every_part:  # The first part is the plain fit.
      return adapted.losses[1:], jax.tree.map(lambda x: x[1:], parts), mask
    losses = adapted.losses
    # Each part's own first loss, after the pruning, is left out.
    steps = jnp.concatenate([losses[0, :1], losses[:, 1:].ravel()])
    return steps[None], jax.tree.map(lambda x: x[-1:], parts), mask

  def fit(
    outer: method_lib.Outer, images: Any
  ) -> tuple[Array, Array, Array, PyTree]:
    def one(image: Array) -> tuple[Array, Array, Array, PyTree]:
      context = as_context(image)
      losses, fasts, mask = adapt(outer, context)

      def decode(fast: PyTree) -> tuple[Array, Array]:
        start = method.initial_fast(outer, context)
        coarse = _stored_in_16_bits(method, fast, start)
        shared, coords = outer.shared, context.coords
        return (
          test_time.decode(method, shared, fast, coords),
          test_time.decode(method, shared, coarse, coords),
        )

      return losses, *jax.lax.map(decode, fasts), mask

    tile = config["outer"]["task_tile"]
    return loop.over_signals(one, task_tile=tile)(images)

  # The method keeps arrays of its own; they must not be made in a trace.
  assert method.partition and part.partition
  return jax.jit(fit)


def _measure(
  config: build.Section,
  fit: Callable[[Any], tuple[Array, Array, Array, PyTree]],
  fitting: Fitting,
  images: Sequence[np.ndarray],
) -> Iterator[tuple[evaluation.Record, list[np.ndarray]]]:
  """The record of each level, and its reconstructions."""
  per_call = config["evaluate"]["signals_per_call"]
  found = [
    fit(np.stack(images[i : i + per_call]))
    for i in range(0, len(images), per_call)
  ]
  losses, decoded, rounded, masks = jax.tree.map(
    lambda *parts: np.concatenate(parts), *jax.device_get(found)
  )
  _warn_of_empty_layers(fitting.name, masks, len(images))
  for index, survivors in enumerate(fitting.survivors):
    yield _describe(
      config,
      images,
      survivors,
      gradient=fitting.gradient,
      psnrs=-10 * np.log10(losses[:, index]),
      decoded=decoded[:, index],
      rounded=rounded[:, index],
    )


def _warn_of_empty_layers(name: str, masks: PyTree, num_images: int) -> None:
  """Names the layers of which pruning left nothing for some images."""
  empty: dict[str, list[int]] = {}
  for index in range(num_images if masks else 0):
    mask = jax.tree.map(lambda leaf, i=index: leaf[i], masks)
    for layer in pruning.empty_layers(mask):
      empty.setdefault(layer, []).append(index)
  if empty:
    found = "; ".join(f"{layer} (images {i})" for layer, i in empty.items())
    warnings.warn(
      f"{name} leaves nothing of {found}, which cuts the network; prune less.",
      pruning.EmptyLayerWarning,
      stacklevel=3,
    )


def _describe(
  config: build.Section,
  images: Sequence[np.ndarray],
  survivors: pruning.Survivors,
  *,
  gradient: str | None,
  psnrs: np.ndarray,
  decoded: np.ndarray,
  rounded: np.ndarray,
) -> tuple[evaluation.Record, list[np.ndarray]]:
  """The record of one level, and its reconstructions."""
  lost = ~np.isfinite(psnrs[:, -1])
  if lost.any():
    warnings.warn(
      f"The fits of images {np.flatnonzero(lost).tolist()} with "
      f"{survivors.prunable} weights left have diverged and count as grey; "
      "lower the rate of evaluate.fit.",
      DivergedFitWarning,
      stacklevel=2,
    )
    keep = ~lost[:, np.newaxis, np.newaxis]
    decoded, rounded = (np.where(keep, x, 0.5) for x in (decoded, rounded))
    psnrs = np.nan_to_num(psnrs, nan=0.0, posinf=0.0, neginf=0.0)
  sides = (config["signal"]["side"],) * 2
  shape = (*sides, config["signal"]["channels"])
  pictures = [evaluate.as_uint8(x.reshape(shape)) for x in decoded]
  coarse = [evaluate.as_uint8(x.reshape(shape)) for x in rounded]
  sizes = dict(survivors._asdict())
  quality_16 = evaluation.quality(images, coarse)
  record = (
    sizes
    | {"nominal_bpp": 16 * survivors.stored / float(np.prod(sides))}
    | evaluation.quality(images, pictures)
    | {f"{name}_16_bit": value for name, value in quality_16.items()}
    | {
      "psnr_by_step": psnrs.mean(axis=0).tolist(),
      "deviation": float(psnrs[:, -1].std()),
    }
  )
  if gradient is not None:
    record |= {"gradient": gradient, "num_steps": psnrs.shape[1] - 1}
    perceptual = picture_quality.perceptual(config["evaluate"], sides)
    record |= picture_quality.of_pictures(images, pictures, perceptual)
  return record, pictures


def _stored_in_16_bits(
  method: method_lib.Method, fast: PyTree, start: PyTree
) -> PyTree:
  """What a decoder gets that is sent float16: the weights, or their change."""
  half = lambda x: x.astype(jnp.float16).astype(x.dtype)  # noqa: E731
  if method.gates is not None and method.gates.on == "updates":
    return jax.tree.map(lambda x, x0: x0 + half(x - x0), fast, start)
  return jax.tree.map(half, fast)
