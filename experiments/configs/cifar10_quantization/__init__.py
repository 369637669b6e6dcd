"""Configs of quantised classifiers on CIFAR-10."""
