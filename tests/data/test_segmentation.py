"""Pairs of images and masks: who belongs to whom, and what is augmented."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from inrjax import data


def write(path: pathlib.Path, pixels: np.ndarray) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


def picture(value: int, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
  """A bright square somewhere, and a mask of it with an object's number."""
  image = np.full((side, side), value, np.uint8)
  mask = np.zeros((side, side), np.uint16)
  mask[1:4, value % 4 : value % 4 + 3] = 300 + value
  image[mask > 0] += 100
  return image, mask


@pytest.fixture
def sequences(tmp_path: pathlib.Path) -> pathlib.Path:
  """Two sequences of five annotated frames, and some without a mask."""
  for s in (1, 2):
    for t in range(8):
      image, mask = picture(10 * s + t)
      write(tmp_path / f"{s:02d}/t{t:03d}.tif", image)
      if t < 5:
        write(tmp_path / f"{s:02d}_GT/SEG/man_seg{t:03d}.tif", mask)
  return tmp_path


def test_cell_tracking_frames_and_their_masks(sequences) -> None:
  splits = {
    s: data.cell_tracking_pairs(sequences, s, held_out=0.3)
    for s in ("train", "validation", "test")
  }
  assert splits["validation"] == splits["test"]
  # 30 % of five are two, of each sequence.
  assert [len(p) for p in splits.values()] == [6, 4, 4]
  assert not set(splits["train"]) & set(splits["test"])
  found = data.labelled_masks(splits["train"])
  assert found.num_classes == 2 and found.labels.shape == (6, 8, 8)
  for i in range(6):
    bright = found.images[i][..., 0] >= 100
    # Fails if a mask is another frame's, or numbers of objects are classes.
    np.testing.assert_array_equal(found.labels[i], bright)


def test_resized_and_tiled_together(sequences) -> None:
  pairs = data.cell_tracking_pairs(sequences, "test", held_out=0.3)
  large = data.labelled_masks(pairs, resize_to=16)
  # Fails if masks are interpolated.
  assert set(np.unique(large.labels)) == {0, 1}
  np.testing.assert_array_equal(
    large.labels[0, 1::2, ::2], large.labels[0, ::2, 1::2]
  )
  tiles = data.labelled_masks(pairs, tile=4)
  whole = data.labelled_masks(pairs)
  assert len(tiles) == 4 * len(whole)
  # Fails if rows and columns of tiles are swapped, or masks cut otherwise.
  np.testing.assert_array_equal(tiles.labels[2], whole.labels[0, 4:, :4])
  np.testing.assert_array_equal(tiles.images[1], whole.images[0][:4, 4:])
  with pytest.raises(ValueError, match="8 x 8 are not cut into tiles of 3"):
    data.labelled_masks(pairs, tile=3)


def test_masks_are_augmented_with_their_images(sequences) -> None:
  pairs = data.cell_tracking_pairs(sequences, "train", held_out=0.3)
  found = data.labelled_masks(pairs)
  batches = data.LabelledBatches(
    found,
    batch_size=3,
    seed=0,
    augment=(data.flip, data.transpose, data.PadCrop(2)),
  )
  for _ in range(4):
    batch = next(batches)
    assert batch.images.shape == (3, 8, 8, 1)
    assert batch.labels.shape == (3, 8, 8) and batch.labels.dtype == np.int32
    # Fails if an augmentation leaves the mask where it was.
    np.testing.assert_array_equal(batch.labels, batch.images[..., 0] >= 100)
  with pytest.raises(ValueError, match="every pixel of these has a class"):
    data.LabelledBatches(
      found, batch_size=3, seed=0, crop=data.RandomResizedCrop(4)
    )
  with pytest.raises(ValueError, match="cannot be balanced"):
    data.balanced_batches(found, per_class=1, num_batches=1, seed=0)


def test_names_in_one_folder(tmp_path: pathlib.Path) -> None:
  for i in range(2):
    image, mask = picture(i)
    write(tmp_path / f"image_{i:02d}.png", image)
    write(tmp_path / f"label_{i:02d}.png", (mask > 0).astype(np.uint8) * 255)
  pairs = data.named_pairs(tmp_path)
  assert [p.mask.name for p in pairs] == ["label_00.png", "label_01.png"]
  found = data.labelled_masks(pairs)
  np.testing.assert_array_equal(found.labels[1], found.images[1][..., 0] >= 100)
  (tmp_path / "label_01.png").unlink()
  with pytest.raises(data.ImageError, match="label_01.png is missing"):
    data.named_pairs(tmp_path)


def test_what_is_no_pair(tmp_path: pathlib.Path) -> None:
  with pytest.raises(data.ImageError, match="No pair"):
    data.cell_tracking_pairs(tmp_path, "train", held_out=0.3)
  with pytest.raises(ValueError, match=r"held_out must lie in \(0, 1\)"):
    data.cell_tracking_pairs(tmp_path, "train", held_out=1.0)
  with pytest.raises(ValueError, match="split must be one of"):
    data.cell_tracking_pairs(tmp_path, "training", held_out=0.3)
  write(tmp_path / "image_0.png", np.zeros((4, 4), np.uint8))
  write(tmp_path / "label_0.png", np.zeros((4, 5), np.uint8))
  pairs = data.named_pairs(tmp_path)
  with pytest.raises(data.ImageError, match=r"\(4, 5\), image_0.png \(4, 4\)"):
    data.labelled_masks(pairs)
  write(tmp_path / "label_0.png", np.zeros((4, 4, 3), np.uint8))
  with pytest.raises(data.ImageError, match="must be grey"):
    data.labelled_masks(pairs)
  write(tmp_path / "image_1.png", np.zeros((5, 5), np.uint8))
  write(tmp_path / "label_1.png", np.zeros((5, 5), np.uint8))
  write(tmp_path / "label_0.png", np.zeros((4, 4), np.uint8))
  with pytest.raises(ValueError, match=r"sizes \[\(4, 4\), \(5, 5\)\]"):
    data.labelled_masks(data.named_pairs(tmp_path))


def test_the_data_packs_membranes(data_dir: pathlib.Path) -> None:
  pairs = data.named_pairs(data_dir / "em_membrane" / "train")
  found = data.labelled_masks(pairs, tile=128)
  assert len(found) == 5 * 16
  # Cells are bright and fill three quarters.
  assert np.mean(found.labels) == pytest.approx(0.76, abs=0.01)
  images = np.stack([found.images[i][..., 0] for i in range(len(found))])
  assert images[found.labels == 1].mean() > images[found.labels == 0].mean()
