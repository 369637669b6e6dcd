"""Adapts a trained hyperprior to one clip, and reports where the bytes go.

train     adapts; the best model by RDM so far lies in `best`
evaluate  compresses with it, and with the global model
export    writes `clip.inr`, of the smaller of the two
"""

import dataclasses
import functools
import pathlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from experiments import (
  adaptations,
  build,
  evaluation,
  training,
  update_histograms,
)
from inrjax import codec as codec_lib
from inrjax import data, train
from inrjax.codec import container, errors, latent_update, output_file
from inrjax.evaluate import metrics
from inrjax.meta import gated_update, instance_adaptive
from inrjax.quantize import spike_and_slab
from inrjax.train import adaptation as adaptation_lib
from inrjax.train import parallel


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the frames `[T, H, W, C]` of the clip, whatever the name.
    trained_in: the working folder whose best model is evaluated and exported;
      None is this run's own.
    make_codec: the codec of the global model.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], np.ndarray]
  trained_in: pathlib.Path | None = None
  make_codec: Callable[[], codec_lib.HyperpriorCodec] | None = None

  def meta_learn(self) -> None:
    """Adapts, from the newest checkpoint if there is one."""
    if self.config["adapt"]["part"] == "none":
      print("Nothing is adapted; there is nothing to learn.")
      return
    best = self._best(self.workdir)

    def measured(state: train.TrainState) -> dict[str, float]:
      found = best.offer(state)
      return {f"clip_{name}": value for name, value in found.items()}

    try:
      training.fit(
        self.config,
        self.workdir,
        self._problem(),
        self._batches(),
        evaluate_fn=measured,
        make_step=parallel.make_single_step,
        shown=("loss", "clip_rdm", "clip_psnr"),
      )
    except train.NonFiniteError as error:
      warnings.warn(
        f"{error} The best model before it is that of step {best.step}.",
        adaptation_lib.DivergedWarning,
        stacklevel=2,
      )

  def measure(self) -> None:
    """Writes and prints what the clip takes, before and after."""
    best = self._trained()
    adapted = adaptation_lib.adapted_codec(self.codec, best.fast, self.prior)
    before, _ = self._described(self.codec)
    after, decoded = self._described(adapted)
    before["computed_rdm"] = best.unadapted
    after["computed_rdm"] = best.measured["rdm"]
    fast = gated_update.settled(best.fast)
    parts = parts_of_update(self.codec, fast, self.prior)
    quality = evaluation.quality(self.frames, decoded)
    record: evaluation.Record = {
      # Parameters that change: what is stored beside the latents.
      "num_modulations": sum(part["changed"] for part in parts.values()),
      "num_images": len(self.frames),
      "model_id": self.codec.model_id,
      "step": best.step,
      "unquantised": [{"psnr": best.measured["psnr"]}],
      "quantised": [{"num_bits": 8, "nominal_bpp": after["bpp"]} | quality],
      "global": before,
      "adapted": after | {"zero_update_bytes": self._zero_bytes(fast)},
      "computed": best.measured,
      # Where adaptation starts: as `computed`, with M_0 in it.
      "start": self._measure(self.adaptation.start),
      "parts": parts,
      "groups": self._groups(fast),
    } | self._without_awareness()
    training.write_record(self.workdir, record)
    rows = [{"model": "global"} | before, {"model": "adapted"} | after]
    print(evaluation.table(rows), end="")

  def write_model(self) -> None:
    """Writes `clip.inr`; never larger than without adaptation."""
    content = adaptation_lib.compress(
      self.codec, self._trained(), list(self.frames), prior=self.prior
    )
    path = self.workdir / "clip.inr"
    output_file.write_atomically(path, content)
    print(f"Wrote {path}: {len(content)} bytes.")

  @functools.cached_property
  def codec(self) -> codec_lib.HyperpriorCodec:
    """Of the global model."""
    assert self.make_codec is not None
    return self.make_codec()

  @functools.cached_property
  def frames(self) -> np.ndarray:
    """`[T, H, W, C]` uint8."""
    return self.load("clip")

  @functools.cached_property
  def prior(self) -> spike_and_slab.SpikeAndSlab:
    """Of the change (section `prior`, where the receiver changes)."""
    with build.of_config():
      return spike_and_slab.SpikeAndSlab(**self.config.get("prior", {}))

  @functools.cached_property
  def adaptation(self) -> adaptation_lib.Adaptation:
    """What is adapted, and how (section `adapt`)."""
    return adaptations.make_adaptation(
      self.config, self.codec, self.frames, self.prior
    )

  @functools.cached_property
  def _measure(self) -> Callable[[Any], dict[str, float]]:
    return adaptation_lib.make_measure(
      self.adaptation,
      self.codec.params,
      self.frames,
      beta=self.config["beta"],
    )

  def _problem(self) -> build.Problem:
    """Objective, optimiser and initial state."""
    start = self.adaptation.start
    optimizer = adaptations.make_optimizer(self.config, start)
    state = train.init_state(
      jax.random.key(self.config["seed"]),
      start,
      optimizer,
      carry=self.codec.params,
    )
    return build.Problem(self.adaptation.objective, optimizer, state)

  def _batches(self) -> Any:
    if self.config["adapt"]["part"] == "latents":
      return adaptation_lib.whole_frames(self.frames)
    settings = dict(self.config["data"]["batches"])
    side = settings.pop("crop_side")
    height, width = self.frames.shape[1:3]
    crop = None if side is None else (min(side, height), min(side, width))
    return data.make_pipeline(
      data.ArraySource(self.frames),
      seed=self.config["seed"],
      crop_size=crop,
      **settings,
    )

  def _best(self, folder: pathlib.Path) -> adaptation_lib.Best:
    """The best so far, of the run in a folder."""
    return adaptation_lib.Best(
      self._measure,
      self.adaptation.start,
      beta=self.config["beta"],
      folder=folder / "best",
    )

  def _trained(self) -> adaptation_lib.Best:
    folder = self.trained_in or self.workdir
    is_adapted = self.config["adapt"]["part"] != "none"
    if is_adapted and not (folder / "checkpoints").is_dir():
      raise SystemExit(
        f"There is no adaptation in {folder}; train first, with --mode=train "
        "and the same --config, --model and --workdir."
      )
    best = self._best(folder)
    print(f"Using the best model, of step {best.step}.")
    return best

  def _without_awareness(self) -> dict[str, Any]:
    """Cases III to VI of figure 2c, where training left something out.

    Such a training ends with a model that costs too much, and the best by RDM
    may be that of its first steps. So there is also "last", of its last step,
    and "unrounded", the latents alone under that model before rounding: a bound
    and no file that could be decoded.
    """
    settings = self.config["adapt"]
    folder = (self.trained_in or self.workdir) / "checkpoints"
    if (
      settings["part"] not in ("model", "decoder")
      or "none" not in (settings["quantise"], settings["rate"])
      or not any(folder.iterdir())
    ):
      return {}
    state = training.trained(
      self.config, self.workdir, self._problem().state, self.trained_in
    )
    fast = jax.device_get(state.params)
    unrounded = instance_adaptive.adapted_params(
      self.codec.params, fast, self.prior, instance_adaptive.unquantized
    )
    try:
      rounded = adaptation_lib.adapted_codec(self.codec, fast, self.prior)
      last = self._described(rounded)[0]
      last["computed_rdm"] = self._measure(fast)["rdm"]
      bound = codec_lib.HyperpriorCodec(
        self.codec.config, jax.tree.map(np.asarray, unrounded)
      )
      found: dict[str, Any] = {
        "last": last | {"step": int(state.step)},
        "unrounded": self._described(bound, bound)[0],
        "last_groups": self._groups(fast),
      }
    except errors.CodecError as error:
      print(f"The model of the last step cannot be used: {error}")
      found = {"last_error": str(error)}
    return found

  def _groups(self, fast: Any) -> dict[str, Any]:
    """Symbols of the update and what they cost, by kind of parameter."""
    if not _has_update(fast):
      return {}
    return update_histograms.by_group(
      latent_update.quantize(self.prior, fast["delta"], fast.get("log_scales"))
    )

  def _described(
    self,
    codec: codec_lib.HyperpriorCodec,
    reader: codec_lib.HyperpriorCodec | None = None,
  ) -> tuple[dict[str, float], list[np.ndarray]]:
    """What a codec's files of the clip take, and what is in them.

    There is one, or as many as it takes for no file to hold more values than
    one may; then each of them has the change of the model in it.

    Args:
      codec: compresses.
      reader: decodes; None is the codec of the global model.
    """
    reader = reader or self.codec
    per_file = max(1, container.DEFAULT_MAX_VALUES // self.frames[0].size)
    decoded: list[np.ndarray] = []
    rates, num_bytes = [], 0
    for first in range(0, len(self.frames), per_file):
      content = codec.compress_many([*self.frames[first : first + per_file]])
      decoded += [frame for _, frame in reader.decompress_many(content)]
      rates += reader.rates(content)
      num_bytes += len(content)
    num_pixels = self.frames[..., 0].size
    bpp = 8 * num_bytes / num_pixels
    mse = metrics.mean(
      [metrics.mse(*pair) for pair in zip(self.frames, decoded, strict=True)]
    )
    update, latents = (
      float(sum(getattr(rate, name) for rate in rates))
      for name in ("side", "payload")
    )
    return {
      "bytes": float(num_bytes),
      "bpp": bpp,
      "latent_bytes": latents,
      "update_bytes": update,
      "computed_latent_bytes": sum(r.estimated_bits for r in rates) / 8,
      "psnr": metrics.mean_psnr(self.frames, decoded),
      "rdm": self.config["beta"] * bpp + mse / 255**2,
    }, decoded

  def _zero_bytes(self, fast: Any) -> int:
    """M_0 in bytes: what an update takes that changes nothing."""
    if not _has_update(fast):
      return 0
    zero = latent_update.zero_update(self.codec.receiver, self.prior)
    return len(latent_update.encode(zero))


def parts_of_update(
  codec: codec_lib.HyperpriorCodec,
  fast: Any,
  prior: spike_and_slab.SpikeAndSlab,
) -> dict[str, dict[str, float]]:
  """How many parameters change, layer by layer, and what that costs (fig. 3).

  Args:
    codec: of the global model.
    fast: what was learned.
    prior: of the change.

  Returns:
    By part and layer, "parameters", "changed" and "bits" under the prior; empty
    where nothing of the receiver is adapted.
  """
  if not _has_update(fast):
    return {}
  update = latent_update.quantize(prior, fast["delta"], fast.get("log_scales"))
  bits = latent_update.cost(update)
  found: dict[str, dict[str, float]] = {}
  for part in codec.receiver:
    for layer, symbols in update.symbols[part].items():
      leaves: Sequence[np.ndarray] = jax.tree.leaves(symbols)
      found[f"{part}/{layer}"] = {
        "parameters": sum(leaf.size for leaf in leaves),
        "changed": sum(int(np.count_nonzero(leaf)) for leaf in leaves),
        "bits": sum(jax.tree.leaves(bits[part][layer])),
      }
  return found


def _has_update(fast: Any) -> bool:
  return isinstance(fast, dict) and "delta" in fast
