"""Sound out of TensorFlow Datasets, by random access."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inrjax.data import audio, sources, substitution


class TFDSSounds(substitution.SubstitutingFiles):
  """The beginning of every sound of a split; see `audio.AudioFiles`.

  One that is too short is found when it is first asked for: its place is then
  taken by the next one, with one `UnreadableAudioWarning`.
  """

  ERROR = audio.AudioError
  WARNING = audio.UnreadableAudioWarning
  WHAT = "sounds"

  def __init__(
    self,
    name: str,
    *,
    split: str,
    seconds: float,
    rate: int = 16000,
    data_dir: str | os.PathLike[str] | None = None,
    feature: str = "speech",
  ):
    """Opens a split.

    Args:
      name: the data set, such as "librispeech".
      split: such as "train_clean100" or "test_clean".
      seconds: length of every sound, from its start.
      rate: samples a second, which the set has; TFDS does not convert.
      data_dir: as in `tfds_source`.
      feature: the example's entry that holds the samples, levels of int16.

    Raises:
      ImportError: as `tfds_source`.
      AudioError: for a split without sounds.
      ValueError: for a length below one sample.
    """
    super().__init__()
    self._num_samples = round(seconds * rate)
    if self._num_samples < 1:
      raise ValueError(f"seconds must be positive, got {seconds}.")
    self._rate = rate
    self._feature = feature
    self._examples: Sequence[Mapping[str, Any]] = sources.tfds_examples(
      name, split=split, data_dir=data_dir
    )
    # Named as files are, so that a warning says which example it is.
    self._indices = {
      pathlib.Path(f"{name}/{split}/{index}"): index
      for index in range(len(self._examples))
    }
    self._paths = [*self._indices]
    if not self._paths:
      raise audio.AudioError(f"{name}/{split} has no sounds.")

  def _read(self, path: pathlib.Path) -> np.ndarray:
    """`[T, 1]` int16; warns of quality as `audio.read_audio`; `AudioError`."""
    example = self._examples[self._indices[path]]
    if self._feature not in example:
      raise ValueError(
        f"An example has no feature {self._feature!r}, only {[*example]}."
      )
    samples = np.asarray(example[self._feature])
    limits = np.iinfo(np.int16)
    if samples.ndim != 1 or samples.dtype.kind not in "iu":
      raise audio.AudioFormatError(
        f"{path} is {samples.dtype} {samples.shape}; expected integers [T]."
      )
    if len(samples) < self._num_samples:
      raise audio.AudioFormatError(
        f"{path} lasts {len(samples) / self._rate:.3g} s, less than the "
        f"{self._num_samples / self._rate:g} s that were asked for."
      )
    samples = samples[: self._num_samples]
    if samples.min() < limits.min or samples.max() > limits.max:
      raise audio.AudioFormatError(
        f"{path} has levels from {samples.min()} to {samples.max()}, beyond "
        "16 bits."
      )
    audio.warn_of_sound(path, samples)
    return samples.astype(np.int16)[:, np.newaxis]
