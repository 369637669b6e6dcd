"""Entropy coding of integers under integer frequency tables.

The range coder is `constriction`'s; its words are stored as bytes, most
significant first. The same bytes give the same symbols on every device and
with every thread count.

A stream is the shortest string of bytes that, continued by zeros, lies in the
range coder's final interval. It is therefore unique: a decoder that encodes
again what it decoded notices trailing junk, padding and most damage.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from constriction import stream

from inrjax.codec import errors, frequencies

# The tables' names where their users look for them.
FrequencyTables = frequencies.FrequencyTables
from_counts = frequencies.from_counts
laplace_tables = frequencies.laplace_tables
logistic_tables = frequencies.logistic_tables
cost_bits = frequencies.cost_bits

# Uniform bits are coded at most this many at a time.
_CHUNK_BITS = 16
# An escape carries the difference of two int32: at most 33 bits.
_MAX_GOLOMB_ORDER = 32
_INT32 = np.iinfo(np.int32)


class _Group(NamedTuple):
  """The symbols of one call that share a table."""

  table: int
  where: np.ndarray | slice
  num: int


class Encoder:
  """Turns bulk calls of symbols into one string of bytes."""

  def __init__(self) -> None:
    """Starts an empty stream."""
    self._coder = stream.queue.RangeEncoder()

  def encode(
    self,
    symbols: np.ndarray,
    table_index: np.ndarray,
    tables: FrequencyTables,
  ) -> None:
    """Appends symbols, each under the table of its index.

    Args:
      symbols: `[n]` integers within int32.
      table_index: `[n]` integers in `[0, T)`.
      tables: the frequency tables.

    Raises:
      CodecError: if shapes differ or a value is out of range.
    """
    symbols = _checked_integers(symbols, "symbols", _INT32.min, _INT32.max)
    groups = _groups(table_index, tables.num_tables)
    _check_same_length(symbols, table_index)
    columns = np.clip(symbols, tables.first, tables.last) + tables.offset
    beyond = np.abs(symbols + tables.offset - columns)
    escaped = _is_escape(columns, tables)
    self._append(columns.astype(np.int32), beyond[escaped], groups, tables)

  def encode_uniform_bits(self, values: np.ndarray, num_bits: int) -> None:
    """Appends raw bits.

    Args:
      values: `[n]` integers in `[0, 2^num_bits)`.
      num_bits: bits of each, at most 32.

    Raises:
      CodecError: if a value does not fit.
    """
    _check_num_bits(num_bits)
    values = _checked_integers(values, "values", 0, (1 << num_bits) - 1)
    for shift, bits in _chunks(num_bits):
      part = values >> shift & (1 << bits) - 1
      self._coder.encode(part.astype(np.int32), stream.model.Uniform(1 << bits))

  def finish(self) -> bytes:
    """Returns the stream: the fewest bytes that decode to what was encoded."""
    words = self._coder.get_compressed().astype(">u4").tobytes()
    num_words, (lower, width) = self._coder.pos()
    size = 4 * num_words + 8
    # The coder's answer is some point of its final interval of `width` points;
    # `lower` is the interval's start in the last 64 bits.
    inside = int.from_bytes(words.ljust(size, b"\0"), "big")
    point = start = inside - (inside - lower) % (1 << 64)
    for shift in range(8, 72, 8):
      rounded = -(-start >> shift) << shift
      if rounded >= start + width:
        break
      point = rounded
    return point.to_bytes(size, "big").rstrip(b"\0")

  def _append(
    self,
    columns: np.ndarray,
    excess: np.ndarray,
    groups: list[_Group],
    tables: FrequencyTables,
  ) -> None:
    for group in groups:
      self._coder.encode(columns[group.where], tables.coder(group.table))
    if excess.size:
      self._encode_exp_golomb(excess)

  def _encode_exp_golomb(self, excess: np.ndarray) -> None:
    """Order in unary, a round per order, then the bits below the leading one.

    A number `e` has order `k = floor(log2(e + 1))` and takes `2 k + 1` bits.
    """
    order = frequencies.golomb_order(excess)
    for rung in range(int(order.max()) + 1):
      active = order[order >= rung]
      self.encode_uniform_bits((active > rung).astype(np.int64), 1)
    rest = excess + 1 - (np.int64(1) << order)
    for k in np.unique(order[order > 0]):
      self.encode_uniform_bits(rest[order == k], int(k))


class Decoder:
  """Mirrors an `Encoder`: the same calls, in the same order, read it back."""

  def __init__(self, data: bytes) -> None:
    """Starts at the beginning of a stream; reads nothing yet."""
    self._data = bytes(data)
    padded = self._data + b"\0" * (-len(data) % 4)
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    self._coder = stream.queue.RangeDecoder(words)
    self._mirror = Encoder()

  def decode(
    self, table_index: np.ndarray, tables: FrequencyTables
  ) -> np.ndarray:
    """Reads one symbol per table index.

    Args:
      table_index: `[n]` integers in `[0, T)`, as given to the encoder.
      tables: the encoder's frequency tables.

    Returns:
      `[n]` int32 symbols.

    Raises:
      CorruptBitstreamError: if no encoder can have written this.
    """
    groups = _groups(table_index, tables.num_tables)
    columns = np.empty(len(table_index), np.int32)
    for group in groups:
      columns[group.where] = self._read(tables.coder(group.table), group.num)
    symbols = columns.astype(np.int64) - tables.offset
    escaped = _is_escape(columns, tables)
    excess = self._decode_exp_golomb(int(escaped.sum()))
    if excess.size:
      symbols[escaped] += np.where(columns[escaped] == 0, -excess, excess)
      if symbols.min() < _INT32.min or symbols.max() > _INT32.max:
        raise errors.CorruptBitstreamError(
          "a decoded symbol leaves int32: the stream is damaged, or was"
          " written with other tables"
        )
    self._mirror._append(columns, excess, groups, tables)
    return symbols.astype(np.int32)

  def decode_uniform_bits(self, count: int, num_bits: int) -> np.ndarray:
    """Reads raw bits.

    Args:
      count: how many values, n.
      num_bits: bits of each, at most 32.

    Returns:
      `[n]` int64 values in `[0, 2^num_bits)`.

    Raises:
      CorruptBitstreamError: if no encoder can have written this.
    """
    values = self._read_bits(count, num_bits)
    self._mirror.encode_uniform_bits(values, num_bits)
    return values

  def finish(self) -> None:
    """Checks that the stream held exactly what was decoded, and no more.

    Raises:
      CorruptBitstreamError: if encoding the decoded symbols again gives other
        bytes: trailing junk, padding, symbols not read, or damage.
    """
    again = self._mirror.finish()
    if again != self._data:
      raise errors.CorruptBitstreamError(
        f"the decoded symbols fill {len(again)} bytes, but not the"
        f" {len(self._data)} bytes given: the stream is damaged, or was written"
        " with another model"
      )

  def _read(self, model: frequencies.CoderModel, count: int) -> np.ndarray:
    try:
      return self._coder.decode(model, count)
    except AssertionError as error:  # constriction's word for invalid data
      raise errors.CorruptBitstreamError(
        "the stream leaves the range coder's interval: it is damaged, or was"
        " written with another model"
      ) from error

  def _read_bits(self, count: int, num_bits: int) -> np.ndarray:
    _check_num_bits(num_bits)
    values = np.zeros(count, np.int64)
    for shift, bits in _chunks(num_bits):
      part = self._read(stream.model.Uniform(1 << bits), count)
      values |= part.astype(np.int64) << shift
    return values

  def _decode_exp_golomb(self, count: int) -> np.ndarray:
    order = np.zeros(count, np.int64)
    active = np.arange(count)
    while active.size:
      active = active[self._read_bits(active.size, 1) == 1]
      order[active] += 1
      if order.max() > _MAX_GOLOMB_ORDER:
        raise errors.CorruptBitstreamError(
          "an escape declares a symbol beyond int32: the stream is damaged, or"
          " was written with other tables"
        )
    excess = (np.int64(1) << order) - 1
    for k in np.unique(order[order > 0]):
      chosen = order == k
      excess[chosen] += self._read_bits(int(chosen.sum()), int(k))
    return excess


def _groups(table_index: np.ndarray, num_tables: int) -> list[_Group]:
  """The groups of a call in the order they are coded, by rising table."""
  index = _checked_integers(table_index, "table indices", 0, num_tables - 1)
  counts = np.bincount(index, minlength=num_tables)
  tables = np.flatnonzero(counts)
  if tables.size == 1:
    return [_Group(int(tables[0]), slice(None), index.size)]
  # Small integers are sorted by radix, several times faster.
  small = index.astype(np.uint16) if num_tables <= 1 << 16 else index
  order = np.argsort(small, kind="stable")
  stops = np.cumsum(counts)[tables]
  starts = stops - counts[tables]
  return [
    _Group(table, order[start:stop], stop - start)
    for table, start, stop in zip(
      tables.tolist(), starts.tolist(), stops.tolist(), strict=True
    )
  ]


def _is_escape(columns: np.ndarray, tables: FrequencyTables) -> np.ndarray:
  return (columns == 0) | (columns == tables.freq.shape[1] - 1)


def _chunks(num_bits: int) -> Iterator[tuple[int, int]]:
  """Splits a number into (shift, bits), the most significant part first."""
  while num_bits > 0:
    bits = (num_bits - 1) % _CHUNK_BITS + 1
    num_bits -= bits
    yield num_bits, bits


def _check_num_bits(num_bits: int) -> None:
  if not 0 <= num_bits <= 32:
    raise errors.CodecError(f"num_bits must lie in [0, 32], got {num_bits}")


def _check_same_length(symbols: np.ndarray, table_index: np.ndarray) -> None:
  if symbols.shape != np.shape(table_index):
    raise errors.CodecError(
      f"{list(symbols.shape)} symbols need as many table indices, got"
      f" {list(np.shape(table_index))}: broadcast them first"
    )


def _checked_integers(
  values: np.ndarray, what: str, low: int, high: int
) -> np.ndarray:
  """`[n]` int64 copy of integers in `[low, high]`; raises CodecError else."""
  values = np.asarray(values)
  if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
    raise errors.CodecError(
      f"{what} must be integers [n], got {values.dtype} {list(values.shape)}"
    )
  if values.size and (values.min() < low or values.max() > high):
    raise errors.CodecError(
      f"{what} must lie in [{low}, {high}], got {values.min()} to"
      f" {values.max()}"
    )
  return values.astype(np.int64)
