"""What the tests of the launchers run under."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def rank_promotion() -> Iterator[None]:
  """A SIREN without scale modulations multiplies `[D, width]` by `[1]`."""
  with jax.numpy_rank_promotion("allow"):
    yield
