"""Fitting a batch of images at test time, without an outer gradient."""

from benchmarks import case, harness


def main() -> None:
  """Measures our encoding against the baselines."""
  harness.main("encode", __doc__, defaults=case.Case(num_steps=10))


if __name__ == "__main__":
  main()
