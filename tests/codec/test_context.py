"""The context model: what codes what, and that both ends agree on it."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.codec import context, context_fit, entropy, errors, frequencies

LARGEST = np.iinfo(np.int16).max
# Of the symbols and the model in `test_golden_bytes`.
GOLDEN = (
  "1169f4e13c86ea57b14e242464f18e0812689403532047af23d81adf6a7529605ab6fd7f9a5a"
)


def make_model(num_planes, seed=0, size=600):
  """A model of random integers; weights up to `size` of 1024."""
  rng = np.random.default_rng(seed)
  n = num_planes

  def weights(*shape):
    return rng.integers(-size, size + 1, shape).astype(np.int16)

  columns = np.arange(1, 14)
  counts = np.stack(
    [columns * columns[::-1] + 20 * k for k in range(context.NUM_CLASSES)]
  )
  unit = 1 << (context.WEIGHT_BITS + context.MAGNITUDE_BITS)
  return context.ContextModel(
    context.group_ends(n),
    rng.integers(0, 11 * unit, (4, n)).astype(np.int32),
    rng.integers(-unit // 16, unit // 16, n).astype(np.int32),
    weights(n, n),
    weights(3, n, n),
    weights(4, 3, n),
    weights(4, 3, n),
    frequencies.from_counts(counts, offset=6),
  )


def random_symbols(grid, num_planes, seed, size=4):
  rng = np.random.default_rng(seed)
  return np.rint(rng.laplace(0, size, (*grid, num_planes))).astype(np.int64)


def coded(model, symbols, step_index):
  coder = entropy.Encoder()
  context.encode(coder, model, symbols, step_index)
  return coder.finish()


def decoded(model, data, grid, step_index):
  coder = entropy.Decoder(data)
  symbols = context.decode(coder, model, grid, step_index)
  coder.finish()
  return symbols


# Structure.


def test_groups_grow_and_end_with_the_last_plane():
  expected = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80]
  assert context.group_ends(80).tolist() == expected
  assert context.group_ends(66).tolist() == [*expected[:-1], 66]
  for number in range(1, 40):
    ends = context.group_ends(number)
    assert ends[-1] == number and (np.diff(ends, prepend=0) > 0).all()


@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (5, 1), (2, 2), (3, 5)])
def test_every_symbol_is_coded_once(grid):
  seen = np.zeros((*grid, 7), int)
  for call in context.passes(context.group_ends(7), grid):
    seen[call.rows, call.columns, call.start : call.stop] += 1
  assert (seen == 1).all()


@pytest.mark.parametrize("grid", [(1, 1), (1, 4), (4, 1), (4, 5), (5, 5)])
def test_a_pass_reads_nothing_that_is_not_decoded_yet(grid):
  model = make_model(9, size=LARGEST)
  symbols = random_symbols(grid, 9, 0)
  others = random_symbols(grid, 9, 1, size=50)
  known = np.zeros(symbols.shape, bool)
  depends = False
  for call in context.passes(model.group_ends, grid):
    results = []
    for unknown in (symbols, others):
      mixed = np.where(known, symbols, unknown)
      padded = np.pad(mixed, ((1, 1), (1, 1), (0, 0)))
      results.append(
        context.predict(model, context.features(padded, call), call, 40)
      )
    # fails if a direction is marked known in a pass too early.
    np.testing.assert_array_equal(results[0], results[1])
    padded = np.pad(others, ((1, 1), (1, 1), (0, 0)))
    changed = context.predict(model, context.features(padded, call), call, 40)
    depends |= bool(np.any(changed[0] != results[0][0]))
    known[call.rows, call.columns, call.start : call.stop] = True
  # fails if nothing is read at all.
  assert depends


def test_every_known_neighbour_is_read():
  # fails if a direction that could be known is not marked so.
  grid = (4, 4)
  ends = context.group_ends(1)
  order = np.zeros(grid, int)
  for call in context.passes(ends, grid):
    order[call.rows, call.columns] = call.number
  for call in context.passes(ends, grid):
    y, x = call.rows.start or 0, call.columns.start or 0
    y, x = y + 2 * (y == 0), x + 2 * (x == 0)
    for direction, offsets in enumerate(context.DIRECTIONS):
      inside = [
        order[y + dy, x + dx]
        for dy, dx in offsets
        if y + dy < grid[0] and x + dx < grid[1]
      ]
      expected = all(number < call.number for number in inside)
      known = context.known_directions()[call.number, direction]
      assert known == expected


# Arithmetic.


def by_hand(model, symbols, step_index):
  """Classes and means in Python's integers, from the documented formula."""
  rows, columns, num_planes = symbols.shape
  starts = dict.fromkeys(range(num_planes), 0)
  for first, last in zip(
    [0, *model.group_ends[:-1].tolist()], model.group_ends.tolist(), strict=True
  ):
    starts.update(dict.fromkeys(range(first, last), first))

  def value(y, x, k):
    inside = 0 <= y < rows and 0 <= x < columns
    return int(symbols[y, x, k]) if inside else 0

  def log(q):
    return round(16 * float(np.log2(1 + min(abs(q), 255))))

  classes = np.zeros(symbols.shape, int)
  means = np.zeros(symbols.shape, int)
  for y, x, k in np.ndindex(symbols.shape):
    number = context.PASSES.index((y % 2, x % 2))
    bias = int(model.bias[number, k]) + step_index * int(model.step_slope[k])
    score, signed = 4 * bias, 0
    for j in range(starts[k]):
      score += 4 * int(model.own[k, j]) * log(value(y, x, j))
    for d, offsets in enumerate(context.DIRECTIONS):
      share = 4 // len(offsets)
      for dy, dx in offsets:
        for j in range(starts[k]):
          weight = share * int(model.neighbours[d, k, j])
          score += weight * log(value(y + dy, x + dx, j))
        if context.known_directions()[number, d]:
          q = value(y + dy, x + dx, k)
          score += share * int(model.same[number, d, k]) * log(q)
          signed += share * int(model.mean[number, d, k]) * q
    classes[y, x, k] = min(max((4 * score) >> 16, 0), context.NUM_CLASSES - 1)
    mean = (abs(signed) + 2**11) >> 12
    means[y, x, k] = mean if signed > 0 else -mean
  return classes, means


@pytest.mark.parametrize(
  ("size", "spread"), [(600, 4), (LARGEST, 40), (LARGEST, 2e8)]
)
def test_the_arithmetic_is_exact(size, spread):
  model = make_model(13, seed=3, size=size)
  symbols = random_symbols((4, 5), 13, 2, size=spread)
  symbols = np.clip(symbols, -(1 << 30), 1 << 30)
  for step_index in (0, 37, 127):
    classes, means = context.contexts(model, symbols, step_index)
    expected = by_hand(model, symbols, step_index)
    # fails if the sums are float32, or if anything is rounded on the way.
    np.testing.assert_array_equal(classes, expected[0])
    np.testing.assert_array_equal(means, expected[1])
  assert len(np.unique(classes)) > 2


# Coding.


@hypothesis.settings(max_examples=60)
@hypothesis.given(
  rows=st.integers(1, 5),
  columns=st.integers(1, 5),
  num_planes=st.integers(1, 9),
  step_index=st.integers(0, 127),
  size=st.sampled_from([0, 600, LARGEST]),
  spread=st.sampled_from([0.3, 4, 1000]),
  seed=st.integers(0, 9),
)
def test_symbols_come_back(
  rows, columns, num_planes, step_index, size, spread, seed
):
  model = make_model(num_planes, seed=seed, size=size)
  symbols = random_symbols((rows, columns), num_planes, seed, spread)
  data = coded(model, symbols, step_index)
  again = decoded(model, data, (rows, columns), step_index)
  np.testing.assert_array_equal(again, symbols)
  assert again.dtype == np.int32


def test_extreme_symbols_come_back():
  model = make_model(2, size=0)
  symbols = np.array([[[1 << 30, -(1 << 30)]], [[0, 1]]])
  data = coded(model, symbols, 3)
  np.testing.assert_array_equal(decoded(model, data, (2, 1), 3), symbols)


def test_random_bytes_give_symbols_or_the_typed_error():
  rng = np.random.default_rng(0)
  model = make_model(5, size=LARGEST)
  outcomes = set()
  for length in range(60):
    try:
      symbols = decoded(model, rng.bytes(length), (3, 3), 20)
      outcomes.add(symbols.dtype.name)
      assert np.abs(symbols).max() <= 1 << 30
    except errors.CorruptBitstreamError:
      outcomes.add("error")
  assert "error" in outcomes


def test_costs_are_those_of_the_stream():
  model = make_model(9)
  symbols = random_symbols((12, 13), 9, 0, size=2)
  classes, means = context.contexts(model, symbols, 50)
  bits = frequencies.cost_bits(symbols - means, classes, model.tables).sum()
  # fails if the estimate uses other contexts than the coder.
  assert abs(8 * len(coded(model, symbols, 50)) - bits) < 16 + 1e-3 * bits


def test_golden_bytes():
  # fails if the order of coding or a unit of the model changes: old files
  # would no longer decode. A change here needs a new format version.
  grid, num_planes = (3, 4), 5
  n = num_planes
  ramp = lambda *s: (np.arange(np.prod(s)) * 7919 % 801 - 400).reshape(s)  # noqa: E731
  columns = np.arange(1, 12)
  counts = np.stack(
    [columns * columns[::-1] + 10 * k for k in range(context.NUM_CLASSES)]
  )
  model = context.ContextModel(
    context.group_ends(n),
    (ramp(4, n) * 100 + 80_000).astype(np.int32),
    ramp(n).astype(np.int32),
    ramp(n, n).astype(np.int16),
    ramp(3, n, n).astype(np.int16),
    ramp(4, 3, n).astype(np.int16),
    ramp(4, 3, n).astype(np.int16),
    frequencies.from_counts(counts, offset=5),
  )
  symbols = (np.arange(60) * 37 % 17 - 8).reshape(*grid, n)
  data = coded(model, symbols, 44)
  np.testing.assert_array_equal(decoded(model, data, grid, 44), symbols)
  assert data.hex() == GOLDEN


# Fitting.


def photograph_like(seed, grid=(16, 20), num_planes=6):
  """Symbols whose scale varies smoothly, and whose first plane is smooth."""
  rng = np.random.default_rng(seed)
  y, x = np.meshgrid(*(np.arange(n) / 5 for n in grid), indexing="ij")
  phase = rng.uniform(0, 6, 3)
  scale = np.exp(1.5 * np.sin(y + phase[0]) * np.sin(x + phase[1]))
  scale = scale[..., None] * np.exp2(-np.arange(num_planes) / 2)
  symbols = np.rint(rng.laplace(0, scale))
  symbols[..., 0] += np.rint(40 * np.sin(0.7 * (x + y) + phase[2]))
  return context_fit.CodedImage(symbols.astype(np.int64), 40)


@pytest.fixture(scope="module")
def fitted():
  images = [photograph_like(seed) for seed in range(6)]
  return context_fit.fit(images, num_steps=150, learning_rate=2e-2)


def test_a_fitted_model_beats_a_static_table_for_every_plane(fitted):
  symbols = photograph_like(100).symbols
  classes, means = context.contexts(fitted, symbols, 40)
  bits = frequencies.cost_bits(symbols - means, classes, fitted.tables)
  static = 0.0
  for plane in range(symbols.shape[2]):
    # The entropy of the test data itself: no static table can be shorter.
    _, counts = np.unique(symbols[..., plane], return_counts=True)
    static -= (counts * np.log2(counts / counts.sum())).sum()
  # fails if the fitted weights lie in other units than those of the coder.
  assert bits.sum() < 0.9 * static
  assert abs(8 * len(coded(fitted, symbols, 40)) - bits.sum()) < 64


def test_the_mean_is_predicted_where_it_helps(fitted):
  # fails if every plane, or none, is predicted.
  assert np.any(fitted.mean[3, :, 0])
  assert not fitted.mean[:, :, 1:].any()
  # No neighbour is known in the first pass.
  assert not fitted.mean[0].any() and not fitted.same[0].any()


def test_a_fitted_model_knows_only_earlier_groups(fitted):
  ends = fitted.group_ends
  start = np.repeat([0, *ends[:-1]], np.diff(ends, prepend=0))
  later = np.arange(6)[None] >= start[:, None]
  assert not fitted.own[later].any() and not fitted.neighbours[:, later].any()
  assert fitted.own[~later].any() and fitted.neighbours[:, ~later].any()
  assert fitted.own.dtype == fitted.same.dtype == np.int16
  assert fitted.bias.dtype == fitted.step_slope.dtype == np.int32


def test_the_fitted_units_are_octaves():
  rng = np.random.default_rng(0)
  first = np.rint(rng.laplace(0, 8, (40, 40)))
  # The scale of the second plane is the magnitude of the first, plus one.
  second = np.rint(rng.laplace(0, 1 + np.abs(first)))
  symbols = np.stack([first, second], axis=-1).astype(np.int64)
  image = context_fit.CodedImage(symbols, 40)
  model = context_fit.fit([image], num_steps=300, learning_rate=3e-2)
  # fails if weights, magnitudes or classes are rounded to other units.
  assert 0.85 < model.own[1, 0] / 2**context.WEIGHT_BITS < 1.15
  classes, _ = context.contexts(model, symbols, 40)
  octaves = classes / context.CLASSES_PER_OCTAVE
  scales = np.log2(context.LOWEST_SCALE) + octaves
  assert abs(np.median(scales[..., 0]) - 3) < 0.4
  expected = np.log2(1 + np.abs(first))
  assert np.abs(scales[..., 1] - expected)[expected > 1].mean() < 0.4


def test_fitting_is_deterministic():
  images = [photograph_like(0, (4, 4), 2)]
  first, second = (context_fit.fit(images, num_steps=5) for _ in range(2))
  for a, b in zip(first[:-1], second[:-1], strict=True):
    np.testing.assert_array_equal(a, b)
  np.testing.assert_array_equal(first.tables.freq, second.tables.freq)


def test_fitting_to_nothing_is_refused():
  with pytest.raises(ValueError, match="at least one"):
    context_fit.fit([])
