"""A codec that works on photographs, small enough to make within a test run."""

import jax
import numpy as np
import pytest
from PIL import Image

from inrjax import codec
from inrjax.coords import grid, patches
from inrjax.data import bundled
from inrjax.meta import recipes
from inrjax.networks import siren, warm_start

SIDE = 8
_SPEC = codec.ModulatedSpec(
  network=siren.SirenConfig(
    depth=2,
    width=24,
    w0=8.0,
    modulate=("readout",),
    latent_dim=24,
    basis_dim=24,
  ),
  rates=recipes.InnerRates(0.5, 0.5),
  num_steps=1,
  side=SIDE,
)


def _small(photograph: np.ndarray, height: int, width: int) -> np.ndarray:
  image = Image.fromarray(photograph).resize((width, height), Image.LANCZOS)
  return np.asarray(image)


@pytest.fixture(scope="session")
def photographs() -> list[np.ndarray]:
  """Small photographs to fit to, uint8 `[48, 64, 3]`."""
  source = bundled.photographs("train")
  return [_small(source[index], 48, 64) for index in (2, 3, 8, 9, 11)]


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
  """A photograph that is not among them, of odd size: uint8 `[45, 61, 3]`."""
  return _small(bundled.photographs("test")[0], 45, 61)


@pytest.fixture(scope="session")
def trained(photographs):
  """Specification and outer parameters of a network that starts well."""
  tiles = np.concatenate([patches.to_patches(p, SIDE) for p in photographs])
  values = tiles.reshape(len(tiles), SIDE * SIDE, 3) / 255
  method = _SPEC.method()
  params = warm_start.principal_start(
    _SPEC.network,
    method.network.init(jax.random.key(0)),
    grid.grid((SIDE, SIDE)),
    values,
    num_steps=150,
  )
  outer = method.init(jax.random.key(0))
  return _SPEC, outer._replace(shared=method.partition.split(params)[0])


@pytest.fixture(scope="session")
def photo_codec(trained, photographs) -> codec.ImageCodec:
  """Transform coding with a context model."""
  return codec.fit_codec(*trained, photographs, context_steps=100)


@pytest.fixture(scope="session")
def fixed_codec(trained, photographs) -> codec.ImageCodec:
  """The papers' scheme."""
  return codec.fit_fixed_width_codec(
    *trained, photographs, num_bits=5, num_deviations=3
  )
