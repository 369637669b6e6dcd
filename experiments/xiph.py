"""A hyperprior adapted to one clip: `--model` to `--data_dir`.

`--model` is what `experiments.clic --mode=export` writes. `--data_dir` is a
video, a folder of its frames, or the folder of the clips that the config names.
Export writes `clip.inr`, which `inrjax decompress --model` reads.
"""

import functools
import pathlib

import numpy as np
from absl import flags

import inrjax
from experiments import clips, instance, launch
from inrjax import codec, data

_MODEL = flags.DEFINE_string("model", None, "The global model's file.")

CLIPS = clips.CLIPS


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  clip: str | None,
  start: int,
  stride: int | None,
  num_frames: int | None,
  size: tuple[int, int] | None,
) -> np.ndarray:
  """The frames of a clip, `[T, H, W, 3]` uint8.

  Args:
    split: there is but one.
    data_dir: a video, or a folder of frames, or of clips.
    clip: one of `CLIPS` in that folder; None, or a flag's "None", for none.
    start: the first frame.
    stride: frames from one that is taken to the next; None is two a second of
      `CLIPS`, else every frame.
    num_frames: T; None for all.
    size: height and width that frames are cut and resized to.

  Raises:
    VideoError: if there is no such clip.
  """
  del split
  if data_dir is None:
    raise data.VideoError("A clip is needed; give --data_dir=CLIP.")
  if clip not in (None, "None"):
    if clip not in CLIPS:
      raise data.VideoError(f"{clip!r} is none of the clips {[*CLIPS]}.")
    found = [p for p in sorted(data_dir.glob("*")) if p.name.startswith(clip)]
    if len(found) != 1:
      raise data.VideoError(
        f"{data_dir} holds {len(found)} files that begin with {clip!r}, not "
        "one; with --config.data.source.clip=None it is a clip itself."
      )
    data_dir, stride = found[0], stride or round(CLIPS[clip] / 2)
  return data.read_clip(
    data_dir, num_frames=num_frames, size=size, start=start, stride=stride or 1
  )


def global_model() -> codec.HyperpriorCodec:
  """The codec of `--model`."""
  if _MODEL.value is None:
    raise codec.CodecError("A global model is needed; give --model=FILE.")
  return hyperprior_of(_MODEL.value)


def hyperprior_of(path: str) -> codec.HyperpriorCodec:
  """The codec of a hyperprior's model file.

  Args:
    path: of the file, or the name of a model that comes with the package.

  Raises:
    CodecError: for another codec's model.
  """
  found = inrjax.load(path)
  if not isinstance(found, codec.HyperpriorCodec):
    raise codec.CodecError(
      f"{path} is a {found.info().get('codec', 'codec')}, not a hyperprior: "
      "only that can be adapted."
    )
  return found


if __name__ == "__main__":
  launch.main(load, functools.partial(instance.Run, make_codec=global_model))
