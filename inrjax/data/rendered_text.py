"""Pictures of random strings in random sizes, places and colours."""

import functools
import string

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inrjax.data import streams

_LETTERS = string.ascii_letters + string.digits + "!?&%$#@+-=()[]"
_MAX_LETTERS = 10
_NUM_STRINGS = (2, 6)
# Height of the letters as a share of the picture's side.
_SIZES = (0.08, 0.3)
# Dark on light, so that every string can be read.
_INK, _PAPER = (0, 150), (215, 255)
_MIN_SIDE = 16


class RenderedText:
  """Dark strings on white or on a light plain colour, made when asked for.

  The font is Aileron (public domain, CC0), which is part of Pillow. Which
  strings a picture holds depends on the seed, the split and the index alone;
  the grey levels at the letters' edges also on FreeType, inside Pillow.
  """

  def __init__(
    self, split: str, *, num_images: int, side: int = 178, seed: int = 0
  ):
    """Chooses a stream of random strings.

    Args:
      split: "train", "validation" or "test", which share no pictures.
      num_images: how many images.
      side: P, in pixels, at least 16.
      seed: of the strings, at least 0.

    Raises:
      ValueError: for a value outside its range.
      ImportError: if Pillow was built without FreeType.
    """
    if side < _MIN_SIDE:
      raise ValueError(f"side must be at least {_MIN_SIDE}, got {side}.")
    self._stream = streams.Stream(split, num_images, seed)
    self._side = side
    _font(_MIN_SIDE)  # Complain here and not in the middle of a training.

  def __len__(self) -> int:
    return self._stream.num_images

  def __getitem__(self, index: int) -> np.ndarray:
    """The picture `[P, P, 3]` uint8 at an index."""
    rng = self._stream.generator(index)
    is_white = rng.random() < 0.5
    paper = (255, 255, 255) if is_white else _colour(rng, _PAPER)
    picture = Image.new("RGB", (self._side, self._side), paper)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(*_NUM_STRINGS, endpoint=True)):
      self._write(draw, rng)
    return np.array(picture)

  def _write(self, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    letters = rng.integers(len(_LETTERS), size=rng.integers(1, _MAX_LETTERS))
    text = "".join(_LETTERS[i] for i in letters)
    font = _font(round(self._side * rng.uniform(*_SIZES)))
    left, top, right, bottom = font.getbbox(text)
    # Whole if it fits, else from edge to edge.
    spare = self._side - np.array([right - left, bottom - top])
    corner = np.rint(spare * rng.random(2)) - (left, top)
    draw.text(
      (int(corner[0]), int(corner[1])),
      text,
      fill=_colour(rng, _INK),
      font=font,
    )


def _colour(
  rng: np.random.Generator, levels: tuple[int, int]
) -> tuple[int, int, int]:
  red, green, blue = rng.integers(*levels, size=3, endpoint=True).tolist()
  return red, green, blue


@functools.lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
  try:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    # The other layout engine is not in every build, and kerns differently.
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
  except ImportError as error:
    raise ImportError(
      "Rendering text needs a Pillow with FreeType, as its wheels are: pip "
      f"install --force-reinstall pillow. Cause: {error}"
    ) from error
