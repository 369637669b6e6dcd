"""A global hyperprior codec: `--data_dir`, or TFDS (CLIC), or bundled.

The test is on `--kodak_dir`, or on two photographs bundled with scikit-image.
"""

from experiments import hyperprior, kodak, launch

load = kodak.load

if __name__ == "__main__":
  launch.main(load, hyperprior.Run)
