"""Configs: one `get_config()` per data set and method."""
