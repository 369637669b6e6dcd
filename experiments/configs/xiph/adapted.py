"""Full-model instance-adaptive compression (van Rozendaal et al., 2021).

  python -m experiments.xiph
      --config=experiments/configs/xiph/adapted.py:model_1e-3
      --model=MODEL --data_dir=XIPH_1080P --workdir=DIR
      --mode=train --mode=evaluate --mode=export
      [--config.data.source.clip=sunflower]

The part after the colon is what is adapted, and beta: 3e-3, 1e-3, 2.5e-4, 1e-4.

  model         all of it (I of figure 2c)
  unquantised   all of it, by unrounded changes (II)
  rate_unaware  all of it, whatever the change costs (III; in V what it costs
                is left out of what is reported, too)
  unaware       both (IV, and VI before rounding)
  encoder       the encoder alone
  latents       neither, but the clip's latents themselves

The paper starts `model` and its ablations from the global model of beta 1e-3
whatever the beta, `encoder` and `latents` from that of the same beta.
For appendix D give --config.data.source.stride=S --config.data.source.
num_frames=F, so that S F are the clip's frames; 1, 500 to 500, 1.
Hardware and time: one GPU; 100000 steps, not timed.
Published: about 1 dB over the encoder alone (figure 2a). Not measured here.
"""

import itertools

from ml_collections import config_dict

section = config_dict.create

# What of the model, how its change is rounded, its rate while it is learned.
_CASES = {
  "model": ("model", "rounded", "continuous"),
  "unquantised": ("model", "none", "continuous"),
  "rate_unaware": ("model", "rounded", "none"),
  "unaware": ("model", "none", "none"),
  "encoder": ("encoder", "rounded", "continuous"),
  "latents": ("latents", "rounded", "continuous"),
}
# Section 4.3: rate of direct latent optimisation by beta.
_LATENT_RATES = {"3e-3": 5e-4, "1e-3": 5e-4, "2.5e-4": 1e-3, "1e-4": 1e-3}
VARIANTS = tuple(
  f"{case}_{beta}" for case, beta in itertools.product(_CASES, _LATENT_RATES)
)


def get_config(variant: str = "model_1e-3") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: what is adapted, and beta.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  case, _, beta = variant.rpartition("_")
  part, quantise, rate = _CASES[case]
  rates = {"model": 1e-4, "encoder": 1e-6, "latents": _LATENT_RATES[beta]}
  config = config_dict.ConfigDict()
  config.seed = 0
  config.beta = float(beta)  # Of bits per pixel; errors are of [0, 1].
  config.adapt = section(
    part=part,  # "model", "encoder" or "latents"; see `ablations.py` for more.
    quantise=quantise,  # The change, while it is learned; or "none".
    rate=rate,  # Of the change; or "discrete", "none".
    learn_scales=False,  # Not in the paper: a slab for every tensor.
  )
  config.prior = section(
    bin_width=0.005,  # t
    slab=0.05,  # sigma
    spike_weight=1000.0,  # alpha
  )
  config.data = section(
    source=section(
      clip="sunflower",  # Of table 2; None: --data_dir is the clip.
      start=0,  # Its first frame.
      # Frames from one to the next; None: two a second of table 2's clips.
      stride=config_dict.placeholder(int),
      num_frames=config_dict.placeholder(int),  # None: to the end.
      size=config_dict.placeholder(tuple),  # Height and width to resize to.
    ),
    batches=section(
      batch_size=1,  # Frames of a step.
      # Side of the piece of it that a step sees; None for all of it.
      crop_side=config_dict.placeholder(int),
      read_threads=1,
    ),
  )
  config.train = section(
    # A step on latents sees all frames, so there are fewer: 34 on average.
    num_steps=3_000 if part == "latents" else 100_000,
    checkpoint_every=1000,
    keep_checkpoints=2,
    log_every=50,
    evaluate_every=100 if part == "latents" else 500,  # As in figure 2b.
    on_nonfinite="stop",  # And keep the best before.
  )
  config.outer = section(
    learning_rate=rates[part],  # Adam.
    schedule="constant",  # Or "cosine", to zero.
  )
  if part != "model":
    without_update(config)
  if part == "latents":
    del config.data.batches  # A step sees all frames.
  return config.lock()


def without_update(config: config_dict.ConfigDict) -> None:
  """Leaves out what says how the receiver changes; unlocked, in place.

  Args:
    config: of this module.
  """
  del config.prior
  for name in ("quantise", "rate", "learn_scales"):
    del config.adapt[name]
