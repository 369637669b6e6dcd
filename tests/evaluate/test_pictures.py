"""Pictures of signals: what is drawn, where, and in whose colours."""

import numpy as np
import pytest
from PIL import Image

from inrjax.evaluate import pictures, plots, voxel_views

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
FIELD = np.add.outer(np.linspace(0, 30, 6), np.linspace(250, 260, 8))


@pytest.fixture
def drawn(monkeypatch):
  """Keeps the figure that is saved."""
  kept = []
  save = plots._save

  def keep(figure, path):
    kept.append(figure)
    save(figure, path)

  monkeypatch.setattr(plots, "_save", keep)
  return kept


def is_blank(path):
  with Image.open(path) as image:
    return np.asarray(image.convert("L")).std() < 5


def panels(figure):
  return [axes for axes in figure.axes if axes.get_title(loc="left")]


def test_maps_have_degrees_and_a_symmetric_error(tmp_path, drawn):
  path = tmp_path / "map.png"
  holes = FIELD.copy()
  holes[0, 1] = np.nan
  decoded = FIELD + 1.5
  decoded[2, 3] -= 4
  pictures.field_maps(
    path,
    holes,
    decoded,
    latitudes=np.linspace(75, -75, 6),
    longitudes=np.arange(8) * 45.0,
    unit="K",
    quantity="t2m",
    name="MSCN",
  )
  assert not is_blank(path)
  figure = drawn[0]
  shown = panels(figure)
  titles = [axes.get_title(loc="left") for axes in shown]
  assert titles[:2] == ["original", "MSCN"] and titles[2].endswith(" K")
  meshes = [axes.collections[0] for axes in shown]
  # Fails if the two maps have different colours, or the error's is one-sided.
  assert meshes[0].get_clim() == meshes[1].get_clim() == (250, 290)
  low, high = meshes[2].get_clim()
  assert low == -high and 1.5 < high <= 2.5
  # Fails if a missing value is drawn as decoded.
  assert all(np.ma.getmaskarray(m.get_array()).ravel()[1] for m in meshes)
  labels = [text.get_text() for text in shown[0].get_xticklabels()]
  assert "90°E" in labels and "180°" in labels and "90°W" in labels
  rows = [text.get_text() for text in shown[0].get_yticklabels()]
  assert "45°N" in rows and "45°S" in rows
  assert shown[0].get_ylabel() == "latitude"
  # Fails if north is down: rows of the array begin in the north.
  bottom, top = shown[0].get_ylim()
  assert bottom < top
  assert "difference (K)" in {axes.get_xlabel() for axes in figure.axes}


def test_sounds_have_spectra_where_their_tones_are(tmp_path, drawn):
  rate = 8000
  times = np.arange(2000) / rate
  tone = np.rint(16000 * np.sin(2 * np.pi * 1000 * times)).astype(np.int16)
  path = tmp_path / "sound.png"
  pictures.sound_views(path, tone, tone // 2, rate=rate, name="MP3")
  assert not is_blank(path)
  images = [axes.images[0] for axes in drawn[0].axes if axes.images]
  spectrum = images[0].get_array()
  row = int(spectrum.mean(1).argmax())
  left, right, low, high = images[0].get_extent()
  # Fails if frequencies are upside down or in another unit.
  assert abs(low + (row + 0.5) / len(spectrum) * (high - low) - 1) < 0.05
  assert (left, right, high) == (0, 0.25, 4)
  # Half the amplitude is 6 dB less; the reference is the original's.
  assert np.isclose(spectrum.max(), 0)
  assert np.isclose(images[1].get_array().max(), -6.02, atol=0.05)
  # Samples of 16 bits are drawn in [-1, 1].
  assert np.isclose(drawn[0].axes[0].lines[0].get_ydata().max(), 16000 / 32768)
  with pytest.raises(ValueError, match="needs 200"):
    pictures.sound_views(path, tone[:100], tone[:100], rate=rate)


def test_volumes_have_three_slices_through_the_middle(tmp_path, drawn):
  volume = RNG.normal(size=(6, 8, 4))
  path = tmp_path / "volume.png"
  pictures.volume_slices(
    path, volume, 0.9 * volume, spacing=(1, 1, 2.5), name="x"
  )
  assert not is_blank(path)
  images = [a.images[0] for a in drawn[0].axes if a.images][:9]
  middles = (volume[:, :, 2], volume[:, 4], volume[3])
  for image, middle in zip(images[:3], middles, strict=True):
    # Fails if axes are swapped.
    np.testing.assert_array_equal(image.get_array(), middle.T)
  # Fails if thick slices are drawn thin.
  assert tuple(images[1].get_extent()) == (0, 6, 0, 10)
  np.testing.assert_allclose(images[6].get_array(), -0.1 * middles[0].T)
  assert images[0].get_clim() == images[3].get_clim()
  labels = [axes.get_xlabel() for axes in drawn[0].axes]
  assert {"Z = 2", "Y = 4", "X = 3"} <= set(labels)


def test_shapes_are_shaded_and_wrong_cells_coloured(tmp_path, drawn):
  box = np.zeros((8, 8, 8))
  box[2:6, 2:6, 2:6] = 1
  other = box.copy()
  other[2:6, 2:6, 5] = 0  # The top is missing.
  path = tmp_path / "shape.png"
  pictures.shape_views(path, box, other, side=40)
  assert not is_blank(path)
  first, second, third = (axes.images[0].get_array() for axes in drawn[0].axes)
  assert first.shape == (40, 40, 3) and not np.array_equal(first, second)

  def red(picture):
    return (picture[..., 0] > 2 * picture[..., 2]).sum()

  # Fails if what is missing is not shown.
  assert red(first) == red(second) == 0 and red(third) > 50
  titles = [axes.get_title(loc="left") for axes in drawn[0].axes]
  assert titles[2].startswith("96.88 % right")


def test_views_show_the_nearest_cell():
  grid = np.zeros((5, 5, 5), bool)
  grid[0, 2, 2] = grid[4, 2, 2] = True
  colours = np.zeros((5, 5, 5, 3))
  colours[0], colours[4] = (1, 0, 0), (0, 0, 1)
  views = [
    voxel_views.shaded(grid, colours, azimuth=a, elevation=0, side=31)
    for a in (0, 180)
  ]
  # The viewer at X looks at the cell at 4. Fails if the farthest is drawn.
  middles = [view[15, 15] for view in views]
  assert middles[0][2] > 0 == middles[0][0]
  assert middles[1][0] > 0 == middles[1][2]
  assert (views[0][0, 0] == 1).all()
  empty = voxel_views.shaded(grid & False, colours, side=8)
  assert (empty == 1).all()


def test_up_is_up():
  grid = np.zeros((6, 6, 6), bool)
  grid[3, 3, :] = True
  grid[:, :, 5] = True
  colours = np.ones((6, 6, 6, 3)) * 0.5
  view = voxel_views.shaded(grid, colours, elevation=5, side=30)
  covered = (view < 1).all(-1).sum(1)
  # A table: fails if it stands on its head.
  assert covered[:15].sum() > 2 * covered[15:].sum()


def test_clips_have_frames_from_first_to_last(tmp_path, drawn):
  clip = RNG.integers(0, 256, (7, 6, 8, 3)).astype(np.uint8)
  path = tmp_path / "clip.png"
  other = np.clip(clip.astype(int) + 5, 0, 255)
  pictures.clip_frames(path, clip, other, count=3)
  assert not is_blank(path)
  images = [axes.images[0].get_array() for axes in drawn[0].axes]
  assert len(images) == 9
  for image, index in zip(images[:3], (0, 3, 6), strict=True):
    np.testing.assert_array_equal(image, clip[index])
  np.testing.assert_array_equal(images[6], 4 * (other[0] - clip[0]))


def test_shapes_that_do_not_fit_are_refused(tmp_path):
  path = tmp_path / "x.png"
  with pytest.raises(ValueError, match="same 2 axes"):
    pictures.field_maps(
      path, FIELD, FIELD[:3], latitudes=range(6), longitudes=range(8)
    )
  with pytest.raises(ValueError, match="5 latitudes"):
    pictures.field_maps(
      path, FIELD, FIELD, latitudes=range(5), longitudes=range(8)
    )
  with pytest.raises(ValueError, match="not missing"):
    pictures.volume_slices(path, np.full((2, 2, 2), np.nan), np.ones((2, 2, 2)))
  with pytest.raises(ValueError, match="1 or 3"):
    pictures.clip_frames(path, np.ones((2, 2, 2, 2)), np.ones((2, 2, 2, 2)))
  assert not path.exists()
