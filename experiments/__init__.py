"""Launchers, their configs, and sweeps over them; maths never lives here."""
