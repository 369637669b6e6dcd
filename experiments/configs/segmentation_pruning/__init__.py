"""Configs of pruned U-Nets."""
