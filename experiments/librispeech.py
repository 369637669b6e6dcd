"""LibriSpeech: the first seconds of every utterance, of folders or TFDS."""

import pathlib
from typing import Any

from experiments import launch, signals
from inrjax import data

# LibriSpeech's own names, as COIN++ takes them, or plain ones; and TFDS's.
_FOLDERS = {
  "train": ("train-clean-100", "train"),
  "test": ("test-clean", "test"),
}
_TFDS_SPLITS = {"train": "train_clean100", "test": "test_clean"}


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  seconds: float,
  rate: int,
  held_out: int,
  tfds: str | None,
) -> signals.SignalSource:
  """Sounds of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder with `train-clean-100` and `test-clean`, or `train` and
      `test`; None takes TFDS.
    seconds: from the start of each.
    rate: samples a second that the files have.
    held_out: the last so many training sounds are for validation.
    tfds: the name of TFDS's set, None where there has to be a folder.
  """
  part = "test" if split == "test" else "train"
  with signals.reading():
    sounds: Any
    if data_dir is None:
      if tfds is None:
        raise SystemExit("--data_dir: name the folder of train-clean-100.")
      sounds = data.TFDSSounds(
        tfds, split=_TFDS_SPLITS[part], seconds=seconds, rate=rate
      )
    else:
      names = [n for n in _FOLDERS[part] if (data_dir / n).is_dir()]
      folder = data_dir / (names or _FOLDERS[part])[0]
      sounds = data.AudioFolder(folder, seconds=seconds, rate=rate)
  end = max(1, len(sounds) - held_out)
  indices = {
    "train": range(end),
    "validation": range(end, len(sounds)),
    "test": range(len(sounds)),
  }
  return signals.Sounds(sounds, indices[split], rate)


if __name__ == "__main__":
  launch.main(load, signals.Run)
