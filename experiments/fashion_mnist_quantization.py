"""Fashion-MNIST with classes, for networks that are quantised afterwards."""

from experiments import classify
from experiments.fashion_mnist_pruning import load

if __name__ == "__main__":
  classify.main(load)
