"""LPIPS against loops in NumPy, and files of weights."""

import pathlib

import numpy as np
import pytest

from inrjax.evaluate import lpips

# Outputs of the convolutions; the real ones are 64 to 512.
WIDTHS = {
  "alexnet": (4, 3, 5, 2, 3),
  "vgg16": (2, 3, 2, 4, 3, 2, 3, 2, 3, 2, 4, 2, 3),
}
KERNELS = {"alexnet": (11, 5, 3, 3, 3), "vgg16": (3,) * 13}
# Convolutions whose outputs are compared, and those that a maximum precedes.
COMPARED = {"alexnet": (0, 1, 2, 3, 4), "vgg16": (1, 3, 6, 9, 12)}
POOLED = {"alexnet": (1, 2), "vgg16": (2, 4, 7, 10)}
LEAST = {"alexnet": 31, "vgg16": 16}


def arrays_of(name: str) -> dict[str, np.ndarray]:
  rng = np.random.default_rng(0)
  arrays, channels = {}, 3
  for i, (out, side) in enumerate(
    zip(WIDTHS[name], KERNELS[name], strict=True)
  ):
    shape = (out, channels, side, side)
    scale = np.sqrt(2 / (channels * side**2))
    arrays[f"conv{i}_w"] = rng.normal(0, scale, shape).astype(np.float32)
    arrays[f"conv{i}_b"] = rng.normal(0, 0.1, out).astype(np.float32)
    channels = out
  for i, place in enumerate(COMPARED[name]):
    arrays[f"lin{i}"] = rng.random(WIDTHS[name][place]).astype(np.float32)
  return arrays


def saved(folder: pathlib.Path, arrays: dict[str, np.ndarray]) -> pathlib.Path:
  path = folder / "weights.npz"
  np.savez(path, **arrays)
  return path


def pictures(height: int, width: int) -> np.ndarray:
  rng = np.random.default_rng(1)
  return rng.integers(0, 256, (2, height, width, 3), np.uint8)


def convolved(x: np.ndarray, kernel: np.ndarray, stride: int, pad: int):
  """`[in, H, W]` to `[out, h, w]`, one place at a time."""
  x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
  side = kernel.shape[-1]
  rows, columns = ((n - side) // stride + 1 for n in x.shape[1:])
  found = np.zeros((len(kernel), rows, columns))
  for i, j in np.ndindex(rows, columns):
    top, left = i * stride, j * stride
    part = x[:, top : top + side, left : left + side]
    found[:, i, j] = (kernel * part).sum(axis=(1, 2, 3))
  return found


def maximum(x: np.ndarray, side: int) -> np.ndarray:
  rows, columns = ((n - side) // 2 + 1 for n in x.shape[1:])
  found = np.zeros((len(x), rows, columns))
  for i, j in np.ndindex(rows, columns):
    part = x[:, 2 * i : 2 * i + side, 2 * j : 2 * j + side]
    found[:, i, j] = part.max(axis=(1, 2))
  return found


def expected(name: str, arrays: dict[str, np.ndarray], pair) -> float:
  total = 0.0
  scaled = [
    (p / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
    for p in pair
  ]
  xs = [s.transpose(2, 0, 1) for s in scaled]
  lins = iter(range(5))
  for i in range(len(WIDTHS[name])):
    if i in POOLED[name]:
      xs = [maximum(x, 3 if name == "alexnet" else 2) for x in xs]
    kernel = arrays[f"conv{i}_w"].astype(np.float64)
    stride = 4 if kernel.shape[-1] == 11 else 1
    pad = {11: 2, 5: 2, 3: 1}[kernel.shape[-1]]
    bias = arrays[f"conv{i}_b"][:, None, None]
    xs = [np.maximum(convolved(x, kernel, stride, pad) + bias, 0) for x in xs]
    if i in COMPARED[name]:
      weight = arrays[f"lin{next(lins)}"]
      units = [x / (np.sqrt((x**2).sum(0, keepdims=True)) + 1e-10) for x in xs]
      squares = (units[0] - units[1]) ** 2
      total += (weight[:, None, None] * squares).sum(0).mean()
  return total


@pytest.mark.parametrize("name", WIDTHS)
def test_lpips_is_a_loop(name: str, tmp_path: pathlib.Path) -> None:
  arrays = arrays_of(name)
  weights = lpips.read_lpips_weights(saved(tmp_path, arrays))
  assert lpips.least_side(weights) == LEAST[name]
  first, second = pictures(37, 33)
  found = lpips.lpips(weights, first, second)
  # Fails if pictures are not scaled, a layer is not compared or compared
  # before its ReLU, features keep their lengths, or a padding is another.
  assert found.shape == () and found > 0.01
  wanted = expected(name, arrays, (first, second))
  assert found == pytest.approx(wanted, rel=1e-4)
  assert lpips.lpips(weights, first, first) == 0
  # Fails if frames are averaged, or compared with those of another time.
  clip = np.stack([first, second])
  each = lpips.lpips(weights, clip, np.stack([second, second]))
  np.testing.assert_allclose(each, [found, 0], rtol=1e-5)
  grey = clip[..., :1]
  np.testing.assert_allclose(
    lpips.lpips(weights, grey[0], grey[1]),
    lpips.lpips(weights, *np.repeat(grey, 3, axis=-1)),
  )


@pytest.mark.parametrize("name", WIDTHS)
def test_the_smallest_picture(name: str, tmp_path: pathlib.Path) -> None:
  weights = lpips.read_lpips_weights(saved(tmp_path, arrays_of(name)))
  side = LEAST[name]
  # Fails if the smallest side is one that leaves nothing of a layer, whose
  # mean is then not a number, or is larger than it must be.
  assert np.isfinite(lpips.lpips(weights, *pictures(side, side)))
  with pytest.raises(ValueError, match=f"needs at least {side} pixels"):
    lpips.lpips(weights, *pictures(side - 1, side))


def test_pictures_that_cannot_be_compared(tmp_path: pathlib.Path) -> None:
  weights = lpips.read_lpips_weights(saved(tmp_path, arrays_of("vgg16")))
  first, second = pictures(16, 17)
  with pytest.raises(ValueError, match="of one shape"):
    lpips.lpips(weights, first, second[:, 1:])
  with pytest.raises(ValueError, match="2 channels"):
    lpips.lpips(weights, first[..., :2], second[..., :2])


@pytest.mark.parametrize(
  ("name", "array", "message"),
  [
    ("conv2_w", None, "no array conv2_w"),
    ("lin4", None, "no array lin4"),
    (
      "conv0_w",
      np.zeros((4, 3, 3, 3), np.float32),
      r"conv0_w is .*anyx3x11x11",
    ),
    ("conv1_w", np.zeros((3, 5, 5, 5), np.float32), "conv1_w is .*anyx4x5x5"),
    ("conv1_b", np.zeros(4, np.float32), "conv1_b is"),
    ("lin2", np.zeros((1, 5, 1, 1), np.float32), "lin2 is"),
    ("lin1", np.zeros(3, np.int32), "lin1 must hold"),
    ("conv3_b", np.full(2, np.nan, np.float32), "conv3_b must hold"),
    ("more", np.zeros(1, np.float32), "16 arrays.*more"),
  ],
)
def test_wrong_files_name_the_array(name, array, message, tmp_path) -> None:
  arrays = arrays_of("alexnet")
  if array is None:
    del arrays[name]
  else:
    arrays[name] = array
  with pytest.raises(lpips.LpipsWeightsError, match=message) as caught:
    lpips.read_lpips_weights(saved(tmp_path, arrays))
  # Fails if the remedy is left out.
  assert "docs/data_sets.md" in str(caught.value)


def test_what_is_no_archive_is_refused(tmp_path: pathlib.Path) -> None:
  path = tmp_path / "weights.npz"
  with pytest.raises(lpips.LpipsWeightsError, match=r"data_sets\.md"):
    lpips.read_lpips_weights(path)
  path.write_bytes(b"\x80\x04pickled")
  with pytest.raises(lpips.LpipsWeightsError, match="Cannot read"):
    lpips.read_lpips_weights(path)
  # Fails if an array of objects, which only pickle reads, is let in.
  np.savez(path, conv0_w=np.array([{}], object))
  with pytest.raises(lpips.LpipsWeightsError, match="pickle"):
    lpips.read_lpips_weights(path)
  np.save(tmp_path / "one.npy", np.zeros(3))
  with pytest.raises(lpips.LpipsWeightsError, match="Cannot read"):
    lpips.read_lpips_weights(tmp_path / "one.npy")
