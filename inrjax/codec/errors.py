"""The errors a codec raises, all of them `ValueError`s.

A caller that only wants to know whether a file can be used catches
`CodecError`; the subclasses say whose fault it is: the bytes', the choice of
model, or the signal.
"""


class CodecError(ValueError):
  """Anything that keeps a signal from being coded or decoded."""


class CorruptBitstreamError(CodecError):
  """The bytes are truncated, damaged, hostile or of another format."""


class WrongModelError(CodecError):
  """The bytes are sound, but of another model, or of another version."""


class UnsupportedSignalError(CodecError):
  """The signal is of a shape, type or range the model cannot code."""


class OutputFileError(CodecError, OSError):
  """A file cannot be written; nothing of it was left behind."""
