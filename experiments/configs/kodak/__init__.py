"""Configs for Kodak."""
