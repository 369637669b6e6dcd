"""Pictures of a scene with the cameras they were taken by.

Two layouts are read: `transforms.json` as Blender's NeRF scenes and instant-ngp
write it, and SRN's folders of `rgb`, `pose` and `intrinsics.txt`.
"""

import json
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from inrjax.data import images, substitution

# Signs by which (right, down, forward) become the axes of a camera's frame.
_OPENGL = (1.0, -1.0, -1.0)
_OPENCV = (1.0, 1.0, 1.0)
_TOLERANCE = 1e-3
_WHITE = 255
_DISTORTIONS = ("k1", "k2", "k3", "k4", "p1", "p2")
_PICTURES = (".png", ".jpg", ".jpeg")


class SceneError(ValueError):
  """A folder or file that holds no posed views this package can use."""


class PoseError(SceneError):
  """A camera's pose that is no rotation and translation."""


class UnreadableSceneWarning(UserWarning):
  """A scene among many could not be used and is left out."""


class Scene(NamedTuple):
  """Views of one scene, all of one size and by one kind of camera.

  Attributes:
    pictures: `[V, H, W, 3]` uint8.
    poses: `[V, 4, 4]` float64, from each camera's frame to the world's.
    focal: `[2]` focal lengths for x and y, in pixels.
    centre: `[2]` where the cameras' axis meets the pictures, (x, y) in pixels.
    axes: `[3]` the convention of the camera's frame, as `coords.camera_rays`
      takes it.
    distortion: whether the file has lens distortion, which is not removed.
  """

  pictures: np.ndarray
  poses: np.ndarray
  focal: np.ndarray
  centre: np.ndarray
  axes: np.ndarray
  distortion: bool


class _Intrinsics(NamedTuple):
  """What `intrinsics.txt` says: lengths in pixels of pictures of that size."""

  focal: float
  centre: tuple[float, float]
  size: tuple[float, float]
  inverse: bool


def read_transforms(
  path: str | os.PathLike[str], *, background: int = _WHITE
) -> Scene:
  """A scene out of a `transforms.json`.

  Args:
    path: the file; pictures lie where its `file_path`s say, relative to it,
      with or without their suffix.
    background: grey level in [0, 255] behind pictures with transparency.

  Returns:
    The scene, in the file's order. Focal lengths come from `fl_x` and `fl_y`,
    or from `camera_angle_x` and the pictures' width.

  Raises:
    SceneError: if a file is missing or broken, or pictures differ in size.
    PoseError: for poses that are not rigid.
    ValueError: for a background out of range.
  """
  if not 0 <= background <= 255:
    raise ValueError(f"background must be in [0, 255], got {background}.")
  path = pathlib.Path(path)
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    frames = [
      (str(frame["file_path"]), np.array(frame["transform_matrix"], float))
      for frame in content["frames"]
    ]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SceneError(
      f"Cannot read {path}: {error!r}; expected frames, each with file_path and"
      " transform_matrix."
    ) from error
  for name, pose in frames:
    check_pose(pose, f"{path}: {name}")
  pictures = _stack(
    [_picture(_found(path, name), background) for name, _ in frames], path
  )
  focal, centre = _intrinsics(path, content, pictures.shape[1:3])
  return Scene(
    pictures,
    np.stack([pose for _, pose in frames]),
    focal,
    centre,
    np.array(_OPENGL),
    any(content.get(name) for name in _DISTORTIONS),
  )


def read_srn(
  folder: str | os.PathLike[str], *, num_views: int | None = None, seed: int = 0
) -> Scene:
  """A scene of Scene Representation Networks (Sitzmann et al., 2019).

  Args:
    folder: holds `rgb/*.png`, `pose/*.txt` of 16 numbers each, and
      `intrinsics.txt`: focal length, centre x and y on the first line, height
      and width for which they hold on the fourth, and perhaps 1 on the fifth,
      if poses are from the world's frame to the camera's.
    num_views: takes so many at random, the same for the same seed and folder
      name; None takes all (MSCN appendix A: 50 of each car for training, 251
      of each for testing).
    seed: of the choice.

  Returns:
    The scene, in order of the names.

  Raises:
    SceneError: if a file is missing or broken, a picture shows nothing but one
      colour (as a few of the cars' do), or there are too few.
    PoseError: for poses that are not rigid.
  """
  folder = pathlib.Path(folder)
  paths = sorted((folder / "rgb").glob("*.png"))
  if len(paths) < (num_views or 1):
    raise SceneError(
      f"{folder} has {len(paths)} pictures in rgb, too few for the "
      f"{num_views or 1} that are needed."
    )
  if num_views is not None:
    rng = np.random.default_rng([seed, *folder.name.encode()])
    chosen = rng.choice(len(paths), num_views, replace=False)
    paths = [paths[i] for i in sorted(chosen)]
  camera = _srn_intrinsics(folder)
  poses = []
  for path in paths:
    pose_path = folder / "pose" / f"{path.stem}.txt"
    numbers = _numbers(pose_path)
    if len(numbers) != 16:
      raise SceneError(f"{pose_path} has {len(numbers)} numbers, not 16.")
    pose = numbers.reshape(4, 4)
    check_pose(pose, str(pose_path))
    poses.append(np.linalg.inv(pose) if camera.inverse else pose)
  pictures = _stack([_picture(path, _WHITE) for path in paths], folder)
  for path, picture in zip(paths, pictures, strict=True):
    if picture.min() == picture.max():
      raise SceneError(f"{path} shows nothing but one colour.")
  # The numbers hold for pictures of the declared size; these may be smaller.
  scale = np.array(pictures.shape[2:0:-1]) / camera.size[::-1]
  focal, centre = camera.focal * scale, camera.centre * scale
  return Scene(
    pictures, np.stack(poses), focal, centre, np.array(_OPENCV), False
  )


class SRNScenes(substitution.SubstitutingFiles):
  """Every scene of a folder, in order of the names: SRN's cars, say.

  One that cannot be used is found when it is first read: its place is then
  taken by the next one that can, with one `UnreadableSceneWarning`. An element
  is an array of rays and colours, so that batches are arrays, too; `scene`
  gives the cameras.
  """

  ERROR = SceneError
  WARNING = UnreadableSceneWarning
  WHAT = "scenes"

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    num_views: int | None = None,
    seed: int = 0,
  ):
    """Lists a folder.

    Args:
      root: `cars_train`, say, with one folder per scene.
      num_views: of each scene, see `read_srn`.
      seed: of the choice of views.

    Raises:
      SceneError: if there is no folder, or no scene in it.
    """
    super().__init__()
    self._num_views = num_views
    self._seed = seed
    folder = pathlib.Path(root)
    self._paths = sorted(path.parent for path in folder.glob("*/rgb"))
    if not self._paths:
      raise SceneError(
        f"{folder} has no scenes; expected folders with rgb, pose and "
        "intrinsics.txt."
      )

  def scene(self, index: int) -> Scene:
    """The scene at an index, without substitution."""
    return read_srn(
      self._paths[index], num_views=self._num_views, seed=self._seed
    )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    """`[V, H, W, 9]` float32: origin, direction, colour in [0, 1]."""
    return with_rays(read_srn(path, num_views=self._num_views, seed=self._seed))


class PackedScenes(SRNScenes):
  """As `SRNScenes`, but an element is `packed`: a twelfth of the memory."""

  def _read(self, path: pathlib.Path) -> np.ndarray:
    """`[V]` records, see `packed`."""
    return packed(read_srn(path, num_views=self._num_views, seed=self._seed))


def packed(scene: Scene) -> np.ndarray:
  """A scene as one array, that caches and batches can hold.

  Args:
    scene: the views.

  Returns:
    `[V]` records, one for each view: its `picture` `[H, W, 3]` uint8, `pose`
    `[4, 4]`, `focal` `[2]`, `centre` `[2]`, `axes` `[3]`, `distortion` `[]`.
  """
  kind = np.dtype(
    [
      ("picture", np.uint8, scene.pictures.shape[1:]),
      ("pose", np.float64, (4, 4)),
      ("focal", np.float64, (2,)),
      ("centre", np.float64, (2,)),
      ("axes", np.float64, (3,)),
      ("distortion", np.bool_),
    ]
  )
  records = np.empty(len(scene.pictures), kind)
  for name, values in zip(kind.names or (), scene, strict=True):
    records[name] = values
  return records


def unpacked(records: np.ndarray) -> Scene:
  """The scene of `packed` records, or of some of them, at least one."""
  first = records[0]
  return Scene(
    records["picture"],
    records["pose"],
    first["focal"],
    first["centre"],
    first["axes"],
    bool(first["distortion"]),
  )


def with_rays(scene: Scene) -> np.ndarray:
  """Every pixel's ray and colour.

  The rays are those of `coords.camera_rays`, for all views at once.

  Args:
    scene: the views.

  Returns:
    `[V, H, W, 9]` float32: origin `[3]`, direction `[3]` of unit norm, colour
    `[3]` in [0, 1].
  """
  height, width = scene.pictures.shape[1:3]
  right = (np.arange(width) + 0.5 - scene.centre[0]) / scene.focal[0]
  down = (np.arange(height) + 0.5 - scene.centre[1]) / scene.focal[1]
  right, down = np.meshgrid(right, down)
  local = np.stack([right, down, np.ones_like(right)], axis=-1) * scene.axes
  local /= np.linalg.norm(local, axis=-1, keepdims=True)
  directions = np.einsum("hwj,vij->vhwi", local, scene.poses[:, :3, :3])
  origins = np.broadcast_to(scene.poses[:, None, None, :3, 3], directions.shape)
  colours = scene.pictures / 255
  parts = [origins, directions, colours]
  return np.concatenate(parts, axis=-1).astype(np.float32)


def pixels_with_rays(scene: Scene, pixels: np.ndarray) -> np.ndarray:
  """Rays and colours of some pixels, as `with_rays` has them for all.

  Args:
    scene: the views.
    pixels: `[R]` places among the `V H W` pixels, view by view, row by row.

  Returns:
    `[R, 9]` float32: origin, direction, colour.

  Raises:
    ValueError: for a place outside.
  """
  shape = scene.pictures.shape[:3]
  if pixels.size and not 0 <= pixels.min() <= pixels.max() < np.prod(shape):
    raise ValueError(f"pixels must lie in [0, {np.prod(shape)}).")
  view, row, column = np.unravel_index(pixels, shape)
  right = (column + 0.5 - scene.centre[0]) / scene.focal[0]
  down = (row + 0.5 - scene.centre[1]) / scene.focal[1]
  local = np.stack([right, down, np.ones_like(right)], axis=-1) * scene.axes
  local /= np.linalg.norm(local, axis=-1, keepdims=True)
  poses = scene.poses[view]
  directions = np.einsum("rj,rij->ri", local, poses[:, :3, :3])
  colours = scene.pictures[view, row, column] / 255
  parts = [poses[:, :3, 3], directions, colours]
  return np.concatenate(parts, axis=-1).astype(np.float32)


def check_pose(pose: np.ndarray, name: str) -> None:
  """Refuses a pose that is no rotation and translation.

  Args:
    pose: any array.
    name: for the message.

  Raises:
    PoseError: unless it is a finite `[4, 4]` whose upper left R has R^T R = 1
      to 1e-3 and determinant 1, and whose last row is 0 0 0 1.
  """
  if pose.shape != (4, 4) or not np.isfinite(pose).all():
    raise PoseError(f"{name}: a pose is a finite 4 x 4, not {pose.shape}.")
  rotation = pose[:3, :3]
  deviation = np.abs(rotation.T @ rotation - np.eye(3)).max()
  affine = np.abs(pose[3] - [0, 0, 0, 1]).max() <= _TOLERANCE
  if deviation > _TOLERANCE or np.linalg.det(rotation) < 0 or not affine:
    raise PoseError(
      f"{name}: the pose is not rigid (R^T R is {deviation:.3g} from the "
      f"identity, the determinant {np.linalg.det(rotation):.3g}, the last row "
      f"{pose[3]}); divide a scaled rotation by its scale, and mirror or "
      "transpose it back."
    )


def _found(path: pathlib.Path, name: str) -> pathlib.Path:
  stem = path.parent / name
  candidates = [stem, *(stem.with_name(stem.name + s) for s in _PICTURES)]
  for candidate in candidates:
    if candidate.is_file():
      return candidate
  raise SceneError(
    f"{path} names {name}, but there is no such picture, with or without "
    f"{', '.join(_PICTURES)}."
  )


def _picture(path: pathlib.Path, background: int) -> np.ndarray:
  """`[H, W, 3]` uint8 of a picture, over a background where transparent."""
  try:
    array = images.read_array(path)
  except images.ImageError as error:
    raise SceneError(str(error)) from error
  if array.dtype != np.uint8:
    raise SceneError(f"{path} has {array.dtype} samples; convert it to 8 bits.")
  if array.ndim == 2:
    array = array[..., np.newaxis]
  colour, alpha = array, None
  if array.shape[2] in (2, 4):
    colour, alpha = array[..., :-1], array[..., -1:]
  colour = np.broadcast_to(colour, (*colour.shape[:2], 3))
  if alpha is None:
    return colour
  opacity = alpha / 255
  mixed = opacity * colour + (1 - opacity) * background
  return np.rint(mixed).astype(np.uint8)


def _stack(pictures: list[np.ndarray], path: pathlib.Path) -> np.ndarray:
  sizes = sorted({picture.shape[:2] for picture in pictures})
  if len(sizes) != 1:
    raise SceneError(
      f"{path} needs pictures of one size, got "
      f"{', '.join(f'{h} x {w}' for h, w in sizes) or 'none'}."
    )
  return np.stack(pictures)


def _intrinsics(
  path: pathlib.Path, content: dict[str, Any], size: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
  height, width = size
  try:
    if "fl_x" in content:
      focal = [float(content["fl_x"])]
      focal.append(float(content.get("fl_y", focal[0])))
    else:
      angle = float(content["camera_angle_x"])
      focal = [0.5 * width / np.tan(0.5 * angle)] * 2
    centre = [
      float(content.get("cx", width / 2)),
      float(content.get("cy", height / 2)),
    ]
    declared = (int(content.get("h", height)), int(content.get("w", width)))
  except (KeyError, TypeError, ValueError) as error:
    raise SceneError(
      f"{path} has no usable fl_x or camera_angle_x: {error!r}."
    ) from error
  if not np.isfinite(focal + centre).all() or min(focal) <= 0:
    raise SceneError(f"{path} has focal lengths {focal}; they are positive.")
  if declared != (height, width):
    raise SceneError(
      f"{path} is for pictures of {declared[0]} x {declared[1]}, the pictures "
      f"are {height} x {width}; scale fl_x, fl_y, cx and cy with them."
    )
  return np.array(focal), np.array(centre)


def _srn_intrinsics(folder: pathlib.Path) -> _Intrinsics:
  path = folder / "intrinsics.txt"
  try:
    lines = path.read_text(encoding="ascii").strip().splitlines()
    focal, x, y = (float(word) for word in lines[0].split()[:3])
    height, width = (float(word) for word in lines[3].split())
    inverse = len(lines) > 4 and float(lines[4]) != 0
  except (OSError, ValueError, IndexError) as error:
    raise SceneError(
      f"Cannot read {path}: {error}; expected focal length and centre on its "
      "first line, height and width on its fourth."
    ) from error
  numbers = (focal, x, y, height, width)
  if not np.isfinite(numbers).all() or min(focal, height, width) <= 0:
    raise SceneError(f"{path} has the numbers {numbers}, some impossible.")
  return _Intrinsics(focal, (x, y), (height, width), inverse)


def _numbers(path: pathlib.Path) -> np.ndarray:
  try:
    words = path.read_text(encoding="ascii").split()
    return np.array([float(word) for word in words])
  except (OSError, ValueError) as error:
    raise SceneError(f"Cannot read {path}: {error}.") from error
