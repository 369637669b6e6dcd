"""The compilation cache holds what was compiled."""

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from inrjax import train

_OPTIONS = (
  "jax_compilation_cache_dir",
  "jax_persistent_cache_min_compile_time_secs",
  "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture(autouse=True)
def options_put_back():
  before = {name: getattr(jax.config, name) for name in _OPTIONS}
  yield
  for name, value in before.items():
    jax.config.update(name, value)
  compilation_cache.reset_cache()


def test_programs_are_kept_however_quick_they_compiled(tmp_path):
  folder = tmp_path / "new" / "cache"
  train.enable_compilation_cache(folder)
  jax.jit(lambda x: jnp.sin(x) * 1.25)(jnp.arange(3.0)).block_until_ready()
  # fails if JAX's thresholds of time and size are left.
  assert list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(OSError, match="file"):
    train.enable_compilation_cache(tmp_path / "file" / "cache")
