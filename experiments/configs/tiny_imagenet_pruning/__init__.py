"""Configs of pruned classifiers on Tiny-ImageNet."""
