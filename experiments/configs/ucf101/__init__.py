"""UCF-101 and other clips, and their configs."""
