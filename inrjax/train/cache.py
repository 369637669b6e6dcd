"""Compiled programs kept on disk between runs."""

import os

import jax
from jax.experimental.compilation_cache import compilation_cache


def enable_compilation_cache(directory: str | os.PathLike[str]) -> None:
  """Keeps what XLA compiles, so that a second start skips it.

  Args:
    directory: made if missing; several processes may share it. Entries depend
      on the program, the device and the JAX version.

  Raises:
    OSError: if the directory cannot be made or written.
  """
  path = os.path.abspath(directory)
  os.makedirs(path, exist_ok=True)
  if not os.access(path, os.W_OK):
    raise PermissionError(f"The compilation cache {path} is not writable.")
  jax.config.update("jax_compilation_cache_dir", path)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
  # JAX looks at the settings once, when it first compiles.
  compilation_cache.reset_cache()
