"""SRN's cars, other scenes in their format, and single scenes of NeRF's."""

import dataclasses
import pathlib
import warnings

import numpy as np

from experiments import launch, scene_quality, scenes
from inrjax import data
from inrjax.codec import errors
from inrjax.data import posed_views, substitution


@dataclasses.dataclass(frozen=True)
class Folder:
  """Scenes of a folder.

  Attributes:
    scenes: gives packed views for an index.
    indices: those that are in use.
    scale: factor on the cameras' places.
  """

  scenes: posed_views.PackedScenes | substitution.FilesPart
  indices: range
  scale: float = 1.0

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> np.ndarray:
    """The views of the scene at an index, packed."""
    with scenes.reading():
      views = self.scenes[self.indices[index]]
    return views if self.scale == 1 else _scaled(views, self.scale)

  def division(
    self, index: int, *, num_held_out: int, seed: int
  ) -> scene_quality.Division:
    """Holds out views drawn at random, the same for the same seed."""
    return scene_quality.divide(
      posed_views.unpacked(self[index]),
      num_held_out=num_held_out,
      rng=np.random.default_rng([seed, index]),
    )


@dataclasses.dataclass(frozen=True)
class Single:
  """One scene, to be adapted to.

  Attributes:
    views: its views.
    held_out: further ones to judge by; None holds some of `views` out.
  """

  views: data.Scene
  held_out: data.Scene | None = None

  def __len__(self) -> int:
    return 1

  def __getitem__(self, index: int) -> np.ndarray:
    """The views, packed, for index 0."""
    return posed_views.packed(self.views)[index:]

  def division(
    self, index: int, *, num_held_out: int, seed: int
  ) -> scene_quality.Division:
    """The first further views, or views drawn at random."""
    rng = np.random.default_rng([seed, index])
    if self.held_out is None:
      return scene_quality.divide(
        self.views, num_held_out=num_held_out, rng=rng
      )
    order = rng.permutation(len(self.views.pictures))
    last = min(num_held_out, len(self.held_out.pictures))
    return scene_quality.Division(
      scene_quality.some_views(self.views, order),
      scene_quality.some_views(self.held_out, np.arange(last)),
    )


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  num_views: int | None,
  held_out: int,
  scale: float,
) -> scenes.SceneSource:
  """Scenes of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: has `cars_train` and `cars_test`, or `train` and `test`, folders
      of scenes (`data.read_srn`), and perhaps `cars_val` or `val`; or scenes
      themselves, of which the last are for testing; or one scene of NeRF's,
      `transforms.json` or `transforms_train.json` and `transforms_val.json`,
      for evaluation alone.
    num_views: random views of each training scene; None takes all.
    held_out: of a folder without splits the last so many are for testing.
    scale: factor on the cameras' places, to bring a scene between `scene.near`
      and `scene.far`.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of scenes.")
  if not scale > 0:
    raise errors.UnsupportedSignalError(
      f"data.source.scale is {scale}; it must be positive."
    )
  with scenes.reading():
    if data_dir.suffix == ".json" or any(data_dir.glob("transforms*.json")):
      return _single(split, data_dir, scale)
    found = _folder(split, data_dir)
    views = num_views if split == "train" else None
    if found is not None:
      source = posed_views.PackedScenes(found, num_views=views)
      return Folder(source, range(len(source)), scale)
    source = posed_views.PackedScenes(data_dir, num_views=views)
    # Training goes without the last ones.
    end = max(1, len(source) - held_out)
    indices = range(end) if split == "train" else range(end, len(source))
    if not indices:
      raise data.SceneError(
        f"{data_dir} has {len(source)} scenes; none is left for testing when "
        f"data.source.held_out is {held_out}."
      )
    # Where a scene is broken, the next one of the same split stands in for it.
    return Folder(source.part(indices), range(len(indices)), scale)


def _folder(split: str, data_dir: pathlib.Path) -> pathlib.Path | None:
  """The folder of a split; None if there are no splits.

  The test scenes stand in for validation's where there are none.
  """
  names = {"validation": ("val", "test")}.get(split, (split,))
  candidates = [
    data_dir / f"{prefix}{name}" for name in names for prefix in ("cars_", "")
  ]
  for folder in candidates:
    if folder.is_dir():
      return folder
  if any(data_dir.glob("*/rgb")):
    return None
  raise data.SceneError(
    f"{data_dir} has neither {' nor '.join(c.name for c in candidates)} nor "
    "scenes (folders with rgb, pose and intrinsics.txt)."
  )


def _single(split: str, data_dir: pathlib.Path, scale: float) -> Single:
  if split != "test":
    raise data.SceneError(
      f"{data_dir} is one scene, which can be adapted to but not meta-learned "
      "from; use --mode=evaluate with --trained_in and "
      "--config.evaluate.quantise.num_training_scenes=0."
    )
  folder = data_dir if data_dir.is_dir() else data_dir.parent
  paths = {
    name: folder / f"transforms_{name}.json" for name in ("train", "val")
  }
  path = data_dir
  if data_dir.is_dir():
    path = paths["train"]
    if not path.exists():
      path = folder / "transforms.json"
  views = _read_transforms(path, scale)
  if path == paths["train"] and paths["val"].exists():
    return Single(views, _read_transforms(paths["val"], scale))
  return Single(views)


def _read_transforms(path: pathlib.Path, scale: float) -> data.Scene:
  views = data.read_transforms(path)
  if views.distortion:
    warnings.warn(
      f"{path} has lens distortion, which is not removed.", stacklevel=2
    )
  return posed_views.unpacked(_scaled(posed_views.packed(views), scale))


def _scaled(views: np.ndarray, scale: float) -> np.ndarray:
  scaled = views.copy()
  scaled["pose"][:, :3, 3] *= scale
  return scaled


if __name__ == "__main__":
  launch.main(load, scenes.Run)
