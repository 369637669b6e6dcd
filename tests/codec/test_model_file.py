"""The `.inrmodel` file: round trips, the id, damage, hostile archives."""

import io
import json
import os
import stat
import zipfile

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrjax.codec import errors, model_file, output_file

CONFIG = {"recipe": "mscn", "depth": 5, "w0": 20.5, "names": ["a", "ü"]}


def _arrays():
  rng = np.random.default_rng(0)
  return {
    "params/siren%2Flinear_0/w": rng.normal(size=(3, 4)).astype(np.float32),
    "params/siren%2Flinear_0/b": np.zeros(4, ml_dtypes.bfloat16),
    "tables": np.arange(6, dtype=np.uint32).reshape(2, 3),
    "scalar": np.float64(3.5),
    "empty": np.zeros((0, 7), np.int8),
  }


def _data():
  return model_file.to_bytes(CONFIG, _arrays())[0]


def _assert_same(ours, theirs):
  assert ours.keys() == theirs.keys()
  for name, array in theirs.items():
    array = np.asarray(array)
    assert ours[name].shape == array.shape
    assert ours[name].dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(ours[name], array)


_json = st.recursive(
  st.none()
  | st.booleans()
  | st.integers()
  | st.floats(allow_nan=False, allow_infinity=False)
  | st.text(),
  lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
  ),
  max_leaves=6,
)
_array = hnp.arrays(
  st.sampled_from(["?", "i1", "<u2", ">i4", "<i8", "<f2", ">f4", "<f8"]),
  hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
  elements={"allow_nan": False},
)
_key = st.text("ab/%._ w2F", min_size=1, max_size=6)


@settings(max_examples=60)
@given(
  st.dictionaries(st.text(), _json, max_size=3),
  st.dictionaries(_key, st.dictionaries(_key, _array, min_size=1), max_size=3),
  st.sampled_from(["", "params", "a/b"]),
)
def test_round_trip_of_any_tree(config, tree, prefix):
  arrays = model_file.flatten(tree, prefix)
  data, model_id = model_file.to_bytes(config, arrays)
  model = model_file.from_bytes(data)
  assert model.config == config and model.model_id == model_id
  # fails if an escape is undone in the wrong order, or a byte order kept
  again = model_file.unflatten(model.arrays, prefix)
  assert again.keys() == tree.keys()
  for name, leaves in tree.items():
    _assert_same(again[name], leaves)


def test_round_trip_through_a_file(tmp_path):
  path = tmp_path / "tiny.inrmodel"
  model_id = model_file.save_model(path, CONFIG, _arrays())
  model = model_file.load_model(path)
  assert model.config == CONFIG and model.model_id == model_id
  _assert_same(model.arrays, _arrays())
  assert model.arrays["tables"].flags.writeable
  # It is a plain npz without pickle.
  with np.load(path, allow_pickle=False) as plain:
    np.testing.assert_array_equal(plain["tables"], _arrays()["tables"])
  assert [p.name for p in tmp_path.iterdir()] == ["tiny.inrmodel"]


def test_prefixes_keep_trees_apart():
  arrays = model_file.flatten({"w": np.ones(2)}, "params")
  arrays |= model_file.flatten({"w": np.zeros(2)}, "params2")
  np.testing.assert_array_equal(
    model_file.unflatten(arrays, "params")["w"], np.ones(2)
  )


def test_same_content_gives_same_bytes():
  backwards = dict(reversed(_arrays().items()))
  config = dict(reversed(CONFIG.items()))
  # fails if the order of insertion or the time of day gets in
  assert model_file.to_bytes(config, backwards)[0] == _data()


def test_every_change_of_content_changes_the_id():
  ids = {model_file.to_bytes(CONFIG, _arrays())[1]}
  changed = [
    (CONFIG | {"depth": 6}, _arrays()),
    (CONFIG, _arrays() | {"scalar": np.float64(3.25)}),
    (CONFIG, _arrays() | {"scalar": np.float32(3.5)}),
    (CONFIG, _arrays() | {"scalar": np.array([3.5])}),
    # fails if shape, name or the bfloat16 mark are left out
    (CONFIG, _arrays() | {"empty": np.zeros((7, 0), np.int8)}),
    (CONFIG, {k.replace("empty", "void"): v for k, v in _arrays().items()}),
    (
      CONFIG,
      _arrays() | {"params/siren%2Flinear_0/b": np.zeros(4, np.uint16)},
    ),
  ]
  for config, arrays in changed:
    ids.add(model_file.to_bytes(config, arrays)[1])
  assert len(ids) == 1 + len(changed)


def test_golden_id():
  # A change here orphans every stream: it needs a new format version.
  _, model_id = model_file.to_bytes(
    {"a": [1, 2.5]}, {"x": np.arange(3, dtype=np.float32)}
  )
  assert model_id == GOLDEN_ID


GOLDEN_ID = "7904c265f88e4cc87462418b7a7d50e471a3750b965e1c80df41ada07ebfc377"


def test_every_truncation_is_noticed():
  data = _data()
  for stop in range(len(data)):
    with pytest.raises(errors.CorruptBitstreamError):
      model_file.from_bytes(data[:stop])


def test_no_flipped_byte_changes_the_content():
  data = _data()
  refused = 0
  for position in range(len(data)):
    damaged = bytearray(data)
    damaged[position] ^= 0x55
    try:
      model = model_file.from_bytes(bytes(damaged))
    except errors.CodecError:
      refused += 1
    else:
      # A date within the archive, say: nothing that anybody reads.
      # fails if a name or an array can change unnoticed
      assert model.model_id == model_file.to_bytes(CONFIG, _arrays())[1]
      _assert_same(model.arrays, _arrays())
  assert refused > 0.7 * len(data)


def test_ten_thousand_damages_raise_nothing_else():
  data = _data()
  rng = np.random.default_rng(2)
  for _ in range(10_000):
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 5)):
      damaged[rng.integers(len(data))] ^= rng.integers(1, 256)
    damaged = damaged[: rng.choice([len(data), rng.integers(len(data))])]
    try:
      model_file.from_bytes(bytes(damaged))
    except errors.CodecError:
      pass


@pytest.mark.parametrize("junk", [b"\0", b"junk", bytes(100)])
def test_trailing_junk_is_noticed(junk):
  with pytest.raises(errors.CorruptBitstreamError):
    model_file.from_bytes(_data() + junk)


def _archive(entries, compression=zipfile.ZIP_DEFLATED):
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, "w", compression) as archive:
    for name, content in entries:
      archive.writestr(name, content)
  return buffer.getvalue()


def _document(**changes):
  document = {
    "format_version": model_file.FORMAT_VERSION,
    "model_id": "0" * 64,
    "bfloat16": [],
    "config": {},
  }
  return json.dumps(document | changes).encode()


def _npy(header, body=b""):
  return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + body


def _plain(shape, code="<f4"):
  return (
    f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}\n"
  ).encode()


@pytest.mark.parametrize(
  "entries",
  [
    [],
    [("model.json", b"")],
    [("model.json", b"\xff\xfe")],
    [("model.json", b"[" * 100_000)],
    [("model.json", b"[1]")],
    [("model.json", b"{}")],
    [("model.json", _document(config=[]))],
    [("model.json", _document(config={"x": float("nan")}))],
    [("model.json", _document().replace(b"{}", b'{"x": 1e999}'))],
    [("model.json", _document(bfloat16=["x"]))],
    [("model.json", _document(bfloat16=3))],
    [("model.json", _document())],  # the id is not the content's
    [("model.json", _document()), ("x.npy", b"")],
    [("model.json", _document()), ("x.npy", _npy(_plain("(3,)")))],
    [("model.json", _document()), ("x.npy", _npy(_plain("(10**12,)")))],
    # fails if the declared shape is allocated
    [("model.json", _document()), ("x.npy", _npy(_plain(f"({10**12},)")))],
    [("model.json", _document()), ("x.npy", _npy(_plain(f"(0, {10**14})")))],
    [("model.json", _document()), ("x.npy", _npy(_plain("(0,)" * 3)))],
    [("model.json", _document()), ("x.npy", _npy(_plain("(1,)", "|O")))],
    [("model.json", _document()), ("x.npy", _npy(_plain("(1,)", "|O8"), b"8"))],
    [("model.json", _document()), ("x.npy", _npy(b"(" * 60_000))],
    [("model.json", _document()), ("x.txt", b"hello")],
    [("model.json", _document()), ("x\n.npy", b"")],
  ],
)
def test_foreign_and_hostile_archives_are_refused(entries):
  with pytest.raises(errors.CorruptBitstreamError):
    model_file.from_bytes(_archive(entries))


def test_zip_bomb_is_refused_before_it_is_read():
  bomb = _archive([("model.json", _document()), ("x.npy", bytes(1 << 26))])
  assert len(bomb) < 1 << 17
  with pytest.raises(errors.CorruptBitstreamError, match="declares"):
    model_file.from_bytes(bomb, max_bytes=1 << 25)


def test_zip_bomb_that_lies_about_its_size_is_refused():
  bomb = _archive([("model.json", _document()), ("x.npy", bytes(1 << 26))])
  lie = bomb.replace((1 << 26).to_bytes(4, "little"), (9).to_bytes(4, "little"))
  assert lie != bomb
  with pytest.raises(errors.CorruptBitstreamError):
    model_file.from_bytes(lie, max_bytes=1 << 25)


def test_file_larger_than_the_limit_is_not_read(tmp_path):
  path = tmp_path / "large"
  path.write_bytes(_data())
  with pytest.raises(errors.CorruptBitstreamError, match="max_bytes"):
    model_file.load_model(path, max_bytes=100)


def test_encrypted_and_odd_compression_are_refused():
  bzip = _archive([("model.json", _document())], zipfile.ZIP_BZIP2)
  with pytest.raises(errors.CorruptBitstreamError):
    model_file.from_bytes(bzip)
  encrypted = bytearray(_archive([("model.json", _document())]))
  entry = encrypted.rindex(b"PK\1\2")
  encrypted[6] |= 1
  encrypted[entry + 8] |= 1
  with pytest.raises(errors.CorruptBitstreamError):
    model_file.from_bytes(bytes(encrypted))


def test_another_version_is_a_wrong_model(tmp_path):
  path = tmp_path / "old.inrmodel"
  path.write_bytes(_archive([("model.json", _document(format_version=99))]))
  with pytest.raises(errors.WrongModelError, match="old.inrmodel.*99"):
    model_file.load_model(path)


def test_two_arrays_in_one_place_are_corrupt():
  for names in (("a", "a/b"), ("a/b", "a")):
    with pytest.raises(errors.CorruptBitstreamError, match="'a"):
      model_file.unflatten({name: np.zeros(1) for name in names})


@pytest.mark.parametrize(
  "config, arrays",
  [
    ({"x": float("nan")}, {}),
    ({}, {"x": np.zeros(2, complex)}),
    ({}, {"x": np.array(["a"])}),
    ({}, {"x": np.array([None])}),
    ({}, {"": np.zeros(2)}),
    ({}, {"ü": np.zeros(2)}),
  ],
)
def test_what_cannot_be_stored_is_refused(config, arrays):
  with pytest.raises(ValueError):
    model_file.to_bytes(config, arrays)


@pytest.mark.parametrize("tree", [{"a": {}}, {"": np.ones(1)}, {1: np.ones(1)}])
def test_trees_without_names_are_refused(tree):
  with pytest.raises(ValueError):
    model_file.flatten(tree)


def test_unwritable_paths_are_named(tmp_path):
  (tmp_path / "file").write_bytes(b"")
  for path in (tmp_path, tmp_path / "no" / "x", tmp_path / "file" / "x"):
    with pytest.raises(errors.OutputFileError, match=str(path)) as caught:
      model_file.save_model(path, {}, {})
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, errors.CodecError)
  assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_devices_are_not_replaced():
  with pytest.raises(errors.OutputFileError, match="not a regular file"):
    output_file.write_atomically(os.devnull, b"x")
  # fails if the temporary file is renamed over the device
  assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
  path = tmp_path / "out.inr"
  output_file.write_atomically(path, b"old")

  def full(_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(errors.OutputFileError, match="No space left"):
    output_file.write_atomically(path, b"new")
  # fails if the file is written in place, or the temporary one stays
  assert path.read_bytes() == b"old"
  assert [p.name for p in tmp_path.iterdir()] == ["out.inr"]


def test_interrupt_leaves_nothing(tmp_path, monkeypatch):
  def interrupt(_):
    raise KeyboardInterrupt

  monkeypatch.setattr(os, "fsync", interrupt)
  with pytest.raises(KeyboardInterrupt):
    output_file.write_atomically(tmp_path / "out", b"new")
  assert not list(tmp_path.iterdir())


def test_symbolic_link_stays_a_link(tmp_path):
  target, link = tmp_path / "target", tmp_path / "link"
  target.write_bytes(b"old")
  link.symlink_to(target)
  output_file.write_atomically(link, b"new")
  assert link.is_symlink() and target.read_bytes() == b"new"
