"""Configs for CelebA-HQ at 64 x 64."""
