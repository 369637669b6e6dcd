"""Configs for CLIC."""
