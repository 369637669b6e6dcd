"""Rendered text: stable, different for every index, readable."""

from concurrent import futures

import numpy as np
import pytest
from PIL import ImageFont

from inrjax import data
from inrjax.data import rendered_text


@pytest.mark.parametrize("side", [16, 64, 178])
def test_dark_letters_on_a_light_plain_ground(side):
  source = data.RenderedText("train", num_images=20, side=side)
  assert len(source) == 20 and len(list(source)) == 20
  for image in source:
    assert image.shape == (side, side, 3) and image.dtype == np.uint8
    colours, counts = np.unique(
      image.reshape(-1, 3), axis=0, return_counts=True
    )
    paper = colours[counts.argmax()]
    # Fails if nothing is drawn, or what is drawn cannot be told from the paper.
    assert paper.min() >= 215
    assert (paper - image.min(axis=(0, 1)).astype(int)).max() > 40


def test_papers_inks_sizes_and_places_vary():
  source = data.RenderedText("train", num_images=60, side=64)
  images = np.stack([source[i] for i in range(60)])
  white = (images.max(axis=(1, 2)) == 255).all(axis=1)
  # Fails if all papers are white or none is.
  assert 15 <= white.sum() <= 45
  ink = images.min(axis=3) < 150
  # Fails if strings keep to one part of the picture.
  assert (ink.mean(axis=0) > 0).mean() > 0.9
  share = ink.mean(axis=(1, 2))
  assert share.max() > 3 * share.min() > 0


def test_a_string_that_fits_is_whole():
  draws = []

  class Draw:
    def text(self, corner, text, *, fill, font):
      draws.append((corner, text, font))

  source = data.RenderedText("train", num_images=1, side=100)
  rng = np.random.default_rng(0)
  for _ in range(200):
    source._write(Draw(), rng)
  for (x, y), text, font in draws:
    left, top, right, bottom = font.getbbox(text, anchor="la")
    if right - left <= 100:
      # Fails if the offset of a glyph's box is not taken off.
      assert x + left >= -1 and x + right <= 101
    else:
      assert x + left <= 1 and x + right >= 99
    assert y + top >= -1 and y + bottom <= 101


def test_images_are_stable_and_splits_are_disjoint():
  def images(split, seed=0, count=20):
    source = data.RenderedText(split, num_images=count, side=32, seed=seed)
    return {source[i].tobytes() for i in range(20)}

  assert images("train") == images("train", count=50)
  sets = [images(s) for s in ("train", "validation", "test")]
  sets.append(images("train", seed=1))
  assert len(set.union(*sets)) == 80


def test_readers_in_several_threads_see_the_same():
  source = data.RenderedText("train", num_images=40, side=32)
  alone = [source[i] for i in range(40)]
  with futures.ThreadPoolExecutor(4) as pool:
    together = list(pool.map(source.__getitem__, range(40)))
  np.testing.assert_array_equal(together, alone)


def test_without_freetype_the_error_says_what_to_install(monkeypatch):
  def load_default(size=None):
    raise ImportError("The _imagingft C module is not installed")

  monkeypatch.setattr(ImageFont, "load_default", load_default)
  rendered_text._font.cache_clear()
  with pytest.raises(ImportError, match="FreeType.*pip install.*_imagingft"):
    data.RenderedText("train", num_images=1)


def test_a_side_without_room_for_letters_is_an_error():
  with pytest.raises(ValueError, match="side must be at least 16, got 15"):
    data.RenderedText("train", num_images=1, side=15)
