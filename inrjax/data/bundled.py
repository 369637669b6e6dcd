"""Photographs that arrive with scikit-image's wheel, split for good.

They make a first training possible without a download. The held-out ones share
no scene with the others. Grey ones come out as RGB with equal channels.
"""

import importlib.util
import pathlib
import types

from inrjax.data import sources

PHOTOGRAPHS = types.MappingProxyType(
  {
    "train": (
      "brick.png",
      "camera.png",
      "chelsea.png",
      "coins.png",
      "grass.png",
      "gravel.png",
      "hubble_deep_field.jpg",
      "ihc.png",
      "motorcycle_left.png",
      "motorcycle_right.png",
      "retina.jpg",
      "rocket.jpg",
    ),
    "test": ("astronaut.png", "coffee.png"),
  }
)


def photographs(split: str, *, channels: int = 3) -> sources.ImageFiles:
  """The bundled photographs of a split.

  Args:
    split: "train" (twelve photographs) or "test" (astronaut and coffee).
    channels: 1 for grey or 3 for RGB.

  Returns:
    A source in the order of `PHOTOGRAPHS[split]`.

  Raises:
    ValueError: for another split.
    ImportError: if scikit-image is not installed or lacks a photograph.
  """
  if split not in PHOTOGRAPHS:
    raise ValueError(
      f"split must be one of {sorted(PHOTOGRAPHS)}, got {split!r}."
    )
  spec = importlib.util.find_spec("skimage")
  if spec is None or spec.origin is None:
    raise ImportError("The bundled photographs need: pip install scikit-image")
  folder = pathlib.Path(spec.origin).parent / "data"
  paths = [folder / name for name in PHOTOGRAPHS[split]]
  missing = [path.name for path in paths if not path.is_file()]
  if missing:
    raise ImportError(
      f"The installed scikit-image lacks {missing}; install its wheel "
      "with: pip install --force-reinstall scikit-image"
    )
  return sources.ImageFiles(paths, channels=channels)
