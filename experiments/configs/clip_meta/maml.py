"""A hyperprior meta-learned to adapt to a clip in few steps; not in the paper.

  python -m experiments.clip_meta
      --config=experiments/configs/clip_meta/maml.py:maml_1e-3
      --model=MODEL --data_dir=CLIPS --workdir=DIR
      --mode=train --mode=evaluate --mode=export

The part after the colon is the method, and beta: 3e-3, 1e-3, 2.5e-4, 1e-4.

  fomaml  Adam within, as in adapting; its steps are constants to the outer
          gradient
  maml    gradient descent within, differentiated through

What is exported goes to `experiments.xiph --model`; what counts is how far that
gets in a few hundred steps, from here and from where training started:
--config.train.num_steps=300.
Hardware and time: one GPU; not timed.
Published: nothing. Not measured here.
"""

import itertools

from ml_collections import config_dict

section = config_dict.create

# How the outer gradient sees the inner steps, the link, its rate, the steps: 50
# of 1e-4 reach one bin of a change.
_METHODS = {
  "fomaml": ("first_order", "adam", 1e-4, 50),
  "maml": ("mixed_mode", "sgd", 0.02, 8),
}
VARIANTS = tuple(
  f"{method}_{beta}"
  for method, beta in itertools.product(
    _METHODS, ("3e-3", "1e-3", "2.5e-4", "1e-4")
  )
)


def get_config(variant: str = "maml_1e-3") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: the method, and beta.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  method, _, beta = variant.rpartition("_")
  gradient, link, rate, num_steps = _METHODS[method]
  config = config_dict.ConfigDict()
  config.seed = 0
  config.beta = float(beta)  # Of bits per pixel; errors are of [0, 1].
  config.signal = section(
    num_frames=8,  # One after the other; all are measured after adapting.
    side=256,  # Pixels; a random crop of these frames.
  )
  config.inner = section(
    num_steps=num_steps,
    frames_per_step=1,
    gradient=gradient,  # Or "mixed_mode", "first_order".
    link=link,  # Or "adam", "sgd".
    learning_rate=rate,
    quantise="rounded",  # The change; or "none".
    # Of the clips that are adapted to, by which the change's bits are shared.
    num_pixels=34 * 1080 * 1920,
  )
  config.prior = section(
    bin_width=0.005,  # t
    slab=0.05,  # sigma
    spike_weight=1000.0,  # alpha
  )
  config.train = section(
    num_steps=20_000,
    checkpoint_every=1000,
    keep_checkpoints=2,
    log_every=50,
    evaluate_every=1000,
    on_nonfinite="restore",  # Back to the last checkpoint. Or "stop".
  )
  config.outer = section(
    learning_rate=1e-5,  # Adam.
    schedule="constant",  # Or "cosine", to zero.
    clip_norm=1.0,
    task_tile=1,  # Clips at a time.
  )
  config.data = section(
    source=section(
      num_frames=16,  # Of a clip; of 181 frames, with this stride.
      size=(1080, 1920),  # Height and width to resize to.
      start=0,
      stride=12,  # Frames from one to the next.
      held_out=4,  # Clips for validation.
      # Of each of them.
      held_out_frames=config.signal.get_ref("num_frames"),
    ),
    pipeline=section(
      batch_size=8,  # Clips.
      cache_bytes=2**34,  # Decoded clips kept in memory.
      read_threads=4,
    ),
  )
  return config.lock()
