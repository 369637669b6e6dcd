"""Random numbers of an image depend on seed, split and index alone."""

import itertools

import pytest

from inrjax.data import streams


def test_every_image_of_every_split_and_seed_has_its_own_numbers():
  draws = {
    streams.Stream(split, 5, seed).generator(index).integers(2**63)
    for split, seed, index in itertools.product(
      streams.SPLITS, range(3), range(5)
    )
  }
  # Fails if one of the three is left out of the key.
  assert len(draws) == 3 * 3 * 5


def test_numbers_do_not_depend_on_the_count_or_the_order():
  short, long = streams.Stream("test", 3), streams.Stream("test", 300)
  long.generator(7).random(10)
  assert short.generator(2).random() == long.generator(2).random()


def test_golden():
  # Fails if the derivation changes, which would change every data set.
  value = streams.Stream("train", 9, 5).generator(8).bit_generator.random_raw()
  assert value == 8222836704920806035


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("val", 1), "split must be one of.*'val'"),
    (("train", 0), "num_images must be at least 1, got 0"),
    (("train", 1, -1), "seed must be at least 0, got -1"),
  ],
)
def test_bad_values_are_named(arguments, message):
  with pytest.raises(ValueError, match=message):
    streams.Stream(*arguments)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_ends_iteration(index):
  with pytest.raises(IndexError, match="of 3 images"):
    streams.Stream("train", 3).generator(index)
