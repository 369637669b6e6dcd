"""Classical image codecs on the frames of one clip.

evaluate  compresses every frame into a file of its own, decodes and measures it
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
from PIL import features

from experiments import build, evaluation, training
from inrjax import evaluate

CODECS: dict[str, Callable[[], evaluate.ImageCodec]] = {
  "jpeg": evaluate.jpeg,
  "jpeg2000": evaluate.jpeg2000,
  "webp": evaluate.webp,
  "avif": evaluate.avif,
  "hevc": evaluate.hevc,
}
# What Pillow calls it where it may have been built without.
_FEATURES = {"jpeg2000": "jpg_2000", "webp": "webp", "avif": "avif"}


def missing(name: str) -> str | None:
  """What a codec lacks on this machine, or None.

  Args:
    name: one of `CODECS`.
  """
  feature = _FEATURES.get(name)
  if feature is not None and not features.check(feature):
    return f"this Pillow has no {feature}"
  try:
    CODECS[name]()
  except ImportError as error:
    return str(error)
  return None


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the frames `[T, H, W, C]` of the clip, whatever the name.
    trained_in: not used; there is nothing to train.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], np.ndarray]
  trained_in: pathlib.Path | None = None

  def meta_learn(self) -> None:
    """Nothing is learned."""
    print("A classical codec: there is nothing to learn.")

  def measure(self) -> None:
    """Writes and prints rates and distortions, means over frames.

    Rates are of whole files, headers included; nothing is estimated.
    """
    settings = self.config["codec"]
    codec = build.choose(CODECS, settings["name"], "codec.name")()
    frames = self.load("clip")
    curve = evaluate.curve_at_settings(
      codec, list(frames), list(settings["settings"])
    )
    record: evaluation.Record = {
      "codec": codec.name,
      "num_images": len(frames),
      "points": [dataclasses.asdict(point) for point in curve.points],
    }
    training.write_record(self.workdir, record)
    print(evaluate.plain(evaluate.point_table(curve)), end="")

  def write_model(self) -> None:
    """There is no model."""
    print("A classical codec: there is no model to write.")
