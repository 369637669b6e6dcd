"""Configs of quantised classifiers on Fashion-MNIST."""
