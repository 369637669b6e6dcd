"""What methods that adapt weights reach: fits of many steps from their start.

Each test image is fitted with Adam from the meta-learned start (Meta-SparseINR
section 5.1: 100 steps, full batch) at every level of sparsity that the training
went through. Baselines that prune while fitting (MAML+OneShot, MAML+IMP) begin
from the same start. Rates are those of appendix F: 16 bits for each value that
survives, positions not counted, since the pattern belongs to the model.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import build, evaluation
from inrjax import evaluate
from inrjax.adapt import links, loop
from inrjax.meta import method as method_lib
from inrjax.meta import pruned
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import pruning
from inrjax.types import Adapted, Array, Context, PyTree


class Level(NamedTuple):
  """One description of the test images.

  Attributes:
    name: how it was made: "fit", "one_shot" or "imp".
    fit: `(key, context) -> (adapted, mask)` of one image.
    survivors: what is stored of each image.
  """

  name: str
  fit: Callable[[Array, Context], tuple[Adapted, PyTree]]
  survivors: pruning.Survivors


def evaluate_images(
  config: build.Section,
  method: method_lib.Method,
  outers: Mapping[int, method_lib.Outer],
  images: Sequence[np.ndarray],
) -> evaluation.Record:
  """Fits the test images at every level.

  Args:
    config: the whole config; section `evaluate` says how.
    method: the method as trained.
    outers: what training had learned, by step.
    images: `[P, P, C]` uint8 each.

  Returns:
    The record of an evaluation, with a list "levels".
  """
  settings = config["evaluate"]
  fitting = dict(settings["fit"])
  roles = tuple(settings["pruned_roles"])
  levels = []
  for step, outer in outers.items():
    make = functools.partial(_levels, method, outer, roles=roles, **fitting)
    for level in make(**settings["pruned_fits"]):
      record = _measure(config, method, outer, level, images)
      levels.append({"step": step, "procedure": level.name} | record)
  return {
    "num_modulations": levels[-1]["prunable"],
    "num_modulations_wanted": config.get("num_modulations"),
    "levels": levels,
    "unquantised": [
      {k: v for k, v in one.items() if k not in ("psnr_by_step", "deviation")}
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


def _levels(
  method: method_lib.Method,
  outer: method_lib.Outer,
  *,
  roles: tuple[str, ...],
  num_steps: int,
  learning_rate: float,
  ratio: float,
  rounds: Sequence[int],
) -> list[Level]:
  """The plain fit, and those that prune on the way."""
  survivors = count_survivors(method, outer, roles)

  def with_steps(steps: int) -> method_lib.Method:
    return dataclasses.replace(
      method, link=links.adam(learning_rate), num_steps=steps
    )

  def plain(key: Array, context: Context) -> tuple[Adapted, PyTree]:
    return with_steps(num_steps).adapt(key, outer, {}, context), outer.mask

  def pruning_fit(num_kept: tuple[int, ...]) -> Any:
    part = with_steps(num_steps // (len(num_kept) + 1))

    def fit(key: Array, context: Context) -> tuple[Adapted, PyTree]:
      return pruned.fit_pruned(
        part, key, outer, context, num_kept=num_kept, pruned_roles=roles
      )

    return fit

  levels = [Level("fit", plain, survivors)]
  total = survivors.prunable
  for count in rounds:
    kept = pruning.Schedule(0, 1, ratio, count).num_kept(total)
    left = survivors._replace(
      prunable=kept[-1], stored=survivors.stored - total + kept[-1]
    )
    levels.append(Level("one_shot", pruning_fit(kept[-1:]), left))
    levels.append(Level("imp", pruning_fit(kept), left))
  return levels


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
  fast = method.initial_fast(outer)
  present = outer.mask or method_lib.full_mask(fast)
  if method.gates is not None:
    open_ = gates_lib.open_gates(outer.log_alpha, method.gates.distribution)
    factors = method.gates.grouping.spread(
      jax.tree.map(lambda x: x.astype(jnp.float32), open_), fast
    )
    present = jax.tree.map(lambda m, z: m * z, present, factors)
  return pruning.survivors(present, method.partition.roles, roles)


def _measure(
  config: build.Section,
  method: method_lib.Method,
  outer: method_lib.Outer,
  level: Level,
  images: Sequence[np.ndarray],
) -> evaluation.Record:
  as_context = build.make_as_context(**config["signal"])
  sides = (config["signal"]["side"],) * 2

  def one(image: Array) -> tuple[Array, Array, Array]:
    context = as_context(image)
    adapted, _ = level.fit(jax.random.key(config["seed"]), context)
    losses = adapted.losses.reshape(-1, adapted.losses.shape[-1])
    # Each part's own first loss, after the pruning, is left out.
    steps = jnp.concatenate([losses[0, :1], losses[:, 1:].ravel()])

    def values(fast: PyTree) -> Array:
      return method.apply(outer.shared, fast, context.coords)

    start = method.initial_fast(outer)
    return (
      steps,
      values(adapted.fast),
      values(_stored_in_16_bits(method, adapted.fast, start)),
    )

  fit = jax.jit(
    loop.over_signals(one, task_tile=config["outer"]["task_tile"])
  )
  per_call = config["evaluate"]["signals_per_call"]
  found = [
    fit(np.stack(images[i : i + per_call]))
    for i in range(0, len(images), per_call)
  ]
  losses, decoded, rounded = map(
    np.concatenate, zip(*jax.device_get(found), strict=True)
  )
  psnrs = -10 * np.log10(losses)
  shape = (*sides, config["signal"]["channels"])
  pictures = [evaluate.as_uint8(x.reshape(shape)) for x in decoded]
  coarse = [evaluate.as_uint8(x.reshape(shape)) for x in rounded]
  sizes = dict(level.survivors._asdict())
  quality_16 = evaluation.quality(images, coarse)
  return (
    sizes
    | {"nominal_bpp": 16 * level.survivors.stored / float(np.prod(sides))}
    | evaluation.quality(images, pictures)
    | {f"{name}_16_bit": value for name, value in quality_16.items()}
    | {
      "psnr_by_step": psnrs.mean(axis=0).tolist(),
      "deviation": float(psnrs[:, -1].std()),
    }
  )


def _stored_in_16_bits(
  method: method_lib.Method, fast: PyTree, start: PyTree
) -> PyTree:
  """What a decoder gets that is sent float16: the weights, or their change."""
  half = lambda x: x.astype(jnp.float16).astype(x.dtype)  # noqa: E731
  if method.gates is not None and method.gates.on == "updates":
    return jax.tree.map(lambda x, x0: x0 + half(x - x0), fast, start)
  return jax.tree.map(half, fast)


def level_rows(
  results: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> list[list[str]]:
  """PSNR by surviving parameters: mean and deviation over seeds.

  Args:
    results: the results of all seeds, by method and setting.

  Returns:
    A table, titles first.
  """
  rows = [["method", "setting", "prunable", "stored", "PSNR", "+-", "seeds"]]
  for name, setting, points in level_points(results):
    for prunable, stored, mean, deviation, seeds in points:
      rows.append(
        [
          name,
          setting,
          f"{prunable:.0f}",
          f"{stored:.0f}",
          f"{mean:.2f}",
          f"{deviation:.2f}",
          str(seeds),
        ]
      )
  return rows


Point = tuple[float, float, float, float, int]


def level_points(
  results: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> list[tuple[str, str, list[Point]]]:
  """(method, setting, points); a point is (prunable, stored, PSNR, +-, seeds).

  Args:
    results: the results of all seeds, by method and setting.
  """
  found = []
  for (method, setting), seeds in results.items():
    by_name: dict[str, list[Point]] = {}
    for same in zip(*(one["levels"] for one in seeds), strict=True):
      psnrs = [level["psnr"] for level in same]
      point = (
        float(np.mean([level["prunable"] for level in same])),
        float(np.mean([level["stored"] for level in same])),
        float(np.mean(psnrs)),
        float(np.std(psnrs)),
        len(same),
      )
      by_name.setdefault(same[0]["procedure"], []).append(point)
    for name, points in by_name.items():
      full = method if name == "fit" else f"{method} + {name}"
      found.append((full, setting, points))
  return found
