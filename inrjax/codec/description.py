"""What a file tells about itself, as values that JSON holds."""

from typing import Any

from inrjax.codec import container, kinds, model_file, side_info


def describe(data: bytes) -> dict[str, Any]:
  """Describes an `.inr` file, without its model, or a model file.

  Args:
    data: the file's bytes; a model file is recognised by its first two.

  Returns:
    Facts by name, with `kind` either `"stream"` or `"model"`.

  Raises:
    CorruptBitstreamError: if the bytes are neither, or damaged.
    WrongModelError: if they are a model of another format version.
  """
  is_model = data[:2] == b"PK"  # as every zip archive begins
  return _describe_model(data) if is_model else _describe_stream(data)


def _describe_stream(data: bytes) -> dict[str, Any]:
  info = container.peek(data)
  sides = [b""] * len(info.specs)
  if info.profile == "full":
    sides = [record.side for record in container.unpack(data).signals]
  return {
    "kind": "stream",
    "profile": info.profile,
    "format_version": info.version,
    "model": info.model_prefix,
    "checksum": "verified" if info.verified else "needs the model to verify",
    "bytes": info.sizes._asdict(),
    "signals": [
      _describe_signal(spec, name, side)
      for spec, name, side in zip(info.specs, info.names, sides, strict=True)
    ],
  }


def _describe_signal(
  spec: container.SignalSpec | None, name: str | None, side: bytes
) -> dict[str, Any]:
  facts: dict[str, Any] = {"name": name}
  if spec is None:
    return {**facts, "shape": None}  # the model's default
  metadata = {}
  if spec.kind in kinds.KINDS:
    metadata = side_info.shown(side_info.read_metadata(side))
  return {
    **facts,
    "kind": spec.kind,
    "shape": list(spec.shape),
    "type": spec.dtype,
    "range": list(spec.interval),
    **metadata,
  }


def _describe_model(data: bytes) -> dict[str, Any]:
  model = model_file.from_bytes(data)
  return {
    "kind": "model",
    "format_version": model_file.FORMAT_VERSION,
    "model": model.model_id,
    "bytes": {"total": len(data)},
    "config": model.config,
    "num_values": sum(array.size for array in model.arrays.values()),
    "arrays": {
      name: f"{array.dtype} {list(array.shape)}"
      for name, array in model.arrays.items()
    },
  }
