"""CIFAR-100 with classes: archives like those of CIFAR-10, or TFDS."""

from experiments import classify
from experiments.cifar10_pruning import load

if __name__ == "__main__":
  classify.main(load)
