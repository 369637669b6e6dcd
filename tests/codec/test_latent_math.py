"""Functions of IEEE operations alone: accurate, and the same bits for ever."""

import hashlib

import numpy as np
import pytest
from scipy import special

from inrjax.codec import latent_math

GRID = np.concatenate(
  [np.arange(-10_000, 10_001) / 222, [0.0, -0.0, 1e-300, -1e-12, 700, -700]]
)


@pytest.mark.parametrize(
  ("name", "oracle"),
  [
    ("exp", np.exp),
    ("sigmoid", special.expit),
    ("tanh", np.tanh),
    ("softplus", lambda x: np.logaddexp(0, x)),
  ],
  ids=["exp", "sigmoid", "tanh", "softplus"],
)
def test_accuracy(name, oracle):
  # Fails if a series is too short or a constant has a wrong digit.
  np.testing.assert_allclose(
    getattr(latent_math, name)(GRID), oracle(GRID), rtol=2e-15, atol=2e-16
  )


def test_normal_tail():
  x = np.abs(GRID[np.abs(GRID) < 37])
  np.testing.assert_allclose(
    latent_math.normal_tail(x), special.ndtr(-x), rtol=2e-12
  )
  # Fails if the series and the fraction do not meet.
  near = np.linspace(2.999, 3.001, 50)
  assert np.all(np.diff(latent_math.normal_tail(near)) < 0)


def test_far_arguments_are_harmless():
  far = np.array([-1e9, 1e9])
  assert np.all(np.isfinite(latent_math.exp(far)))
  np.testing.assert_allclose(latent_math.sigmoid(far), [0, 1], atol=1e-300)
  assert latent_math.normal_tail(far[1:])[0] < 1e-300


def test_golden_bits():
  # Streams depend on them: a change here needs a new format version.
  digest = hashlib.sha256()
  for name in ("exp", "sigmoid", "tanh", "softplus"):
    digest.update(getattr(latent_math, name)(GRID).astype("<f8").tobytes())
  digest.update(latent_math.normal_tail(np.abs(GRID)).astype("<f8").tobytes())
  # Fails if an operation is reordered, fused, or left to a C library.
  assert digest.hexdigest()[:16] == GOLDEN


GOLDEN = "3476aa7f423bb12d"
