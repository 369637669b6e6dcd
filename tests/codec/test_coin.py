"""COIN as a codec: the fit, the weights' bytes, and the interface."""

import random
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import inrjax
from inrjax import cli
from inrjax.adapt import loop
from inrjax.codec import (
  coin,
  coin_fit,
  coin_spec,
  coin_weights,
  container,
  entropy,
  model_file,
)
from inrjax.coords import grid
from inrjax.data import images
from inrjax.networks import network as network_lib
from inrjax.networks import siren
from inrjax.types import Context
from tests.codec import tiny_codec

RGB = tiny_codec.picture(20, 27)
NETWORK = siren.SirenConfig(depth=2, width=8)
SPEC = coin_spec.CoinSpec(
  NETWORK, num_steps=250, learning_rate=1e-2, num_bits=(6, 8, 11, 16)
)
# 2 inputs and a bias, one hidden layer, three outputs.
LENGTH = 3 * 8 + 8 * 9 + 9 * 3


@pytest.fixture(scope="module")
def codec():
  return coin.CoinCodec(SPEC)


@pytest.fixture(scope="module")
def network(codec):
  return codec._network  # What is compiled for one serves the other.


@pytest.fixture(scope="module")
def coder(network):
  return coin_weights.WeightCoder(network.is_bias, network.leaf)


@pytest.fixture(scope="module")
def fitted(network):
  """Fits of growing numbers of steps, `[4, L]`."""
  return np.concatenate([fit(network, steps) for steps in (10, 50, 150, 250)])


@pytest.fixture(scope="module")
def coded(codec):
  """A file per width."""
  return {
    bits: codec.compress(RGB, quality=100 * t / 3, effort="fast")
    for t, bits in enumerate(SPEC.num_bits)
  }


def fit(network, num_steps, array=RGB):
  keys = jax.random.split(jax.random.key(0), 1)
  unit = array[None].astype(np.float32) / 255
  return network.fit(keys, unit, num_steps=num_steps)


def centres(size):
  return (np.arange(size) + 0.5) / size


def error(network, params, array=RGB):
  values = network.values(params, *map(centres, array.shape[:2]))
  return np.mean(np.square(values - array / 255.0))


# The fit.


def test_the_best_iterate_is_kept():
  def loss_fn(shared, fast, context):
    del shared, context
    return jnp.square(fast.current)

  def gradient(shared, fast, context):
    loss = loss_fn(shared, fast, context)
    return loss, coin_fit.Snapshot(2 * fast.current, None, loss, None)

  # Steps of 0.7 from 1.0: 0.3, -0.4, 0.3, ... ; the best is 0.3.
  link = optax.with_extra_args_support(
    optax.chain(optax.scale_by_sign(), optax.scale(-0.7))
  )
  begin = coin_fit.start(link, jnp.ones(()))
  context = Context(jnp.zeros((1, 2)), jnp.zeros((1, 3)))
  for num_steps, best, current in ((4, 0.3, -0.4), (1, 0.3, 0.3)):
    adapt = loop.make_adapt(
      loss_fn,
      coin_fit.keep_best(link),
      num_steps=num_steps,
      gradient=lambda unused: gradient,
    )
    adapted = adapt(jax.random.key(0), {}, begin, {}, context)
    fast = coin_fit.judge_last(adapted.fast, adapted.losses)
    # fails if the last iterate is returned, or is never looked at.
    assert fast.best == pytest.approx(best, abs=1e-6)
    assert fast.current == pytest.approx(current, abs=1e-6)
    assert fast.lowest == pytest.approx(best**2, abs=1e-6)


def test_losses_that_are_not_finite_are_never_best():
  nan = jnp.asarray(jnp.nan)
  fast = coin_fit.Snapshot(nan, jnp.ones(()), jnp.asarray(2.0), ())
  after = coin_fit.judge_last(fast, jnp.array([3.0, jnp.nan, jnp.nan]))
  # fails if NaN passes for less, or wipes out the lowest loss.
  assert (after.best, after.lowest) == (1.0, 2.0)


def reference(num_steps):
  """Losses and iterates of Adam written out, `[S + 1]` and `[S + 1]` trees."""
  siren_network = network_lib.make_siren(NETWORK)
  params = siren_network.init(jax.random.split(jax.random.key(0), 1)[0])
  coords = grid.grid(RGB.shape[:2])
  adam = optax.adam(SPEC.learning_rate)

  @jax.jit
  def step(params, state):
    def loss_fn(params):
      values = siren_network.apply(params, coords)
      return jnp.mean(jnp.square(values - RGB.reshape(-1, 3) / 255.0))

    loss, grads = jax.value_and_grad(loss_fn)(params)
    updates, state = adam.update(grads, state)
    return loss, optax.apply_updates(params, updates), state

  state, losses, iterates = adam.init(params), [], []
  for _ in range(num_steps + 1):
    iterates.append(jax.flatten_util.ravel_pytree(params)[0])
    loss, params, state = step(params, state)
    losses.append(float(loss))
  return losses, iterates


def test_a_fit_is_adam_on_all_points(network, monkeypatch):
  losses, iterates = reference(26)
  best = int(np.argmin(losses))
  # 540 points in three tiles of 180, and two calls of 13 steps.
  monkeypatch.setattr(coin_fit, "_TILE_VALUES", 0)
  monkeypatch.setattr(coin_fit, "_STEPS_PER_CALL", 13)
  found = fit(coin_fit.CoinNetwork(SPEC), 26)[0]
  # fails if a tile is left out, the padding counts, or Adam starts again.
  np.testing.assert_allclose(found, iterates[best], atol=2e-4)
  assert error(network, found) == pytest.approx(losses[best], rel=1e-3)


def test_points_that_pad_the_last_tile_do_not_count(network, monkeypatch):
  array = RGB[:19, :25]  # 475 points: two tiles of 238.
  whole = fit(network, 10, array)
  monkeypatch.setattr(coin_fit, "_TILE_VALUES", 0)
  tiled = fit(coin_fit.CoinNetwork(SPEC), 10, array)
  # fails if the point that was added has a weight.
  np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4)


def test_more_steps_are_never_worse(network, fitted):
  errors = [error(network, params) for params in fitted]
  # fails if a later call forgets the best of an earlier one.
  assert errors == sorted(errors, reverse=True)
  assert errors[-1] < 0.5 * errors[0]


def test_images_side_by_side_are_fitted_as_one_by_one(network):
  keys = jax.random.split(jax.random.key(1), 2)
  units = np.stack([RGB, 255 - RGB]).astype(np.float32) / 255
  both = network.fit(keys, units, num_steps=10)
  for index in range(2):
    alone = network.fit(
      keys[index : index + 1], units[index : index + 1], num_steps=10
    )
    # fails if a fit sees another image's values or key.
    np.testing.assert_allclose(both[index], alone[0], atol=1e-5)


# The weights.


def test_the_layout_is_the_networks(network):
  assert SPEC.num_params == len(network.leaf) == LENGTH
  assert network.is_bias.sum() == 8 + 8 + 3
  assert len(np.unique(network.leaf)) == 6


@pytest.mark.parametrize("num_bits", range(1, 17))
def test_symbols_survive(coder, fitted, num_bits):
  quantised = coder.quantise(fitted[-1], num_bits)
  payload = coder.write(quantised.symbols, num_bits)
  found = coder.read(payload, num_bits)
  np.testing.assert_array_equal(found, quantised.symbols)
  assert 0 <= found.min() and found.max() < 1 << num_bits
  bits = coder.cost(quantised.symbols, num_bits)
  # fails if the estimate leaves out the tables' indices or the lower bits.
  assert -8 <= 8 * len(payload) - bits <= 16
  if num_bits == 16:
    assert len(payload) == 2 * LENGTH and quantised.side == b""
  else:
    assert len(quantised.side) == 16
    # fails if coding costs more than the bits themselves.
    assert bits <= num_bits * LENGTH + 60


def test_16_bits_are_half_precision(coder, fitted):
  params = fitted[-1]
  decoded = coder.dequantise(coder.quantise(params, 16), 16)
  np.testing.assert_array_equal(decoded, params.astype(np.float16))
  huge = np.full(LENGTH, -1e6, np.float32)
  # fails if a weight beyond the type becomes infinite.
  assert np.all(coder.dequantise(coder.quantise(huge, 16), 16) == -65504)


@pytest.mark.parametrize("num_bits", [3, 8, 12])
def test_weights_and_biases_are_rounded_apart(coder, num_bits):
  rng = np.random.default_rng(0)
  scale = np.where(coder.is_bias, 100.0, 1.0)
  params = (scale * rng.uniform(-1, 1, LENGTH) + scale).astype(np.float32)
  decoded = coder.dequantise(coder.quantise(params, num_bits), num_bits)
  # Half a step of a range of at most 12 deviations of scale / sqrt(3).
  step = 12 * scale / np.sqrt(3) / (2**num_bits - 1)
  # fails if one range serves both.
  assert np.all(np.abs(decoded - params) < 0.6 * step)


def test_constant_weights_survive(coder):
  params = np.full(LENGTH, 0.25, np.float32)
  for num_bits in (1, 8, 15, 16):
    quantised = coder.quantise(params, num_bits)
    payload = coder.write(quantised.symbols, num_bits)
    symbols = coder.read(payload, num_bits)
    again = quantised._replace(symbols=symbols)
    np.testing.assert_allclose(coder.dequantise(again, num_bits), 0.25)


def test_the_tables_are_fixed():
  tables = coin_weights._tables(3)
  # fails if a table, hence the meaning of existing files, changes.
  assert tables.freq[4].tolist() == [
    1, 6683, 26628, 117449, 373527, 373527, 117449, 26628, 6683, 1
  ]  # fmt: skip


@pytest.mark.parametrize("num_bits", [6, 8, 11])
def test_every_damaged_payload_is_noticed_or_decodes(coder, fitted, num_bits):
  # Most strings are some weights' payload: that they are not these weights' is
  # for the file's checksum to tell.
  rng = random.Random(num_bits)
  payload = coder.write(coder.quantise(fitted[-1], num_bits).symbols, num_bits)
  damaged = [payload[:length] for length in range(len(payload))]
  damaged += [rng.randbytes(len(payload)) for _ in range(50)]
  damaged += [b"\xff" * len(payload), bytes(len(payload))]
  noticed = 0
  for data in damaged:
    try:
      symbols = coder.read(data, num_bits)
    except inrjax.CorruptBitstreamError:
      noticed += 1
      continue
    # fails if symbols leave their range unnoticed.
    assert 0 <= symbols.min() and symbols.max() < 1 << num_bits
  assert noticed
  for appended in (b"\0", b"\1"):
    with pytest.raises(inrjax.CorruptBitstreamError):
      coder.read(payload + appended, num_bits)


def test_escapes_and_unknown_tables_are_refused(coder):
  tables = coin_weights._tables(6)
  for scale, symbol, match in ((0, 32, "6 bits"), (31, 0, "table 31")):
    writer = entropy.Encoder()
    writer.encode_uniform_bits(np.full(6, scale), 5)
    index = np.full(LENGTH, min(scale, 17))
    writer.encode(np.full(LENGTH, symbol), index, tables)
    # fails if the columns that only pad the table are taken for symbols.
    with pytest.raises(inrjax.CorruptBitstreamError, match=match):
      coder.read(writer.finish(), 6)


# The codec.


@pytest.mark.parametrize("num_bits", SPEC.num_bits)
def test_a_file_decodes_to_what_was_measured(codec, coded, num_bits):
  data = coded[num_bits]
  assert container.peek(data).profile == "compact"
  decoded = codec.decompress(data)
  assert (decoded.shape, decoded.dtype) == (RGB.shape, np.uint8)
  (parts,) = codec.rates(data)
  assert parts.total == len(data) == parts.header + parts.side + parts.payload
  assert parts.side == (0 if num_bits == 16 else 16)
  # Mark, model, header, shape, checksum.
  assert parts.header == 1 + 1 + 1 + 6 + 3
  assert codec.symbols(data)[0].shape == (1, 1, LENGTH)
  if num_bits == 16:
    assert parts.payload == 2 * LENGTH


def test_what_is_kept_is_what_was_fitted(codec, network, coder, coded):
  steps = round(coin.EFFORTS["fast"] * SPEC.num_steps)
  params = fit(network, steps)[0]
  for num_bits, data in coded.items():
    found = codec.symbols(data)[0].ravel()
    # fails if the effort's number of steps or the start differs.
    np.testing.assert_array_equal(
      found, coder.quantise(params, num_bits).symbols
    )


def test_more_effort_is_better(codec):
  psnrs = []
  for effort in ("fast", "medium", "slow"):
    decoded = codec.decompress(codec.compress(RGB, effort=effort))
    psnrs.append(-np.log10(np.mean(np.square(decoded / 255.0 - RGB / 255.0))))
  # fails if the effort changes nothing.
  assert psnrs[0] < psnrs[1] < psnrs[2]


def test_quality_and_rate_choose_the_width(codec, coded):
  sizes = {bits: len(data) for bits, data in coded.items()}
  assert sorted(sizes.values()) == list(sizes.values())
  assert codec.compress(RGB, effort="fast") == coded[16]
  for bits, size in sizes.items():
    bpp = 8 * size / (20 * 27)
    # fails if the limit is not kept to the byte, or not used up.
    assert codec.compress(RGB, bpp=bpp, effort="fast") == coded[bits]
  with pytest.raises(inrjax.CodecError, match=f"takes {sizes[6]} at least"):
    codec.compress(RGB, bpp=8 * (sizes[6] - 1) / (20 * 27), effort="fast")


def test_several_images_with_names(codec, coded):
  grey = RGB[..., 0]
  pictures = [RGB, RGB[:9].astype(np.uint16) * 257, RGB[:1, :1] / 255.0]
  data = codec.compress_many(
    pictures, names=["a", "b", "c"], quality=0, effort="fast"
  )
  assert container.peek(data).sizes.side == 3 * 16
  decoded = codec.decompress_many(data)
  assert [name for name, _ in decoded] == ["a", "b", "c"]
  for picture, (_, found) in zip(pictures, decoded, strict=True):
    assert (found.shape, found.dtype) == (picture.shape, picture.dtype)
  # fails if the order of side information and payload depends on the profile.
  np.testing.assert_array_equal(decoded[0][1], codec.decompress(coded[6]))
  totals = sum(parts.total for parts in codec.rates(data))
  assert totals == pytest.approx(len(data))
  with pytest.raises(inrjax.CodecError, match="3 images"):
    codec.decompress(data)
  with pytest.raises(inrjax.UnsupportedSignalError, match="1 channel"):
    codec.compress(grey)


def test_grey_images_without_a_channel_axis():
  codec = coin.CoinCodec(
    coin_spec.CoinSpec(
      siren.SirenConfig(depth=1, width=4, out_dim=1), num_steps=25
    )
  )
  data = codec.compress(RGB[..., 0])
  # One width takes no header.
  assert len(codec.rates(data)) == 1 and codec.decompress(data).shape == (
    20,
    27,
  )


def test_regions_and_scales(codec, coded, monkeypatch):
  data = coded[16]
  whole = codec.decompress(data).astype(int)
  monkeypatch.setattr(coin, "_ROW_VALUES", 100)
  part = codec.decompress(data, region=(3, 4, 15, 26)).astype(int)
  # fails if the region's coordinates are stretched over the image.
  assert np.abs(part - whole[3:15, 4:26]).max() <= 1
  tripled = codec.decompress(data, scale=3).astype(int)
  assert tripled.shape == (60, 81, 3)
  # The middle of three samples lies at the pixel's centre.
  assert np.abs(tripled[1::3, 1::3] - whole).max() <= 1
  assert codec.decompress(data, scale=0.01).shape == (1, 1, 3)
  for region in ((0, 0, 21, 5), (5, 0, 5, 9), (-1, 0, 5, 5)):
    with pytest.raises(inrjax.CodecError, match="20 x 27"):
      codec.decompress(data, region=region)
  for scale in (0, -1, float("nan"), 65):
    with pytest.raises(ValueError, match="scale"):
      codec.decompress(data, scale=scale)


@pytest.mark.parametrize(
  "arguments",
  [
    {"effort": "best"},
    {"quality": 101},
    {"bpp": 0},
    {"quality": 1, "bpp": 1},
  ],
)
def test_arguments_out_of_range(codec, arguments):
  with pytest.raises(ValueError):
    codec.compress(RGB, **arguments)
  with pytest.raises(ValueError):
    codec.compress_many([])
  with pytest.raises(ValueError):
    codec.compress_many([RGB], names=["a", "b"])


# Damage.


def record_of(codec, data):
  (record,) = codec._unpack(data)
  return record


def packed(codec, record):
  return container.pack(container.Stream(codec.model_id, (record,)))


@pytest.mark.parametrize("num_bits", [8, 16])
def test_truncated_and_flipped_files(codec, coded, num_bits):
  data = coded[num_bits]
  for length in range(len(data)):
    with pytest.raises(inrjax.CodecError):
      codec.decompress(data[:length])
  rng = random.Random(0)
  for _ in range(200):
    damaged = bytearray(data)
    damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with pytest.raises(inrjax.CodecError):
      codec.decompress(bytes(damaged))


def test_records_that_no_encoder_writes(codec, coded):
  narrow, wide = (record_of(codec, coded[bits]) for bits in (8, 16))
  infinite = b"\x7c\x00" * LENGTH
  statistics = np.array([0, 1, 0, 1], ">f4")
  bad = [
    narrow._replace(header=b""),
    narrow._replace(header=b"\4"),
    narrow._replace(header=b"\1\1"),
    narrow._replace(side=b""),
    narrow._replace(side=narrow.side + b"\0"),
    narrow._replace(payload=b""),
    narrow._replace(payload=narrow.payload + b"\1"),
    wide._replace(payload=wide.payload[:-1]),
    wide._replace(payload=wide.payload + b"\0"),
    wide._replace(payload=infinite),
    wide._replace(side=narrow.side),
    wide._replace(spec=container.SignalSpec("audio", (100, 3), "int16")),
    wide._replace(spec=container.SignalSpec("image", (20, 27))),
  ]
  for place, value in ((0, np.nan), (1, -1.0), (1, np.inf), (3, 3e38)):
    changed = statistics.copy()
    changed[place] = value
    bad.append(narrow._replace(side=changed.tobytes()))
  for record in bad:
    with pytest.raises(inrjax.CorruptBitstreamError):
      codec.decompress(packed(codec, record))
  # fails if the records above are refused for another reason.
  assert codec.decompress(packed(codec, narrow)).shape == RGB.shape


def test_weights_too_large_for_the_network_are_noticed(codec, coded):
  wide = record_of(codec, coded[16])
  largest = wide._replace(payload=b"\x7b\xff" * LENGTH)
  # fails if values that are not finite are cast to integers.
  try:
    assert codec.decompress(packed(codec, largest)).shape == RGB.shape
  except inrjax.CorruptBitstreamError as error:
    assert "not finite" in str(error)


def test_a_declared_terapixel_costs_nothing(codec, coded):
  spec = container.SignalSpec("image", (10**6, 10**6, 3))
  record = record_of(codec, coded[16])._replace(spec=spec)
  tracemalloc.start()
  try:
    with pytest.raises(inrjax.CorruptBitstreamError, match="values"):
      codec.decompress(packed(codec, record))
    # fails if anything of the declared size is allocated.
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
  finally:
    tracemalloc.stop()


# The model file.


def test_a_model_file_is_the_architecture(codec, coded, tmp_path):
  path = tmp_path / "coin.inrmodel"
  codec.save(path)
  loaded = inrjax.load(path)
  assert isinstance(loaded, coin.CoinCodec)
  assert (loaded.model_id, loaded.spec) == (codec.model_id, SPEC)
  assert loaded.info() == codec.info()
  assert not model_file.load_model(path).arrays
  np.testing.assert_array_equal(
    loaded.decompress(coded[16]), codec.decompress(coded[16])
  )
  other = coin.CoinCodec(SPEC, card={"note": "another"})
  with pytest.raises(inrjax.CodecError):
    other.decompress(coded[16])


@pytest.mark.parametrize(
  ("key", "values"),
  [
    ("network", [None, "x", [], 3]),
    ("num_steps", [None, "x", 0, 1.5, 10**12]),
    ("learning_rate", [None, "x", 0, -1.0]),
    ("num_bits", [None, 16, [], [0], [17], [8, 8], [9, 8], [8.0], ["8"]]),
    ("low", [None, "x", 1.0, 2.0]),
    ("surplus", [1]),
  ],
)
def test_specifications_that_mean_nothing(codec, tmp_path, key, values):
  path = tmp_path / "bad.inrmodel"
  for value in values:
    config = codec._content()
    config["spec"] = {**config["spec"], key: value}
    model_file.save_model(path, config, {})
    # fails if the error comes with the first image, or is Python's own.
    with pytest.raises(inrjax.CorruptBitstreamError):
      inrjax.load(path)


@pytest.mark.parametrize(
  "change",
  [
    {"depth": 10**12, "width": 1},
    {"width": 10**9},
    {"width": 8.0},
    {"width": "8"},
    {"out_dim": 2},
    {"in_dim": 3},
    {"w0": -1.0},
    {"modulate": ["shift"]},
    {"basis_dim": 4},
  ],
)
def test_networks_that_are_no_coin(codec, tmp_path, change):
  path = tmp_path / "bad.inrmodel"
  config = codec._content()
  network = {**config["spec"]["network"], **change}
  config["spec"] = {**config["spec"], "network": network}
  model_file.save_model(path, config, {})
  # fails if a network of that size is built before it is looked at.
  with pytest.raises(inrjax.CorruptBitstreamError):
    inrjax.load(path)


def test_parts_that_are_not_a_coins(codec, tmp_path):
  path = tmp_path / "bad.inrmodel"
  config = codec._content()
  for changed, arrays in (
    (config, {"more": np.zeros(3)}),
    ({**config, "card": 3}, {}),
    ({**config, "spec": None}, {}),
    ({"codec": "coin"}, {}),
  ):
    model_file.save_model(path, changed, arrays)
    with pytest.raises(inrjax.CorruptBitstreamError):
      inrjax.load(path)


def test_the_commands(codec, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  codec.save("coin.inrmodel")
  (tmp_path / "a.png").write_bytes(images.encode_array(RGB, ".png"))
  model = ("--model", "coin.inrmodel")
  assert cli.main(["compress", *model, "--effort=fast", "a.png", "a.inr"]) == 0
  assert cli.main(["decompress", *model, "a.inr", "b.png"]) == 0
  data = (tmp_path / "a.inr").read_bytes()
  np.testing.assert_array_equal(
    images.read_array("b.png"), codec.decompress(data)
  )
  assert cli.main(["info", "coin.inrmodel"]) == 0
  assert "coin" in capsys.readouterr().out
