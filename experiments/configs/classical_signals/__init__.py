"""Classical codecs on signals that are no images."""

from typing import Any

from ml_collections import config_dict

section = config_dict.create

# Qualities of images; bits per place for JPEG 2000.
MAPS = {
  "jpeg": ("JPEG", (1, 5, 10, 20, 30, 45, 60, 75, 85, 92, 97)),
  "jpeg2000": (
    "JPEG 2000",
    (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0),
  ),
  "hevc": ("HEVC intra", (1, 10, 20, 30, 40, 50, 60, 70, 80, 90)),
}


def codec(
  name: str,
  label: str,
  settings: tuple[float, ...],
  *,
  together: bool = False,
) -> config_dict.ConfigDict:
  """One codec of a config.

  Args:
    name: a key of `classical_signals.CODECS`.
    label: for tables and legends.
    settings: of the codec, from the lowest rate to the highest.
    together: codes all signals as one array.
  """
  return section(codec=name, label=label, settings=settings, together=together)


def of_maps() -> dict[str, config_dict.ConfigDict]:
  """Image codecs on maps of 8 bits."""
  return {
    name: codec(name, label, settings)
    for name, (label, settings) in MAPS.items()
  }


def of_mosaics() -> dict[str, config_dict.ConfigDict]:
  """Image codecs on all maps of 8 bits below one another."""
  return {
    f"{name}_mosaic": codec(
      f"{name}_mosaic", f"{label} (mosaic)", settings, together=True
    )
    for name, (label, settings) in MAPS.items()
  }


def config(
  variant: str,
  codecs: dict[str, config_dict.ConfigDict],
  *,
  data_set: str,
  source: Any,
  num_signals: int | None,
  kind: str,
  value_range: tuple[float, float] | None = None,
  unit: str = "",
  rate: int | None = None,
) -> config_dict.ConfigDict:
  """A config, locked.

  Args:
    variant: "all", or the one codec to measure.
    codecs: by the names of the files they are written to.
    data_set: name of the launcher that loads it.
    source: section `data.source` of that launcher's configs.
    num_signals: first ones of the test split; None for all.
    kind: of the signals, see `codec.kinds`.
    value_range: that image codecs round to 8 bits, and PSNR's peak; None is
      each signal's own.
    unit: of the values.
    rate: samples a second of sound.

  Raises:
    ValueError: for another variant.
  """
  if variant not in ("all", *codecs):
    raise ValueError(f"variant {variant!r} is not one of {['all', *codecs]}")
  chosen = codecs if variant == "all" else {variant: codecs[variant]}
  made = config_dict.ConfigDict()
  made.num_signals = config_dict.placeholder(int)
  made.num_signals = num_signals
  made.signal = section(
    kind=kind,
    value_range=config_dict.placeholder(tuple),
    unit=unit,
    rate=config_dict.placeholder(int),
  )
  made.signal.value_range = value_range
  made.signal.rate = rate
  made.codecs = section(**chosen)
  made.data = section(source=section(data_set=data_set, **source))
  return made.lock()
