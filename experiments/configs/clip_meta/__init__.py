"""Configs for meta-learning a global model over clips."""
