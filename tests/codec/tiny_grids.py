"""Grid codecs that are quick to make, and files for them."""

import jax
import numpy as np

from inrjax import codec
from inrjax.codec import kinds
from inrjax.meta import recipes
from inrjax.networks import siren

RATES = recipes.InnerRates(0.1, 0.1)


def network(in_dim: int, *, w0: float = 6.0) -> siren.SirenConfig:
  """A network of which a step fits something: readouts of random features."""
  return siren.SirenConfig(
    depth=1,
    width=16,
    w0=w0,
    in_dim=in_dim,
    out_dim=1,
    modulate=("readout",),
  )


def audio_spec(**options) -> codec.GridSpec:
  return codec.GridSpec(
    network(1),
    RATES,
    num_steps=6,
    kinds=("audio", "array"),
    sides=(20,),
    **options,
  )


def field_spec(**options) -> codec.GridSpec:
  options = {"value_range": (220.0, 320.0), "unit": "K"} | options
  return codec.GridSpec(
    network(3, w0=2.0),
    RATES,
    num_steps=6,
    kinds=("field",),
    sides=None,
    **options,
  )


def volume_spec(**options) -> codec.GridSpec:
  return codec.GridSpec(
    network(3),
    RATES,
    num_steps=6,
    kinds=("volume", "array"),
    sides=(4, 4, 4),
    **options,
  )


def make(spec: codec.GridSpec, signals, **options) -> codec.GridCodec:
  outer = jax.jit(spec.method().init)(jax.random.key(0))
  return codec.fit_grid_codec(spec, outer, signals, **options)


def sound(num: int = 210, *, seed: int = 0) -> np.ndarray:
  """`[num, 1]` int16."""
  rng = np.random.default_rng(seed)
  t = np.arange(num) / num
  waves = [
    rng.normal() * np.sin(2 * np.pi * (f * t + rng.uniform()))
    for f in (2, 3, 5, 9)
  ]
  wave = 6000 * np.sum(waves, axis=0) + rng.normal(0, 100, num)
  return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)[:, None]


def axis(low: float, high: float, count: int) -> dict:
  return {
    "start": low,
    "step": (high - low) / (count - 1),
    "count": count,
    "type": "float64",
  }


def field_metadata(height: int, width: int) -> dict:
  return {
    "variable": "t2m",
    "dims": ["time", "lat", "lon"],
    "grid": ["lat", "lon"],
    "attributes": {"units": "K"},
    "coords": {
      "lat": {
        "dims": ["lat"],
        "attributes": {},
        "values": axis(90, -90, height),
      },
      "lon": {
        "dims": ["lon"],
        "attributes": {},
        "values": axis(0, 315, width),
      },
    },
    "dataset": {},
  }


def temperatures(times: int, *, missing: bool = False) -> kinds.Signal:
  """`[times, 7, 8, 1]` float32 in kelvin."""
  lat = np.deg2rad(np.linspace(90, -90, 7))[:, None]
  lon = np.deg2rad(np.linspace(0, 315, 8))
  steps = np.arange(times)[:, None, None]
  values = 250 + 40 * np.cos(lat) + 8 * np.cos(lat) * np.sin(lon + 0.3 * steps)
  values = values.astype(np.float32)
  if missing:
    values[:, 2:4, 3:6] = np.nan
  return kinds.Signal("field", values[..., None], field_metadata(7, 8), "K")


def volume(seed: int = 0) -> np.ndarray:
  """`[9, 6, 5, 1]` uint16."""
  rng = np.random.default_rng(seed)
  x, y, z = np.meshgrid(*(np.arange(n) for n in (9, 6, 5)), indexing="ij")
  phase = rng.uniform(0, 6, 3)
  values = (
    np.sin(x / 2 + phase[0]) * np.cos(y / 3 + phase[1]) + z / 5 + rng.normal()
  )
  return np.rint(400 * (values - values.min())).astype(np.uint16)[..., None]
