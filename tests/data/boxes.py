"""A mesh whose distances have a formula."""

import numpy as np

from inrjax.data import meshes


def box(low=(0.0, 0, 0), high=(1.0, 1, 1)):
  """A box of twelve triangles, counterclockwise from outside."""
  corners = np.array(
    [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
  )
  quads = [
    (0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1),
    (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3),
  ]  # fmt: skip
  faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
  vertices = np.asarray(low) + corners * np.subtract(high, low)
  return meshes.Mesh(vertices.astype(float), np.array(faces))


def box_distance(points, low, high):
  beyond = np.maximum(low - points, points - high)
  outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
  return outside + np.minimum(beyond.max(axis=1), 0)
