"""The forward pass of a SIREN with closed units: masked, and made smaller.

Group gates take whole units out (`sparsity.PerUnit`). With zeros in their place
the network costs what it cost before; without them (`networks.compact`) less.
"""

import argparse
import json
import statistics
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import case as case_lib
from benchmarks import turns
from inrjax import networks, sparsity
from inrjax.networks import compact
from inrjax.types import Array, PyTree


def sides(
  config: networks.SirenConfig, coords: Array, fraction_open: float
) -> dict[str, Callable[[], Array]]:
  """The masked network and the smaller one, both compiled.

  Args:
    config: the dense network.
    coords: `[N, 2]`.
    fraction_open: units of each layer that stay.
  """
  network = networks.make_siren(config)
  params = network.init(jax.random.key(0))
  grouping = sparsity.PerUnit()
  gates = grouping.init(params, network.roles(params))
  open_units = round(fraction_open * config.width)
  rng = np.random.default_rng(0)

  def closed(units: Array) -> Array:
    order = np.broadcast_to(np.arange(config.width), units.shape)
    ranks = rng.permuted(order, axis=-1)
    return jnp.asarray(ranks < open_units, units.dtype)

  factors = grouping.spread(jax.tree.map(closed, gates), params)
  masked: PyTree = jax.tree.map(jnp.multiply, factors, params)
  small = compact.without_silent_units(compact.layers(masked))
  dense_fn = jax.jit(network.apply)
  small_fn = jax.jit(lambda p, x: compact.apply_layers(p, x, w0=config.w0))
  np.testing.assert_allclose(
    dense_fn(masked, coords), small_fn(small, coords), atol=1e-4
  )
  return {
    "masked": lambda: jax.block_until_ready(dense_fn(masked, coords)),
    "smaller": lambda: jax.block_until_ready(small_fn(small, coords)),
  }


def main() -> None:
  """Measures both at several numbers of open units."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--depth", type=int, default=5)
  parser.add_argument("--width", type=int, default=256)
  parser.add_argument("--side", type=int, default=178)
  parser.add_argument("--rounds", type=int, default=15)
  args = parser.parse_args()
  config = networks.SirenConfig(depth=args.depth, width=args.width)
  coords = jnp.asarray(case_lib.coordinates(case_lib.Case(side=args.side)))
  print(f"{'open units':>10} {'masked s':>10} {'smaller s':>10} {'ratio':>7}")
  for fraction in (0.75, 0.5, 0.25, 0.1):
    runs = sides(config, coords, fraction)
    programs = {name: turns.Program(run, None) for name, run in runs.items()}
    # The check of `sides` has warmed them up.
    seen = turns.take_turns(programs, rounds=args.rounds, warmup=0, pause=0)
    masked, smaller = (statistics.median(seen[n].seconds) for n in runs)
    print(
      f"{fraction:>10.0%} {masked:>10.4f} {smaller:>10.4f} "
      f"{smaller / masked:>7.3f}"
    )
    record = {
      "benchmark": "pruned_forward",
      "baseline": "masked",
      "open_units": fraction,
      "ratio_time": smaller / masked,
      "seconds": smaller,
      "seconds_baseline": masked,
    }
    print(json.dumps(record))


if __name__ == "__main__":
  main()
