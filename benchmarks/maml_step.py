"""One outer step of MAML over all weights, on one larger image."""

from benchmarks import case, harness


def main() -> None:
  """Measures our training step against the baselines."""
  harness.main(
    "train_step",
    __doc__,
    defaults=case.maml(),
    program="maml_step",
    memory_at=(1, 4, 16),
  )


if __name__ == "__main__":
  main()
