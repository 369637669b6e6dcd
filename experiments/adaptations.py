"""What of a codec is adapted to a clip, and how, as a config says."""

import numpy as np
import optax

from experiments import build, hyperprior
from inrjax import codec as codec_lib
from inrjax import train
from inrjax.meta import instance_adaptive, rate_distortion
from inrjax.quantize import spike_and_slab
from inrjax.train import adaptation, gated_adaptation
from inrjax.types import PyTree

QUANTIZERS = {
  "rounded": spike_and_slab.quantize_tree,
  "none": instance_adaptive.unquantized,
}
RATES = {
  "continuous": spike_and_slab.continuous_bits,
  "discrete": spike_and_slab.rounded_bits,
  "none": None,
}


@build.of_config()
def make_adaptation(
  config: build.Section,
  codec: codec_lib.HyperpriorCodec,
  frames: np.ndarray,
  prior: spike_and_slab.SpikeAndSlab,
) -> adaptation.Adaptation:
  """One way of adapting (sections `adapt` and, with gates, `gates`).

  Args:
    config: the whole config.
    codec: of the global model.
    frames: `[T, H, W, C]` uint8.
    prior: of the change.
  """
  settings, beta = config["adapt"], config["beta"]
  model, params = hyperprior.model_of(codec.config), codec.params
  rate_distortion.check_beta(beta)
  of_all = {
    "beta": beta,
    "num_pixels": frames[..., 0].size,
    "prior": prior,
  }

  def of_model() -> adaptation.Adaptation:
    return adaptation.of_model(
      model,
      params,
      quantize_fn=build.choose(
        QUANTIZERS, settings["quantise"], "adapt.quantise"
      ),
      rate_fn=build.choose(RATES, settings["rate"], "adapt.rate"),
      learn_scales=settings["learn_scales"],
      **of_all,
    )

  def of_decoder() -> adaptation.Adaptation:
    whole = of_model()
    # The transmitter is left as it is: nothing of it is learned.
    return whole._replace(start=whole.start | {"transmitter": {}})

  parts = {
    "model": of_model,
    "gates": lambda: gated_adaptation.of_gated_model(
      model, params, log_alpha=config["gates"]["log_alpha"], **of_all
    ),
    "decoder": of_decoder,
    # Learns nothing: what the global model alone takes.
    "none": lambda: adaptation.of_encoder(model, params, beta=beta),
    "encoder": lambda: adaptation.of_encoder(model, params, beta=beta),
    "latents": lambda: adaptation.of_latents(model, params, frames, beta=beta),
  }
  made: adaptation.Adaptation = build.choose(
    parts, settings["part"], "adapt.part"
  )()
  return made


@build.of_config()
def make_optimizer(
  config: build.Section, start: PyTree
) -> optax.GradientTransformation:
  """Adam (section `outer`), faster for gates (section `gates`)."""
  outer = config["outer"]
  rate = build.rate_by_step(
    outer["schedule"], outer["learning_rate"], config["train"]["num_steps"]
  )
  if "gates" not in config:
    return train.make_optimizer(rate)
  return gated_adaptation.make_optimizer(
    start, rate_factor=config["gates"]["rate_factor"], learning_rate=rate
  )
