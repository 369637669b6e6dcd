"""Occupancy grids of ShapeNet's shapes, and their configs."""
