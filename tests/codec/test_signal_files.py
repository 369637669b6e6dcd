"""Files of the real formats, written by their own libraries and read again."""

import pathlib
import zlib

import nibabel
import numpy as np
import pytest
import soundfile
import xarray

from inrjax import data
from inrjax.codec import (
  errors,
  files_audio,
  files_field,
  kinds,
  signal_files,
  signal_spec,
)

RNG = np.random.default_rng(0)


def again(path: pathlib.Path, suffix: str | None = None, **options):
  """The file that is written of what was read of a file."""
  signals = signal_files.read(path, tools=data, **options)
  (file,) = signal_files.files_of(signals)
  suffix = suffix or kinds.suffix_of(path)
  target = path.with_name("again" + suffix)
  target.write_bytes(signal_files.write(file, suffix))
  return target


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_sounds_keep_rate_channels_and_format(
  tmp_path, suffix, channels, subtype
):
  samples = RNG.uniform(-1, 1, (50, channels))
  path = tmp_path / f"a{suffix}"
  soundfile.write(path, samples, 22050, subtype)
  target = again(path)
  # Fails if channels are interleaved wrongly, or samples are rescaled.
  np.testing.assert_array_equal(
    soundfile.read(target, always_2d=True)[0],
    soundfile.read(path, always_2d=True)[0],
  )
  info = soundfile.info(target)
  assert (info.samplerate, info.subtype) == (22050, subtype)
  assert info.format == suffix[1:].upper()


def test_sounds_keep_titles(tmp_path):
  path = tmp_path / "a.flac"
  with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
    file.title = "Un deux trois"
    file.write(np.arange(10, dtype=np.int16))
  with soundfile.SoundFile(again(path)) as file:
    assert file.title == "Un deux trois"


def test_sounds_are_converted_when_that_is_asked_for(tmp_path):
  path = tmp_path / "a.wav"
  wave = 0.9 * np.sin(np.arange(4410) / 100)
  soundfile.write(path, np.stack([wave, wave], 1), 44100, "PCM_16")
  with pytest.warns(files_audio.MixedChannelsWarning, match="2 channels"):
    (signal,) = signal_files.read(path, rate=16000, tools=data)
  # Fails if the length is not that of the new rate, or channels are added.
  assert signal.values.shape == (1600, 1) and signal.values.dtype == np.int16
  expected = 0.9 * np.sin(np.arange(1600) * 44100 / 16000 / 100)
  middle = slice(50, -50)
  np.testing.assert_allclose(
    signal.values[middle, 0] / 32768, expected[middle], atol=0.01
  )
  assert signal.metadata == {"rate": 16000}
  # Fails if channels are mixed where nothing is to be converted.
  (same,) = signal_files.read(path, rate=44100, tools=data)
  assert same.values.shape == (2, 4410, 1)


@pytest.mark.parametrize(
  ("subtype", "dtype"), [("FLOAT", np.float32), ("DOUBLE", np.float64)]
)
def test_sound_beyond_full_scale_is_not_cut(tmp_path, subtype, dtype):
  path = tmp_path / "a.wav"
  samples = RNG.normal(0, 9, 50)
  soundfile.write(path, samples, 8000, subtype)
  (signal,) = signal_files.read(path, tools=data)
  # Fails if what is measured against is not what the file holds.
  np.testing.assert_array_equal(signal.values[:, 0], samples.astype(dtype))
  low, high = kinds.own_range("audio", signal.values)
  assert low == -high and high == np.abs(signal.values).max() > 1
  np.testing.assert_array_equal(
    soundfile.read(again(path))[0], soundfile.read(path)[0]
  )
  with pytest.raises(errors.UnsupportedSignalError, match="full scale.*.wav"):
    again(path, ".flac")
  with pytest.raises(errors.UnsupportedSignalError, match="scale it to"):
    signal_files.read(path, rate=16000, tools=data)


def test_sound_of_32_bits_is_exact(tmp_path):
  path = tmp_path / "a.wav"
  levels = RNG.integers(-(2**31), 2**31, 50).astype(np.int32)
  soundfile.write(path, levels, 8000, "PCM_32")
  after = soundfile.read(again(path), dtype="int32")[0]
  # Fails if samples pass through float32.
  np.testing.assert_array_equal(after, levels)


def test_sound_that_breaks_off_is_refused(tmp_path):
  path = tmp_path / "a.wav"
  soundfile.write(path, RNG.uniform(-1, 1, (500, 2)), 8000, "PCM_16")
  path.write_bytes(path.read_bytes()[:1044])
  with pytest.raises(errors.UnsupportedSignalError, match="after 250 samples"):
    signal_files.read(path, tools=data)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_clipped_and_silent_sound_is_named(tmp_path, subtype):
  path = tmp_path / "a.wav"
  samples = RNG.uniform(-0.5, 0.5, (60, 2))
  samples[7:10, 1] = 1
  soundfile.write(path, samples, 8000, subtype)
  # Fails if only the first channel is looked at.
  with pytest.warns(data.ClippedAudioWarning, match="a.wav is clipped"):
    signal_files.read(path, tools=data)
  soundfile.write(path, 0 * samples, 8000, subtype)
  with pytest.warns(data.SilentAudioWarning, match="a.wav is silent"):
    signal_files.read(path, tools=data)


@pytest.fixture
def globe(tmp_path):
  """A netCDF file with everything that is easily lost."""
  values = RNG.normal(280, 9, (3, 5, 8)).astype(np.float32)
  values[:, 1, 2:5] = np.nan
  dataset = xarray.Dataset(
    {
      "t2m": (
        ("time", "lat", "lon"),
        values,
        {"units": "K", "long_name": "2 metre temperature", "level": 2.0},
      ),
      "sst": (("lon", "lat"), RNG.normal(size=(8, 5)), {"units": "degC"}),
      "crs": ((), np.int32(4326), {"grid_mapping_name": "latitude_longitude"}),
      "time_bnds": (("time", "nv"), RNG.normal(size=(3, 2))),
    },
    {
      "time": ("time", [6, 12, 18], {"units": "hours since 1900-01-01"}),
      "lat": ("lat", np.linspace(90, -90, 5), {"units": "degrees_north"}),
      "lon": ("lon", RNG.uniform(0, 360, 8), {"units": "degrees_east"}),
      "height": ((), 2.0, {"units": "m"}),
      "expver": ("time", ["0001", "0001", "0005"], {"long_name": "version"}),
      "final": ("time", [True, True, False]),
      "station": ((), "Zürich"),
    },
    {"Conventions": "CF-1.6", "history": "made here", "levels": [1, 2, 3]},
  )
  path = tmp_path / "a.nc"
  dataset["t2m"].encoding["_FillValue"] = np.float32(-999)
  return dataset, path


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_fields_keep_all_that_their_file_says(globe, engine):
  dataset, path = globe
  dataset.to_netcdf(path, engine=engine)
  target = again(path)
  with (
    xarray.open_dataset(path, engine=engine, decode_times=False) as before,
    xarray.open_dataset(target, engine=engine, decode_times=False) as after,
  ):
    # Fails if a name, a dimension, an attribute, a type or a value is lost.
    xarray.testing.assert_identical(after, before)
    assert {"expver", "final", "station"} <= set(after["t2m"].coords)
    assert after["t2m"].encoding["_FillValue"] == -999
    assert after["sst"].dims == ("lon", "lat")
    for name in before.variables:
      assert after[name].dtype == before[name].dtype


def test_chosen_variables_come_alone(globe):
  dataset, path = globe
  dataset.to_netcdf(path, engine="h5netcdf")
  with pytest.warns(files_field.LeftOutWarning, match="t2m, .*crs.*named"):
    target = again(path, variables=["sst"])
  with xarray.open_dataset(target, engine="h5netcdf") as after:
    assert list(after.data_vars) == ["sst"]
  with pytest.raises(errors.UnsupportedSignalError, match="crs.*sst.*t2m"):
    signal_files.read(path, variables=["crs"])


def test_packed_fields_are_unpacked(globe):
  dataset, path = globe
  dataset["t2m"].encoding = {
    "dtype": "int16",
    "scale_factor": 0.01,
    "add_offset": 280.0,
    "_FillValue": np.int16(-1),
  }
  dataset.to_netcdf(path, engine="h5netcdf")
  target = again(path)
  with (
    xarray.open_dataset(path, engine="h5netcdf") as before,
    xarray.open_dataset(target, engine="h5netcdf") as after,
  ):
    # Fails if values are packed twice, or scaled twice.
    xarray.testing.assert_allclose(after, before)
    assert "scale_factor" not in after["t2m"].encoding


@pytest.mark.parametrize("dim", ["nv", "lat"])
def test_what_cannot_be_kept_is_named(globe, dim):
  dataset, path = globe
  texts = np.array(["x" * 140000] * dataset.sizes[dim], object)
  dataset.coords["remark"] = (dim, texts)
  dataset.to_netcdf(path, engine="h5netcdf")
  # Fails if a coordinate of a field vanishes silently.
  with pytest.warns(files_field.LeftOutWarning, match="remark.*texts") as found:
    signals = signal_files.read(path)
  assert len(found) == 1 and len(signals) == 2


def test_text_of_fixed_bytes_is_kept(globe):
  dataset, path = globe
  dataset["code"] = ("nv", np.array([b"ab", b"c\xe9"]))
  dataset.to_netcdf(path, engine="scipy")
  with xarray.open_dataset(again(path), engine="scipy") as after:
    np.testing.assert_array_equal(after["code"], dataset["code"])


def write_integers(path, values):
  lat, lon = np.linspace(60, -60, 4), np.arange(5.0)
  dims = ("lat", "lon")
  xarray.Dataset(
    {"n": (dims, values), "t": (dims, RNG.normal(size=(4, 5)))},
    {"lat": lat, "lon": lon},
  ).to_netcdf(path, engine="h5netcdf")


@pytest.mark.parametrize(
  ("dtype", "low", "high"),
  [("int64", -(2**31), 2**31), ("int64", 0, 2**32), ("uint64", 0, 2**32)],
)
def test_64_bit_integers_come_back(tmp_path, dtype, low, high):
  values = RNG.integers(low, high, (4, 5)).astype(dtype)
  path = tmp_path / "a.nc"
  write_integers(path, values)
  signal = signal_files.read(path)[0]
  # Fails if they are coded as floats, whose bound says nothing of integers.
  assert signal.values.dtype.kind in "iu"
  with xarray.open_dataset(again(path), engine="h5netcdf") as after:
    assert after["n"].dtype == dtype
    np.testing.assert_array_equal(after["n"], values)
  file = signal_files.File(None, (signal,))
  (tmp_path / "n.npy").write_bytes(signal_files.write(file, ".npy"))
  assert np.load(tmp_path / "n.npy").dtype == dtype


def test_longer_integers_are_kept_beside_the_signals(tmp_path):
  values = 2**53 + RNG.integers(0, 9, (4, 5))
  path = tmp_path / "a.nc"
  write_integers(path, values)
  (signal,) = signal_files.read(path)
  assert signal.metadata["variable"] == "t"
  with xarray.open_dataset(again(path), engine="h5netcdf") as after:
    # Fails if they pass through float64.
    np.testing.assert_array_equal(after["n"], values)
    assert after["n"].dtype == np.int64
  with pytest.raises(errors.UnsupportedSignalError, match="a.nc, n: .*32 bits"):
    signal_files.read(path, variables=["n"])


def test_longer_integers_of_which_some_are_missing_are_refused(globe):
  dataset, path = globe
  values = np.array([[-1, 2**60], [1, 2]])
  dataset = xarray.Dataset(
    {"n": (("lat", "lon"), values, {"_FillValue": -1})},
    {"lat": [0.0, 1.0], "lon": [0.0, 1.0]},
  )
  dataset.to_netcdf(path, engine="h5netcdf")
  with pytest.raises(errors.UnsupportedSignalError, match="53 bits.*missing"):
    signal_files.read(path)


def test_latitudes_in_no_order_are_named_and_radians_refused(globe):
  dataset, path = globe
  unsorted = dataset.isel(lat=[0, 2, 1, 3, 4])
  unsorted.to_netcdf(path, engine="h5netcdf")
  warning = files_field.UnsortedLatitudesWarning
  with pytest.warns(warning, match="neither") as found:
    signal_files.read(path)
  assert len(found) == 1
  dataset["lat"] = np.deg2rad(dataset["lat"]).assign_attrs(units="radians")
  dataset.to_netcdf(path, engine="h5netcdf")
  # Fails if a globe is taken for a strip at its equator.
  with pytest.raises(errors.UnsupportedSignalError, match="lat .*radians"):
    signal_files.read(path)


def test_a_file_without_a_grid_is_refused(tmp_path):
  path = tmp_path / "a.nc"
  xarray.Dataset({"a": (("y", "x"), np.zeros((2, 3)))}).to_netcdf(
    path, engine="h5netcdf"
  )
  with pytest.raises(errors.UnsupportedSignalError, match="regrid"):
    signal_files.read(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 3, 5, 2)])
@pytest.mark.parametrize("cls", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_volumes_keep_affine_and_header(tmp_path, suffix, shape, cls):
  affine = np.array(
    [[0, -2, 0, 7], [1.5, 0, 0, -3], [0, 0.1, 3, 1], [0, 0, 0, 1]], float
  )
  values = RNG.integers(-300, 900, shape).astype(np.int16)
  image = cls(values, affine)
  image.header["descrip"] = b"a head"
  image.header.set_xyzt_units("mm", "sec")
  image.header.extensions.append(
    nibabel.nifti1.Nifti1Extension("comment", b"turned")
  )
  path = tmp_path / f"a{suffix}"
  nibabel.save(image, path)
  (signal,) = signal_files.read(path)
  # Fails if the fourth axis is taken for space.
  assert signal.values.shape[-4:] == (4, 3, 5, 1)
  after = nibabel.load(again(path))
  before = nibabel.load(path)
  assert type(after) is cls
  np.testing.assert_array_equal(np.asanyarray(after.dataobj), values)
  np.testing.assert_array_equal(after.affine, before.affine)
  assert after.header.get_data_dtype() == np.int16
  assert after.header.get_xyzt_units() == ("mm", "sec")
  assert after.header["descrip"] == before.header["descrip"]
  (extension,) = after.header.extensions
  assert extension.get_code() == 6
  assert bytes(extension.get_content()).rstrip(b"\0") == b"turned"


def test_volumes_of_64_bit_integers_come_back(tmp_path):
  path = tmp_path / "a.nii"
  values = RNG.integers(-(2**31), 2**31, (3, 4, 5))
  nibabel.save(nibabel.Nifti1Image(values, np.eye(4), dtype="int64"), path)
  after = nibabel.load(again(path))
  # Fails if they come back as floats.
  assert after.header.get_data_dtype() == np.int64
  np.testing.assert_array_equal(np.asanyarray(after.dataobj), values)
  values[0] = 2**53 + 1
  nibabel.save(nibabel.Nifti1Image(values, np.eye(4), dtype="int64"), path)
  with pytest.raises(errors.UnsupportedSignalError, match="a.nii: .*32 bits"):
    signal_files.read(path)


def test_slopes_are_applied(tmp_path):
  values = RNG.normal(size=(3, 4, 5))
  image = nibabel.Nifti1Image(values, np.eye(4))
  image.header.set_data_dtype(np.int16)
  path = tmp_path / "a.nii"
  nibabel.save(image, path)
  before = nibabel.load(path).get_fdata()
  # Fails if values are scaled twice, or not at all.
  np.testing.assert_array_equal(nibabel.load(again(path)).get_fdata(), before)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "<f4", ">f4", "float64"])
def test_arrays_keep_their_type(tmp_path, dtype):
  values = RNG.normal(50, 9, (3, 4)).astype(dtype)
  path = tmp_path / "a.npy"
  np.save(path, values)
  after = np.load(again(path))
  assert after.dtype == values.dtype.newbyteorder("=")
  np.testing.assert_array_equal(after, values)


def test_any_single_signal_can_be_a_bare_array(tmp_path):
  path = tmp_path / "a.wav"
  soundfile.write(path, np.arange(5, dtype=np.int16), 8000, "PCM_16")
  after = np.load(again(path, ".npy"))
  np.testing.assert_array_equal(after[:, 0], np.arange(5))
  with pytest.raises(errors.UnsupportedSignalError, match=".nii"):
    again(path, ".nii")


@pytest.mark.parametrize(
  "name", ["a.wav", "a.flac", "a.nc", "a.nii", "a.nii.gz", "a.npy"]
)
@pytest.mark.parametrize("content", [b"", b"CDF\x01", b"\x93NUMPY" + bytes(90)])
def test_what_is_no_such_file_is_one_error(tmp_path, name, content):
  path = tmp_path / name
  path.write_bytes(content)
  # Fails if a library's own error comes out.
  with pytest.raises(errors.UnsupportedSignalError, match=name):
    signal_files.read(path, tools=data)
  path.unlink()
  with pytest.raises(FileNotFoundError):
    signal_files.read(path, tools=data)


def test_objects_are_never_unpickled(tmp_path):
  path = tmp_path / "a.npy"
  np.save(path, np.array([{}], object), allow_pickle=True)
  with pytest.raises(errors.UnsupportedSignalError, match="pickle"):
    signal_files.read(path)


_FIELD = kinds.Signal("field", np.zeros((2, 3, 1), np.float32))
_SOUND = kinds.Signal("audio", np.zeros((9, 1), np.int16))
_VOLUME = kinds.Signal("volume", np.zeros((2, 2, 2, 1), np.int16))


@pytest.mark.parametrize(
  ("signal", "suffix"),
  [
    (_FIELD, ".nc"),
    (_FIELD._replace(metadata={"variable": "a", "coords": 3}), ".nc"),
    (_SOUND, ".wav"),
    (_SOUND._replace(metadata={"rate": -1}), ".wav"),
    (_SOUND._replace(metadata={"rate": "fast"}), ".flac"),
    (_SOUND._replace(metadata={"rate": 8000, "subtype": "MP3"}), ".wav"),
    (_SOUND._replace(metadata={"rate": 8000, "tags": 7}), ".wav"),
    (_VOLUME._replace(metadata={"type": "int64\0"}), ".nii"),
    (_VOLUME._replace(metadata={"type": []}), ".npy"),
    (_VOLUME._replace(metadata={"header": "AAAA"}), ".nii"),
    (_VOLUME._replace(metadata={"header": 5}), ".nii"),
    (_VOLUME._replace(metadata={"extensions": [[1]]}), ".nii.gz"),
  ],
  ids=str,
)
def test_impossible_metadata_are_a_damaged_stream(signal, suffix):
  # Fails if a hostile stream gets another error than the typed one.
  with pytest.raises(errors.CorruptBitstreamError):
    signal_files.write(signal_files.File(None, (signal,)), suffix)


def test_a_volume_without_metadata_can_be_written(tmp_path):
  path = tmp_path / "a.nii.gz"
  data = signal_files.write(signal_files.File(None, (_VOLUME,)), ".nii.gz")
  path.write_bytes(data)
  assert nibabel.load(path).shape == (2, 2, 2)
  # Fails if the time of day gets into the bytes.
  assert zlib.decompress(data, wbits=31)[:4] == (348).to_bytes(4, "little")
  assert data[4:8] == bytes(4)


def test_kinds_by_name():
  names = {
    "a.WAV": "audio",
    "x/b.flac": "audio",
    "c.nc": "field",
    "d.nii.gz": "volume",
    "e.npy": "array",
    "e.NPZ": "array",
    "e.ply": "occupancy",
    "e.binvox": "occupancy",
    "e.mp4": "video",
    "e.y4m": "video",
    "f.png": "image",
    "g.gz": "image",
  }
  assert {name: kinds.kind_of(name) for name in names} == names
  assert kinds.suffix_of("d.NII.gz") == ".nii.gz"
  # Fails if a kind is one that no specification can say, or has no writer.
  assert set(kinds.KINDS) < set(signal_spec.KINDS)
  assert all(kinds.SUFFIXES.values())


def test_fields_of_one_file_stay_together():
  signals = [
    _FIELD._replace(name=name, metadata={"variable": variable})
    for name, variable in (("a", "u"), ("a", "v"), ("a", "u"), ("b", "v"))
  ]
  files = signal_files.files_of(signals)
  # Fails if two files of one name become one.
  assert [len(file.signals) for file in files] == [2, 1, 1]


@pytest.mark.parametrize(
  ("shape", "axes", "channels", "expected"),
  [
    ((5, 1), 1, 1, ((), (5,), 1)),
    ((5,), 1, 1, ((), (5,), 1)),
    ((2, 5, 1), 1, 1, ((2,), (5,), 1)),
    ((4, 5, 3), 2, 3, ((), (4, 5), 3)),
    ((4, 5, 3), 2, 1, ((4,), (5, 3), 1)),
    ((4, 5), 2, 3, None),
    ((4,), 2, 1, None),
  ],
)
def test_axes_are_arranged(shape, axes, channels, expected):
  found = kinds.arrange(shape, num_axes=axes, channels=channels)
  assert found == (None if expected is None else kinds.Grid(*expected))


def test_real_files_survive(data_dir, tmp_path):
  for pattern in ("librispeech/**/*.flac", "climate/*.nc", "volumes/*.nii.gz"):
    path = min(data_dir.glob(pattern), key=lambda p: (p.stat().st_size, p))
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    signals = signal_files.read(copy, tools=data)
    again_ = signal_files.read(again(copy), tools=data)
    for before, after in zip(signals, again_, strict=True):
      # Fails if reading what was written is not what was read.
      np.testing.assert_array_equal(before.values, after.values)
      assert before.unit == after.unit
