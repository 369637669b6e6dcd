"""The vocabulary every package shares; imports nothing of inrjax.

Axis letters used in every docstring:

  B  signals in a batch          N  points of a signal
  K  selected points             D  coordinate dimensions
  C  channels of a value         L  latent dimensions
  S  inner-loop steps            P  side of a patch
  H, W  height and width of an image
"""

from typing import Any, NamedTuple

import jax

Array = jax.Array
# A tree of arrays; JAX itself has no narrower name for it.
PyTree = Any
Metrics = dict[str, Array]


class Context(NamedTuple):
  """What an implicit representation is fitted to: coordinates and values.

  Attributes:
    coords: `[N, D]` coordinates, in the range the coordinate grid declares.
    values: `[N, C]` values of the signal there, normally in `[0, 1]`.
  """

  coords: Array
  values: Array


class Adapted(NamedTuple):
  """What an inner loop returns, always with its diagnostics.

  Attributes:
    fast: the adapted fast parameters, a tree like the one that went in.
    losses: `[S + 1]` loss before each step, and after the last.
    state: what the loop carried, from which a further fit can start; the fast
      parameters themselves unless a method applies gates or a mask to them.
  """

  fast: PyTree
  losses: Array
  state: PyTree
