"""The clips of van Rozendaal et al. (2021), table 2."""

# Frames per second, by the beginning of their names.
CLIPS = {
  "in_to_tree": 50,
  "aspen": 30,
  "controlled_burn": 30,
  "sunflower": 25,
  "pedestrian_area": 25,
}
