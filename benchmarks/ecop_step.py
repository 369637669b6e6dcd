"""One training step of ECoP over all weights, on one larger image.

Sixteen inner steps on the quarter of the points with the highest errors, and a
target five steps further on all of them (Tack et al., 2023).
"""

from benchmarks import case, harness


def main() -> None:
  """Measures our training step against the baselines."""
  harness.main(
    "train_step",
    __doc__,
    defaults=case.ecop(),
    program="ecop_step",
    memory_at=(1, 4, 16),
  )


if __name__ == "__main__":
  main()
