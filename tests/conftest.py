"""What every test runs under; set before anything imports JAX."""

import os
import pathlib

_FLAGS = (
  # Four devices on any machine, so that every test of pmap is a real one.
  "--xla_force_host_platform_device_count=4",
  # One thread per process: pytest-xdist already fills the cores.
  "--xla_cpu_multi_thread_eigen=false",
  # Most of the suite's time is compilation, of programs that run for moments.
  "--xla_backend_optimization_level=0",
)
os.environ["XLA_FLAGS"] = " ".join((os.environ.get("XLA_FLAGS", ""), *_FLAGS))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config: pytest.Config) -> None:
  """Keeps what takes long to compile, in pytest's own cache folder.

  One folder per worker of pytest-xdist: JAX writes entries in place, and a
  reader must not meet half of one. `pytest --cache-clear` empties them.
  """
  cache = getattr(config, "cache", None)  # None under `-p no:cacheprovider`.
  if cache is not None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = cache.mkdir(f"jax-{worker}")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


# Compilation makes the first example slow, and a failure must come back.
hypothesis.settings.register_profile(
  "inrjax", deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("inrjax")


@pytest.fixture(scope="session")
def data_dir() -> pathlib.Path:
  """The folder of real signals; the test is skipped where there is none."""
  value = os.environ.get("INRJAX_DATA_DIR")
  if not value:
    pytest.skip("INRJAX_DATA_DIR is not set: no real signals to test on.")
  path = pathlib.Path(value)
  if not path.is_dir():
    pytest.skip(f"INRJAX_DATA_DIR={value} is not a folder.")
  return path
