"""The pipeline is deterministic, fair, sharded and resumable."""

import itertools
import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax import data
from inrjax.data import augment

RNG = np.random.default_rng(0)
# The value of every pixel tells the image, and where it is in it.
SMALL = np.arange(12 * 4 * 4 * 3).reshape(12, 4, 4, 3)
SMALL = data.ArraySource((SMALL % 251).astype(np.uint8))
LARGE = data.ArraySource(RNG.integers(0, 256, (3, 20, 30, 3), np.uint8))


def take(iterator, count):
  return list(itertools.islice(iterator, count))


def crops(source=LARGE, **options):
  settings = {"batch_size": 12, "seed": 0, "crop_size": 8}
  return data.make_pipeline(source, **(settings | options))


def test_batches_have_the_declared_shape_and_type():
  batch = next(crops(crop_size=(5, 7), crops_per_image=3))
  assert batch.shape == (12, 5, 7, 3)
  assert batch.dtype == np.uint8


def test_the_seed_decides_everything():
  first = take(crops(augment=("flip", "transpose")), 4)
  again = take(crops(augment=("flip", "transpose")), 4)
  np.testing.assert_array_equal(first, again)
  other = take(crops(augment=("flip", "transpose"), seed=1), 4)
  # fails if the seed reaches neither the order nor the crops.
  assert not np.array_equal(first, other)


def test_every_epoch_visits_each_image_once_in_a_new_order():
  batches = data.make_pipeline(SMALL, batch_size=12, seed=0)
  names = [[tuple(image.ravel()) for image in next(batches)] for _ in range(3)]
  # fails if images are drawn with replacement.
  assert all(len(set(epoch)) == 12 for epoch in names)
  # fails if the order is that of the files or the same in each epoch.
  assert names[0] != names[1] != names[2] != names[0]
  assert names[0] != [tuple(image.ravel()) for image in SMALL]


def test_epochs_end_and_the_short_batch_is_dropped():
  batches = data.make_pipeline(SMALL, batch_size=5, seed=0, num_epochs=2)
  assert len(list(batches)) == 4  # 24 images.


def test_crops_are_windows_of_the_image_and_reach_its_borders():
  image = np.arange(6 * 9, dtype=np.uint8).reshape(1, 6, 9)
  batches = crops(data.ArraySource(image), crop_size=4, crops_per_image=12)
  seen = set()
  for crop in np.concatenate(take(batches, 20))[..., 0]:
    top, left = divmod(int(crop[0, 0]), 9)
    np.testing.assert_array_equal(
      crop, image[0, top : top + 4, left : left + 4]
    )
    seen.add((top, left))
  # fails if the last row or column of positions is left out.
  assert seen == set(itertools.product(range(3), range(6)))


@pytest.mark.parametrize(
  ("shape", "size"), [((9,), (4,)), ((3, 4, 5), (2, 4, 7))]
)
def test_crops_of_one_and_three_axes_are_windows_too(shape, size):
  signal = RNG.normal(size=(*shape, 2)).astype(np.float32)
  batch = next(crops(Signals(signal), crop_size=size))
  assert batch.shape == (12, *size, 2) and batch.dtype == np.float32
  widths = [(0, max(side - n, 0)) for n, side in zip(shape, size, strict=True)]
  padded = np.pad(signal, [*widths, (0, 0)], "reflect")
  places = itertools.product(
    *(range(n - side + 1) for n, side in zip(padded.shape, size, strict=False))
  )
  windows = {
    padded[
      tuple(slice(a, a + side) for a, side in zip(place, size, strict=True))
    ].tobytes()
    for place in places
  }
  # fails if axes are exchanged, or a short one is not continued.
  assert {crop.tobytes() for crop in batch} <= windows
  batches = crops(Signals(signal), crop_size=(2, 2))
  with pytest.raises(ValueError, match="2 axes and channels"):
    next(batches)


class Signals:
  """One signal."""

  def __init__(self, signal):
    self._signal = signal

  def __len__(self):
    return 1

  def __getitem__(self, index):
    return self._signal


def test_background_is_drawn_anew_but_not_always():
  # 200 is above 127: fails if spreads are taken in the type of the values.
  signal = np.zeros((8, 8, 8, 1), np.int8)
  signal[4:] = RNG.integers(-100, 101, (4, 8, 8, 1))
  options = {"crop_size": (2, 2, 2), "crops_per_image": 12}

  def share(**more):
    batches = take(crops(Signals(signal), **options, **more), 60)
    return np.mean([np.any(crop) for crop in np.concatenate(batches)])

  plain = 4 / 7
  assert share() == pytest.approx(plain, abs=0.06)
  # fails if crops are drawn anew once, or for ever.
  expected = 1 - (1 - plain) ** 4
  assert share(min_spread=20) == pytest.approx(expected, abs=0.02)
  assert share(min_spread=20) < 1


def test_crops_of_one_visit_come_from_one_image():
  values = np.arange(4, dtype=np.uint8).repeat(100).reshape(4, 10, 10)
  batch = next(crops(data.ArraySource(values), crops_per_image=3))
  named = batch[:, 0, 0, 0].reshape(4, 3)
  # fails if fetches are not shared by crops_per_image crops.
  np.testing.assert_array_equal(named, named[:, :1].repeat(3, 1))
  assert set(named[:, 0]) == {0, 1, 2, 3}


def test_augmentations_give_the_symmetries_of_the_square_and_no_others():
  image = RNG.integers(0, 256, (1, 8, 8, 3), np.uint8)
  batches = crops(data.ArraySource(image), augment=("flip", "transpose"))
  seen = {crop.tobytes() for crop in np.concatenate(take(batches, 20))}
  flipped = (image[0], image[0][:, ::-1])
  expected = {
    np.ascontiguousarray(x).tobytes()
    for f in flipped
    for x in (f, f.transpose(1, 0, 2))
  }
  # fails if one of the two is not applied, or applied always.
  assert seen == expected


def test_flip_alone_mirrors_left_to_right_about_half_the_time():
  image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(400, 0)
  flipped = augment.flip(np.random.default_rng(0), image)
  chosen = flipped[:, 0, 0, 0] == 3
  # fails if up and down are exchanged instead.
  np.testing.assert_array_equal(flipped[chosen][0], image[0][:, ::-1])
  np.testing.assert_array_equal(flipped[~chosen][0], image[0])
  assert 160 < chosen.sum() < 240


def test_a_function_is_an_augmentation_too():
  batch = next(crops(augment=(lambda rng, x: x // 2 * 0 + 7,)))
  assert (batch == 7).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 20), (9, 2)])
def test_small_images_are_continued_by_reflection(shape):
  image = RNG.integers(0, 256, (1, *shape, 3), np.uint8)
  batch = next(crops(data.ArraySource(image), crop_size=9))
  assert batch.shape == (12, 9, 9, 3)
  height, width = shape
  padded = np.pad(
    image[0],
    [(0, max(9 - height, 0)), (0, max(9 - width, 0)), (0, 0)],
    mode="reflect",
  )
  windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (0, 1))
  windows = np.moveaxis(windows, 2, -1).reshape(-1, 9, 9, 3)
  # fails if the rest is filled with zeros or the edge.
  for crop in batch:
    assert any(np.array_equal(crop, window) for window in windows)


@hypothesis.given(
  shard_count=st.sampled_from([1, 2, 3, 4, 6]),
  crops_per_image=st.sampled_from([1, 2]),
  start=st.integers(0, 9),
)
@hypothesis.settings(max_examples=25)
def test_hosts_together_draw_what_one_host_draws(
  shard_count, crops_per_image, start
):
  options = {
    "batch_size": 24,
    "augment": ("flip",),
    "crops_per_image": crops_per_image,
  }
  whole = take(crops(**options), 12)[start:]
  for host, reference in enumerate(
    np.split(np.array(whole), shard_count, axis=1)
  ):
    shard = crops(shard_index=host, shard_count=shard_count, **options)
    # fails if hosts overlap, or crops depend on the number of hosts.
    np.testing.assert_array_equal(take(shard, 12)[start:], reference)


@hypothesis.given(stop=st.integers(0, 20), read_threads=st.sampled_from([0, 2]))
@hypothesis.settings(max_examples=15)
def test_resumes_to_the_batch(stop, read_threads):
  iterator = crops(augment=("flip",), read_threads=read_threads)
  take(iterator, stop)
  state = json.loads(json.dumps(iterator.get_state()))
  rest = take(iterator, 3)
  fresh = crops(augment=("flip",))
  next(fresh)
  fresh.set_state(state)
  # fails if the state counts what was read ahead, or not at all.
  np.testing.assert_array_equal(take(fresh, 3), rest)


def test_read_threads_change_nothing():
  np.testing.assert_array_equal(
    take(crops(), 5), take(crops(read_threads=3), 5)
  )


class Counting:
  """Counts fetches."""

  def __init__(self, source):
    self.source = source
    self.calls = 0

  def __len__(self):
    return len(self.source)

  def __getitem__(self, index):
    self.calls += 1
    return self.source[index]


@pytest.mark.parametrize(("cache_bytes", "calls"), [(2**20, 3), (0, 80)])
def test_an_image_is_decoded_once_if_it_fits(cache_bytes, calls):
  source = Counting(LARGE)
  take(crops(source, crops_per_image=3, cache_bytes=cache_bytes), 20)
  # fails if each crop or each visit decodes again.
  assert source.calls == calls


@pytest.mark.parametrize(
  ("options", "named"),
  [
    ({"batch_size": 0}, "batch_size"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**32}, "seed"),
    ({"crop_size": 0}, "crop_size"),
    ({"crop_size": (3, -1)}, "crop_size"),
    ({"crops_per_image": 0}, "crops_per_image"),
    ({"crops_per_image": 5}, "multiple"),
    ({"shard_count": 5}, "multiple"),
    ({"shard_index": 1}, "shard_index"),
    ({"shard_index": -1}, "shard_index"),
    ({"crop_size": None, "crops_per_image": 2}, "crop_size"),
    ({"crop_size": None, "min_spread": 0.1}, "crop_size"),
    ({"min_spread": -0.1}, "min_spread"),
    ({"augment": ("rotate",)}, "'rotate'.*'flip'"),
    ({"num_epochs": 1}, "num_epochs"),
    ({"cache_bytes": -1}, "max_bytes"),
  ],
)
def test_bad_settings_are_named_at_construction(options, named):
  with pytest.raises(ValueError, match=named):
    crops(**options)


class Ragged:
  """Two images of different sizes."""

  def __len__(self):
    return 2

  def __getitem__(self, index):
    return np.zeros((4 + index, 4, 3), np.uint8)


def test_whole_images_of_two_sizes_ask_for_crops():
  batches = data.make_pipeline(Ragged(), batch_size=2, seed=0)
  with pytest.raises(ValueError, match="crop_size"):
    next(batches)


def test_transpose_of_oblong_crops_is_refused():
  batches = crops(crop_size=(4, 6), augment=("transpose",))
  with pytest.raises(ValueError, match="square"):
    next(batches)
