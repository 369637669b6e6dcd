"""Fits at every level of sparsity, and which weights survive."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import build, launch, levels, patterns, weights
from inrjax import data
from inrjax.adapt import links
from inrjax.meta import method as method_lib
from inrjax.meta import recipes
from inrjax.networks import compact, siren
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups, pruning

SIDE = 4
WIDTH = 6
ROLES = ("weight",)
CONFIG = {
  "seed": 0,
  "signal": {
    "side": SIDE,
    "channels": 1,
    "tiled": False,
    "low": 0.0,
    "high": 1.0,
  },
  "outer": {"task_tile": 1},
  "evaluate": {
    "num_pictures": 1,
    "signals_per_call": 2,
    "fit": {"num_steps": 6, "learning_rate": 0.01},
    "pruned_roles": ROLES,
    "pruned_fits": {
      "ratio": 0.5,
      "rounds": (),
      "procedures": (),
      "at_start": {"num_steps": 1, "learning_rate": 0.01, "momentum": 0.9},
    },
  },
}


def make_method(**settings: Any) -> method_lib.Method:
  return recipes.maml(
    network=siren.SirenConfig(depth=3, width=WIDTH, w0=30.0, out_dim=1),
    rates=recipes.InnerRates(0.01, 0.01),
    num_steps=1,
    **settings,
  )


def pictures(count: int) -> list[np.ndarray]:
  rng = np.random.default_rng(0)
  return list(rng.integers(0, 256, (count, SIDE, SIDE, 1), np.uint8))


def pruned_outer(method: method_lib.Method, seed: int) -> method_lib.Outer:
  outer = method.init(jax.random.key(seed))
  mask = jax.tree.map(lambda x: jnp.abs(x) > 0.05, outer.fast)
  mask = jax.tree.map(lambda m: m.astype(jnp.float32), mask)
  return outer._replace(mask=mask)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
  folder = tmp_path_factory.mktemp("run")
  method = make_method(prunable=True)
  outers = {3: method.init(jax.random.key(0)), 7: pruned_outer(method, 1)}
  images = pictures(3)
  record = weights.evaluate_images(
    CONFIG, method, outers, images, folder=folder
  )
  return folder, method, outers, images, record


def test_every_level_is_fitted_from_its_own_start(run: tuple[Any, ...]) -> None:
  _, method, outers, images, record = run
  fits = [x for x in record["levels"] if x["procedure"] == "fit"]
  assert [x["step"] for x in fits] == [3, 7]
  as_context = build.make_as_context(**CONFIG["signal"])
  part = dataclasses.replace(method, link=links.adam(0.01), num_steps=6)

  @jax.jit
  def losses(outer: method_lib.Outer, image: Any) -> Any:
    context = as_context(image)
    return part.adapt(jax.random.key(0), outer, {}, context).losses

  assert part.partition  # Made before the trace.
  for level in fits:
    outer = outers[level["step"]]
    psnrs = [-10 * np.log10(losses(outer, image)) for image in images]
    # Fails if the program of the first level keeps its parameters.
    np.testing.assert_allclose(
      level["psnr_by_step"], np.mean(psnrs, axis=0), rtol=1e-3
    )


def that_prunes(rounds: list[int], procedures: list[str]) -> dict[str, Any]:
  evaluate = CONFIG["evaluate"]
  fits = evaluate["pruned_fits"] | {"rounds": rounds, "procedures": procedures}
  return CONFIG | {"evaluate": evaluate | {"pruned_fits": fits}}


def test_a_ticket_reports_every_round_of_full_training() -> None:
  method = make_method()
  outer = method.init(jax.random.key(0))
  config = that_prunes([2], ["ticket"])
  record = weights.evaluate_images(config, method, {0: outer}, pictures(1))
  first, *rounds = record["levels"]
  total = 2 * WIDTH + 2 * WIDTH**2 + WIDTH
  halves = [round(total / 2), round(total / 4)]
  assert [x["prunable"] for x in rounds] == halves
  assert {x["procedure"] for x in rounds} == {"ticket"}
  # Fails if rounds share the steps, as those of IMP do.
  assert {len(x["psnr_by_step"]) for x in rounds} == {7}
  # Fails if a round goes on from the last: a pruned start is not the start,
  # but it is far from what six steps reached.
  for level in rounds:
    before, after = level["psnr_by_step"][0], level["psnr_by_step"][-1]
    assert before < first["psnr_by_step"][-1] - 1 and before < after
  with pytest.raises(ValueError, match="procedures"):
    weights.evaluate_images(
      that_prunes([2], ["lottery"]), method, {0: outer}, pictures(1)
    )


def test_levels_that_prune_say_what_they_keep() -> None:
  method = make_method()
  outers = {0: method.init(jax.random.key(0))}
  record = weights.evaluate_images(
    that_prunes([1], ["one_shot", "imp", "prospr_at_start"]),
    method,
    outers,
    pictures(1),
  )
  total = 2 * WIDTH + 2 * WIDTH**2 + WIDTH
  names = [level["procedure"] for level in record["levels"]]
  assert names == ["fit", "one_shot", "imp", "prospr_at_start"]
  for level in record["levels"]:
    wanted = total if level["procedure"] == "fit" else round(total / 2)
    assert level["prunable"] == wanted
    # Fails if biases are pruned too.
    assert level["stored"] == wanted + 3 * WIDTH + 1
    assert ("layers" in level) == (level["procedure"] == "fit")
    assert "pictures" not in level
  # Six steps, in one part or two, and the start.
  # Fails if pruning at the start takes steps from the fit.
  assert {len(x["psnr_by_step"]) for x in record["levels"]} == {7}


def test_a_layer_that_pruning_empties_is_named() -> None:
  method = make_method()
  outer = method.init(jax.random.key(0))
  # Nothing of this layer is among the largest half.
  small = outer.fast | {}
  module = next(m for m in small if "w" in small[m] and small[m]["w"].ndim == 2)
  small[module] = small[module] | {"w": 1e-9 * small[module]["w"]}
  outer = outer._replace(fast=small)
  with pytest.warns(pruning.EmptyLayerWarning, match=rf"{module}/w \(images"):
    weights.evaluate_images(
      that_prunes([1], ["magnitude_at_start"]), method, {0: outer}, pictures(1)
    )


def test_a_fit_that_diverges_is_named_and_loses_nothing() -> None:
  method = make_method()
  outer = method.init(jax.random.key(0))
  nan = outer._replace(fast=jax.tree.map(lambda x: x * jnp.nan, outer.fast))
  with pytest.warns(weights.DivergedFitWarning, match=r"images \[0\]"):
    record = weights.evaluate_images(CONFIG, method, {0: nan}, pictures(1))
  # Fails if the record is not JSON, or has no PSNR for that image.
  assert np.isfinite(record["levels"][0]["psnr"])


def test_nothing_left_is_named() -> None:
  def closed(**settings: Any) -> tuple[method_lib.Method, method_lib.Outer]:
    method = make_method(gates=method_lib.Gates(**settings))
    outer = method.init(jax.random.key(0))
    low, _ = method.gates.distribution.log_alpha_range
    lowest = jax.tree.map(lambda x: jnp.full_like(x, low), outer.log_alpha)
    return method, outer._replace(log_alpha=lowest)

  with pytest.warns(gates_lib.ClosedGatesWarning, match="At step 3 all gates"):
    launch.warn_of_nothing_left(*closed(on="updates"), "At step 3")
  # Fails if closed gates on values, which cut the network, go unnoticed.
  with pytest.warns(
    pruning.EmptyLayerWarning, match="nothing is left of .*first/w"
  ):
    launch.warn_of_nothing_left(*closed(on="values"), "At step 3")


def test_pictures_and_patterns_are_kept(run: tuple[Any, ...]) -> None:
  folder, method, outers, images, record = run
  original = data.read_image(folder / weights.place("original", 0), channels=1)
  np.testing.assert_array_equal(original, images[0])
  for level in record["levels"]:
    (place,) = level["pictures"]
    # Fails if levels overwrite each other's.
    assert data.read_image(folder / place, channels=1).shape == images[0].shape
  assert len(list((folder / "pictures").iterdir())) == 1 + len(record["levels"])
  kept = patterns.read(folder / weights.PATTERNS)
  assert kept["3"].all() and not kept["7"].all()
  for step, outer in outers.items():
    present = patterns.present(method, outer)
    flat = patterns.flat(present, method.partition.roles, ROLES)
    np.testing.assert_array_equal(kept[str(step)], flat)
    layers = next(x["layers"] for x in record["levels"] if x["step"] == step)
    # Fails if layers are in another order than patterns.
    ends = np.cumsum([x["size"] for x in layers])[:-1]
    assert [x["open"] for x in layers] == [
      piece.sum() for piece in np.split(flat, ends)
    ]
    sizes = [2 * WIDTH, WIDTH**2, WIDTH**2, WIDTH]
    assert [x["size"] for x in layers] == sizes


def test_units_that_go_take_their_readers_with_them() -> None:
  gates = method_lib.Gates(on="values", grouping=groups.PerUnit())
  method = make_method(gates=gates)
  outer = method.init(jax.random.key(0))
  keys = iter(jax.random.split(jax.random.key(3), 2))
  outer = outer._replace(
    log_alpha=jax.tree.map(
      lambda a: 4.0 * jax.random.rademacher(next(keys), a.shape, a.dtype),
      outer.log_alpha,
    )
  )
  counted = weights.count_survivors(method, outer, ROLES)
  z = gates_lib.estimate(outer.log_alpha, gates.distribution)
  factors = gates.grouping.spread(z, outer.fast)
  fast = jax.tree.map(jnp.multiply, factors, outer.fast)
  smaller = compact.without_silent_units(compact.layers(fast))
  # Fails if a weight that reads a closed unit is counted.
  assert counted.prunable == sum(x.weights.size for x in smaller)
  closed = jax.tree.map(lambda a: a - 9.0, outer.log_alpha)
  none = weights.count_survivors(
    method, outer._replace(log_alpha=closed), ROLES
  )
  assert none.prunable == 0


def test_reuse_against_chance() -> None:
  few = np.array([1, 1, 0, 0, 0, 0, 0, 0], bool)
  many = np.array([1, 0, 1, 1, 0, 0, 0, 1], bool)
  # Fails if the two patterns change places, or chance is of the smaller.
  assert patterns.reuse(few, many) == (0.5, 0.5)
  assert patterns.reuse(few, many | few) == (1.0, 5 / 8)
  with pytest.raises(ValueError, match="8 and 7"):
    patterns.reuse(few, many[:7])
  with pytest.raises(ValueError, match="closed"):
    patterns.reuse(few & False, many)


def level(prunable: int, psnr: float, procedure: str = "fit") -> dict[str, Any]:
  return {
    "procedure": procedure,
    "prunable": prunable,
    "stored": prunable + 5,
    "psnr": psnr,
    "psnr_by_step": [psnr - 1, psnr],
    "layers": [{"open": prunable, "size": 100}],
  }


RESULTS = {
  "narrow/4/seed0": {"levels": [level(40, 20.0)]},
  "narrow/4/seed1": {"levels": [level(40, 22.0)]},
  "narrow/8/seed0": {"levels": [level(16, 18.0)]},
  "sparse/all/seed0": {"levels": [level(100, 30.0), level(17, 24.0)]},
  "maml/all/seed0": {"levels": [level(100, 30.0), level(50, 9.0, "imp")]},
}


def test_settings_of_a_method_make_one_curve() -> None:
  found = levels.averaged(RESULTS)
  assert list(found) == ["narrow", "sparse", "maml", "maml + imp"]
  few, many = found["narrow"]
  # Fails if seeds are not averaged, or the curve is not in order.
  assert (few.prunable, few.psnr, few.deviation) == (16, 18, 0)
  assert (many.prunable, many.psnr, many.deviation) == (40, 21, 1)
  assert many.psnr_by_step.tolist() == [[19, 20], [21, 22]]
  table = levels.rows(found)
  assert table[2] == ["narrow", "4", "40", "45", "21.00", "1.00", "2"]
  assert levels.layer_rows(found)[1][2] == "16.0 +- 0.0 %"


def test_levels_within_a_round_of_pruning_are_one() -> None:
  found = levels.averaged(RESULTS)
  # 100 has "sparse" and "maml", 16 has "narrow" and "sparse".
  assert levels.common_size(found) == 16
  chosen = levels.nearest(found, 16)
  # Fails if a method is compared far from the size.
  assert {m: x.prunable for m, x in chosen.items()} == {
    "narrow": 16,
    "sparse": 17,
  }


def test_reuse_is_between_budgets_of_one_seed(tmp_path: pathlib.Path) -> None:
  def write(name: str, *found: list[int]) -> None:
    kept = {str(i): np.array(x, bool) for i, x in enumerate(found)}
    patterns.write(tmp_path / name / weights.PATTERNS, kept)

  write("mscn/12/seed0", [1, 1, 0, 0])
  write("mscn/4/seed0", [1, 1, 1, 0])
  write("mscn/12/seed1", [0, 0, 1, 1])
  write("mscn/4/seed1", [1, 1, 1, 0])
  write("sparse/all/seed0", [1, 1, 1, 1], [1, 0, 0, 0])
  names = [
    str(path.parent.relative_to(tmp_path))
    for path in sorted(tmp_path.rglob(weights.PATTERNS))
  ]
  (pair,) = levels.reused(dict.fromkeys([*names, "gone/1/seed0"], {}), tmp_path)
  # Fails if seeds are mixed: 1 and 1/2 on average.
  assert pair == ("mscn", 2, 3, 0.75, 0.75)
