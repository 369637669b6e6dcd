"""LibriSpeech: the first seconds of every utterance, of folders or TFDS."""

import pathlib
from typing import Any

from experiments import build, launch, signals
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
    held_out: the last so many training sounds are for validation; of 0 the
      test sounds are, of which a launcher takes the first.
    tfds: the name of TFDS's set, None where there has to be a folder.
  """
  of_test = split == "test" or (split == "validation" and not held_out)
  part = "test" if of_test else "train"
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
  if of_test or not held_out:
    return signals.Sounds(sounds, range(len(sounds)), rate)
  end = max(1, len(sounds) - held_out)
  indices = range(end) if split == "train" else range(end, len(sounds))
  # Where a sound is broken, the next one of the same split stands in for it.
  with build.of_config():
    found = sounds.part(indices)
  return signals.Sounds(found, range(len(found)), rate)


if __name__ == "__main__":
  launch.main(load, signals.Run)
