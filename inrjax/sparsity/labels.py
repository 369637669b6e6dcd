"""Which channel each position of an array belongs to, and who shares one.

Every axis of a traced array carries a label: one integer for each position,
the identity of the channel there, `FIXED` for a position that is no channel of
a layer (pixels, the batch, the network's input), or None for an axis along
which nothing distinguishes the positions (a broadcast scalar, noise).

Operations carry labels from their operands to their results and leave behind
what they demand: that two identities are one (a residual sum), that a channel
cannot be removed (it meets the input, it reaches the output), or that the
operation mixes channels in a way that removal would change (a mean over them).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

FIXED = -1
Label = np.ndarray | None
Axes = tuple[Label, ...]


class Traced(NamedTuple):
  """What is known of one array of the traced function.

  Attributes:
    axes: a label for each axis.
    shape: of the array.
    data: whether it depends on the network's inputs.
  """

  axes: Axes
  shape: tuple[int, ...]
  data: bool


class Mixed(NamedTuple):
  """Channels that an operation mixes: `primitive` of the module `where`."""

  ids: np.ndarray
  primitive: str
  where: str


def fixed(size: int) -> np.ndarray:
  """The label of an axis without channels."""
  return np.full(size, FIXED)


def plain(shape: Sequence[int]) -> Axes:
  """The labels of an array of this shape that holds no channels."""
  return tuple(None if size == 1 else fixed(size) for size in shape)


def channels(label: Label) -> np.ndarray:
  """The identities among the positions of a label."""
  return np.zeros(0, int) if label is None else label[label != FIXED]


class Identities:
  """Channel identities, and what the network demands of them.

  Attributes:
    kept: identities that cannot be removed.
    mixed: what operations mixed, in order.
    outputs: identities that are the outputs of a weight's product with data,
      in order (the keys of a dict).
    inputs: identities that such a product sums over.
    seen: identities that any operation has read.
    where: module and primitive at work, for messages.
  """

  def __init__(self) -> None:
    self._parent: list[int] = []
    self.kept: set[int] = set()
    self.mixed: list[Mixed] = []
    self.outputs: dict[int, None] = {}
    self.inputs: set[int] = set()
    self.seen: set[int] = set()
    self.where: tuple[str, str] = ("", "")

  def new(self, size: int) -> np.ndarray:
    """Identities that no other position shares yet."""
    start = len(self._parent)
    self._parent.extend(range(start, start + size))
    return np.arange(start, start + size)

  def root(self, identity: int) -> int:
    """The representative of all identities tied to this one."""
    while self._parent[identity] != identity:
      self._parent[identity] = self._parent[self._parent[identity]]
      identity = self._parent[identity]
    return identity

  def roots(self, label: np.ndarray) -> np.ndarray:
    """A label whose tied identities are equal numbers."""
    return np.array([i if i == FIXED else self.root(i) for i in label], int)

  def keep(self, ids: Iterable[int]) -> None:
    """These channels cannot be removed."""
    self.kept.update(int(i) for i in ids)

  def mix(self, *labels: Label) -> None:
    """The operation at work mixes the channels of these labels."""
    where, primitive = self.where
    for label in labels:
      ids = channels(label)
      if ids.size:
        self.mixed.append(Mixed(ids, primitive, where))

  def tie_ids(self, first: np.ndarray, second: np.ndarray) -> None:
    """Channels at equal positions are removed together or not at all."""
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
      self._parent[self.root(b)] = self.root(a)

  def tie(self, first: Label, second: Label) -> Label:
    """One label for two arrays that are combined position by position."""
    if first is None or second is None:
      return second if first is None else first
    both = (first != FIXED) & (second != FIXED)
    self.tie_ids(first[both], second[both])
    self.keep(channels(first[~both]))
    self.keep(channels(second[~both]))
    return np.where(first == FIXED, second, first)

  def contract(self, first: Label, second: Label, *, exact: bool) -> None:
    """A sum over the products at equal positions.

    Args:
      first: label of the one operand.
      second: of the other.
      exact: whether one of them is a weight, whose zeros make removed channels
        vanish from the sum.
    """
    if first is None or second is None or not exact:
      self.mix(first, second)
    else:
      self.tie(first, second)


class GivenIdentities(Identities):
  """Identities that are known already, and of which nothing new may be asked.

  Finds out whether a pruned network still combines the right channels: what the
  whole network demanded must hold, and nothing else may be demanded.
  """

  def _fail(self) -> None:
    where, primitive = self.where
    raise ValueError(
      f"After pruning, `{primitive}` of {where} no longer combines the "
      "channels that it combined before: the network's own code fixes a width "
      "or a position there. Take it from the array's shape instead, or protect "
      "the layers that lead there."
    )

  def root(self, identity: int) -> int:
    """Every identity stands for itself."""
    return identity

  def keep(self, ids: Iterable[int]) -> None:
    """Fails where there is something to keep."""
    if any(True for _ in ids):
      self._fail()

  def mix(self, *labels: Label) -> None:
    """Fails where there is something that is mixed."""
    if any(channels(label).size for label in labels):
      self._fail()

  def tie_ids(self, first: np.ndarray, second: np.ndarray) -> None:
    """Fails where two identities differ."""
    if not np.array_equal(first, second):
      self._fail()


# (identities, equation, operands) -> axes of each result.
Rule = Callable[[Identities, Any, Sequence[Traced]], list[Axes]]
