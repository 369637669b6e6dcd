"""The hyperprior as an image codec, with or without an update of its model.

A file holds, for each image or frame, range-coded hyper-latents and latents
(`inrjax.codec.latent_coder`) as the payload. A codec that was adapted to what
it compresses puts the change of its receiver's parameters
(`inrjax.codec.latent_update`) into the side information of the first image; it
holds for that image and those after it, up to another. So the update is decoded
first and the latents under the updated model: algorithms 1 and 2 of van
Rozendaal et al. (2021). Both kinds of file are read by the codec of the global
model, whose id they bear.

Everything up to the latents is evaluated in integers and the same everywhere.
The synthesis is not: pixels may differ by a level between machines.
"""

import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from inrjax.codec import (
  base,
  container,
  errors,
  json_fields,
  latent_coder,
  latent_params,
  latent_update,
  latent_windows,
  model_file,
  request,
  signals,
)
from inrjax.networks import hyperprior
from inrjax.types import PyTree

DEFAULT_QUALITY = 100
# Of an image with its padding, whose latents take some 30 bytes a value.
MAX_PADDED_VALUES = 1 << 27
EFFORTS = ("medium",)


class _Receiver(NamedTuple):
  """What an update makes of the receiver."""

  coder: latent_coder.LatentCoder
  synthesis: PyTree


class HyperpriorCodec(base.BaseCodec):
  """Compresses images at the one rate that its model was trained for.

  Differs from the other codecs: there is one setting and one effort; more is to
  be had by adapting (`adapted`). Images are decoded at their own resolution.
  """

  efforts = EFFORTS
  default_quality = DEFAULT_QUALITY

  def __init__(
    self,
    config: hyperprior.HyperpriorConfig,
    params: PyTree,
    *,
    card: dict[str, Any] | None = None,
    model_id: str | None = None,
  ) -> None:
    """Puts a codec together.

    Args:
      config: the widths.
      params: as `meta.rate_distortion.RateModel.init` makes them.
      card: JSON values that describe the model to its users.
      model_id: identity of the model, computed if not known.

    Raises:
      CodecError: if the parameters are not those of the config, or not finite.
    """
    self.config = config
    self.card = dict(card or {})
    self.params = latent_params.checked(config, params)
    network = hyperprior.make_hyperprior(config)
    self._analysis = jax.jit(network.analysis.apply)
    self._hyper_analysis = jax.jit(network.hyper_analysis.apply)
    self._synthesis = jax.jit(network.synthesis.apply)
    self._transmitter = {n: self.params[n] for n in hyperprior.TRANSMITTER}
    self._update = b""
    # The receiver of the update that was needed last.
    self._known: tuple[bytes, _Receiver] | None = None
    self._receiver(b"")
    self.model_id = model_id or model_file.to_bytes(*self._model())[1]

  @property
  def channels(self) -> int:
    """C of the images it codes."""
    return self.config.image_channels

  @property
  def num_settings(self) -> int:
    """One: a rate is a model."""
    return 1

  @property
  def receiver(self) -> PyTree:
    """Parameters that a receiver has to know, which an update changes."""
    return {name: self.params[name] for name in hyperprior.RECEIVER}

  def info(self) -> dict[str, Any]:
    """What the model is, as JSON values."""
    return {
      "model_id": self.model_id,
      "codec": "hyperprior",
      "channels": self.channels,
      "parameters": hyperprior.num_parameters(self.params),
      "receiver_parameters": hyperprior.num_parameters(self.receiver),
      "spec": dataclasses.asdict(self.config),
      "card": self.card,
    }

  def adapted(
    self,
    update: latent_update.ModelUpdate | None,
    transmitter: PyTree | None = None,
  ) -> "HyperpriorCodec":
    """A codec that compresses with an adapted model.

    Its files are read by this codec, or by any of the same global model.

    Args:
      update: the change of `receiver`, which goes into every file; None for
        none (encoder-only adaptation).
      transmitter: parameters of the adapted encoder, by part; None for the
        global model's.

    Raises:
      CodecError: if parameters are of other shapes or not finite, or the update
        cannot be coded.
    """
    other = copy.copy(self)
    other._known = None
    other._update = b"" if update is None else latent_update.encode(update)
    if transmitter is not None:
      params = latent_params.checked(
        self.config, {**self.params, **transmitter}
      )
      other._transmitter = {n: params[n] for n in hyperprior.TRANSMITTER}
    other._receiver(other._update)
    return other

  def decompress_many(
    self,
    data: bytes,
    *,
    scale: float = 1.0,
    region: tuple[int, int, int, int] | None = None,
  ) -> list[tuple[str | None, np.ndarray]]:
    """As `BaseCodec.decompress_many`; the only scale is 1."""
    request.check_scale(scale)
    return [
      (record.name, self._decode(record, scale, region))
      for record in _under_updates(self._unpack(data))
    ]

  def rates(self, data: bytes) -> list[base.RateParts]:
    """Where the bytes go; an update counts with the image that it came with."""
    records = self._unpack(data)
    coded = sum(len(r.payload) + len(r.side) for r in records)
    header = (len(data) - coded) / len(records)
    return [
      base.RateParts(
        header + len(record.payload) + len(record.side),
        header,
        len(record.side),
        len(record.payload),
        self._estimate(effective),
      )
      for record, effective in zip(
        records, _under_updates(records), strict=True
      )
    ]

  def symbols(self, data: bytes) -> list[np.ndarray]:
    """The decoded latents of every image, less their means, `[h, w, M]`."""
    return [
      self._latents(record)[1].residuals
      for record in _under_updates(self._unpack(data))
    ]

  def _model(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    config = {
      "codec": "hyperprior",
      "spec": dataclasses.asdict(self.config),
      "card": self.card,
    }
    return config, model_file.flatten(self.params, "params")

  def _fit(self, unit: np.ndarray, effort: str) -> latent_coder.Latents:
    """Rounded latents of an image `[H, W, C]` in [0, 1]."""
    del effort
    height, width = self._padded_size(
      unit.shape[0], unit.shape[1], errors.UnsupportedSignalError
    )
    edges = ((0, height - unit.shape[0]), (0, width - unit.shape[1]), (0, 0))
    padded = np.pad(unit, edges, mode="edge")
    y = latent_windows.analyse(
      lambda x: self._analysis(self._transmitter["analysis"], x), padded
    )
    z = self._hyper_analysis(self._transmitter["hyper_analysis"], y[None])
    return self._receiver(self._update).coder.quantize(y, np.asarray(z)[0])

  def _record(
    self,
    fitted: latent_coder.Latents,
    spec: container.SignalSpec,
    name: str | None,
    t: int,
  ) -> container.SignalRecord:
    payload = self._receiver(self._update).coder.encode(fitted)
    return container.SignalRecord(spec, self._header(t), payload, name=name)

  def _record_within(
    self,
    fitted: latent_coder.Latents,
    spec: container.SignalSpec,
    name: str | None,
    bpp: float,
  ) -> container.SignalRecord:
    record = self._record(fitted, spec, name, 0)
    limit = bpp * np.prod(spec.shape[:2]) / 8
    size = len(self._pack([record]))
    if size > limit:
      raise errors.CodecError(
        f"{bpp:g} bpp are {limit:.0f} bytes, this model takes {size}: ask for "
        "a higher rate, or use a model for a lower one."
      )
    return record

  def _pack(self, records: list[container.SignalRecord]) -> bytes:
    first = records[0]
    if (
      len(records) == 1
      and first.name is None
      and not self._update
      and len(first.payload) <= base.COMPACT_BYTES
    ):
      return container.pack(
        container.Stream(self.model_id, (first,), "compact")
      )
    with_update = (first._replace(side=self._update), *records[1:])
    return container.pack(container.Stream(self.model_id, with_update))

  def _unpack(self, data: bytes) -> list[container.SignalRecord]:
    return list(container.unpack(data, model_id=self.model_id).signals)

  def _estimate(self, record: container.SignalRecord) -> float:
    receiver, latents = self._latents(record)
    return float(sum(receiver.coder.cost(latents)))

  def _decode(
    self,
    record: container.SignalRecord,
    scale: float,
    region: tuple[int, int, int, int] | None,
  ) -> np.ndarray:
    height, width = signals.check_image_spec(record.spec, self.channels)
    if scale != 1:
      raise errors.CodecError(
        f"This codec decodes images at their own resolution, not at scale "
        f"{scale:g}."
      )
    chosen = request.checked_region(
      (height, width, self.channels), scale, region
    )
    receiver, latents = self._latents(record)
    values = latent_windows.synthesise(
      lambda y: self._synthesis(receiver.synthesis, y),
      receiver.coder.reconstruct(latents),
      chosen,
    )
    if not np.all(np.isfinite(values)):
      raise errors.CorruptBitstreamError(
        "The latents give values that are not finite: the stream is damaged."
      )
    return signals.from_unit(values, record.spec)

  def _latents(
    self, record: container.SignalRecord
  ) -> tuple[_Receiver, latent_coder.Latents]:
    """The receiver that a record needs, and its latents."""
    self._setting(record)
    height, width = self._padded_size(
      *signals.check_image_spec(record.spec, self.channels),
      errors.CorruptBitstreamError,
    )
    receiver = self._receiver(record.side)
    stride = hyperprior.HYPER_STRIDE
    return receiver, receiver.coder.decode(
      record.payload, height // stride, width // stride
    )

  def _padded_size(
    self, height: int, width: int, error: type[errors.CodecError]
  ) -> tuple[int, int]:
    """Height and width with the padding, unless that takes too much memory."""
    padded = hyperprior.padded_size(height, width)
    # A line of pixels grows 64-fold.
    if math.prod(padded) * self.channels > MAX_PADDED_VALUES:
      raise error(
        f"An image of {height} x {width} pixels has {math.prod(padded)} with "
        "what it is padded by, more than this codec holds in memory: cut it "
        "into several."
      )
    return padded

  def _receiver(self, update: bytes) -> _Receiver:
    """The receiver under an update.

    Raises:
      CorruptBitstreamError: if the update is damaged, or leaves no model that
        can be evaluated.
    """
    if self._known is None or self._known[0] != update:
      params = self.receiver
      if update:
        params = latent_update.apply(
          params, latent_update.decode(update, params)
        )
      try:
        coder = latent_coder.LatentCoder(
          params["hyper_synthesis"], params["prior"]
        )
      except errors.CodecError as error:
        raise errors.CorruptBitstreamError(
          f"The model, or its update in the stream, cannot be used: {error}."
        ) from error
      self._known = (update, _Receiver(coder, params["synthesis"]))
    return self._known[1]


def from_model_file(content: model_file.ModelFile) -> HyperpriorCodec:
  """The codec of a hyperprior's model file.

  Raises:
    CorruptBitstreamError: if the content is not what `HyperpriorCodec.save`
      writes.
  """
  card = content.config.get("card", {})
  spec = content.config.get("spec")
  if not isinstance(card, dict) or not isinstance(spec, dict):
    raise errors.CorruptBitstreamError(
      "The model file of a hyperprior holds widths and a card; this one is "
      "damaged or of another version."
    )
  with json_fields.reading():
    config = hyperprior.HyperpriorConfig(**spec)
  params = model_file.unflatten(content.arrays, "params")
  try:
    return HyperpriorCodec(config, params, card=card, model_id=content.model_id)
  except errors.CorruptBitstreamError:
    raise
  except errors.CodecError as error:
    raise errors.CorruptBitstreamError(
      f"The model file cannot be used: {error}"
    ) from error


def _under_updates(
  records: Sequence[container.SignalRecord],
) -> list[container.SignalRecord]:
  """Every record with the update that holds for it."""
  update, found = b"", []
  for record in records:
    update = record.side or update
    found.append(record._replace(side=update))
  return found
