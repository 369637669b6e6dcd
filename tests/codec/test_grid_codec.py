"""Signals that are no images, through the codec and back."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from inrjax import codec
from inrjax.codec import (
  container,
  errors,
  grid_network,
  grid_spec,
  kinds,
  loading,
  model_file,
)
from inrjax.coords import sphere
from inrjax.meta import recipes
from inrjax.types import Context
from tests.codec import tiny_grids as tiny


@pytest.fixture(scope="module")
def audio() -> codec.GridCodec:
  training = [
    kinds.Signal("audio", tiny.sound(seed=i), {"rate": 8000}) for i in (1, 2)
  ]
  return tiny.make(tiny.audio_spec(), training)


@pytest.fixture(scope="module")
def globe() -> codec.GridCodec:
  return tiny.make(tiny.field_spec(), [tiny.temperatures(6)])


@pytest.fixture(scope="module")
def volumes() -> codec.GridCodec:
  training = [kinds.Signal("volume", tiny.volume(i)) for i in range(2)]
  return tiny.make(tiny.volume_spec(), training)


def a_sound(**fields) -> kinds.Signal:
  return kinds.Signal("audio", tiny.sound(), {"rate": 8000}, **fields)


def error(signal: kinds.Signal, decoded: kinds.Signal) -> np.ndarray:
  assert decoded.values.shape == signal.values.shape
  assert decoded.values.dtype == signal.values.dtype
  return np.abs(
    signal.values.astype(np.float64) - decoded.values.astype(np.float64)
  )


def test_sounds_come_back_with_metadata_and_better_at_a_finer_step(audio):
  signal = a_sound(name="a.wav")
  sizes, means = [], []
  for quality in (10, 45, 80):
    data = audio.compress_signals([signal], quality=quality)
    (decoded,) = audio.decompress_signals(data)
    # Fails if metadata or names are lost, or taken from the model.
    assert decoded.metadata == {"rate": 8000} and decoded.name == "a.wav"
    sizes.append(len(data))
    means.append(np.square(error(signal, decoded)).mean())
  # Fails if the quality does not reach the step size.
  assert sizes == sorted(sizes) and means[0] > means[2]
  assert means[2] < signal.values.astype(float).var() / 2


def test_channels_and_odd_lengths_are_signals_of_their_own(audio):
  both = np.stack([tiny.sound(33), tiny.sound(33, seed=4)])
  stereo = kinds.Signal("audio", both, {"rate": 8000})
  data = audio.compress_signals([stereo], quality=60)
  (decoded,) = audio.decompress_signals(data)
  for channel, values in zip(both, decoded.values, strict=True):
    alone = audio.compress_signals(
      [stereo._replace(values=channel)], quality=60
    )
    # Fails if leading axes are mixed up with the blocks of one channel.
    np.testing.assert_array_equal(
      audio.decompress_signals(alone)[0].values, values
    )


def test_rates_account_for_every_byte(audio):
  signals = [a_sound(name="a.wav"), a_sound(name="b.wav")]
  data = audio.compress_signals(signals, quality=50)
  rates = audio.rates(data)
  assert sum(rate.total for rate in rates) == pytest.approx(len(data))
  # Fails if the tables that code are not those of the estimate.
  for rate in rates:
    assert rate.estimated_bits / 8 == pytest.approx(rate.payload, abs=5)


def test_a_rate_is_kept_or_refused(audio):
  signal = a_sound()
  data = audio.compress_signals([signal], bpp=4.0)
  assert 8 * len(data) <= 4.0 * 210
  with pytest.raises(errors.CodecError, match="ask for a higher rate"):
    audio.compress_signals([signal], bpp=0.01)
  with pytest.raises(ValueError, match="not both"):
    audio.compress_signals([signal], bpp=1.0, max_error=3.0)


def test_more_effort_fits_better(audio):
  signal = a_sound()
  found = []
  for effort in ("fast", "medium", "slow"):
    data = audio.compress_signals([signal], quality=100, effort=effort)
    found.append(np.square(error(signal, *audio.decompress_signals(data))))
  means = [e.mean() for e in found]
  # Fails if efforts are the same, or the best fit is not the one kept.
  assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("max_error", [0, 1, 40.5, 3000])
def test_a_bound_is_kept_by_integers(audio, max_error):
  signal = a_sound()
  data = audio.compress_signals([signal], quality=50, max_error=max_error)
  # Fails if corrections are quantised too coarsely, or lost.
  assert error(signal, *audio.decompress_signals(data)).max() <= max_error
  (rate,) = audio.rates(data)
  assert rate.estimated_bits / 8 == pytest.approx(rate.payload, abs=8)


@pytest.mark.parametrize("max_error", [0.01, 0.5, 20.0])
def test_a_bound_is_kept_by_fields_with_coasts(globe, max_error):
  signal = tiny.temperatures(3, missing=True)
  data = globe.compress_signals([signal], max_error=max_error)
  (decoded,) = globe.decompress_signals(data)
  missing = np.isnan(signal.values)
  # Fails if a mask is lost, inverted, or has its places permuted.
  np.testing.assert_array_equal(np.isnan(decoded.values), missing)
  assert error(signal, decoded)[~missing].max() <= max_error


def test_corrections_cost_less_than_without_a_network(globe):
  signal = tiny.temperatures(6)
  fine = globe.compress_signals([signal], max_error=0.1)
  coarse = globe.compress_signals([signal], quality=0, max_error=0.1)
  # Fails if the smallest of the settings is not taken.
  assert len(fine) <= len(coarse)


def test_a_bound_that_floats_cannot_keep_is_refused(globe):
  with pytest.raises(errors.UnsupportedSignalError, match="and more can"):
    globe.compress_signals([tiny.temperatures(1)], max_error=1e-9)


def test_bounds_allow_for_the_range_of_the_model(globe):
  signal = tiny.temperatures(1)
  narrow = signal._replace(values=280 + signal.values / 1000)
  # Fails if what floats resolve is taken from the signal's range, of 0.05 K,
  # while the network's outputs are multiplied by the model's, of 100 K.
  with pytest.raises(errors.UnsupportedSignalError, match="and more can"):
    globe.compress_signals([narrow], max_error=2e-4)
  data = globe.compress_signals([narrow], max_error=2e-3)
  assert error(narrow, *globe.decompress_signals(data)).max() <= 2e-3


def test_a_constant_field_and_one_time_step(globe):
  signal = tiny.temperatures(1)
  flat = signal._replace(values=np.full_like(signal.values, 280.0))
  (decoded,) = globe.decompress_signals(globe.compress_signals([flat]))
  # Fails if an empty range is divided by.
  assert error(flat, decoded).max() < 20


def test_missing_values_are_in_no_loss(globe):
  # Fails if what stands where values are missing has any effect on the fit.
  spec = dataclasses.replace(
    globe.spec, num_steps=1, rates=recipes.InnerRates(0.1, 0.1)
  )
  network = grid_network.GridNetwork(spec, globe._network.outer)
  plan = globe.plan(
    globe.check_signal(tiny.temperatures(1)), tiny.field_metadata(7, 8)
  )
  rng = np.random.default_rng(0)
  blocks = rng.uniform(0, 1, (2, 56, 1)).astype(np.float32)
  mask = rng.uniform(size=(2, 56)) > 0.3
  other = np.where(mask[..., None], blocks, np.float32(0.9))
  first, second = (
    network.fit(b, plan.coords, present=mask) for b in (blocks, other)
  )
  np.testing.assert_allclose(first, second, atol=1e-6)
  # Oracle: one step of descent on the mean over what is there.
  method = globe.spec.method()
  shared = network.outer.shared
  start = method.initial_fast(network.outer)
  context = Context(plan.coords[mask[0]], blocks[0][mask[0]])

  def loss(fast):
    outputs = method.apply(shared, fast, context.coords)
    return ((outputs - context.values) ** 2).mean()

  step = jax.tree.map(lambda g: -0.1 * g, jax.grad(loss)(start))
  flat = np.concatenate([np.ravel(x) for x in jax.tree.leaves(step)])
  np.testing.assert_allclose(first[0], flat, atol=1e-5)


def test_fits_around_missing_values_are_of_tiles(globe, monkeypatch):
  spec = dataclasses.replace(
    globe.spec, num_steps=1, rates=recipes.InnerRates(0.1, 0.1)
  )
  plan = globe.plan(
    globe.check_signal(tiny.temperatures(1)), tiny.field_metadata(7, 8)
  )
  rng = np.random.default_rng(0)
  blocks = rng.uniform(0, 1, (1, 56, 1)).astype(np.float32)
  mask = rng.uniform(size=(1, 56)) > 0.3

  def fitted():
    network = grid_network.GridNetwork(spec, globe._network.outer)
    fit = network._fit(0, 0, True, 56)
    program = fit.lower(plan.coords, blocks, mask[..., None].astype("f4"))
    return network.fit(blocks, plan.coords, present=mask), program.as_text()

  whole, at_once = fitted()
  monkeypatch.setattr(grid_network, "_POINTS", 10)
  found, program = fitted()
  np.testing.assert_allclose(found, whole, atol=1e-5)
  # Fails if some of the network's activations are of all points.
  activations = f"56x{spec.network.width}xf32"
  assert activations in at_once and activations not in program


def test_fits_that_get_worse_take_smaller_steps(globe):
  # Fails if a block keeps a fit that is worse than none, or one whose error
  # falls loses the rates that were learned.
  plan = globe.plan(
    globe.check_signal(tiny.temperatures(1)), tiny.field_metadata(7, 8)
  )
  rng = np.random.default_rng(0)
  # Of different sizes of noise about different means.
  level = np.arange(8, dtype=np.float32)[:, np.newaxis, np.newaxis] / 7
  noise = rng.uniform(-0.5, 0.5, (8, 56, 1)).astype(np.float32)
  blocks = level + level**2 * noise

  def network(halvings):
    rate = 0.25 / 2**halvings
    spec = dataclasses.replace(
      globe.spec,
      num_steps=2**halvings,
      rates=recipes.InnerRates(rate, rate),
    )
    return grid_network.GridNetwork(spec, globe._network.outer)

  def errors_of(fast, signals=blocks):
    values = globe._network.values(fast, plan.coords)
    return ((values - signals) ** 2).mean((1, 2))

  before = errors_of(np.zeros((8, globe._network.num_stored), np.float32))
  found = network(0).fit(blocks, plan.coords)
  assert (errors_of(found) <= before).all()
  fits = [network(k)._fit(0, 0, False, 56) for k in range(2)]
  rows = [np.asarray(fit(plan.coords, blocks)) for fit in fits]
  falls = np.stack([row[:, -1] > 0 for row in rows])
  assert 0 < falls[0].sum() < 8, falls
  for index, chosen in enumerate(falls.argmax(axis=0)):
    np.testing.assert_allclose(
      found[index], rows[chosen][index, :-1], rtol=1e-4, atol=1e-5
    )
  # Fails if silence and air, which the start meets, are fitted again and again.
  still = globe._network.values(0 * found, plan.coords) + 1e-6 * noise
  once = np.asarray(fits[0](plan.coords, still))
  assert (errors_of(once[:, :-1], still) > errors_of(0 * found, still)).any()
  np.testing.assert_array_equal(
    network(0).fit(still, plan.coords), once[:, :-1]
  )


def test_fields_lie_where_their_file_says(globe):
  signal = tiny.temperatures(2)
  upside_down = tiny.field_metadata(7, 8)
  upside_down["coords"]["lat"]["values"] = tiny.axis(-90, 90, 7)
  turned = signal._replace(values=signal.values[:, ::-1], metadata=upside_down)
  decoded = [
    globe.decompress_signals(globe.compress_signals([s]))[0].values
    for s in (signal, turned)
  ]
  # Fails if coordinates are assumed and not read.
  np.testing.assert_allclose(decoded[0], decoded[1][:, ::-1], atol=2e-3)
  plan = globe.plan(globe.check_signal(signal), signal.metadata)
  expected = sphere.unit_vectors(
    np.linspace(90, -90, 7), np.linspace(0, 315, 8)
  )
  np.testing.assert_allclose(plan.coords, expected.reshape(-1, 3), atol=1e-6)


def test_volumes_of_odd_sizes_and_several_frames(volumes):
  frames = np.stack([tiny.volume(5), tiny.volume(6)])
  signal = kinds.Signal("volume", frames)
  data = volumes.compress_signals([signal], quality=70)
  (decoded,) = volumes.decompress_signals(data)
  spread = frames.astype(float).std()
  # Fails if blocks are put back in another order.
  assert error(signal, decoded).mean() < spread / 3
  assert volumes.symbols(data)[0].shape[0] == 2 * 3 * 2 * 2


def test_arrays_without_files(volumes):
  array = tiny.volume(3)[..., 0]
  data = volumes.compress(array, quality=60)
  decoded = volumes.decompress(data)
  assert decoded.shape == array.shape and decoded.dtype == array.dtype
  # Fails if a signal without name and metadata pays for a full header.
  assert container.peek(data).profile == "compact"
  with pytest.raises(errors.CodecError, match="for images"):
    volumes.decompress(data, scale=2.0)


@pytest.mark.parametrize(
  ("signal", "message"),
  [
    (kinds.Signal("volume", tiny.volume()), "is of kind volume.*serves field"),
    (tiny.temperatures(1)._replace(unit="m"), "is in m.*in K"),
    (
      tiny.temperatures(1)._replace(metadata={}),
      "latitudes and longitudes cannot be used",
    ),
    (
      tiny.temperatures(1)._replace(values=np.full((1, 7, 8, 1), np.nan)),
      "no value that is not missing",
    ),
    (
      tiny.temperatures(1)._replace(values=np.full((1, 7, 8, 1), np.inf)),
      "infinite",
    ),
    (
      tiny.temperatures(1)._replace(values=np.zeros((7,), np.float32)),
      "has shape",
    ),
    (
      tiny.temperatures(1)._replace(values=np.zeros((1, 7, 8, 1), bool)),
      "has type bool",
    ),
  ],
)
def test_other_signals_are_refused(globe, signal, message):
  # Fails if a signal that the model does not know is coded all the same.
  with pytest.raises(errors.UnsupportedSignalError, match=message):
    globe.compress_signals([signal])


def test_other_rates_are_refused():
  training = [
    kinds.Signal("audio", tiny.sound(60, seed=i), {"rate": 8000})
    for i in (1, 2)
  ]
  narrow = tiny.make(tiny.audio_spec(sample_rate=8000), training)
  with pytest.raises(errors.UnsupportedSignalError, match="44100.*8000"):
    narrow.compress_signals([a_sound()._replace(metadata={"rate": 44100})])


def test_every_truncation_and_every_damaged_byte_is_noticed(globe):
  data = globe.compress_signals([tiny.temperatures(2, missing=True)])
  for end in range(0, len(data), 3):
    with pytest.raises(errors.CodecError):
      globe.decompress_signals(data[:end])
  for place in range(0, len(data), 5):
    broken = bytearray(data)
    broken[place] ^= 0x41
    with pytest.raises(errors.CodecError):
      globe.decompress_signals(bytes(broken))


def _forged(globe, **changes) -> bytes:
  """A stream with a right checksum and wrong content."""
  data = globe.compress_signals(
    [tiny.temperatures(2, missing=True)], quality=40, max_error=1.0
  )
  stream = container.unpack(data, model_id=globe.model_id)
  record = stream.signals[0]._replace(**changes)
  return container.pack(dataclasses.replace(stream, signals=(record,)))


def _spec(shape, dtype="float32", kind="field"):
  return container.SignalSpec(kind, shape, dtype, (200.0, 300.0))


@pytest.mark.parametrize(
  "changes",
  [
    {"header": b""},
    {"header": b"\x7f"},
    {"header": b"\x05\x00"},
    {"header": b"\x85" + b"\xff" * 8},
    {"header": b"\x85" + bytes(8)},
    {"side": b""},
    {"side": b"\x01\x02\x03"},
    {"payload": b"\xff" * 40},
    {"spec": _spec((2, 8, 7, 1))},
    {"spec": _spec((7, 8, 1), kind="volume")},
    {"spec": _spec((2, 7, 8, 1), dtype="int16")},
    {"spec": _spec((1 << 20, 7, 8, 1))},
    {"spec": _spec((7,))},
  ],
  ids=lambda changes: "-".join(changes),
)
def test_forged_streams_are_refused(globe, changes):
  # Fails if another error than the typed one comes out, or an array.
  with pytest.raises(errors.CorruptBitstreamError):
    globe.decompress_signals(_forged(globe, **changes))


def test_models_of_grids_load_and_damaged_ones_do_not(globe, tmp_path):
  path = tmp_path / "globe.inrmodel"
  globe.save(path)
  loaded = loading.load(path)
  assert isinstance(loaded, codec.GridCodec) and loaded.spec == globe.spec
  data = globe.compress_signals([tiny.temperatures(2)])
  np.testing.assert_array_equal(
    loaded.decompress_signals(data)[0].values,
    globe.decompress_signals(data)[0].values,
  )
  content = model_file.load_model(path)
  for name, array in content.arrays.items():
    wrongs = [np.zeros(array.shape, np.int8)]
    if name != "classes":  # Fewer settings are a model, too.
      wrongs.append(array[:-1])
    for wrong in wrongs:
      changed = content._replace(arrays={**content.arrays, name: wrong})
      # Fails if an array is used before its shape and type are looked at.
      with pytest.raises(errors.CodecError):
        loading.from_model_file(changed)
  config = {**content.config, "spec": {**content.config["spec"], "kinds": []}}
  with pytest.raises(errors.CorruptBitstreamError, match="kinds"):
    loading.from_model_file(content._replace(config=config))


_DECODE = """
import hashlib, pathlib, sys
from inrjax.codec import loading
codec = loading.load(sys.argv[1])
data = pathlib.Path(sys.argv[2]).read_bytes()
print(hashlib.sha256(codec.symbols(data)[0].astype("<i8").tobytes()).hexdigest())
"""


def test_another_process_decodes_the_same_symbols(volumes, tmp_path):
  model, stream = tmp_path / "m.inrmodel", tmp_path / "a.inr"
  volumes.save(model)
  signal = kinds.Signal("volume", tiny.volume(8))
  data = volumes.compress_signals([signal], quality=70, max_error=5.0)
  stream.write_bytes(data)
  done = subprocess.run(
    [sys.executable, "-c", _DECODE, str(model), str(stream)],
    env={**os.environ, "XLA_FLAGS": "", "JAX_DISABLE_JIT": "1"},
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  symbols = volumes.symbols(data)[0].astype("<i8").tobytes()
  # Fails if floating point enters the entropy path.
  assert done.stdout.strip() == hashlib.sha256(symbols).hexdigest()


def test_specifications_survive_json():
  for spec in (tiny.audio_spec(), tiny.field_spec(), tiny.volume_spec()):
    again = json.loads(json.dumps(spec.to_json()))
    assert grid_spec.from_json(again) == spec


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"sides": (20, 20)}, "coordinates"),
    ({"sides": None}, "coordinates"),
    ({"kinds": ("volume",)}, "axes"),
    ({"kinds": ("image",)}, "choose from"),
    ({"sides": (0,)}, "integers"),
    ({"value_range": (1.0, 1.0)}, "must rise"),
    ({"num_steps": -1}, "num_steps"),
  ],
)
def test_impossible_specifications_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(tiny.audio_spec(), **change)
