"""Configs of SRN's cars, and of scenes in their format."""
