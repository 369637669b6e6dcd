"""Real files through the commands, and opened by their own libraries."""

import json
import pathlib
import re

import nibabel
import numpy as np
import pytest
import soundfile
import xarray
from PIL import Image

from inrjax import cli
from inrjax.codec import kinds
from tests.codec import tiny_codec
from tests.codec import tiny_grids as tiny

AFFINE = np.diag([1.0, 2.0, 3.0, 1.0]) + np.eye(4, k=3) * 5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  """A model of each kind."""
  folder = tmp_path_factory.mktemp("models")
  sounds = [
    kinds.Signal("audio", tiny.sound(80, seed=i), {"rate": 8000})
    for i in (1, 2)
  ]
  tiny.make(tiny.audio_spec(sample_rate=8000), sounds).save(folder / "audio")
  tiny.make(tiny.field_spec(), [tiny.temperatures(6)]).save(folder / "field")
  volumes = [kinds.Signal("volume", tiny.volume(i)) for i in range(2)]
  tiny.make(tiny.volume_spec(), volumes).save(folder / "volume")
  tiny_codec.make().save(folder / "image")
  return folder


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, models):
  """Runs a command in an empty folder: exit code, output and errors."""
  monkeypatch.chdir(tmp_path)

  def command(name, model, *rest):
    options = ["--model", str(models / model)] if model else []
    if name == "compress":
      options += ["--effort", "fast"]
    code = cli.main([name, *options, *map(str, rest)])
    return code, *capsys.readouterr()

  return command


def write_sound(name, *, rate=8000, channels=1):
  samples = np.repeat(tiny.sound(170), channels, axis=1)
  soundfile.write(name, samples, rate, "PCM_16")
  return samples


def write_field(name):
  signal = tiny.temperatures(2, missing=True)
  dataset = xarray.Dataset(
    {"t2m": (("time", "lat", "lon"), signal.values[..., 0], {"units": "K"})},
    {
      "lat": ("lat", np.linspace(90, -90, 7), {"units": "degrees_north"}),
      "lon": ("lon", np.linspace(0, 315, 8), {"units": "degrees_east"}),
    },
    {"title": "two hours"},
  )
  dataset.to_netcdf(name, engine="h5netcdf")
  return dataset


def test_a_sound_there_and_back(run):
  samples = write_sound("a.wav")
  code, out, err = run("compress", "audio", "--max-error", 30, "a.wav", "a.inr")
  assert (code, err) == (0, "")
  # Fails if the error is of another signal, or in other units.
  assert "a.wav: " in out and "bpp, RMSE" in out and "largest 30" in out
  assert run("decompress", "audio", "a.inr", "b.flac")[0] == 0
  decoded, rate = soundfile.read("b.flac", dtype="int16", always_2d=True)
  assert rate == 8000
  assert np.abs(decoded.astype(int) - samples).max() <= 30


def test_a_field_there_and_back(run):
  before = write_field("a.nc")
  code, out, _ = run("compress", "field", "--max-error", 0.25, "a.nc", "a.inr")
  assert code == 0 and "a.nc, t2m" in out and " K, PSNR" in out
  assert run("decompress", "field", "a.inr", "b.nc")[0] == 0
  with xarray.open_dataset("b.nc", engine="h5netcdf") as after:
    # Fails if attributes, coordinates or coasts are lost on the way.
    assert after.attrs == before.attrs
    assert after["t2m"].attrs == {"units": "K"}
    xarray.testing.assert_identical(after.coords, before.coords)
    difference = np.abs(after["t2m"] - before["t2m"]).values
    assert np.nanmax(difference) <= 0.25
    np.testing.assert_array_equal(
      np.isnan(difference), np.isnan(before["t2m"].values)
    )


def test_volumes_and_arrays_share_a_file(run):
  values = tiny.volume()[..., 0].astype(np.int16)
  nibabel.save(nibabel.Nifti1Image(values, AFFINE), "a.nii.gz")
  np.save("b.npy", values.astype(np.float32))
  arguments = ("--quality", 70, "a.nii.gz", "b.npy", "ab.inr")
  assert run("compress", "volume", *arguments)[0] == 0
  assert run("decompress", "volume", "ab.inr", "out")[0] == 0
  assert sorted(p.name for p in pathlib.Path("out").iterdir()) == [
    "a.nii.gz",
    "b.npy",
  ]
  after = nibabel.load("out/a.nii.gz")
  np.testing.assert_array_equal(after.affine, AFFINE)
  # Fails if axes are permuted, or types changed.
  assert after.header.get_data_dtype() == np.int16
  error = np.asanyarray(after.dataobj).astype(float) - values
  assert np.abs(error).mean() < values.std()
  assert np.load("out/b.npy").dtype == np.float32


def test_info_shows_kind_unit_and_attributes(run):
  write_field("a.nc")
  assert run("compress", "field", "a.nc", "a.inr")[0] == 0
  for name in ("a.nc", "a.inr"):
    code, out, _ = run("info", None, "--json", name)
    (signal,) = json.loads(out)["signals"]
    assert code == 0 and signal["kind"] == "field"
    assert signal["shape"] == [2, 7, 8, 1]
    assert signal["attributes"]["units"] == "K"


@pytest.mark.parametrize(
  ("model", "name", "options", "message"),
  [
    ("image", "a.wav", (), "a.wav is of kind audio.*serves image"),
    ("audio", "a.png", (), "a.png is an image.*serves audio, array"),
    ("field", "a.wav", (), "is of kind audio.*serves field"),
    ("volume", "a.wav", ("--kind", "volume"), "Cannot read a.wav"),
    ("audio", "a.wav", ("--kind", "image"), "image"),
    ("audio", "fast.wav", (), "44100.*8000.*--convert"),
    ("image", "a.png", ("--max-error", "1"), "is an image"),
    ("audio", "missing.wav", (), "missing.wav: No such file"),
    ("field", "a.nc", ("--variable", "u10"), "no variable 'u10'.*t2m"),
    ("field", "two.nc", (), "two.nc, u is in m s-1.*by --variable t2m"),
    ("field", "a.nc", ("--convert",), "--convert is for sound"),
    ("field", "a.nc", ("--side", "7"), "--side is for meshes"),
    ("audio", "a.wav", ("--variable", "u"), "--variable is for netCDF"),
    ("audio", "a.wav", ("--beta", "1"), "--beta.* --adapt"),
    ("image", "a.png", ("--adapt", "1", "--max-error", "1"), "no --max-error:"),
    ("image", "a.png", ("--adapt", "1", "--variable", "u"), "no --variable:"),
    ("image", "a.png", ("--adapt", "1", "--convert"), "no --convert:"),
    ("image", "a.png", ("--adapt", "1", "--side", "7"), "no --side:"),
    ("image", "a.png", ("--adapt", "1", "--kind", "video"), "no --kind:"),
    ("audio", "a.wav", ("--bpp", "1", "--max-error", "9"), "not both"),
  ],
)
def test_what_a_model_does_not_serve_is_one_line(
  run, model, name, options, message
):
  write_sound("a.wav")
  write_sound("fast.wav", rate=44100)
  both = write_field("a.nc")
  both["u"] = both["t2m"].assign_attrs(units="m s-1")
  both[["u", "t2m"]].to_netcdf("two.nc", engine="h5netcdf")
  Image.fromarray(tiny_codec.picture(9, 9)).save("a.png")
  code, out, err = run("compress", model, *options, name, "out.inr")
  assert (code, out) == (1, "") and err.count("\n") == 1
  assert not pathlib.Path("out.inr").exists()
  # Fails if the reason is not said, or a traceback is.
  assert re.search(message, err), err


def test_images_and_sounds_do_not_mix(run):
  write_sound("a.wav")
  code, _, err = run("compress", "audio", "a.wav", "b.png", "out.inr")
  assert code == 1 and "b.png is an image by its name" in err


@pytest.mark.filterwarnings("default")
def test_other_sound_is_converted_on_request(run):
  write_sound("a.wav", rate=16000, channels=2)
  code, _, err = run("compress", "audio", "--convert", "a.wav", "a.inr")
  # Fails if a channel is lost without a word.
  assert code == 0 and re.search("MixedChannelsWarning: a.wav.*2 chan", err)
  assert run("decompress", "audio", "a.inr", "b.wav")[0] == 0
  info = soundfile.info("b.wav")
  assert (info.samplerate, info.channels, info.frames) == (8000, 1, 85)


def test_outputs_of_another_kind_are_refused(run):
  write_sound("a.wav")
  assert run("compress", "audio", "a.wav", "a.inr")[0] == 0
  for arguments, message in (
    (("audio", "a.inr", "b.nc"), "holds audio, choose .wav"),
    (("audio", "--scale", 2, "a.inr", "b.wav"), "are for images"),
    (("image", "a.inr", "b.wav"), "serves images"),
    (("volume", "a.inr", "b.wav"), "a.inr: .*model"),
  ):
    code, _, err = run("decompress", *arguments)
    assert code == 1 and err.count("\n") == 1
    assert re.search(message, err), err
  assert not list(pathlib.Path().glob("b.*"))


def test_sound_beyond_full_scale_keeps_its_bound(run):
  samples = np.sin(np.arange(60)) * 27
  soundfile.write("a.wav", samples, 8000, "FLOAT")
  options = ("--max-error", 0.5)
  code, out, err = run("compress", "audio", *options, "a.wav", "a.inr")
  assert (code, err) == (0, "") and ", largest 0." in out
  assert run("decompress", "audio", "a.inr", "b.wav")[0] == 0
  # Fails if the bound is of samples that were cut off.
  assert np.abs(soundfile.read("b.wav")[0] - samples).max() <= 0.5 + 1e-6


def test_evaluate_is_for_images(run, tmp_path):
  write_sound("a.wav")
  Image.fromarray(tiny_codec.picture(9, 9)).save("a.png")
  # Fails if the folder, or the picture, is to blame.
  for path in (tmp_path, "a.png"):
    code, _, err = run("evaluate", "audio", "--json", "a.json", path)
    assert code == 1 and "evaluate measures images" in err
    assert "serves audio, array" in err and err.count("\n") == 1
