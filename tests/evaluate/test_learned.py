"""Curves of a learned codec: real bytes, the estimate beside them."""

import types

import numpy as np
import pytest

from inrjax import evaluate
from inrjax.codec import errors

RNG = np.random.default_rng(0)
IMAGES = {
  name: RNG.integers(0, 256, shape, np.uint8)
  for name, shape in {"a": (16, 16, 3), "b": (12, 20, 1)}.items()
}


class Codec:
  """One byte of header, two of side information, then the upper bits."""

  def __init__(self, settings=(16, 64)):
    self.settings = settings

  def compress(self, array, *, quality=None, bpp=None, effort="medium"):
    if array.size == 3:
      raise errors.UnsupportedSignalError("too small")
    if bpp is not None and bpp < 8 * array.shape[2]:
      raise errors.CodecError("a higher rate")
    step = self.settings[-1 if quality is None or quality < 50 else 0]
    coarse = array // step * step
    data = bytes([step, *array.shape]) + coarse.tobytes()
    return data if effort == "slow" else data + b"waste"

  def decompress(self, data):
    shape = tuple(data[1:4])
    return np.frombuffer(data[4 : 4 + np.prod(shape)], np.uint8).reshape(shape)

  def rates(self, data):
    size = int(np.prod(tuple(data[1:4])))
    return [types.SimpleNamespace(side=3, payload=size, estimated_bits=7.0)]


def test_a_measurement_counts_the_bytes_of_the_file():
  image = IMAGES["a"]
  result = evaluate.measure_codec(Codec(), image, quality=80, effort="slow")
  # fails if the header is what the codec says and not what the file has.
  rate = result.rate
  assert (rate.total, rate.header, rate.side_information) == (772, 1, 3)
  assert rate.payload == 768 and rate.estimated_bits == 7
  assert result.mse == evaluate.mse(image, image // 16 * 16)
  waste = evaluate.measure_codec(Codec(), image, quality=80)
  assert (waste.rate.total, waste.rate.header) == (777, 6)


def test_one_point_per_quality_over_all_images():
  curve = evaluate.curve_at_qualities(
    Codec(), IMAGES, [20, 80], name="ours", effort="slow", meta={"k": 1}
  )
  assert {p.setting for p in curve.points} == {20, 80}
  fine = max(curve.points, key=lambda p: p.psnr)
  # fails if rates are pooled over images instead of averaged.
  assert fine.bpp == pytest.approx((8 * 772 / 256 + 8 * 244 / 240) / 2)
  psnrs = [evaluate.psnr(i, i // 16 * 16) for i in IMAGES.values()]
  assert fine.psnr == pytest.approx(np.mean(psnrs)) and fine.setting == 80
  assert fine.estimated_bpp == pytest.approx((7 / 256 + 7 / 240) / 2)
  assert curve.meta == {"k": 1} and fine.num_images == 2


def test_settings_that_change_nothing_make_one_point():
  curve = evaluate.curve_at_qualities(
    Codec((32,)), IMAGES, [10, 50, 90], name="papers"
  )
  # Fails if a codec of one setting fills its curve with copies, or if a
  # quality is said to be it.
  assert [point.setting for point in curve.points] == ["only"]
  curve = evaluate.curve_at_qualities(Codec(), IMAGES, [10], name="papers")
  assert [point.setting for point in curve.points] == [10]


def test_rates_some_image_cannot_keep_make_no_point():
  curve = evaluate.curve_at_bpps(Codec(), IMAGES, [8, 30], name="ours")
  # fails if 8 bpp is averaged over the grey image alone.
  assert [point.setting for point in curve.points] == [30]
  assert curve.meta["unreached_bpp"] == [8]
  with pytest.raises(errors.CodecError, match="a: a higher rate"):
    evaluate.curve_at_bpps(Codec(), IMAGES, [8], name="ours")


@pytest.mark.parametrize("settings", [{"qualities": [50]}, {"bpps": [30]}])
def test_an_image_that_cannot_be_coded_is_named(settings):
  images = {**IMAGES, "tiny.png": np.zeros((1, 1, 3), np.uint8)}
  # fails if it is left out of the mean without a word.
  with pytest.raises(errors.UnsupportedSignalError, match="tiny.png"):
    if "bpps" in settings:
      evaluate.curve_at_bpps(Codec(), images, settings["bpps"], name="ours")
    else:
      evaluate.curve_at_qualities(
        Codec(), images, settings["qualities"], name="ours"
      )
