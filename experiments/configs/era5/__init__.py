"""ERA5 2 m temperature on the sphere, and its configs."""
