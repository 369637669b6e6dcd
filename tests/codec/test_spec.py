"""Specifications of codecs as JSON."""

import json

import jax
import pytest

from inrjax import codec
from inrjax.codec import errors, spec
from inrjax.meta import method, recipes
from inrjax.networks import siren
from inrjax.sparsity import gates

LATENT = spec.ModulatedSpec(
  network=siren.SirenConfig(
    depth=2,
    width=8,
    modulate=("shift", "readout"),
    latent_dim=4,
    latent_map_widths=(5, 6),
  ),
  rates=recipes.InnerRates(0.01, 0.1, clip=(0.0, 1.0)),
  num_steps=3,
  side=16,
  low=0.0,
  ema_decay=0.9,
)
GATED = spec.ModulatedSpec(
  network=siren.SirenConfig(depth=2, width=8, out_dim=1, modulate=("shift",)),
  rates=recipes.InnerRates(0.1, 0.1),
  num_steps=2,
  side=8,
  gates=method.Gates(gates.HardConcrete(beta=0.5), adapt_rate=0.1),
)


@pytest.mark.parametrize("original", [LATENT, GATED])
def test_json_brings_the_specification_back(original):
  text = json.dumps(original.to_json())
  again = spec.from_json(json.loads(text))
  # fails if tuples stay lists, or a nested class stays a dictionary.
  assert again == original
  assert json.dumps(again.to_json()) == text
  shapes = [
    jax.eval_shape(s.method().init, jax.random.key(0))
    for s in (original, again)
  ]
  assert shapes[0] == shapes[1]


def test_the_method_is_the_one_described():
  made = LATENT.method()
  assert (made.num_steps, made.ema_decay) == (3, 0.9)
  # fails if the learned rates are dropped.
  outer = made.init(jax.random.key(0))
  (rates,) = jax.tree.leaves(outer.meta["learning_rates"])
  assert rates.shape == (4,) and 0.01 <= rates.min() < rates.max() <= 0.1
  assert GATED.method().gates == GATED.gates


@pytest.mark.parametrize(
  "change",
  [
    {"side": 1},
    {"side": 5000},
    {"network": siren.SirenConfig(depth=1, width=4, out_dim=2)},
  ],
)
def test_impossible_specifications_are_refused(change):
  fields = {"network": LATENT.network, "rates": LATENT.rates, "side": 8}
  with pytest.raises(ValueError):
    codec.ModulatedSpec(**{"num_steps": 3, **fields, **change})


@pytest.mark.parametrize(
  "damage",
  [
    lambda j: j.pop("network"),
    lambda j: j.update(network={**j["network"], "depth": 0}),
    lambda j: j.update(network={**j["network"], "colour": 1}),
    lambda j: j.update(network=[1]),
    lambda j: j.update(rates={"low": 0.1}),
    lambda j: j.update(gates={"distribution": {"beta": -1}}),
    lambda j: j.update(gates={}),
    lambda j: j.update(unknown=1),
    lambda j: j.update(side=0),
    lambda j: j.update(side=None),
  ],
)
def test_damaged_configurations_give_the_typed_error(damage):
  config = json.loads(json.dumps(GATED.to_json()))
  damage(config)
  with pytest.raises(errors.CorruptBitstreamError):
    spec.from_json(config)
