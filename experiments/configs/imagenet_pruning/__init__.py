"""Configs of pruned classifiers on ImageNet."""
