"""LibriSpeech: the first seconds of every utterance below two folders."""

import pathlib

from experiments import launch, signals
from inrjax import data

# LibriSpeech's own names, as COIN++ takes them, or plain ones.
_FOLDERS = {
  "train": ("train-clean-100", "train"),
  "test": ("test-clean", "test"),
}


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  seconds: float,
  rate: int,
  held_out: int,
) -> signals.SignalSource:
  """Sounds of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder with `train-clean-100` and `test-clean`, or `train` and
      `test`.
    seconds: from the start of each.
    rate: samples a second that the files have.
    held_out: the last so many training sounds are for validation.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of train-clean-100.")
  names = _FOLDERS["test" if split == "test" else "train"]
  folder = next(
    (data_dir / n for n in names if (data_dir / n).is_dir()),
    data_dir / names[0],
  )
  with signals.reading():
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
