"""Still images as clips of one frame, and their configs."""
