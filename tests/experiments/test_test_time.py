"""Inner steps at test time, and what training's steps look at."""

import contextlib
import dataclasses
import io
import pathlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from experiments import (
  build,
  inner_steps,
  launch,
  levels,
  sweep,
  test_time,
  weights,
)
from inrjax import evaluate
from inrjax.adapt import gradient as gradient_lib
from inrjax.coords import select
from inrjax.meta import method as method_lib
from inrjax.types import Context

SIDE, STEPS = 12, 3
NUM_POINTS = SIDE**2
GRADIENTS = ("norm_scaled", "loss_scaled", "full", "pruned")
CONFIG: dict[str, Any] = {
  "seed": 0,
  "signal": {
    "side": SIDE,
    "channels": 1,
    "tiled": False,
    "low": -1.0,
    "high": 1.0,
  },
  "network": {"kind": "siren", "depth": 1, "width": 6, "out_dim": 1},
  "inner": {
    "num_steps": STEPS,
    "low": 0.01,
    "high": 0.01,
    "clip": None,
    "gradient": "mixed_mode",
  },
  "select": {"kind": "top_error", "ratio": 0.25},
  "outer": {"task_tile": 1},
  "evaluate": {
    "num_pictures": 1,
    "signals_per_call": 2,
    "fit": {"kind": "inner", "num_steps": STEPS, "gradients": GRADIENTS},
    "pruned_roles": ("weight",),
  },
}


def context_of(image: np.ndarray) -> Context:
  context = build.make_as_context(**CONFIG["signal"])(image)
  return jax.tree.map(jnp.asarray, context)


def pictures(count: int) -> list[np.ndarray]:
  rng = np.random.default_rng(0)
  return list(rng.integers(0, 256, (count, SIDE, SIDE, 1), np.uint8))


@pytest.fixture(scope="module")
def problem() -> tuple[Any, ...]:
  """Method, start, context, and the steps of training on it."""
  method = build.make_method(CONFIG)
  outer = method.init(jax.random.key(1))
  context = context_of(pictures(1)[0])
  steps = inner_steps.trace(jax.random.key(0), method, outer)(context)
  return method, outer, context, steps


@pytest.fixture(scope="module")
def printed() -> io.StringIO:
  """What `run` prints."""
  return io.StringIO()


@pytest.fixture(scope="module")
def run(
  problem: tuple[Any, ...],
  tmp_path_factory: pytest.TempPathFactory,
  printed: io.StringIO,
) -> tuple[pathlib.Path, dict[str, Any]]:
  folder = tmp_path_factory.mktemp("runs") / "ecop/all/seed0"
  method, outer, _, _ = problem
  with contextlib.redirect_stdout(printed):
    record = weights.evaluate_images(
      CONFIG, method, {5: outer}, pictures(2), folder=folder
    )
  return folder, record


def fit(method: method_lib.Method, problem: tuple[Any, ...]) -> Any:
  _, outer, context, _ = problem
  assert method.partition
  return jax.jit(lambda: method.adapt(jax.random.key(0), outer, {}, context))()


def test_pruned_steps_are_those_of_training(problem: tuple[Any, ...]) -> None:
  method, _, _, steps = problem
  trained = fit(method, problem)
  tested = fit(test_time.make_method(CONFIG, method, "pruned"), problem)
  for a, b in zip(
    jax.tree.leaves(trained.fast), jax.tree.leaves(tested.fast), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
  # Fails if the losses by step are those of the chosen points.
  full = [step.errors.mean() for step in steps]
  np.testing.assert_allclose(tested.losses, full, rtol=1e-5)
  assert trained.losses[0] > 1.2 * tested.losses[0]


def test_gradients_have_the_scale_of_trainings(
  problem: tuple[Any, ...],
) -> None:
  method, outer, _, steps = problem
  settings = CONFIG["evaluate"]["fit"] | {"num_steps": 1}
  config = CONFIG | {"evaluate": {"fit": settings}}
  updates = {}
  for name in GRADIENTS:
    reached = fit(test_time.make_method(config, method, name), problem).fast
    start = method.initial_fast(outer)
    updates[name] = optax.tree.norm(optax.tree.sub(reached, start))
  first = steps[0]
  rate = CONFIG["inner"]["low"]
  chosen = first.errors[first.chosen].mean() / first.errors.mean()
  expected = {
    "norm_scaled": first.pruned_norm,
    "loss_scaled": first.full_norm * chosen,
    "full": first.full_norm,
    "pruned": first.pruned_norm,
  }
  for name, norm in expected.items():
    # Fails if a name gives the gradient of another.
    assert updates[name] == pytest.approx(rate * norm, rel=1e-3), name


def test_all_gradients_are_one_without_pruning(
  problem: tuple[Any, ...],
) -> None:
  method = dataclasses.replace(problem[0], select=select.full_context)
  plain = fit(method, problem).losses
  for name in GRADIENTS:
    tested = test_time.make_method(CONFIG, method, name)
    np.testing.assert_allclose(fit(tested, problem).losses, plain, rtol=1e-6)


def test_what_cannot_be_is_refused(problem: tuple[Any, ...]) -> None:
  method = problem[0]
  with pytest.raises(ValueError, match="choose from"):
    test_time.make_method(CONFIG, method, "scaled")
  drawn = CONFIG | {"select": {"kind": "random", "ratio": 0.25}}
  with pytest.raises(ValueError, match="Use 'full'"):
    test_time.make_method(drawn, method, "norm_scaled")
  assert test_time.make_method(drawn, method, "full").num_steps == STEPS
  # Fails if an evaluation ends in a traceback.
  with pytest.raises(build.ConfigError, match="Use 'full'"):
    weights.evaluate_images(drawn, method, {0: problem[1]}, pictures(1))
  settings = CONFIG["evaluate"] | {"fit": {"kind": "newton"}}
  with pytest.raises(ValueError, match=r"evaluate\.fit\.kind"):
    weights.evaluate_images(
      CONFIG | {"evaluate": settings},
      method,
      {0: problem[1]},
      pictures(1),
    )


def test_a_trace_is_the_fit_of_training(problem: tuple[Any, ...]) -> None:
  method, outer, context, steps = problem
  assert len(steps) == STEPS + 1
  reached = fit(method, problem)
  # Fails if a step is taken twice, or from the start.
  last = method.apply(outer.shared, reached.fast, context.coords)
  np.testing.assert_allclose(steps[-1].decoded, last, atol=1e-5)
  for index, step in enumerate(steps[:-1]):
    order = np.argsort(-step.errors)[: NUM_POINTS // 4]
    assert set(np.flatnonzero(step.chosen)) == set(order)
    seen = step.errors[step.chosen].mean()
    assert reached.losses[index] == pytest.approx(seen, rel=1e-4)
  loss = lambda fast: gradient_lib.squared_error(  # noqa: E731
    method.apply(outer.shared, fast, context.coords), context.values
  )
  grads = jax.grad(loss)(method.initial_fast(outer))
  assert steps[0].full_norm == pytest.approx(
    float(optax.tree.norm(grads)), rel=1e-5
  )
  assert steps[0].pruned_norm > steps[0].full_norm


def test_tiles_change_no_trace(problem: tuple[Any, ...]) -> None:
  method, outer, context, steps = problem
  tiled = dataclasses.replace(method, point_tile=50)
  found = inner_steps.trace(jax.random.key(0), tiled, outer)(context)
  for a, b in zip(steps, found, strict=True):
    np.testing.assert_allclose(a.decoded, b.decoded, atol=1e-5)
    assert a.full_norm == pytest.approx(b.full_norm, rel=1e-4)


def test_a_drawn_selection_is_that_of_the_step(
  problem: tuple[Any, ...],
) -> None:
  method, outer, context, _ = problem
  drawing = dataclasses.replace(
    method, select=select.random_points(7), num_steps=1
  )
  first, _ = inner_steps.trace(jax.random.key(3), drawing, outer)(context)
  key = jax.random.fold_in(jax.random.key(3), 0)
  loss = drawing.adapt(key, outer, {}, context).losses[0]
  assert first.chosen.sum() == 7
  # Fails if what is shown is drawn from another key.
  assert first.errors[first.chosen].mean() == pytest.approx(
    float(loss), rel=1e-4
  )


def test_records_of_inner_steps(
  run: tuple[pathlib.Path, dict[str, Any]], problem: tuple[Any, ...]
) -> None:
  folder, record = run
  names = [level["procedure"] for level in record["levels"]]
  assert names == ["fit", "loss_scaled", "full", "pruned"]
  assert [x["gradient"] for x in record["levels"]] == list(GRADIENTS)
  method, outer, _, _ = problem
  part = test_time.make_method(CONFIG, method, "full")
  psnrs, ssims = [], []
  for image in pictures(2):
    context = context_of(image)
    adapted = part.adapt(jax.random.key(0), outer, {}, context)
    psnrs.append(-10 * np.log10(adapted.losses))
    values = part.apply(outer.shared, adapted.fast, context.coords)
    ssims.append(evaluate.ssim(image, np.asarray(values).reshape(image.shape)))
  level = record["levels"][2]
  assert level["num_steps"] == STEPS
  np.testing.assert_allclose(
    level["psnr_by_step"], np.mean(psnrs, 0), rtol=1e-4
  )
  assert level["ssim"] == pytest.approx(np.mean(ssims), abs=1e-4)
  assert record["unquantised"][0]["ssim"] == record["levels"][0]["ssim"]
  for place in level["pictures"]:
    assert (folder / place).is_file()


@pytest.mark.usefixtures("run")
def test_that_lpips_is_left_out_is_said_once(printed: io.StringIO) -> None:
  # Fails if it is said at every level, or not how to get it.
  assert printed.getvalue().count("LPIPS is left out") == 1
  assert "docs/data_sets.md" in printed.getvalue()


def test_methods_are_validated_alike(
  problem: tuple[Any, ...], tmp_path: pathlib.Path
) -> None:
  images = pictures(3)
  settings = CONFIG["evaluate"] | {"num_validation_signals": 3}
  ecop = CONFIG | {"evaluate": settings}
  # Learnit: fewer steps in training, on full contexts.
  learnit = {k: v for k, v in ecop.items() if k != "select"}
  learnit |= {"inner": CONFIG["inner"] | {"num_steps": 1}}
  state = types.SimpleNamespace(params=problem[1])
  found = []
  for config in (ecop, learnit):
    run = launch.Run(config, tmp_path, lambda split: images)
    validation = run._validation(build.make_method(config))
    found.append(validation(state)["validation_psnr"])
  # Fails if each method is validated by the steps that it trains with.
  assert found[0] == pytest.approx(found[1], abs=1e-5)
  part = test_time.make_method(CONFIG, problem[0], "full")
  psnrs = []
  for image in images:
    context = context_of(image)
    fast = part.adapt(jax.random.key(0), problem[1], {}, context).fast
    values = part.apply(problem[1].shared, fast, context.coords)
    psnrs.append(evaluate.psnr(image, np.asarray(values).reshape(image.shape)))
  assert found[0] == pytest.approx(np.mean(psnrs), abs=1e-3)


def test_what_training_sees_is_drawn_and_told(
  run: tuple[pathlib.Path, dict[str, Any]], problem: tuple[Any, ...]
) -> None:
  folder, record = run
  drawn = {"loss_by_coordinate", "gradient_norms", "points_0"}
  assert {path.stem for path in folder.glob("*.png")} == drawn
  for name in drawn:
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
  with Image.open(folder / "points_0.gif") as animation:
    assert animation.n_frames == STEPS
  numbers = record["adaptation"]
  steps = problem[3]
  # Fails if the step after the last update is among them.
  assert numbers["full_norm"] == [s.full_norm for s in steps[:-1]]
  assert numbers["pruned_norm"] == [s.pruned_norm for s in steps[:-1]]
  assert all(0.25 < share < 1 for share in numbers["share_of_error"])


def test_nothing_is_drawn_of_full_contexts(
  problem: tuple[Any, ...], tmp_path: pathlib.Path
) -> None:
  config = {k: v for k, v in CONFIG.items() if k != "select"}
  found = inner_steps.describe(
    config, *problem[:2], pictures(1), folder=tmp_path
  )
  assert found == {} and not list(tmp_path.iterdir())


def test_sweeps_draw_these_records(
  run: tuple[pathlib.Path, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
  folder, record = run
  workdir = folder.parents[2]
  results = {"ecop/all/seed0": record}
  found = levels.averaged(results)
  # Fails if gradients are averaged, or the first has no plain name.
  assert list(found) == [
    "ecop",
    "ecop + loss_scaled",
    "ecop + full",
    "ecop + pruned",
  ]
  tables = sweep.draw_levels(results, workdir, title="tiny", at=None)
  assert len(tables["Surviving weights"]) == 5
  assert (workdir / "steps.png").is_file()


def make_step(errors: list[float], chosen: list[bool]) -> inner_steps.Step:
  return inner_steps.Step(
    np.zeros((len(errors), 1)), np.array(errors), np.array(chosen), 1.0, 2.0
  )


def test_shares_and_orders_of_errors() -> None:
  step = make_step([1.0, 4.0, 2.0, 1.0], [False, True, False, True])
  assert inner_steps.share_of_error(step) == 5 / 8
  assert inner_steps.sorted_errors([step, step]).tolist() == 2 * [[4, 2, 1, 1]]
  nothing = make_step([0.0, 0.0], [True, False])
  # Fails if a perfect fit divides by zero.
  assert inner_steps.share_of_error(nothing) == 1


def test_figures_of_perfect_fits_and_of_one_step(
  tmp_path: pathlib.Path,
) -> None:
  step = make_step([0.0] * 4, [True, False, False, False])
  errors = inner_steps.sorted_errors([step])
  inner_steps.errors_figure(tmp_path / "errors.png", errors, ratio=0.25)
  inner_steps.norms_figure(tmp_path / "norms.png", [0.0], [0.0])
  image = np.zeros((2, 2, 1), np.uint8)
  inner_steps.points_figure(tmp_path / "points.png", image, [step])
  for path in tmp_path.iterdir():
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("channels", [1, 3])
def test_points_are_marked_where_they_are(channels: int) -> None:
  image = np.full((2, 3, channels), 9, np.uint8)
  seen = inner_steps.marked(image, np.array([0, 0, 1, 0, 1, 0], bool))
  assert seen.shape == (2, 3, 3)
  # Fails if rows and columns change places.
  red = (seen == [255, 0, 0]).all(axis=-1)
  assert red.tolist() == [[False, False, True], [False, True, False]]
  assert (seen[~red] == 9).all()
