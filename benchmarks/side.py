"""What the harness asks of each side, whatever it is written in."""

from collections.abc import Callable
from typing import NamedTuple


class Side(NamedTuple):
  """One way to do the work, ready to be timed.

  Attributes:
    run: does it once, to the end, and returns the losses to compare: the
      batch's loss before the update (training) or the mean final loss
      (encoding). A training step continues from the last one.
    temporaries: bytes that the compiled program holds beside its arguments and
      results; None where nothing is compiled.
  """

  run: Callable[[], float]
  temporaries: int | None
