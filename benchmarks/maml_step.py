"""One outer step of MAML over all weights, on one larger image."""

from benchmarks import case, harness


def main() -> None:
  """Measures our training step against the baselines."""
  harness.main(
    "train_step",
    __doc__,
    defaults=case.Case(
      depth=5,
      latent_dim=0,
      num_images=1,
      side=96,
      num_steps=4,
      point_tile=1024,  # Activations of 1 MB stay in a core's cache.
    ),
    program="maml_step",
    memory_at=(1, 4, 16),
  )


if __name__ == "__main__":
  main()
