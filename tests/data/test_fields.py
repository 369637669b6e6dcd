"""Variables of netCDF and Zarr files, one field at a time."""

import sys

import grain
import numpy as np
import pytest

from inrjax.data import fields

xarray = pytest.importorskip("xarray", reason="xarray is not installed")
pytest.importorskip("h5netcdf", reason="h5netcdf is not installed")

RNG = np.random.default_rng(0)
LATITUDES = np.linspace(80, -80, 5)
LONGITUDES = np.arange(-180.0, 180, 60)


def dataset(values=None, dims=("time", "lat", "lon"), **coords):
  if values is None:
    values = RNG.normal(280, 10, (3, 5, 6))
  axes = {
    "lat": ("lat", LATITUDES, {"units": "degrees_north"}),
    "lon": ("lon", LONGITUDES, {"units": "degrees_east"}),
  }
  axes = {name: axes[name] for name in axes if name in dims} | coords
  array = xarray.DataArray(
    values, dims=dims, coords=axes, attrs={"units": "K", "long_name": "warmth"}
  )
  return xarray.Dataset({"t": array})


@pytest.fixture
def write(tmp_path):
  """Writes a data set as netCDF 4."""

  def writer(data, **options):
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.nc"
    data.to_netcdf(path, engine="h5netcdf", **options)
    return path

  return writer


def test_fields_are_the_files_own(write):
  # Fails if rows are reordered, or a time is taken for another.
  data = dataset()
  with fields.FieldSource(write(data), "t", along="time") as source:
    assert len(source) == 3 and source.unit == "K"
    assert source.attributes["long_name"] == "warmth"
    np.testing.assert_array_equal(source.latitudes, LATITUDES)
    np.testing.assert_array_equal(source.longitudes, LONGITUDES)
    for i in range(3):
      expected = data["t"].values[i, ..., None].astype(np.float32)
      np.testing.assert_array_equal(source[i], expected)
    low, high, present = source.statistics()
    assert low == np.float32(data["t"].values.min())
    assert high == np.float32(data["t"].values.max())
    assert present.all()
    with pytest.raises(IndexError):
      source[3]


@pytest.mark.parametrize("kind", ["netcdf3", "zarr", "packed"])
def test_other_formats(tmp_path, kind):
  data = dataset()
  path = tmp_path / ("a.zarr" if kind == "zarr" else "a.nc")
  atol = 0
  if kind == "netcdf3":
    data.to_netcdf(path, engine="scipy")
  elif kind == "zarr":
    pytest.importorskip("zarr", reason="zarr is not installed")
    data.to_zarr(path, consolidated=False)
  else:
    # Fails if offset and scale are not applied.
    atol = 0.01
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0}
    data.to_netcdf(
      path,
      engine="h5netcdf",
      encoding={"t": packing | {"_FillValue": -32768}},
    )
  with fields.FieldSource(path, "t") as source:
    np.testing.assert_allclose(
      source[1][..., 0], data["t"].values[1].astype(np.float32), atol=atol
    )


def test_longitude_first_is_turned(write):
  # Fails if rows are taken to be latitudes because they come first.
  data = dataset(RNG.normal(size=(2, 6, 5)), ("time", "lon", "lat"))
  with fields.FieldSource(write(data), "t") as source:
    np.testing.assert_array_equal(
      source[1][..., 0], data["t"].values[1].T.astype(np.float32)
    )


def test_dimensions_are_signals_or_cut(write):
  values = RNG.normal(size=(2, 3, 5, 6)).astype(np.float32)
  data = dataset(values, ("time", "level", "lat", "lon"))
  path = write(data)
  with fields.FieldSource(path, "t") as source:
    assert len(source) == 6
    np.testing.assert_array_equal(source[4][..., 0], values[1, 1])
  with fields.FieldSource(path, "t", along=("level", "time")) as source:
    np.testing.assert_array_equal(source[4][..., 0], values[0, 2])
  with fields.FieldSource(path, "t", along="time", at={"level": 2}) as source:
    assert len(source) == 2
    np.testing.assert_array_equal(source[1][..., 0], values[1, 2])
  with pytest.raises(
    fields.FieldError, match="further dimensions.*level.*`at`"
  ):
    fields.FieldSource(path, "t", along="time")
  with pytest.raises(fields.FieldError, match="no dimension 'month'"):
    fields.FieldSource(path, "t", along="month")
  with pytest.raises(fields.FieldError, match="no position 3 on 'level'"):
    fields.FieldSource(path, "t", at={"level": 3})
  single = dataset(values[0, 0], ("lat", "lon"))
  with fields.FieldSource(write(single), "t") as source:
    assert len(source) == 1
    np.testing.assert_array_equal(source[0][..., 0], values[0, 0])


def test_axes_are_found_by_attributes_or_names(write):
  # Fails if only one of the conventions is known.
  data = dataset()
  renamed = data.rename(lat="y", lon="x")
  with fields.FieldSource(write(renamed), "t") as source:
    np.testing.assert_array_equal(source.latitudes, LATITUDES)
  plain = data.assign_coords(lat=LATITUDES, lon=LONGITUDES)
  with fields.FieldSource(write(plain), "t") as source:
    np.testing.assert_array_equal(source.longitudes, LONGITUDES)
  nameless = plain.rename(lat="y", lon="x")
  path = write(nameless)
  with pytest.raises(fields.FieldError, match="no latitude.*latitude=..."):
    fields.FieldSource(path, "t")
  with fields.FieldSource(path, "t", latitude="y", longitude="x") as source:
    np.testing.assert_array_equal(source.latitudes, LATITUDES)
  assert fields.variables(path) == ()
  assert fields.variables(write(data)) == ("t",)


def test_a_stride_thins_the_grid(write):
  # Fails if values and coordinates are thinned differently.
  data = dataset()
  with fields.FieldSource(write(data), "t", stride=2) as source:
    np.testing.assert_array_equal(source.latitudes, LATITUDES[::2])
    np.testing.assert_array_equal(source.longitudes, LONGITUDES[::2])
    np.testing.assert_array_equal(
      source[2][..., 0], data["t"].values[2, ::2, ::2].astype(np.float32)
    )
    assert source.statistics().present.shape == (3, 3)
  with pytest.raises(ValueError, match="stride"):
    fields.FieldSource("none.nc", "t", stride=0)


def test_coasts_are_a_mask(write):
  # Fails if a value missing at one time only is taken to be present, or NaN
  # gets into the range.
  data = dataset()
  data["t"].values[:, 0, :2] = np.nan
  data["t"].values[1, 3, 3] = np.nan
  with fields.FieldSource(write(data), "t") as source:
    low, high, present = source.statistics()
    assert np.isfinite([low, high]).all()
    expected = np.isfinite(data["t"].values).all(axis=0)
    np.testing.assert_array_equal(present, expected)
    assert np.isnan(source[0][0, 0, 0]) and not np.isnan(source[0][3, 3, 0])


def lat(values, **attributes):
  return ("lat", np.asarray(values), {"units": "degrees_north"} | attributes)


@pytest.mark.parametrize(
  ("coords", "message"),
  [
    ({"lat": lat([0.0, 10, 10, 20, 30])}, "only 4 different"),
    ({"lat": lat([0.0] * 5)}, "only 1 different"),
    ({"lat": lat([0.0, np.nan, 10, 20, 30])}, "not finite"),
    ({"lat": lat([0.0, 30, 60, 90, 120])}, "beyond 90"),
    ({"lat": lat(np.linspace(-1, 1, 5), units="radians")}, "radians"),
  ],
  ids=["repeated", "constant", "nan", "range", "radians"],
)
def test_degenerate_latitudes_are_refused(write, coords, message):
  path = write(dataset(**coords))
  with pytest.raises(fields.FieldError, match=message):
    fields.FieldSource(path, "t")


def test_unsorted_latitudes_are_named_and_kept(write):
  latitudes = [10.0, -20, 30, 0, 50]
  path = write(dataset(lat=lat(latitudes)))
  with pytest.warns(fields.UnsortedLatitudesWarning, match="neither rise"):
    source = fields.FieldSource(path, "t")
  np.testing.assert_array_equal(source.latitudes, latitudes)
  source.close()


def test_curvilinear_grids_are_refused(write):
  data = xarray.Dataset(
    {"t": (("time", "y", "x"), np.zeros((1, 2, 2)))},
    coords={
      "lat": (("y", "x"), np.eye(2), {"units": "degrees_north"}),
      "lon": (("y", "x"), np.eye(2), {"units": "degrees_east"}),
    },
  )
  with pytest.raises(fields.FieldError, match="regrid"):
    fields.FieldSource(write(data), "t")


def test_what_cannot_be_used_is_named(tmp_path, write):
  path = write(dataset())
  with pytest.raises(fields.FieldError, match="no variable 'x', only.*'t'"):
    fields.FieldSource(path, "x")
  with pytest.raises(fields.FieldError, match="no file"):
    fields.FieldSource(tmp_path / "none.nc", "t")
  whole = path.read_bytes()
  for content in (b"", b"CDF\x01", b"nothing at all", whole[: len(whole) // 2]):
    path.write_bytes(content)
    with pytest.raises(fields.FieldError, match="Cannot read"):
      fields.FieldSource(path, "t")
  with pytest.raises(fields.FieldError, match="Cannot read"):
    fields.FieldSource(tmp_path, "t")
  text = xarray.Dataset({"t": (("lat", "lon"), [["a"]])})
  with pytest.raises(fields.FieldError, match="numeric"):
    fields.FieldSource(write(text), "t")


@pytest.mark.parametrize(
  ("value", "message"),
  [(np.nan, "no value"), (3.0, "one value"), (np.inf, "infinite")],
)
def test_fields_without_a_range_are_refused(write, value, message):
  path = write(dataset(np.full((2, 5, 6), value)))
  with fields.FieldSource(path, "t") as source:
    with pytest.raises(fields.FieldError, match=message):
      source.statistics()


def test_grain_takes_it(write):
  with fields.FieldSource(write(dataset()), "t") as source:
    (batch,) = grain.MapDataset.source(source).batch(3)
    assert batch.shape == (3, 5, 6, 1)


def test_without_xarray_the_remedy_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "xarray", None)
  with pytest.raises(ImportError, match=r"inrjax\[climate\]"):
    fields.FieldSource(tmp_path / "a.nc", "t")


def test_real_files(data_dir):
  folder = data_dir / "climate"
  for name, variable, length, shape in (
    ("era5_levels_members", "t", 18, (61, 120)),
    ("era5_tl31_3d_19590102T00", "temperature", 37, (32, 64)),
    ("eraint_uvz", "u", 6, (241, 480)),
    ("t2m_1x1_global", "T", 1, (181, 360)),
    ("tas_access-esm1-5_historical_coarse", "tas", 180, (19, 36)),
  ):
    with fields.FieldSource(folder / f"{name}.nc", variable) as source:
      assert len(source) == length
      assert source[length - 1].shape == (*shape, 1)
      assert source.latitudes.shape == shape[:1]
      assert variable in fields.variables(folder / f"{name}.nc")
  with fields.FieldSource(folder / "ersstv5_sst_monthly.nc", "sst") as source:
    assert 0.3 < np.isnan(source[0]).mean() < 0.32 and source.unit == "degC"
