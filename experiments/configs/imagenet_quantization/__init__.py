"""Configs of quantised classifiers on ImageNet."""
