"""Posed views: cameras, backgrounds, and poses that are refused."""

import json

import grain
import numpy as np
import pytest
from PIL import Image

from inrjax import coords
from inrjax.data import posed_views

RNG = np.random.default_rng(0)


def pose(angle, place=(1.0, 2.0, 3.0)):
  c, s = np.cos(angle), np.sin(angle)
  out = np.eye(4)
  out[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
  out[:3, 3] = place
  return out


@pytest.fixture
def blender(tmp_path):
  """Three RGBA views in the layout of Blender's scenes."""
  pixels = RNG.integers(0, 256, (3, 4, 6, 4), np.uint8)
  frames = []
  (tmp_path / "train").mkdir()
  for i, view in enumerate(pixels):
    Image.fromarray(view).save(tmp_path / "train" / f"r_{i}.png")
    frames.append(
      {
        "file_path": f"./train/r_{i}",
        "transform_matrix": pose(0.3 * i).tolist(),
      }
    )
  content = {"camera_angle_x": 0.7, "frames": frames}

  def write(**changes):
    path = tmp_path / "transforms_train.json"
    path.write_text(json.dumps(content | changes))
    return path

  return write, pixels, frames


def test_blender_scenes(blender):
  # Fails if transparency is dropped and not blended, or views are mixed up.
  write, pixels, _ = blender
  scene = posed_views.read_transforms(write())
  opacity = pixels[..., 3:] / 255
  expected = np.rint(opacity * pixels[..., :3] + (1 - opacity) * 255)
  np.testing.assert_array_equal(scene.pictures, expected)
  np.testing.assert_allclose(scene.poses[2], pose(0.6))
  np.testing.assert_allclose(scene.focal, 3 / np.tan(0.35))
  np.testing.assert_array_equal(scene.centre, [3, 2])
  assert tuple(scene.axes) == coords.OPENGL and not scene.distortion
  black = posed_views.read_transforms(write(), background=0)
  np.testing.assert_array_equal(
    black.pictures, np.rint(opacity * pixels[..., :3])
  )


def test_intrinsics_of_the_file_are_used(blender):
  write, _, _ = blender
  scene = posed_views.read_transforms(
    write(fl_x=7, fl_y=8, cx=2.5, cy=1.5, w=6, h=4, k1=0.1)
  )
  np.testing.assert_array_equal(scene.focal, [7, 8])
  np.testing.assert_array_equal(scene.centre, [2.5, 1.5])
  assert scene.distortion
  with pytest.raises(posed_views.SceneError, match="8 x 12.*are 4 x 6"):
    posed_views.read_transforms(write(w=12, h=8))
  with pytest.raises(posed_views.SceneError, match="positive"):
    posed_views.read_transforms(write(fl_x=0))


def test_rays_are_those_of_one_camera_after_the_other(blender):
  # Fails if the two places that make rays disagree.
  write, _, _ = blender
  scene = posed_views.read_transforms(write(fl_x=7, fl_y=8, cx=2.5, cy=1.5))
  found = posed_views.with_rays(scene)
  for i in range(3):
    expected = coords.camera_rays(
      scene.poses[i],
      height=4,
      width=6,
      focal=scene.focal,
      centre=scene.centre,
      axes=scene.axes,
    )
    np.testing.assert_allclose(found[i, ..., :6], expected, atol=1e-6)
  np.testing.assert_allclose(
    found[..., 6:], scene.pictures / np.float32(255), rtol=1e-6
  )


def test_packed_views_are_the_scene(blender):
  # Fails if a field is packed under another's name.
  write, _, _ = blender
  scene = posed_views.read_transforms(
    write(fl_x=7, fl_y=8, cx=2.5, cy=1.5, k1=0.1)
  )
  records = posed_views.packed(scene)
  assert records.shape == (3,)
  for found, expected in zip(posed_views.unpacked(records), scene, strict=True):
    np.testing.assert_array_equal(found, expected)
  last = posed_views.unpacked(records[2:])
  np.testing.assert_array_equal(last.pictures, scene.pictures[2:])


def test_rays_of_some_pixels_are_those_of_all(blender):
  # Fails if rows and columns are swapped, or a pixel has another view's pose.
  write, _, _ = blender
  scene = posed_views.read_transforms(write(fl_x=7, fl_y=8, cx=2.5, cy=1.5))
  pixels = RNG.permutation(3 * 4 * 6)
  found = posed_views.pixels_with_rays(scene, pixels)
  assert found.dtype == np.float32
  expected = posed_views.with_rays(scene).reshape(-1, 9)[pixels]
  np.testing.assert_allclose(found, expected, atol=1e-6)
  for outside in (-1, 72):
    with pytest.raises(ValueError, match="must lie in"):
      posed_views.pixels_with_rays(scene, np.array([outside]))


@pytest.mark.parametrize(
  "wrong",
  [
    np.diag([2.0, 2, 2, 1]),
    np.diag([-1.0, 1, 1, 1]),
    pose(0.3).T,
    np.eye(3),
    np.full((4, 4), np.nan),
  ],
  ids=["scaled", "mirrored", "transposed", "short", "nan"],
)
def test_poses_that_are_not_rigid_are_refused(blender, wrong):
  # Fails if rays of such a pose are made in silence.
  write, _, frames = blender
  bad = frames[1] | {"transform_matrix": wrong.tolist()}
  with pytest.raises(posed_views.PoseError, match="train/r_1"):
    posed_views.read_transforms(write(frames=[frames[0], bad]))


def test_what_cannot_be_used_is_named(blender, tmp_path):
  write, pixels, frames = blender
  missing = frames[1] | {"file_path": "train/none"}
  for changes, message in (
    ({"frames": [missing]}, "train/none"),
    ({"frames": [{}]}, "expected frames"),
    ({"frames": []}, "got none"),
    ({"camera_angle_x": None}, "camera_angle_x"),
  ):
    with pytest.raises(posed_views.SceneError, match=message):
      posed_views.read_transforms(write(**changes))
  with pytest.raises(posed_views.SceneError, match="Cannot read"):
    posed_views.read_transforms(tmp_path / "none.json")
  with pytest.raises(ValueError, match="background"):
    posed_views.read_transforms(write(), background=300)
  Image.fromarray(pixels[0, :3]).save(tmp_path / "train" / "r_1.png")
  with pytest.raises(posed_views.SceneError, match="3 x 6, 4 x 6"):
    posed_views.read_transforms(write())
  (tmp_path / "train" / "r_1.png").write_bytes(b"nothing")
  with pytest.raises(posed_views.SceneError, match="r_1.png"):
    posed_views.read_transforms(write())


def write_srn(folder, pixels):
  (folder / "rgb").mkdir(parents=True)
  (folder / "pose").mkdir()
  for i, view in enumerate(pixels):
    Image.fromarray(view).save(folder / "rgb" / f"{i:06}.png")
    numbers = " ".join(map(repr, pose(0.2 * i).ravel().tolist()))
    (folder / "pose" / f"{i:06}.txt").write_text(numbers)
  (folder / "intrinsics.txt").write_text(
    "131.25 64.0 64.0 0.\n0. 0. 0.\n1.\n128 128\n"
  )


def test_srn_scenes(tmp_path):
  # Fails if focal lengths are not scaled to the pictures, a broken scene moves
  # the others, or the same seed chooses other views.
  pixels = RNG.integers(0, 256, (3, 5, 8, 8, 3), np.uint8)
  for i, views in enumerate(pixels):
    write_srn(tmp_path / f"car{i}", views)
  whole = posed_views.read_srn(tmp_path / "car0")
  np.testing.assert_array_equal(whole.pictures, pixels[0])
  np.testing.assert_allclose(whole.focal, 131.25 / 16)
  np.testing.assert_allclose(whole.centre, 4)
  np.testing.assert_allclose(whole.poses[3], pose(0.6))
  assert tuple(whole.axes) == coords.OPENCV
  # Fails if poses that are the other way round are taken as they are.
  text = (tmp_path / "car0" / "intrinsics.txt").read_text()
  (tmp_path / "car0" / "intrinsics.txt").write_text(text + "1\n")
  inverse = posed_views.read_srn(tmp_path / "car0").poses
  np.testing.assert_allclose(inverse[3] @ pose(0.6), np.eye(4), atol=1e-12)
  (tmp_path / "car0" / "intrinsics.txt").write_text(text)
  (tmp_path / "car1" / "pose" / "000002.txt").write_text("1 2 3")
  source = posed_views.SRNScenes(tmp_path, num_views=4)
  with pytest.warns(posed_views.UnreadableSceneWarning, match="3 numbers"):
    (batch,) = grain.MapDataset.source(source).batch(3)
  assert batch.shape == (3, 4, 8, 8, 9) and batch.dtype == np.float32
  np.testing.assert_array_equal(batch[1], batch[2])
  again = posed_views.SRNScenes(tmp_path, num_views=4)
  np.testing.assert_array_equal(again[0], batch[0])
  np.testing.assert_array_equal(
    posed_views.with_rays(source.scene(2)), batch[2]
  )


def test_srn_scenes_that_cannot_be_used(tmp_path):
  pixels = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
  pixels[1] = 255
  write_srn(tmp_path / "car", pixels)
  with pytest.raises(posed_views.SceneError, match="000001.png.*one colour"):
    posed_views.read_srn(tmp_path / "car")
  with pytest.raises(posed_views.SceneError, match="2 pictures.*3"):
    posed_views.read_srn(tmp_path / "car", num_views=3)
  (tmp_path / "car" / "intrinsics.txt").write_text("1 2 3")
  with pytest.raises(posed_views.SceneError, match="intrinsics"):
    posed_views.read_srn(tmp_path / "car", num_views=1, seed=1)
  with pytest.raises(posed_views.SceneError, match="no scenes"):
    posed_views.SRNScenes(tmp_path / "car")


def test_real_scenes(data_dir):
  lego = posed_views.read_transforms(
    data_dir / "nerf_lego" / "transforms_val.json"
  )
  assert lego.pictures.shape == (20, 200, 200, 3)
  np.testing.assert_allclose(lego.focal, 277.8, atol=0.05)
  assert (lego.pictures[:, 0, 0] == 255).all()
  # The cameras look at the model, about four units away.
  middle = lego.poses[:, :3, 3] - 4 * lego.poses[:, :3, 2]
  assert np.abs(middle).max() < 0.2
  fox = posed_views.read_transforms(data_dir / "nerf_fox" / "transforms.json")
  assert fox.pictures.shape == (40, 240, 135, 3) and fox.distortion
