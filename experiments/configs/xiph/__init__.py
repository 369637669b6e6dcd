"""Configs for Xiph, and any other clip."""
