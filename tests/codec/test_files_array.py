"""Archives of arrays, as NumPy writes them, and again."""

import io
import zipfile

import numpy as np
import pytest

from inrjax.codec import errors, files_array, files_field, kinds, signal_files

RNG = np.random.default_rng(0)


def again(path):
  (file,) = signal_files.files_of(signal_files.read(path))
  target = path.with_name("again.npz")
  target.write_bytes(signal_files.write(file, ".npz"))
  return np.load(target)


def test_archives_keep_keys_types_and_what_is_no_signal(tmp_path):
  arrays = {
    "head/t1": RNG.normal(size=(3, 4, 5)).astype(np.float32),
    "mask": RNG.random((3, 4, 5)) > 0.5,
    "counts": RNG.integers(0, 9, (2, 3)).astype(">i2"),
    "labels": np.arange(7) + (1 << 40),
    "spacing": np.float64(0.7),
    "flag": np.bool_(True),
    "nothing": np.zeros((0, 3), np.float32),
  }
  path = tmp_path / "a.npz"
  np.savez(path, **arrays)
  signals = signal_files.read(path)
  found = {s.metadata["variable"]: s.values for s in signals}
  # Fails if a number is coded that no model takes, or booleans are not.
  assert set(found) == {"head/t1", "mask", "counts"}
  assert found["mask"].dtype == np.uint8
  after = again(path)
  assert set(after.files) == set(arrays)
  for key, values in arrays.items():
    # Fails if an array is lost, or of another type.
    np.testing.assert_array_equal(after[key], values)
    assert after[key].dtype == values.dtype.newbyteorder("=")


def test_the_same_arrays_are_the_same_bytes(tmp_path):
  path = tmp_path / "a.npz"
  np.savez(path, a=np.arange(5, dtype=np.int16))
  (file,) = signal_files.files_of(signal_files.read(path))
  first = signal_files.write(file, ".npz")
  # Fails if the time of day gets into the archive.
  (info,) = zipfile.ZipFile(io.BytesIO(first)).infolist()
  assert info.date_time[0] == 1980 and info.filename == "a.npy"
  assert first == signal_files.write(file, ".npz")


def test_one_array_becomes_an_archive_or_a_bare_array(tmp_path):
  path = tmp_path / "a.npy"
  np.save(path, np.array([[True, False]]))
  (file,) = signal_files.files_of(signal_files.read(path))
  assert signal_files.suffixes(file) == (".npy", ".npz")
  np.testing.assert_array_equal(again(path)["arr_0"], [[True, False]])
  assert np.load(io.BytesIO(signal_files.write(file, ".npy"))).dtype == bool


def test_chosen_arrays_come_alone(tmp_path):
  path = tmp_path / "a.npz"
  np.savez(path, a=np.zeros(3, np.float32), names=np.array(["x", "y"]))
  with pytest.warns(files_field.LeftOutWarning, match="^names of .*a.npz"):
    (signal,) = signal_files.read(path, variables=["a"])
  assert signal.metadata == {"variable": "a"}
  with pytest.raises(errors.UnsupportedSignalError, match="no array 'b'.*a, n"):
    signal_files.read(path, variables=["b"])
  # Fails if texts are dropped in silence.
  with pytest.raises(errors.UnsupportedSignalError, match="'names' of .*a.npz"):
    signal_files.read(path)


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({}, "no array"),
    ({"a": np.int64(3)}, "no array that can be coded"),
    ({"a": np.array([{}], object)}, "pickle"),
    ({"a": np.array([np.inf, 1])}, "a.npz, a has infinite"),
    ({"../a": np.zeros(3)}, "names that no new archive"),
  ],
  ids=["none", "number", "object", "infinite", "outside"],
)
def test_archives_that_cannot_be_coded_are_one_error(tmp_path, arrays, message):
  path = tmp_path / "a.npz"
  np.savez(path, **arrays)
  with pytest.raises(errors.UnsupportedSignalError, match=message):
    signal_files.read(path)


@pytest.mark.parametrize("kind", ["array", "occupancy"])
@pytest.mark.parametrize(
  "part", [slice(0), slice(30), slice(60, None)], ids=str
)
def test_broken_archives_are_one_error(tmp_path, kind, part):
  out = io.BytesIO()
  np.savez_compressed(out, a=np.arange(60).reshape(3, 4, 5))
  path = tmp_path / "a.npz"
  path.write_bytes(out.getvalue()[part])
  with pytest.raises(errors.UnsupportedSignalError, match="a.npz"):
    signal_files.read(path, kind=kind)


_ONE = kinds.Signal("array", np.zeros(3, np.float32))


@pytest.mark.parametrize(
  "metadata",
  [
    {"variable": "../../a"},
    {"variable": "/a"},
    {"variable": 3},
    {"variable": ["a"]},
    {"type": "object"},
    {"type": 3},
    {"others": 3},
    {"others": {"b": 3}},
    {"others": {"../b": {"type": "int8", "shape": [1], "values": [1]}}},
    {"others": {"arr_0": {"type": "int8", "shape": [1], "values": [1]}}},
    {"others": {"b": {"type": "object", "shape": [1], "values": [1]}}},
  ],
  ids=str,
)
def test_impossible_metadata_are_a_damaged_stream(metadata):
  signal = _ONE._replace(metadata=metadata)
  (file,) = signal_files.files_of([signal])
  # Fails if a hostile name leaves its folder, or another error comes out.
  with pytest.raises(errors.CorruptBitstreamError):
    signal_files.write(file, ".npz")


def test_kept_arrays_have_a_limit(monkeypatch):
  monkeypatch.setattr(files_array.json_arrays, "MAX_VALUES", 5)
  with pytest.raises(errors.UnsupportedSignalError, match="too many"):
    files_array.with_others([_ONE], {"a": np.zeros(6, np.int64)}, "a.npz")
  # Fails if a few bytes of metadata may become gigabytes.
  packed = {"type": "int8", "shape": [3], "values": [1, 2, 3]}
  signal = _ONE._replace(metadata={"others": {"a": packed, "b": packed}})
  with pytest.raises(errors.CorruptBitstreamError, match="more than 5"):
    files_array.write_archive([signal], [signal.values])


def test_archives_of_two_folders_stay_apart(tmp_path):
  signals = []
  for name in ("x", "y"):
    (tmp_path / name).mkdir()
    np.savez(tmp_path / name / "a.npz", u=np.zeros(3), v=np.ones(3))
    signals += signal_files.read(tmp_path / name / "a.npz")
  files = signal_files.files_of(signals)
  # Fails if the second archive replaces arrays of the first.
  assert [len(file.signals) for file in files] == [2, 2]
  assert list(signal_files.named_contents(files)) == ["a.npz", "a-2.npz"]
