"""How a model's update is spread over its values (figures 3 and 10).

Groups are those of van Rozendaal et al. (2021, figure 3): weights and biases of
the decoder and of the hyper-decoder, the decoder's IGDN, and the hyper-prior.
"""

import collections
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.codec import latent_update
from inrjax.quantize import spike_and_slab

_NETWORKS = {"synthesis": "decoder", "hyper_synthesis": "hyper-decoder"}


def group(part: str, layer: str, leaf: str) -> str:
  """The group of a tensor.

  Args:
    part: of the receiver: "synthesis", "hyper_synthesis" or "prior".
    layer: its layer, such as "conv_0".
    leaf: its name there; "b" is a bias.
  """
  if part == "prior":
    return "hyper-prior"
  kind = "biases" if leaf == "b" else "weights"
  if layer.startswith("igdn"):
    kind = "IGDN"
  return f"{_NETWORKS[part]} {kind}"


def by_group(update: latent_update.ModelUpdate) -> dict[str, dict[str, Any]]:
  """Counts and bits of every symbol.

  Args:
    update: the quantised change, by part, layer and name.

  Returns:
    For every group "parameters", and as lists of equal length "symbols" in
    rising order, "counts" of them, and the "bits" that all of a kind take under
    the discrete prior, eq. 5.
  """
  counts: dict[str, collections.Counter[int]] = collections.defaultdict(
    collections.Counter
  )
  bits: dict[str, dict[int, float]] = collections.defaultdict(
    lambda: collections.defaultdict(float)
  )
  tables: dict[int, np.ndarray] = {}
  scales = update.scale_indices
  for part, layers in update.symbols.items():
    for layer, leaves in layers.items():
      for name, symbols in leaves.items():
        index = spike_and_slab.OWN_SCALE
        if scales is not None:
          index = scales[part][layer][name]
        values, numbers = np.unique(symbols, return_counts=True)
        if index not in tables:
          tables[index] = _bits(update.prior, index)
        costs = numbers * tables[index][values + len(tables[index]) // 2]
        own = group(part, layer, name)
        for value, number, cost in zip(values, numbers, costs, strict=True):
          counts[own][int(value)] += int(number)
          bits[own][int(value)] += float(cost)
  return {
    name: {
      "parameters": sum(found.values()),
      "symbols": sorted(found),
      "counts": [found[value] for value in sorted(found)],
      "bits": [bits[name][value] for value in sorted(found)],
    }
    for name, found in counts.items()
  }


def _bits(prior: spike_and_slab.SpikeAndSlab, scale_index: int) -> np.ndarray:
  """Bits of each symbol from -K to K under a slab, `[2 K + 1]`."""
  largest = int(prior.largest_symbols[scale_index])
  symbols = np.arange(-largest, largest + 1)
  steps = scale_index - spike_and_slab.OWN_SCALE
  found = spike_and_slab.discrete_bits(
    prior,
    jnp.asarray(symbols * prior.bin_width, jnp.float32),
    steps / spike_and_slab.SCALES_PER_OCTAVE,
  )
  return np.asarray(jax.device_get(found), np.float64)
