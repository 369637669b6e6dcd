"""One outer training step: adapt a batch, outer gradient, Adam."""

from benchmarks import case, harness


def main() -> None:
  """Measures our training step against the baselines."""
  harness.main(
    "train_step", __doc__, defaults=case.Case(num_steps=3), memory_at=(1, 3, 10)
  )


if __name__ == "__main__":
  main()
