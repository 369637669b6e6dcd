"""fastMRI's brain scans and other volumes, and their configs."""
