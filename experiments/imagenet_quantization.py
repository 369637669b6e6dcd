"""ImageNet with classes, for networks that are quantised after training."""

from experiments import classify
from experiments.imagenet_pruning import load

if __name__ == "__main__":
  classify.main(load)
