"""Files taken apart: parts sum, headers are constant, damage is refused."""

import io

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image
from skimage import data

from inrjax.evaluate import classical, overhead

PHOTO = data.astronaut()
A = PHOTO[100:132, 200:232]
B = PHOTO[40:72, 300:332]

SPLITTERS = {
  "JPEG": overhead.split_jpeg,
  "JPEG2000": overhead.split_jpeg2000,
  "WEBP": overhead.split_webp,
  "AVIF": overhead.split_isobmff,
}


def _file(image, kind, **options):
  stream = io.BytesIO()
  Image.fromarray(image).save(stream, kind, **options)
  return stream.getvalue()


CODECS = [
  classical.jpeg(),
  classical.jpeg("4:4:4"),
  classical.jpeg2000(),
  classical.webp(),
  classical.avif(),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("shape", [(32, 32, 3), (17, 33, 1), (1, 1, 3)])
def test_parts_sum_to_the_length_of_the_file(codec, shape):
  height, width, channels = shape
  image = np.ascontiguousarray(PHOTO[:height, :width, :channels])
  for setting in codec.settings[:: len(codec.settings) // 4]:
    file = codec.encode(image, setting)
    parts = codec.split(file)
    # fails if a byte is counted twice or not at all
    assert parts.total == len(file)
    assert min(parts.header, parts.side_information) >= 0
    assert 0 < parts.payload < len(file)


def test_jpeg_with_standard_tables_has_one_byte_of_side_information():
  file = _file(A, "JPEG", quality=40)
  start = file.index(b"\xff\xda")
  start += 2 + int.from_bytes(file[start + 2 : start + 4])
  # fails if standard tables are side information, or EOI is payload
  assert overhead.split_jpeg(file) == overhead.Split(
    start + 2 - 1, 1, len(file) - 2 - start
  )


def test_standard_jpeg_headers_are_the_same_for_all_images():
  heads = set()
  for image in (A, B):
    file = _file(image, "JPEG", quality=40)
    heads.add(file[: -2 - overhead.split_jpeg(file).payload])
  # fails if anything of the image is counted as header
  assert len(heads) == 1


def test_optimised_huffman_tables_are_side_information():
  file = _file(A, "JPEG", quality=40, optimize=True)
  tables, position = 0, 0
  while (position := file.find(b"\xff\xc4", position)) >= 0:
    length = int.from_bytes(file[position + 2 : position + 4])
    tables += length - 2
    position += 2 + length
  # fails if optimised tables pass as header, or only some of them count
  assert overhead.split_jpeg(file).side_information == tables + 1


@pytest.mark.parametrize("quality", [1, 7, 49, 50, 75, 99, 100])
def test_quantisation_tables_of_every_quality_are_recognised(quality):
  for image in (A, A[..., 0]):
    file = _file(image, "JPEG", quality=quality)
    # fails if libjpeg's scaling rule or its clipping is off
    assert overhead.split_jpeg(file).side_information == 1


def test_other_quantisation_tables_are_side_information():
  steps = list(range(1, 65))
  file = _file(A, "JPEG", qtables=[steps, steps])
  assert overhead.split_jpeg(file).side_information == 2 * 65


def test_all_scans_of_a_progressive_jpeg_are_payload():
  file = _file(A, "JPEG", quality=40, progressive=True)
  baseline = _file(A, "JPEG", quality=40, optimize=True)
  assert file.count(b"\xff\xda") > 1
  ratio = (
    overhead.split_jpeg(file).payload / overhead.split_jpeg(baseline).payload
  )
  # fails if only the first scan is counted
  assert 0.8 < ratio < 1.25


def test_restart_markers_and_stuffed_bytes_belong_to_the_scan():
  noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  file = _file(noise, "JPEG", quality=95, restart_marker_blocks=2)
  assert b"\xff\xd0" in file and b"\xff\x00" in file
  assert overhead.split_jpeg(file).payload > 0.8 * len(file)


def test_comments_and_metadata_are_header():
  exif = Image.Exif()
  exif[270] = "words " * 20
  for kind, split in SPLITTERS.items():
    if kind == "JPEG2000":
      plain, more = _file(A, kind), _file(A, kind, comment="words " * 20)
    else:
      plain, more = _file(A, kind), _file(A, kind, exif=exif)
    assert len(more) > len(plain) + 60
    # fails if a metadata chunk is counted as payload (in AVIF it is stored
    # beside the image in mdat, as the definition says)
    if kind != "AVIF":
      assert split(more).payload == split(plain).payload, kind


def test_jp2_boxes_are_header():
  bare = _file(A, "JPEG2000", no_jp2=True, irreversible=True)
  boxed = _file(A, "JPEG2000", no_jp2=False, irreversible=True)
  inner, outer = map(overhead.split_jpeg2000, (bare, boxed))
  assert outer.header - inner.header == len(boxed) - len(bare) > 0
  # One tile-part: everything from SOD to EOC.
  start = bare.index(b"\xff\x93") + 2
  # fails if the SOT segment or EOC is payload
  assert inner.payload == len(bare) - 2 - start


def test_a_last_tile_part_of_undeclared_length_runs_to_the_end():
  file = _file(A, "JPEG2000", no_jp2=True)
  start = file.index(b"\xff\x90\x00\x0a") + 6
  open_ended = file[:start] + bytes(4) + file[start + 4 :]
  # fails if EOC is counted as payload
  assert overhead.split_jpeg2000(open_ended) == overhead.split_jpeg2000(file)


def test_all_tiles_of_jpeg_2000_are_payload():
  image = PHOTO[:64, :64]
  file = _file(image, "JPEG2000", no_jp2=True, tile_size=(32, 32))
  assert file.count(b"\xff\x90\x00\x0a") == 4
  parts = overhead.split_jpeg2000(file)
  # fails if only the first tile-part is counted
  assert parts.header == file.index(b"\xff\x90\x00\x0a") + 4 * 14 + 2


def test_webp_lossy_and_lossless_headers():
  lossy = _file(A, "WEBP", quality=40)
  # RIFF 12, chunk 8, start code and dimensions 7; padding of odd chunks.
  odd = int.from_bytes(lossy[16:20], "little") % 2
  assert overhead.split_webp(lossy).header == 27 + odd
  lossless = _file(A, "WEBP", lossless=True)
  odd = int.from_bytes(lossless[16:20], "little") % 2
  assert overhead.split_webp(lossless).header == 25 + odd


def test_avif_payload_is_the_media_data():
  file = _file(A, "AVIF", quality=40)
  start = file.index(b"mdat") + 4
  length = int.from_bytes(file[start - 8 : start - 4])
  assert overhead.split_isobmff(file).payload == length - 8


@pytest.mark.parametrize("kind", SPLITTERS)
def test_every_truncation_is_refused_or_adds_up(kind):
  file = _file(A[:8, :8], kind)
  for length in range(len(file)):
    cut = file[:length]
    try:
      parts = SPLITTERS[kind](cut)
    except ValueError:
      continue
    # A cut between two boxes or chunks leaves a smaller well-formed file.
    assert kind in ("WEBP", "AVIF")
    assert parts.total == length


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=300)
def test_damage_never_does_anything_but_raise_value_error(data):
  kind = data.draw(st.sampled_from(sorted(SPLITTERS)))
  file = bytearray(_file(A[:8, :8], kind))
  for _ in range(data.draw(st.integers(1, 4))):
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] = data.draw(st.integers(0, 255))
  try:
    parts = SPLITTERS[kind](bytes(file))
  except ValueError:
    return
  assert parts.total == len(file)
  assert min(parts.header, parts.side_information, parts.payload) >= 0


@pytest.mark.parametrize("kind", SPLITTERS)
def test_files_of_another_format_are_refused(kind):
  for other in SPLITTERS:
    if other != kind:
      with pytest.raises(ValueError, match="not a"):
        SPLITTERS[kind](_file(A, other))
