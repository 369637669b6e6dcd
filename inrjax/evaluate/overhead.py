"""What the bytes of a classical codec's file are spent on, by parsing them.

A JPEG of a 32x32 image is more header than image, so on tiny images a
comparison of file lengths compares containers. The parsers here split a file
into three, which sum to its length:

* header: what a decoder that knows the codec, the image's size and the
  encoder's fixed configuration could be spared;
* side information: tables that depend on the image or the quality setting;
* payload: entropy-coded data.

The "header-stripped" size of a file is side information plus payload. Format by
format:

JPEG: header is every marker, its length and its fields (SOI, APPn, COM, SOF,
  SOS, EOI, ...). Side information is the contents of Huffman tables other than
  those of Annex K.3 of ITU-T T.81, and of quantisation tables; but if those are
  Annex K.1 tables scaled by libjpeg's rule for a quality, one byte (the
  quality, which rebuilds them) counts and the rest is header. Payload is the
  entropy-coded segments of all scans, byte stuffing and restart markers
  included.
JPEG 2000: header is the JP2 boxes if there are any, the main header, tile-part
  headers (SOT ... SOD) and EOC; payload is the tile-parts' bodies (with packed
  packet headers, PPM and PPT). The quantisation steps in QCD are fixed by
  the number of resolutions, hence header.
WebP: header is the RIFF header, chunk headers and padding, metadata chunks, and
  inside the bitstream VP8's start code and dimensions (7 bytes) or VP8L's
  signature and dimensions (5 bytes). Payload is the rest of the image and alpha
  chunks.
AVIF and HEIF: payload is the contents of `mdat` boxes, header all else. HEVC's
  parameter sets lie in `meta`, AV1's sequence header usually in `mdat`.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Split:
  """Bytes of a file by purpose.

  Attributes:
    header: what a decoder that knows the configuration could be spared.
    side_information: tables that depend on the image or the setting.
    payload: entropy-coded data.
  """

  header: int
  side_information: int
  payload: int

  @property
  def total(self) -> int:
    """Length of the file."""
    return self.header + self.side_information + self.payload

  @property
  def stripped(self) -> int:
    """Length without the header."""
    return self.side_information + self.payload


Splitter = Callable[[bytes], Split]

# Annex K.3 of T.81: 16 counts by code length, then the symbols.
_HUFFMAN_TABLES = frozenset(
  bytes.fromhex(table)
  for table in (
    "00010501010101010100000000000000000102030405060708090a0b",
    "00030101010101010101010000000000000102030405060708090a0b",
    "0002010303020403050504040000017d01020300041105122131410613516107"
    "227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a63646566676869"
    "6a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7"
    "a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    "0002010204040304070504040001027700010203110405213106124151076171"
    "1322328108144291a1b1c109233352f0156272d10a162434e125f11718191a26"
    "2728292a35363738393a434445464748494a535455565758595a636465666768"
    "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5"
    "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da"
    "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
  )
)
# Annex K.1 of T.81, luminance and chrominance, in zigzag order as in files.
_QUANTISATION_TABLES = tuple(
  np.frombuffer(bytes.fromhex(table), np.uint8).astype(np.int64)
  for table in (
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933"
    "383740485c4e404457453738506d51575f626768673e4d71797064785c656763",
    "1112121815182f1a1a2f63423842636363636363636363636363636363636363"
    "6363636363636363636363636363636363636363636363636363636363636363",
  )
)


def split_jpeg(data: bytes) -> Split:
  """Splits a baseline or progressive JPEG file.

  Args:
    data: the file.

  Returns:
    Its bytes by purpose, as the module's docstring defines.

  Raises:
    ValueError: when it is not a well-formed JPEG.
  """
  if data[:2] != b"\xff\xd8":
    raise ValueError("not a JPEG: no SOI marker")
  side, payload, position = 0, 0, 2
  quantisation: list[bytes] = []
  while True:
    marker = _field(data, position, 2)
    if marker[0] != 0xFF:
      raise ValueError(f"not a JPEG: no marker at byte {position}")
    position += 2
    if marker[1] == 0xD9:
      break
    length = int.from_bytes(_field(data, position, 2))
    body = _field(data, position + 2, length - 2)
    position += length
    if marker[1] == 0xC4:
      side += sum(
        len(t) + 1 for t in _huffman_tables(body) if t not in _HUFFMAN_TABLES
      )
    elif marker[1] == 0xDB:
      quantisation.extend(_quantisation_tables(body))
    elif marker[1] == 0xDA:
      end = _end_of_scan(data, position)
      payload += end - position
      position = end
  if _is_libjpeg_quality(tuple(quantisation)):
    side += 1
  else:
    side += sum(len(table) for table in quantisation)
  return Split(len(data) - side - payload, side, payload)


def split_jpeg2000(data: bytes) -> Split:
  """Splits a JPEG 2000 codestream, bare or in a JP2 file.

  Args:
    data: the file.

  Returns:
    Its bytes by purpose, as the module's docstring defines.

  Raises:
    ValueError: when it is not a well-formed codestream.
  """
  stream = data
  if data[4:8] == b"jP  ":
    boxes = dict(_boxes(data))
    if b"jp2c" not in boxes:
      raise ValueError("not a JPEG 2000 file: no codestream box")
    stream = boxes[b"jp2c"]
  if stream[:2] != b"\xff\x4f":
    raise ValueError("not a JPEG 2000 codestream: no SOC marker")
  payload, position = 0, 2
  tile_start, tile_length = 0, 0
  while True:
    marker = _field(stream, position, 2)
    if marker == b"\xff\xd9":
      break
    if marker == b"\xff\x93":  # SOD: what is left of the tile-part is data.
      position += 2
      # Length 0 marks the last tile-part, which runs up to EOC.
      end = tile_start + tile_length if tile_length else len(stream) - 2
      if not position <= end <= len(stream):
        raise ValueError("damaged JPEG 2000 codestream: tile-part length")
      payload += end - position
      position = end
      continue
    if marker[0] != 0xFF:
      raise ValueError(f"not a JPEG 2000 codestream: no marker at {position}")
    length = int.from_bytes(_field(stream, position + 2, 2))
    body = _field(stream, position + 4, length - 2)
    if marker == b"\xff\x90":
      tile_start = position
      tile_length = int.from_bytes(_field(body, 2, 4))
    elif marker in (b"\xff\x60", b"\xff\x61"):
      payload += len(body)
    position += 2 + length
  return Split(len(data) - payload, 0, payload)


def split_webp(data: bytes) -> Split:
  """Splits a WebP file, lossy or lossless.

  Args:
    data: the file.

  Returns:
    Its bytes by purpose, as the module's docstring defines.

  Raises:
    ValueError: when it is not a well-formed WebP file.
  """
  if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
    raise ValueError("not a WebP file: no RIFF header")
  fixed = {b"VP8 ": 7, b"VP8L": 5, b"ALPH": 0}
  payload, position = 0, 12
  while position < len(data):
    kind = _field(data, position, 4)
    length = int.from_bytes(_field(data, position + 4, 4), "little")
    _field(data, position + 8, length)
    if kind in fixed:
      if length < fixed[kind]:
        raise ValueError(f"damaged WebP file: {kind!r} of {length} bytes")
      payload += length - fixed[kind]
    position += 8 + length + length % 2
  return Split(len(data) - payload, 0, payload)


def split_isobmff(data: bytes) -> Split:
  """Splits an AVIF or HEIF file (ISO base media file format).

  Args:
    data: the file.

  Returns:
    Its bytes by purpose, as the module's docstring defines.

  Raises:
    ValueError: when it is not a well-formed file or has no media data.
  """
  if data[4:8] != b"ftyp":
    raise ValueError("not an AVIF or HEIF file: no ftyp box")
  media = [body for kind, body in _boxes(data) if kind == b"mdat"]
  if not media:
    raise ValueError("damaged AVIF or HEIF file: no mdat box")
  payload = sum(len(body) for body in media)
  return Split(len(data) - payload, 0, payload)


def _field(data: bytes, start: int, length: int) -> bytes:
  """`length` bytes at `start`, all of which must be there."""
  if length < 0 or start + length > len(data):
    raise ValueError(
      f"file of {len(data)} bytes is cut short or damaged at byte {start}"
    )
  return data[start : start + length]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Top-level ISO boxes as (type, contents)."""
  position = 0
  while position < len(data):
    length = int.from_bytes(_field(data, position, 4))
    kind, head = _field(data, position + 4, 4), 8
    if length == 1:
      length, head = int.from_bytes(_field(data, position + 8, 8)), 16
    elif length == 0:
      length = len(data) - position
    yield kind, _field(data, position + head, length - head)
    position += length


def _huffman_tables(body: bytes) -> Iterator[bytes]:
  """Counts and symbols of each table of a DHT segment."""
  position = 0
  while position < len(body):
    counts = _field(body, position + 1, 16)
    length = 16 + sum(counts)
    yield _field(body, position + 1, length)
    position += 1 + length


def _quantisation_tables(body: bytes) -> Iterator[bytes]:
  """Precision and index byte and the 64 steps of each table of a DQT."""
  position = 0
  while position < len(body):
    length = 129 if body[position] >> 4 else 65
    yield _field(body, position, length)
    position += length


def _end_of_scan(data: bytes, position: int) -> int:
  """Position of the first marker that does not belong to the scan's data."""
  while True:
    position = data.find(b"\xff", position)
    if position < 0 or position + 1 >= len(data):
      raise ValueError("JPEG is cut short: its last scan does not end")
    following = data[position + 1]
    if following != 0 and not 0xD0 <= following <= 0xD7:
      return position
    position += 2


@functools.cache
def _is_libjpeg_quality(tables: tuple[bytes, ...]) -> bool:
  """Whether one quality of libjpeg's gives all these 8-bit tables."""
  if not tables or any(len(t) != 65 or t[0] > 1 for t in tables):
    return False
  return any(
    all(
      np.array_equal(
        np.frombuffer(table, np.uint8, offset=1),
        np.clip((_QUANTISATION_TABLES[table[0]] * scale + 50) // 100, 1, 255),
      )
      for table in tables
    )
    for quality in range(1, 101)
    for scale in [5000 // quality if quality < 50 else 200 - 2 * quality]
  )
