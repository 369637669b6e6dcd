"""Reading a model's specification from the JSON values of its file."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from inrjax.codec import errors


@contextlib.contextmanager
def reading() -> Iterator[None]:
  """Turns what a specification's constructors raise into the codec's error.

  Raises:
    CorruptBitstreamError: if fields are missing, unknown or out of range.
  """
  try:
    yield
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise errors.CorruptBitstreamError(
      f"The model's configuration cannot be used ({error}); it was written by "
      "another version or is damaged."
    ) from error


def tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
  """JSON's lists as the tuples that the constructors take."""
  return {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in fields.items()
  }
