"""Launchers of CelebA, Imagenette, SDF and text give what configs ask for."""

import numpy as np
import pytest
from PIL import Image

from experiments import celeba, imagenette, sdf, text
from inrjax import data

RNG = np.random.default_rng(0)
SPLITS = ("train", "validation", "test")


def faces(split, folder, *, side, channels=3, unit="file"):
  return celeba.load(
    split, folder, tfds="celeb_a", unit=unit, side=side, channels=channels
  )


def photographs(split, folder, *, side, resize_to, channels=3):
  return imagenette.load(
    split,
    folder,
    tfds="imagenette",
    resize_to=resize_to,
    side=side,
    channels=channels,
  )


def test_celeba_is_cut_and_not_resampled_at_178(tmp_path):
  arrays = RNG.integers(0, 256, (4, 218, 178, 3), np.uint8)
  for i, array in enumerate(arrays):
    Image.fromarray(array).save(tmp_path / f"{i}.png")
  source = faces("test", tmp_path, side=178)
  # Fails if the crop is off the middle, or smoothed.
  np.testing.assert_array_equal(source[0], arrays[0, 20:198])
  listing = tmp_path / "list_eval_partition.txt"
  listing.write_text("0.png 0\n1.png 0\n2.png 1\n3.png 2\n")
  np.testing.assert_array_equal(
    faces("test", tmp_path, side=178)[0], arrays[3, 20:198]
  )
  assert len(faces("train", tmp_path, side=64)) == 2


def test_imagenette_of_mixed_sizes_and_modes(tmp_path):
  pictures = {
    "train/n1/a.JPEG": Image.new("L", (90, 61), 10),
    "train/n1/b.png": Image.new("RGBA", (31, 70), (200, 100, 50, 0)),
    "train/n2/c.JPEG": Image.new("RGB", (500, 375), (1, 2, 3)),
    "val/n2/d.JPEG": Image.new("CMYK", (60, 60)),
  }
  for name, picture in pictures.items():
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
  for channels in (1, 3):
    sources = [
      photographs(s, tmp_path, side=16, resize_to=18, channels=channels)
      for s in SPLITS
    ]
    assert [len(source) for source in sources] == [3, 1, 1]
    for source in sources:
      for image in source:
        assert image.shape == (16, 16, channels) and image.dtype == np.uint8


def test_imagenette_keeps_the_middle_and_the_proportions(tmp_path):
  rows, columns = np.mgrid[:400, :600]
  disc = (rows - 200) ** 2 + (columns - 300) ** 2 < 100**2
  for i in range(3):
    Image.fromarray((255 * disc).astype(np.uint8)).save(tmp_path / f"{i}.png")
  image = photographs("test", tmp_path, side=178, resize_to=200)[0][..., 0]
  # Half the size: fails if the picture is squeezed to a square.
  assert abs((image[89] > 127).sum() - 100) <= 1
  assert abs((image[:, 89] > 127).sum() - 100) <= 1
  assert image.shape == (178, 178)


def test_faces_of_the_data_pack(data_dir):
  folder = data_dir / "faces_orl"
  sizes = [len(faces(s, folder, side=64, unit="folder")) for s in SPLITS]
  assert sizes == [240, 40, 40]
  colour = faces("test", folder, side=64)[0]
  assert colour.shape == (64, 64, 3)
  assert (colour[..., :1] == colour).all()
  grey = faces("test", folder, side=64, channels=1)[0]
  np.testing.assert_array_equal(grey, colour[..., :1])


def test_animals_of_the_data_pack(data_dir):
  sources = [
    photographs(s, data_dir / "afhq", side=64, resize_to=72) for s in SPLITS
  ]
  assert [len(source) for source in sources] == [25, 4, 4]
  assert sources[0][3].shape == (64, 64, 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
  ("module", "settings"),
  [(sdf, {"reach": 1.0}), (text, {})],
  ids=["sdf", "text"],
)
def test_procedural_sets(module, settings, channels):
  sources = [
    module.load(
      split,
      None,
      num_images=5,
      held_out=2,
      side=24,
      channels=channels,
      **settings,
    )
    for split in SPLITS
  ]
  assert [len(source) for source in sources] == [5, 2, 2]
  images = [image for source in sources for image in source]
  assert {image.shape for image in images} == {(24, 24, channels)}
  assert len({image.tobytes() for image in images}) == 9


@pytest.mark.parametrize(
  ("module", "settings"),
  [(sdf, {"reach": 1.0}), (text, {})],
  ids=["sdf", "text"],
)
def test_procedural_sets_from_the_papers_archives(tmp_path, module, settings):
  arrays = RNG.integers(0, 256, (3, 20, 20, 3), np.uint8)
  name = f"data_2d_{module.__name__.rpartition('.')[2]}.npz"
  np.savez(tmp_path / name, train_data=arrays[:2], test_data=arrays[2:])
  settings = settings | {"num_images": 9, "held_out": 9, "side": 20}
  source = module.load("train", tmp_path, channels=3, **settings)
  np.testing.assert_array_equal(list(source), arrays[:2])
  source = module.load("test", tmp_path, channels=3, **settings)
  np.testing.assert_array_equal(list(source), arrays[2:])


def test_tfds_splits(monkeypatch):
  asked = []

  class Grey:
    def __len__(self):
      return 1

    def __getitem__(self, index):
      return np.zeros((12, 10, 1), np.uint8)

  def tfds_source(name, *, split):
    asked.append((name, split))
    return Grey()

  monkeypatch.setattr(data, "tfds_source", tfds_source)
  for split in SPLITS:
    assert faces(split, None, side=8)[0].shape == (8, 8, 3)
    image = photographs(split, None, side=8, resize_to=9)[0]
    assert image.shape == (8, 8, 3)
  assert asked == [
    ("celeb_a", "train"),
    ("imagenette", "train"),
    ("celeb_a", "validation"),
    ("imagenette", "validation"),
    ("celeb_a", "test"),
    ("imagenette", "validation"),
  ]
