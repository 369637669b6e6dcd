"""Configs of pruned classifiers on CIFAR-100."""
