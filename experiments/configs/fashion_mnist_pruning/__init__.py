"""Configs of pruned classifiers on Fashion-MNIST."""
