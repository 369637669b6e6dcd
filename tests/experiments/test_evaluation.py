"""What an evaluation measures, against loops written out."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import build, evaluation, resize
from inrjax.adapt import gradient
from inrjax.meta import method as method_lib
from inrjax.meta import recipes
from inrjax.networks import siren
from inrjax.sparsity import gates as gates_lib

SIDE = 4


def small_method(gates: method_lib.Gates | None = None) -> method_lib.Method:
  return recipes.modulated(
    network=siren.SirenConfig(depth=1, width=6, modulate=("shift",)),
    rates=recipes.InnerRates(0.1, 0.1),
    num_steps=2,
    gates=gates,
  )


def make_adapter(
  method: method_lib.Method, side: int = SIDE
) -> evaluation.Adapter:
  return evaluation.Adapter(
    method,
    build.make_as_context(side, channels=3, tiled=True, low=-1.0, high=1.0),
    side=side,
    channels=3,
    signals_per_call=4,
    task_tile=2,
  )


def pictures(count: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, height, width, 3), np.uint8)


def test_symbols_cost_what_training_says() -> None:
  bits = evaluation.symbol_bits(np.array([[0, 0, 0], [1, 0, 0]]), 2)
  # Fails if counts are not smoothed by one, or logs are natural.
  expected = [-math.log2(count / 10) for count in (6, 2, 1, 1)]
  np.testing.assert_allclose(bits, expected)


@pytest.mark.parametrize("num_rows", [1, 4, 6])
def test_calls_of_one_size_give_every_row_once(num_rows: int) -> None:
  rows = np.arange(num_rows * 2).reshape(num_rows, 2)
  shapes = []

  def double(call: np.ndarray) -> np.ndarray:
    shapes.append(call.shape)
    return 2 * call

  found = evaluation.in_calls(double, rows, 4)
  # Fails if the padding is returned, or the last call is short.
  np.testing.assert_array_equal(found, 2 * rows)
  assert len(set(shapes)) == 1


def test_images_are_cut_and_joined() -> None:
  image = pictures(1, 7, 10)[0]
  cut = evaluation.Cut(SIDE, tiled=True)
  np.testing.assert_array_equal(cut.join(cut.split(image), image), image)
  # Fails if an image of the wrong size is taken whole.
  with pytest.raises(ValueError, match="7 x 10; signal.side is 4"):
    evaluation.Cut(SIDE, tiled=False).split(image)


def test_the_adapter_is_the_methods_inner_loop() -> None:
  method = small_method()
  signals = pictures(5)
  adapter = make_adapter(method)
  outer = method.init(jax.random.key(0))
  fast = adapter.fit(outer, signals)
  as_context = build.make_as_context(
    SIDE, channels=3, tiled=True, low=-1.0, high=1.0
  )
  context = as_context(jnp.asarray(signals[4]))
  one = method.adapt(jax.random.key(0), outer, {}, context).fast
  # Fails if calls or tiles mix signals up.
  np.testing.assert_allclose(
    fast[4], one["~"]["shift"].ravel(), rtol=1e-4, atol=1e-6
  )
  decoded = method.apply(outer.shared, one, context.coords)
  expected = np.rint(255 * np.clip(decoded, 0, 1)).reshape(SIDE, SIDE, 3)
  levels = adapter.decode(outer, fast)[4].astype(int)
  assert np.abs(levels - expected).max() <= 1


def test_signals_are_decoded_in_tiles_of_points() -> None:
  side, tile = 48, 100
  method = dataclasses.replace(small_method(), point_tile=tile)
  plain = dataclasses.replace(method, point_tile=None)
  outer = method.init(jax.random.key(0))
  fast = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
  levels, sizes = [], []
  for one in (method, plain):
    adapter = make_adapter(one, side)
    levels.append(adapter.decode(outer, fast).astype(int))
    program = adapter._decode.lower(outer, fast).compile()
    sizes.append(program.memory_analysis().temp_size_in_bytes)
  assert np.abs(levels[0] - levels[1]).max() <= 1
  # Fails if all points of a signal go through the network at once: 6 units.
  assert sizes[0] < sizes[1] - 4 * 6 * (side**2 - 2 * tile)


def test_quantisation_tends_to_no_quantisation() -> None:
  method = small_method()
  adapter = make_adapter(method)
  outer = method.init(jax.random.key(0))
  images = list(pictures(2, 8, 8))
  cut = evaluation.Cut(SIDE, tiled=True)
  records = evaluation.quantised_quality(
    adapter,
    outer,
    cut,
    images,
    pictures(20),
    np.ones(6, bool),
    num_bits=(2, 16),
    num_deviations=(20.0,),
  )
  decoded = [
    cut.join(adapter.decode(outer, adapter.fit(outer, cut.split(i))), i)
    for i in images
  ]
  exact = evaluation.quality(images, decoded)
  coarse, fine = records
  # Fails if symbols and fast parameters are put in different places.
  assert fine["psnr"] == pytest.approx(exact["psnr"], abs=0.01)
  # Fails if the rate is per signal: 6 values for each of 4 tiles of 64 pixels.
  assert coarse["nominal_bpp"] == pytest.approx(2 * 6 * 4 / 64)
  # Fails if the estimate is not a cross-entropy: b bits bound it here, where
  # both sets have one distribution.
  assert coarse["estimated_bpp"] < 1.1 * coarse["nominal_bpp"]


def test_gates_beyond_the_budget_are_closed() -> None:
  method = small_method(method_lib.Gates())
  outer = method.init(jax.random.key(0))
  log_alpha = {"~": {"shift": jnp.array([[3.0, -9.0, 1.0, 4.0, 2.0, 0.0]])}}
  outer = outer._replace(log_alpha=log_alpha)
  free, kept = evaluation.fix_gates(method, outer, max_modulations=None)
  assert kept.tolist() == [True, False, True, True, True, True]
  _, kept = evaluation.fix_gates(method, outer, max_modulations=2)
  # Fails if the smallest log alpha are the ones kept.
  assert kept.tolist() == [True, False, False, True, False, False]
  assert free.log_alpha is log_alpha
  closed = outer._replace(log_alpha={"~": {"shift": jnp.full((1, 6), -9.0)}})
  with pytest.raises(ValueError, match="All gates are closed"):
    evaluation.fix_gates(method, closed, max_modulations=None)


def test_a_controller_aims_at_open_gates() -> None:
  distribution = gates_lib.HardConcrete()
  log_alpha = {"a": jnp.zeros(10)}
  weight = build._make_penalty(
    log_alpha, distribution, kind="controlled", target=4, initial=1.0
  )
  low, high = distribution.log_alpha_range
  reached = gates_lib.expected_l0(
    {"a": jnp.where(jnp.arange(10) < 4, high, low)}, distribution
  )
  assert reached > 4.1
  # Fails if the target is E[L0] itself: lambda would still grow here.
  state = weight.update(weight.init(), reached)
  assert weight.value(state) == pytest.approx(1.0, abs=1e-5)


def test_gate_parameters_stay_in_their_range() -> None:
  project = build._project_gates(gates_lib.HardConcrete())
  params = method_lib.Outer({}, {}, {}, {"a": jnp.array([4.0, 0.0])})
  updates = method_lib.Outer({}, {}, {}, {"a": jnp.array([9.0, 1.0])})
  moved, _ = project.update(updates, project.init(params), params)
  after = optax.apply_updates(params, moved)
  # Fails if the projection is left out of the optimiser.
  np.testing.assert_allclose(after.log_alpha["a"], [math.log(1e2), 1.0], 1e-6)


def test_pictures_are_turned_and_resized() -> None:
  portrait = pictures(1, 30, 20)
  source = resize.Resized(list(portrait), (10, 15))
  assert source[0].shape == (10, 15, 3)
  # Fails if a picture is squeezed and not cropped: the middle is constant.
  wide = np.zeros((10, 30, 1), np.uint8)
  wide[:, 10:20] = 200
  assert resize.Resized([wide], (5, 5))[0].min() > 150


def test_methods_replace_only_what_evaluation_asks_for() -> None:
  method = dataclasses.replace(small_method(), ema_decay=1.0)
  adapter, plain = make_adapter(method), make_adapter(small_method())
  outer = method.init(jax.random.key(0))
  signals = pictures(2)
  # Fails if alpha = 1 is not the last iterate (MSCN D.2).
  np.testing.assert_allclose(
    adapter.fit(outer, signals), plain.fit(outer, signals), rtol=1e-6
  )
  assert method.gradient is gradient.mixed_mode
