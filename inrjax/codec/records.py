"""What the profiles of the container have in common."""

import dataclasses
import re
from typing import NamedTuple, NoReturn

from inrjax.codec import errors, signal_spec

FORMAT_VERSION = 1
MAX_NAME_BYTES = 255


class SignalRecord(NamedTuple):
  """One coded signal.

  Attributes:
    spec: what the signal was.
    header: the recipe's own few bytes (quality, step size, ...).
    side: coded side information; empty if the recipe has none.
    payload: the coded symbols.
    name: the original file's name, without folders; for display. It was
      chosen by whoever wrote the file: see `safe_name`.
  """

  spec: signal_spec.SignalSpec
  header: bytes
  payload: bytes
  side: bytes = b""
  name: str | None = None


@dataclasses.dataclass(frozen=True)
class Stream:
  """The content of one `.inr` file.

  Attributes:
    model_id: SHA-256 of the model as 64 hexadecimal digits; as read without
      knowing the model, the leading digits that the file holds.
    signals: the signals, in order.
    profile: `"full"`, or `"compact"` for a single signal without side
      information or name.
  """

  model_id: str
  signals: tuple[SignalRecord, ...]
  profile: str = "full"


class Parsed(NamedTuple):
  """A stream whose default specification is not filled in yet."""

  profile: str
  model_prefix: str
  specs: tuple[signal_spec.SignalSpec | None, ...]
  records: tuple[tuple[bytes, bytes, bytes, str | None], ...]


def id_bytes(model_id: str) -> bytes:
  """The 32 bytes of a model id; ValueError unless 64 hexadecimal digits."""
  if not re.fullmatch("[0-9a-f]{64}", model_id):
    raise ValueError(
      f"a model id is 64 lower-case hexadecimal digits, got {model_id!r}"
    )
  return bytes.fromhex(model_id)


def raise_wrong_model(prefix: str, model_id: str) -> NoReturn:
  """Raises the WrongModelError of a file that belongs to another model."""
  raise errors.WrongModelError(
    f"the file was written with model {prefix}..., not with"
    f" {model_id[: max(16, len(prefix))]}...: give the model it was written"
    " with"
  )


def raise_version(version: int) -> NoReturn:
  """Raises the CorruptBitstreamError of a version this program cannot read."""
  raise errors.CorruptBitstreamError(
    f"the file declares format version {version}, this program reads version"
    f" {FORMAT_VERSION}: it is damaged, or a newer program is needed"
  )
