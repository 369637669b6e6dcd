"""What JAX says of a compiled program."""

import jax


def temporaries(compiled: jax.stages.Compiled) -> int | None:
  """Bytes beside arguments and results; None where the backend cannot say."""
  analysis = compiled.memory_analysis()
  return None if analysis is None else analysis.temp_size_in_bytes
