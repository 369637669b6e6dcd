"""Comparisons as data: each file has a `get_sweep()` that lists its runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Entry(NamedTuple):
  """One run of a sweep.

  Attributes:
    name: "method/setting/seed". Seeds are averaged; the settings of a method
      make its curve.
    launcher: module, such as "experiments.cifar10".
    config: config file, with its variant after a colon.
    overrides: values by the path of a setting, such as "train.num_steps".
  """

  name: str
  launcher: str
  config: str
  overrides: Mapping[str, Any] = {}
