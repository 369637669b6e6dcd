"""Global training of a hyperprior codec, and what its files take.

The rate-distortion objective of van Rozendaal et al. (2021, eq. 1) in the
training loop of every launcher. Evaluation compresses the test images with the
codec that `--mode=export` writes: rates are those of files, not estimates.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax

from experiments import build, evaluation, training
from inrjax import data, train
from inrjax.codec import hyperprior_codec
from inrjax.evaluate import metrics
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.train import parallel
from inrjax.types import Array, PyTree


@build.of_config()
def make_model(config: build.Section) -> rate_distortion.RateModel:
  """The networks (section `network`) and what their latents cost."""
  return model_of(hyperprior.HyperpriorConfig(**config["network"]))


def model_of(
  widths: hyperprior.HyperpriorConfig,
) -> rate_distortion.RateModel:
  """The networks of these widths, with the scales that a codec knows."""
  return rate_distortion.RateModel(hyperprior.make_hyperprior(widths))


def as_images(batch: Any) -> Array:
  """`[B, H, W, C]` uint8 to floats in [0, 1]."""
  return jax.numpy.asarray(batch).astype(jax.numpy.float32) / 255


@build.of_config()
def make_optimizer(
  *,
  num_steps: int,
  learning_rate: float,
  drop_at: float,
  drop_factor: float,
  clip_norm: float | None,
) -> optax.GradientTransformation:
  """Adam whose rate drops once (appendix C).

  Args:
    num_steps: of the training.
    learning_rate: until the drop.
    drop_at: part of the steps before it, in [0, 1].
    drop_factor: what the rate is multiplied by.
    clip_norm: as `train.make_optimizer` takes it.

  Raises:
    ValueError: for a drop outside the training.
  """
  if not 0 <= drop_at <= 1:
    raise ValueError(f"outer.drop_at must lie in [0, 1], got {drop_at}.")
  drops = {round(drop_at * num_steps): drop_factor}
  schedule = optax.piecewise_constant_schedule(learning_rate, drops)
  return train.make_optimizer(schedule, clip_norm=clip_norm)


@build.of_config()
def make_problem(
  config: build.Section, params: PyTree | None = None
) -> build.Problem:
  """Objective, optimiser and initial state.

  Args:
    config: the whole config.
    params: where training begins; None draws them.
  """
  model = make_model(config)
  optimizer = make_optimizer(**config["outer"])
  objective = rate_distortion.rate_distortion(
    model, as_images, beta=config["beta"]
  )

  def start(key: Array) -> train.TrainState:
    init_key, train_key = jax.random.split(key)
    drawn = model.init(init_key) if params is None else params
    return train.init_state(train_key, drawn, optimizer)

  # As one program: operation by operation it would be compiled for long.
  state = jax.jit(start)(jax.random.key(config["seed"]))
  return build.Problem(objective, optimizer, state)


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the images of a split, by name.
    trained_in: the working folder whose checkpoint is evaluated and exported;
      None is this run's own.
    make_start: the codec that training begins from, or None; None: there is
      none.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], data.ImageSource]
  trained_in: pathlib.Path | None = None
  make_start: Callable[[], hyperprior_codec.HyperpriorCodec | None] | None = (
    None
  )

  def meta_learn(self) -> None:
    """Trains on random crops, from the newest checkpoint if there is one."""
    training.fit(
      self.config,
      self.workdir,
      make_problem(self.config, self._first_params()),
      self._crops("train", **self.config["data"]["pipeline"]),
      evaluate_fn=self._validation(),
      shown=("loss", "psnr", "rate"),
    )

  def measure(self) -> None:
    """Writes and prints rates and distortions of files of the test images."""
    source, count = self.load("test"), self.config["evaluate"]["num_images"]
    count = min(len(source), count or len(source))
    record = evaluate_images(self.codec(), [source[i] for i in range(count)])
    training.write_record(self.workdir, record)
    if parallel.is_primary():
      print(evaluation.table(record["quantised"]), end="")

  def write_model(self) -> None:
    """Writes the model file that `inrjax compress --model` takes."""
    path = self.workdir / "model.inrmodel"
    codec = self.codec()
    if parallel.is_primary():
      codec.save(path)
      print(f"Wrote {path}: {path.stat().st_size / 1e6:.2f} MB.")

  def codec(self) -> hyperprior_codec.HyperpriorCodec:
    """The codec of what was trained."""
    like = make_problem(self.config).state
    state = training.trained(self.config, self.workdir, like, self.trained_in)
    return hyperprior_codec.HyperpriorCodec(
      make_model(self.config).network.config,
      jax.device_get(state.params),
      card={"config": dict(self.config), "steps": int(state.step)},
    )

  def _first_params(self) -> PyTree | None:
    """Where training begins; None is a draw.

    Raises:
      ConfigError: for a codec of other widths.
    """
    start = self.make_start() if self.make_start is not None else None
    if start is None:
      return None
    wanted = make_model(self.config).network.config
    if start.config != wanted:
      raise build.ConfigError(
        f"The model to begin from has {start.config}, section network asks for "
        f"{wanted}: give another model, or its widths."
      )
    return start.params

  def _crops(self, split: str, **settings: Any) -> Any:
    return data.make_pipeline(
      self.load(split),
      seed=self.config["seed"],
      crop_size=self.config["signal"]["side"],
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **settings,
    )

  def _validation(self) -> Callable[[train.TrainState], dict[str, float]]:
    """Rate and distortion of held-out crops, all latents rounded."""
    count = self.config["evaluate"]["num_validation_crops"]
    source, side = self.load("validation"), self.config["signal"]["side"]
    batches = data.make_pipeline(
      source, seed=self.config["seed"], crop_size=side, batch_size=1
    )
    crops = np.concatenate([next(batches) for _ in range(count)])
    model, beta = make_model(self.config), self.config["beta"]

    @jax.jit
    def terms(params: PyTree, crop: Array) -> rate_distortion.Terms:
      images = as_images(crop[None])
      latents = model.analyse(params, images)
      return model.terms(None, params, latents, images)

    def validation(state: train.TrainState) -> dict[str, float]:
      found = [jax.device_get(terms(state.params, crop)) for crop in crops]
      mse, rate = np.mean([(t.distortion, t.rate) for t in found], axis=0)
      return {
        "validation_loss": float(beta * rate + mse),
        "validation_psnr": float(
          np.mean([-10 * np.log10(t.distortion) for t in found])
        ),
        "validation_rate": float(rate),
      }

    return validation


def evaluate_images(
  codec: hyperprior_codec.HyperpriorCodec, images: Sequence[np.ndarray]
) -> evaluation.Record:
  """Compresses every image into a file of its own, decodes and measures it.

  Args:
    codec: with a trained model.
    images: `[H, W, C]` uint8 each.

  Returns:
    The record of an evaluation. "num_modulations" are latents of an image, and
    "num_bits" those of the samples. "nominal_bpp" is the rate of files, in
    bytes that were written; "computed_bpp" is that of latents under their
    tables, and what is in "unquantised" comes of latents that are not rounded.
  """
  plain = _without_rounding(codec)
  files = [codec.compress(image) for image in images]
  decoded = [codec.decompress(file) for file in files]
  pixels = [image.shape[0] * image.shape[1] for image in images]
  bits = [codec.rates(file)[0].estimated_bits for file in files]
  counts = [codec.symbols(file)[0].size for file in files]
  return {
    "num_modulations": metrics.mean([float(n) for n in counts]),
    "num_images": len(images),
    "unquantised": [
      evaluation.quality(images, [plain(image) for image in images])
    ],
    "quantised": [
      {
        "num_bits": 8,
        "nominal_bpp": metrics.mean(
          [8 * len(f) / n for f, n in zip(files, pixels, strict=True)]
        ),
        "computed_bpp": metrics.mean(
          [b / n for b, n in zip(bits, pixels, strict=True)]
        ),
      }
      | evaluation.quality(images, decoded)
    ],
    "images": [
      {"bytes": len(f), "psnr": metrics.psnr(image, out)}
      for f, image, out in zip(files, images, decoded, strict=True)
    ],
  }


def _without_rounding(
  codec: hyperprior_codec.HyperpriorCodec,
) -> Callable[[np.ndarray], np.ndarray]:
  """Images through analysis and synthesis."""
  network, params = hyperprior.make_hyperprior(codec.config), codec.params

  @jax.jit
  def through(params: PyTree, image: Array) -> Array:
    padded = hyperprior.pad(as_images(image[None]))
    latents = network.analysis.apply(params["analysis"], padded)
    decoded = network.synthesis.apply(params["synthesis"], latents)
    return hyperprior.crop(decoded, *image.shape[:2])[0]

  def decode(image: np.ndarray) -> np.ndarray:
    return metrics.as_uint8(np.asarray(through(params, image)))

  return decode
