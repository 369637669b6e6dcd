"""The codec of weights: fits, changes as bytes, patterns, and the interface."""

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import inrjax
from inrjax import cli, codec
from inrjax.codec import (
  container,
  entropy,
  loading,
  model_file,
  sparse_encoder,
  sparse_inr,
  sparse_network,
  sparse_spec,
  sparse_weights,
)
from inrjax.coords import patches
from inrjax.data import images
from inrjax.meta import method as method_lib
from inrjax.networks import fourier, siren
from inrjax.sparsity import groups, pruning
from tests.codec import tiny_codec

SIDE = 8
RGB = tiny_codec.picture(13, 18)
TRAINING = [tiny_codec.picture(16, 16, seed=s) for s in (1, 2)]
NETWORK = siren.SirenConfig(depth=2, width=6, w0=10.0)
# 2 inputs, one hidden layer, three outputs; all of their biases.
SIZE = 3 * 6 + 7 * 6 + 7 * 3
WEIGHTS, LEFT = 2 * 6 + 6 * 6 + 6 * 3, 40
SPEC = sparse_spec.SparseSpec(
  NETWORK, side=SIDE, num_steps=12, learning_rate=5e-3
)


def trained(spec, *, num_kept=None):
  """A start like those that training leaves, its weights pruned to so many."""
  method = spec.method()
  template = jax.eval_shape(method.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  outer = jax.tree.map(
    lambda leaf: rng.uniform(-0.15, 0.15, leaf.shape).astype(np.float32),
    template,
  )
  outer = outer._replace(mask=jax.tree.map(np.ones_like, outer.fast))
  if num_kept is None:
    return outer
  mask = pruning.keep_largest(
    outer.mask,
    jax.tree.map(np.abs, outer.fast),
    num_kept,
    roles=method.partition.roles,
    pruned_roles=("weight",),
  )
  fast = jax.tree.map(np.multiply, mask, outer.fast)
  return outer._replace(fast=fast, mask=mask)


def gated(on, grouping):
  """MSCN: half of the gates are closed."""
  gates = method_lib.Gates(on=on, grouping=grouping)
  spec = dataclasses.replace(SPEC, gates=gates)
  outer = trained(spec)
  rng = np.random.default_rng(0)
  log_alpha = jax.tree.map(
    lambda a: jnp.asarray(rng.choice([-8.0, 1.0, 8.0], a.shape), jnp.float32),
    outer.log_alpha,
  )
  return spec, outer._replace(log_alpha=log_alpha)


def make(spec, outer):
  return codec.fit_sparse_codec(spec, outer, TRAINING)


@pytest.fixture(scope="module")
def masked():
  """Meta-SparseINR."""
  return make(SPEC, trained(SPEC, num_kept=LEFT))


@pytest.fixture(scope="module")
def pruning_codec():
  """MAML+IMP: every tile prunes."""
  spec = dataclasses.replace(SPEC, num_kept=(45, 30))
  return make(spec, trained(spec))


@pytest.fixture(scope="module")
def network(masked):
  return masked._network


@pytest.fixture(scope="module")
def coder(masked):
  return masked.coder


@pytest.fixture(scope="module")
def tiles():
  return patches.to_patches(RGB.astype(np.float32) / 255, SIDE)


@pytest.fixture(scope="module")
def fast(network, tiles):
  return network.fit(tiles)


@pytest.fixture(scope="module")
def coded(masked):
  """Files by quality."""
  return {
    q: masked.compress(RGB, quality=q, effort="fast") for q in (0, 30, 60, 100)
  }


def psnr(decoded, array=RGB):
  return -10 * np.log10(np.mean(np.square(decoded / 255.0 - array / 255.0)))


def adapted(spec, outer, tile, as_context):
  adapt = jax.jit(spec.method().adapt)
  return adapt(jax.random.key(0), outer, {}, as_context(tile))


def grids(count):
  return np.tile((np.arange(SIDE) + 0.5) / SIDE, (count, 1)).astype(np.float32)


# The network.


@pytest.mark.parametrize(
  ("on", "grouping"),
  [
    ("updates", groups.PerParameter(("weight",))),
    ("values", groups.PerUnit()),
  ],
  ids=["sparse_change", "fully_sparse"],
)
def test_what_is_stored_is_what_the_method_adapts(on, grouping, tiles):
  spec, outer = gated(on, grouping)
  outer = sparse_network.prepare(spec, outer)
  network = sparse_network.SparseNetwork(spec, outer)
  assert 0 < network.num_stored < SIZE
  whole = adapted(spec, outer, jnp.asarray(tiles[0]), network._as_context)
  state = jax.flatten_util.ravel_pytree(whole.state["fast"])[0]
  change = (state - network._start)[network.stored]
  found = jax.jit(network._apply)(change, network._coords)
  values = spec.method().apply(outer.shared, whole.fast, network._coords)
  assert np.abs(change).max() > 1e-3
  # fails if a gate is applied twice or not at all, or an open one not stored.
  np.testing.assert_allclose(found, values, atol=2e-5)


def test_a_masked_start_is_adapted_where_it_is_left(masked, tiles, fast):
  network = masked._network
  assert network.num_stored == LEFT + SIZE - WEIGHTS
  assert masked.info()["values_per_tile"] == LEFT + SIZE - WEIGHTS
  whole = adapted(
    SPEC, network.outer, jnp.asarray(tiles[0]), network._as_context
  )
  flat = jax.flatten_util.ravel_pytree(whole.fast)[0]
  # fails if a pruned weight comes back.
  assert not np.any(np.asarray(flat)[~network.stored])
  change = np.asarray(flat)[network.stored] - network.start
  np.testing.assert_allclose(fast[0], change, atol=2e-6)


def test_groups_are_layers(network):
  counts = np.bincount(network.group)
  # Three layers of weights and biases; fails if tensors are mixed up.
  assert len(counts) == 6 and counts.sum() == network.num_stored
  assert np.all(np.diff(network.group) >= 0)


def test_stacked_layers_are_several_groups():
  spec = dataclasses.replace(
    SPEC, network=dataclasses.replace(NETWORK, depth=4)
  )
  network = sparse_network.SparseNetwork(
    spec, sparse_network.prepare(spec, trained(spec))
  )
  # fails if the three hidden layers share their shifts.
  assert len(np.bincount(network.group)) == 2 * (1 + 3 + 1)
  assert sorted(np.bincount(network.group))[-3:] == [36, 36, 36]


def test_the_metric_is_the_mean_squared_derivative(network, fast):
  found = network.squared_jacobian(fast, num_probes=200, seed=0)
  jacobians = network.jacobians(fast)
  expected = np.square(jacobians).mean(axis=(0, 1))
  # fails if the estimate is of another mean than over values and tiles.
  np.testing.assert_allclose(found, expected, rtol=0.25)


# Changes as symbols and bytes.


@pytest.mark.parametrize("t", [0, 31, 64, 127])
def test_symbols_survive(coder, t):
  rng = np.random.default_rng(t)
  symbols = rng.laplace(0, 3, (2, 3, coder.num_symbols))
  symbols = np.rint(symbols).astype(np.int64)
  symbols[0, 0] = 0
  symbols[1, 1, ::7] = rng.integers(-(2**20), 2**20, symbols[1, 1, ::7].shape)
  writer = entropy.Encoder()
  coder.write(writer, symbols, t)
  data = writer.finish()
  reader = entropy.Decoder(data)
  np.testing.assert_array_equal(coder.read(reader, (2, 3), t), symbols)
  reader.finish()
  bits = coder.cost(symbols, t).sum()
  # fails if the estimate leaves out shifts or escapes.
  assert -8 <= 8 * len(data) - bits <= 16


def test_tables_are_found_in_integers(coder):
  shifts = np.array([[8, 10, 8, 8, 0, 8]])
  found = coder._classes(shifts, 5)[0]
  for w, group in enumerate(coder.group):
    octaves = (int(coder.level[w]) + 5 + 8 * (shifts[0, group] - 8)) / 16
    expected = np.clip(np.floor(4 * (octaves + 6)), 0, 51)
    # fails if a shift is not half an octave or the rows are not quarters.
    assert found[w] == expected


def test_the_bytes_are_fixed():
  tables = entropy.from_counts(
    np.array([[1, 8 >> (k % 4), 64 << (k % 3), 9, 1] for k in range(52)]),
    offset=2,
  )
  shift_tables = entropy.from_counts(np.ones((1, 18), np.int64), offset=1)
  survival_tables = entropy.from_counts(np.array([[1, 3, 5, 1]]), offset=1)
  zeros = np.zeros(4, np.float32)
  fixed = sparse_weights.SparseCoder(
    np.array([0, 0, 1, 1]),
    zeros,
    zeros + 1,
    np.array([0, 16, -16, 3], np.int16),
    1.0,
    0.4,
    0.0,
    tables,
    shift_tables,
    np.array([0, 0, -1, -1], np.int16),
    survival_tables,
  )
  symbols = np.array([[[1, 0, -1, 5, 1, 0, 1, 1], [0, 0, 0, -1, 1, 1, 1, 1]]])
  writer = entropy.Encoder()
  fixed.write(writer, symbols, 9)
  # fails if the meaning of existing files changes.
  assert writer.finish().hex() == "9fa58ee2c8e7"


def test_rounding_is_within_a_step(coder, fast):
  for t in (20, 127):
    decoded = coder.dequantise(coder.quantise(fast, t), t)
    # Zero takes 1.2 steps, and points are moved by up to half a step.
    error = np.abs(decoded - fast) / (coder.scale * coder.step(t))
    assert error.max() <= 1.001
  assert np.abs(
    coder.dequantise(coder.quantise(fast, 127), 127) - fast
  ).max() < (0.1 * np.abs(fast).max())


def test_a_change_of_nothing_is_the_mean(coder, network):
  zeros = np.zeros((1, coder.num_symbols), np.int64)
  np.testing.assert_array_equal(coder.dequantise(zeros, 40)[0], coder.mean)


def test_improving_costs_less(coder, fast):
  t = 50
  codes = coder.codes(fast, t)
  plain = coder.quantise(fast, t)
  better = coder.improve(codes, plain, t)

  def cost(symbols):
    level = symbols + coder.shift * np.sign(symbols)
    bits = coder.cost(symbols[None], t).sum()
    return np.square(codes - level).sum() + 0.14 * bits

  # fails if bits are ignored or of other tables.
  assert cost(better) <= cost(plain)
  assert cost(better) <= cost(np.rint(codes).astype(int))


@pytest.mark.parametrize("rate", [0.3, 30.0])
def test_more_effort_is_never_worse(network, coder, tiles, monkeypatch, rate):
  # The same numbers of steps for all, so that nothing is compiled again.
  plain, little, much = (sparse_encoder.Start(0, n) for n in (0, 5, 25))
  efforts = {"fast": (plain,), "medium": (little,), "slow": (little, much)}
  monkeypatch.setattr(sparse_encoder, "EFFORTS", efforts)
  monkeypatch.setattr(sparse_encoder, "_RATE", rate)
  unit, t, costs = RGB.astype(np.float32) / 255, 45, []
  for effort in efforts:
    encoder = sparse_encoder.SparseEncoder(network, coder, unit, effort)
    symbols = encoder.symbols(t)
    flat = symbols.reshape(-1, symbols.shape[-1])
    error, _ = network.error_and_gradient(coder.dequantise(flat, t), tiles)
    bits = coder.cost(symbols, t)
    costs.append(error.sum() + coder.trade_off(t) * bits.sum())
  # fails if what is kept is the last and not the best: the second rate only
  # makes things worse.
  assert costs[2] <= costs[1] <= costs[0]
  assert rate > 1 or costs[1] < costs[0]


# Patterns of tiles.


def test_every_tile_keeps_its_number(pruning_codec, tiles):
  network, coder = pruning_codec._network, pruning_codec.coder
  fast = network.fit(tiles)
  assert fast.shape == (len(tiles), 2 * SIZE)
  change, survives = np.split(fast, 2, axis=1)
  weights = network.may_prune
  assert weights.sum() == WEIGHTS
  np.testing.assert_array_equal(survives[:, weights].sum(axis=1), 30)
  assert np.all(survives[:, ~weights] == 1)
  assert len(np.unique(survives, axis=0)) > 1
  assert not np.any(change[survives == 0])
  symbols = coder.quantise(fast, 60)
  decoded = coder.dequantise(symbols, 60)
  # fails if the mean change goes to weights that are gone.
  assert not np.any(decoded[:, :SIZE][survives == 0])


def test_positions_are_paid_for_where_they_are_own(pruning_codec, tiles):
  coder = pruning_codec.coder
  symbols = coder.quantise(pruning_codec._network.fit(tiles), 60)
  shared = symbols.copy()
  shared[:, SIZE:] = 1
  sizes = []
  for one in (symbols, shared):
    grid = one.reshape(2, 3, -1)
    writer = entropy.Encoder()
    coder.write(writer, grid, 60)
    data = writer.finish()
    reader = entropy.Decoder(data)
    np.testing.assert_array_equal(coder.read(reader, (2, 3), 60), grid)
    reader.finish()
    assert -8 <= 8 * len(data) - coder.cost(grid, 60).sum() <= 16
    sizes.append(len(data))
  each = coder._cost(symbols, 60) - coder._cost(shared, 60)
  # 30 of 66 survive: at most 66 bits, less the zeros that need none.
  assert np.all(each < WEIGHTS)


def test_patterns_travel_in_the_file(pruning_codec, tmp_path):
  data = pruning_codec.compress(RGB, quality=70, effort="fast")
  (found,) = pruning_codec.symbols(data)
  survives = found[..., SIZE:]
  assert found.shape == (2, 3, 2 * SIZE)
  # fails if the decoder's pattern is another.
  assert np.all(survives[..., pruning_codec._network.may_prune].sum(-1) == 30)
  pruning_codec.save(tmp_path / "a.inrmodel")
  loaded = inrjax.load(tmp_path / "a.inrmodel")
  assert loaded.info()["patterns"] == "tile"
  np.testing.assert_array_equal(
    loaded.decompress(data), pruning_codec.decompress(data)
  )


def test_an_own_pattern_that_is_the_models_is_refused(pruning_codec):
  coder = pruning_codec.coder
  writer = entropy.Encoder()
  writer.encode_uniform_bits(np.ones(1, np.int64), 1)
  pays = coder.survival >= 0
  writer.encode(
    np.ones(pays.sum(), np.int64),
    coder.survival[pays].astype(np.int64),
    coder.survival_tables,
  )
  # fails if one picture has two spellings.
  with pytest.raises(inrjax.CorruptBitstreamError, match="the model's"):
    coder.read(entropy.Decoder(writer.finish()), (1, 1), 0)


# The codec.


def test_a_file_decodes_to_what_was_measured(masked, network, coded, tiles):
  data = coded[60]
  assert container.peek(data).profile == "compact"
  decoded = masked.decompress(data)
  assert (decoded.shape, decoded.dtype) == (RGB.shape, np.uint8)
  (parts,) = masked.rates(data)
  assert parts.total == len(data) == parts.header + parts.side + parts.payload
  assert abs(8 * parts.payload - parts.estimated_bits) < 17
  (symbols,) = masked.symbols(data)
  t = data[2 + 6]  # Behind mark, model and specification.
  assert t == round(0.6 * 127)
  flat = symbols.reshape(6, -1)
  values = network.values(masked.coder.dequantise(flat, t), grids(6), grids(6))
  whole = patches.from_patches(values, *RGB.shape[:2])
  # fails if tiles change places.
  expected = np.rint(255 * np.clip(whole, 0, 1))
  assert np.abs(expected - decoded.astype(int)).max() <= 1


def test_quality_buys_bytes(masked, network, coded, tiles, fast):
  sizes = [len(data) for data in coded.values()]
  assert sizes == sorted(sizes) and sizes[0] < 0.3 * sizes[-1]
  psnrs = [psnr(masked.decompress(data)) for data in coded.values()]
  assert psnrs[0] < psnrs[1] < psnrs[2]
  values = network.values(fast, grids(6), grids(6))
  whole = patches.from_patches(values, *RGB.shape[:2])
  # fails if the finest step loses what the fit has found.
  assert psnrs[-1] > psnr(255 * np.clip(whole, 0, 1)) - 0.3


def test_a_rate_is_kept(masked, coded):
  for bpp in (4.0, 7.0):
    data = masked.compress(RGB, bpp=bpp, effort="fast")
    # fails if the limit is not kept, or far from used up.
    assert 0.8 * bpp < 8 * len(data) / (13 * 18) <= bpp
  with pytest.raises(inrjax.CodecError, match="coarsest"):
    masked.compress(RGB, bpp=0.1, effort="fast")


def test_several_images_with_names(masked):
  pictures = [RGB, RGB[:9].astype(np.uint16) * 257, RGB[:1] / 255.0]
  data = masked.compress_many(
    pictures, names=["a", "b", "c"], quality=20, effort="fast"
  )
  decoded = masked.decompress_many(data)
  assert [name for name, _ in decoded] == ["a", "b", "c"]
  for picture, (_, found) in zip(pictures, decoded, strict=True):
    assert (found.shape, found.dtype) == (picture.shape, picture.dtype)
  assert sum(part.total for part in masked.rates(data)) == pytest.approx(
    len(data)
  )
  with pytest.raises(inrjax.UnsupportedSignalError, match="1 channel"):
    masked.compress(RGB[..., 0])


def test_regions_and_scales(masked, coded):
  whole = masked.decompress(coded[60]).astype(int)
  part = masked.decompress(coded[60], region=(3, 4, 11, 17)).astype(int)
  assert np.abs(part - whole[3:11, 4:17]).max() <= 1
  assert masked.decompress(coded[60], scale=2).shape == (26, 36, 3)


def test_grey_images_of_a_fourier_network(tmp_path):
  spec = dataclasses.replace(
    SPEC,
    network=fourier.FourierConfig(depth=2, width=6, sigma=1.0, out_dim=1),
    low=0.0,
    image_side=16,
  )
  grey = codec.fit_sparse_codec(
    spec, trained(spec), [t[..., 0] for t in TRAINING]
  )
  grey.save(tmp_path / "a.inrmodel")
  loaded = inrjax.load(tmp_path / "a.inrmodel")
  assert loaded.spec == spec
  image = TRAINING[0][..., :1]
  data = grey.compress(image, effort="fast")
  np.testing.assert_array_equal(loaded.decompress(data), grey.decompress(data))
  # fails if the frequencies, which are not fast, are not kept.
  assert "outer/shared/~/frequencies" in grey._model()[1]
  # An image of the model's own size needs no specification.
  assert data[0] & 0x10 == 0


# Damage.


def test_truncated_and_flipped_files(masked, coded):
  data = coded[0]
  for length in range(0, len(data), 2):
    with pytest.raises(inrjax.CodecError):
      masked.decompress(data[:length])
  rng = random.Random(0)
  for _ in range(60):
    damaged = bytearray(data)
    damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with pytest.raises(inrjax.CodecError):
      masked.decompress(bytes(damaged))


@pytest.mark.parametrize("which", ["masked", "pruning_codec"])
def test_hostile_payloads_decode_or_are_refused(which, request):
  hostile = request.getfixturevalue(which)
  rng = random.Random(1)
  spec = container.SignalSpec("image", RGB.shape)
  payloads = [b"", b"\xff" * 90, bytes(8), b"\0\1"]
  payloads += [rng.randbytes(length) for length in range(1, 120, 4)]
  for payload in payloads:
    record = container.SignalRecord(spec, b"\7", payload)
    data = container.pack(container.Stream(hostile.model_id, (record,)))
    try:
      assert hostile.decompress(data).shape == RGB.shape
    except inrjax.CorruptBitstreamError:
      pass  # fails if the error is another, or a warning of NumPy's.


def test_records_that_no_encoder_writes(masked, coded):
  (record,) = masked._unpack(coded[30])
  bad = [
    record._replace(header=b""),
    record._replace(header=b"\x80"),
    record._replace(header=b"\1\1"),
    record._replace(side=b"\0"),
    record._replace(payload=b""),
    record._replace(payload=record.payload + b"\1"),
    record._replace(spec=container.SignalSpec("image", (20, 27))),
    record._replace(spec=container.SignalSpec("audio", (100, 3), "int16")),
    record._replace(spec=container.SignalSpec("image", (8, 10**6, 3))),
  ]
  for one in bad:
    data = container.pack(container.Stream(masked.model_id, (one,)))
    with pytest.raises(inrjax.CorruptBitstreamError):
      masked.decompress(data)


def test_too_many_symbols_are_refused(coder, monkeypatch):
  monkeypatch.setattr(sparse_weights, "_MAX_SYMBOLS", 100)
  symbols = np.zeros((1, 2, coder.num_symbols), np.int64)
  with pytest.raises(inrjax.UnsupportedSignalError, match="cut it"):
    coder.write(entropy.Encoder(), symbols, 0)
  # fails if they are allocated first.
  with pytest.raises(inrjax.CorruptBitstreamError, match="tiles"):
    coder.read(entropy.Decoder(b""), (10**9, 10**9), 0)


def test_parts_are_coded_alike(coder, fast, monkeypatch):
  symbols = coder.quantise(fast, 50).reshape(2, 3, -1)
  monkeypatch.setattr(sparse_weights, "_PART_SYMBOLS", 2 * coder.num_symbols)
  writer = entropy.Encoder()
  coder.write(writer, symbols, 50)
  reader = entropy.Decoder(writer.finish())
  # fails if a part is read in another order than it is written.
  np.testing.assert_array_equal(coder.read(reader, (2, 3), 50), symbols)
  reader.finish()


# The model file.


def test_a_model_file_is_the_codec(masked, coded, tmp_path):
  path = tmp_path / "a.inrmodel"
  masked.save(path)
  loaded = inrjax.load(path)
  assert isinstance(loaded, codec.SparseCodec)
  assert (loaded.model_id, loaded.spec) == (masked.model_id, SPEC)
  assert loaded.info() == masked.info()
  assert loaded.info()["codec"] == "sparse_inr"
  np.testing.assert_array_equal(
    loaded.decompress(coded[30]), masked.decompress(coded[30])
  )
  # fails if something that the encoder needs is not kept.
  again = loaded.compress(RGB, quality=30, effort="fast")
  assert again == masked.compress(RGB, quality=30, effort="fast")


def test_gates_survive_the_model_file():
  for on, grouping in (
    ("updates", groups.PerParameter(("weight",))),
    ("values", groups.PerUnit()),
  ):
    spec, _ = gated(on, grouping)
    assert sparse_spec.from_json(spec.to_json()) == spec


def test_arrays_that_do_not_fit(masked, pruning_codec):
  config, arrays = masked._model()
  own = [name for name in arrays if not name.startswith("outer/")]
  scale, level, stored = (
    arrays[name] for name in ("change/scale", "change/level", "stored")
  )
  changes = [{name: None} for name in (*own, "outer/fast/~/w")]
  changes += [{name: arrays[name][:0]} for name in own]
  changes += [{name: arrays[name].astype(np.int32)} for name in own[:3]]
  changes += [
    {"change/mean": np.full_like(scale, np.nan)},
    {"change/scale": -scale},
    {"change/level": level + np.int16(9999)},
    {"stored": np.ones_like(stored)},
    {"stored": np.zeros_like(stored)},
    {"quantiser": np.array([1.0, 0.6, 0.0])},
    {"quantiser": np.array([0.0, 0.4, 0.0])},
    {"outer/mask/~/w": 2 * arrays["outer/mask/~/w"]},
    {"survival/class": level},
  ]
  tried = [(config, arrays | change) for change in changes]
  config, arrays = pruning_codec._model()
  classes = arrays["survival/class"]
  for changed in (None, classes[:3], classes + np.int16(999), 0 * classes):
    tried.append((config, arrays | {"survival/class": changed}))
  for config, arrays in tried:
    kept = {k: array for k, array in arrays.items() if array is not None}
    content = model_file.from_bytes(model_file.to_bytes(config, kept)[0])
    # fails if the error comes with the first image, or is Python's own.
    with pytest.raises(inrjax.CorruptBitstreamError):
      loading.from_model_file(content)


@pytest.mark.parametrize(
  ("key", "values"),
  [
    ("network", [None, "x", [], 3, {"kind": "mlp"}]),
    ("side", [None, 1, 8.0, 5000]),
    ("num_steps", [None, "x", 0, 1.5, 10**12]),
    ("learning_rate", [None, "x", 0, -1.0]),
    ("num_kept", [None, 3, [3, 3], [2, 3], [0], [1.5], [10**6]]),
    ("pruned_roles", [[], ["modulation"], 3]),
    ("at_start", [[], 3, {"kind": "x"}, {"kind": "snip"}]),
    ("gates", [3, {}, {"on": "values"}]),
    ("low", [None, "x", 1.0, 2.0]),
    ("image_side", [0, "x"]),
    ("surplus", [1]),
  ],
)
def test_specifications_that_mean_nothing(masked, key, values):
  config, arrays = masked._model()
  for value in values:
    changed = {**config, "spec": {**config["spec"], key: value}}
    content = model_file.from_bytes(model_file.to_bytes(changed, arrays)[0])
    with pytest.raises(inrjax.CorruptBitstreamError):
      loading.from_model_file(content)


@pytest.mark.parametrize(
  "change",
  [
    {"depth": 10**12, "width": 1},
    {"width": 10**9},
    {"width": 8.0},
    {"width": 7},
    {"out_dim": 2},
    {"in_dim": 3},
    {"modulate": ["shift"]},
    {"basis_dim": 4},
    {"kind": "fourier"},
  ],
  ids=str,
)
def test_networks_of_another_kind(masked, change):
  config, arrays = masked._model()
  network = {**config["spec"]["network"], **change}
  changed = {**config, "spec": {**config["spec"], "network": network}}
  content = model_file.from_bytes(model_file.to_bytes(changed, arrays)[0])
  # fails if a network of that size is built before it is looked at.
  with pytest.raises(inrjax.CorruptBitstreamError):
    loading.from_model_file(content)


# Bad input.


def test_starts_that_do_not_fit():
  outer = trained(SPEC)
  wider = dataclasses.replace(
    SPEC, network=dataclasses.replace(NETWORK, width=7)
  )
  for spec, start in (
    (wider, outer),
    (SPEC, outer._replace(log_alpha={"a": {"b": jnp.ones(3)}})),
  ):
    with pytest.raises(ValueError, match="use the trained network"):
      make(spec, start)
  with pytest.raises(ValueError, match="training images"):
    codec.fit_sparse_codec(SPEC, outer, [])
  many = dataclasses.replace(SPEC, num_kept=(WEIGHTS,))
  with pytest.raises(ValueError, match="prune to fewer"):
    make(many, outer)
  spec, start = gated("updates", groups.PerParameter())
  closed = jax.tree.map(lambda a: jnp.full_like(a, -8.0), start.log_alpha)
  with pytest.raises(ValueError, match="gates are open"):
    make(spec, start._replace(log_alpha=closed))
  adapting = method_lib.Gates(adapt_rate=0.1)
  with pytest.raises(ValueError, match="adapt_rate"):
    dataclasses.replace(SPEC, gates=adapting)
  with pytest.raises(ValueError, match="does not go with gates"):
    dataclasses.replace(SPEC, gates=method_lib.Gates(), num_kept=(4,))
  for field, value in (
    ("kind", "x"),
    ("num_steps", 17),
    ("learning_rate", 0.0),
    ("momentum", 1.0),
  ):
    with pytest.raises(ValueError, match=field):
      sparse_spec.AtStart(**{"kind": "prospr", field: value})
  with pytest.raises(ValueError, match="one number"):
    dataclasses.replace(SPEC, at_start=sparse_spec.AtStart("snip"))


def test_fits_that_diverge_are_named(network, monkeypatch):
  monkeypatch.setattr(
    network, "_fit", lambda extra: lambda t: np.full((len(t), 3), np.nan)
  )
  # fails if NaN becomes a symbol.
  with pytest.raises(inrjax.CodecError, match="learning rate"):
    network.fit(np.zeros((1, SIDE, SIDE, 3), np.float32))


def test_the_commands(masked, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  masked.save("a.inrmodel")
  (tmp_path / "a.png").write_bytes(images.encode_array(RGB, ".png"))
  model = ("--model", "a.inrmodel")
  assert cli.main(["compress", *model, "--effort=fast", "a.png", "a.inr"]) == 0
  assert cli.main(["decompress", *model, "a.inr", "b.png"]) == 0
  data = (tmp_path / "a.inr").read_bytes()
  np.testing.assert_array_equal(
    images.read_array("b.png"), masked.decompress(data)
  )
  assert cli.main(["info", "a.inrmodel"]) == 0
  assert cli.main(["info", "a.inr"]) == 0
  assert "sparse_inr" in capsys.readouterr().out
  assert sparse_inr.EFFORTS == ("fast", "medium", "slow")
