"""CompressAI's JSON: round trips, every published shape, clear refusals."""

import json
import math

import hypothesis
import hypothesis.strategies as st
import pytest

from inrjax.evaluate import interchange
from inrjax.evaluate import rate_distortion as rd

_numbers = st.floats(0.01, 60, allow_nan=False)


@st.composite
def _curves(draw):
  size = draw(st.integers(1, 5))
  full = draw(st.booleans())
  points = []
  for index in range(size):
    known = {}
    if full or draw(st.booleans()):
      known = {
        "psnr_of_mean_mse": draw(_numbers),
        "ssim": draw(_numbers),
        "estimated_bpp": draw(_numbers),
        "num_images": draw(st.integers(1, 99)),
        "setting": draw(st.one_of(st.text(), st.integers(), _numbers)),
        "extra": {"encoding_time": draw(_numbers)},
      }
    psnr = draw(st.one_of(_numbers, st.just(math.inf)))
    points.append(rd.RatePoint(0.1 + index, psnr, **known))
  return rd.Curve(draw(st.text()), tuple(points), "words", {"data": ["kodak"]})


@hypothesis.given(_curves())
def test_what_is_written_is_read_back(curve):
  text = json.dumps(interchange.curve_to_json(curve), allow_nan=False)
  (back,) = interchange.curves_from_json(json.loads(text))
  # fails if a column is dropped, or infinite PSNR is read back as missing
  assert back == curve


def test_the_layout_is_compressais():
  curve = rd.Curve(
    "ours",
    (rd.RatePoint(0.2, 30.0, header_bpp=0.01, estimated_bpp=0.19),),
    "words",
    {"command": "make"},
  )
  assert interchange.curve_to_json(curve) == {
    "name": "ours",
    "description": "words",
    "results": {
      "bpp": [0.2],
      "psnr-rgb": [30.0],
      "bpp-header": [0.01],
      "bpp-estimated": [0.19],
    },
    "meta": {"format_version": 1, "command": "make"},
  }


def test_files_are_written_whole_and_read_back(tmp_path):
  path = tmp_path / "new" / "curve.json"
  curve = rd.curve_from_arrays("c", [0.1, 0.2], [25.0, 27.0])
  interchange.write_curve(path, curve)
  assert interchange.read_curve(path) == curve
  bad = rd.Curve("c", curve.points, "", {"score": math.nan})
  with pytest.raises(ValueError, match="JSON compliant"):
    interchange.write_curve(path, bad)
  # fails if the file is opened for writing before the JSON is known to be good
  assert interchange.read_curve(path) == curve
  assert [p.name for p in path.parent.iterdir()] == ["curve.json"]


def test_both_names_of_psnr_and_nested_variants_are_read():
  columns = {"bpp": [0.1], "psnr": [25.0], "ms-ssim": [0.8]}
  content = {
    "name": "n",
    "results": {"3 steps": {"5 bits": columns}, "10 steps": columns},
  }
  first, second = interchange.curves_from_json(content)
  assert (first.name, second.name) == ("n, 3 steps, 5 bits", "n, 10 steps")
  assert first.points[0].psnr == 25.0
  assert first.points[0].extra == {"ms-ssim": 0.8}


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ([], 'no "results"'),
    ({"name": "x"}, 'no "results"'),
    ({"name": "x", "results": {"psnr": [1.0]}}, "no rate-distortion curve"),
    ({"results": {"bpp": [], "psnr": []}}, "no points"),
    ({"results": {"bpp": [1.0], "psnr": [1.0, 2.0]}}, "list of 1 values"),
    ({"results": {"bpp": [1.0], "psnr": ["high"]}}, "'high'"),
    ({"results": {"bpp": [True], "psnr": [1.0]}}, "True"),
    ({"results": {"bpp": [-1.0], "psnr": [1.0]}}, "positive"),
    ({"results": {"bpp": [None], "psnr": [1.0]}}, "needs a rate"),
    ({"results": {"bpp": [1], "psnr": [1]}, "meta": 3}, "meta"),
  ],
)
def test_what_is_no_curve_is_refused_with_the_file_named(
  tmp_path, content, message
):
  path = tmp_path / "bad.json"
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match=message) as info:
    interchange.read_curves(path)
  assert "bad.json" in str(info.value)


def test_broken_json_is_refused_with_the_file_named(tmp_path):
  path = tmp_path / "bad.json"
  path.write_text("{,}")
  with pytest.raises(ValueError, match=r"bad\.json"):
    interchange.read_curves(path)


def test_an_extra_column_cannot_take_a_reserved_name():
  point = rd.RatePoint(0.2, 30.0, extra={"psnr": 1.0})
  with pytest.raises(ValueError, match="reserved"):
    interchange.curve_to_json(rd.Curve("c", (point,)))


def test_several_curves_are_not_one(tmp_path):
  columns = {"bpp": [0.1], "psnr": [25.0]}
  path = tmp_path / "two.json"
  path.write_text(json.dumps({"results": {"a": columns, "b": columns}}))
  with pytest.raises(ValueError, match="2 curves"):
    interchange.read_curve(path)


def test_every_published_file_is_read_or_is_no_rate_distortion_curve(data_dir):
  paths = sorted((data_dir / "reference_curves").rglob("*.json"))
  assert paths
  # Files about encoding time, learning curves and PSNR by bits.
  others = ("time", "encoding_curve", "learning_curves", "_quantization")
  for path in paths:
    has_rates = "with_quantization" in path.stem or not path.stem.endswith(
      others
    )
    if has_rates:
      source = json.loads(path.read_text())
      curves = interchange.read_curves(path)
      # fails if a variant of an ablation is dropped
      assert sum(len(c.points) for c in curves) == _count(source["results"])
    else:
      with pytest.raises(ValueError, match=r"no rate-distortion|no \"results"):
        interchange.read_curves(path)


def _count(node):
  if "bpp" in node:
    return len(node["bpp"])
  return sum(_count(child) for child in node.values())
