"""What the configs of speech have in common."""

from ml_collections import config_dict

from experiments.configs import grids

# C.3.5: latent and patch size, and steps of 64 patches.
NUM_STEPS = {
  "128-1600": 445000,
  "128-800": 445000,
  "128-400": 445000,
  "128-200": 445000,
  "256-200": 890000,
}
# Values stored per patch, on two cores.
SMALL = ("16", "32", "64")


def num_values(variant: str) -> int:
  """Values stored per patch of a variant of `NUM_STEPS`.

  Raises:
    ValueError: for another variant.
  """
  if variant not in NUM_STEPS:
    raise ValueError(f"variant {variant!r} is not one of {[*NUM_STEPS]}")
  return int(variant.split("-")[0])


def of_utterances(config: config_dict.ConfigDict, variant: str) -> None:
  """LibriSpeech in patches (COIN++, C.3.5).

  Args:
    config: of `grids.base`, changed in place, unlocked.
    variant: a key of `NUM_STEPS`.
  """
  config.signal = grids.section(
    kinds=("audio",),
    sides=(int(variant.split("-")[1]),),  # Samples of a block.
    low=-5.0,  # Where coordinates start,
    high=5.0,  # and end.
    sample_rate=16000,
  )
  config.data.source = grids.section(
    seconds=3.0,  # From the start of each utterance.
    rate=16000,
    # Training utterances for validation. 0: all 28,539 are trained on, and
    # validation is measured on the first of the test utterances.
    held_out=0,
    tfds="librispeech",  # Where there is no --data_dir.
  )
  config.data.pipeline.batch_size = 64
  config.train.num_steps = NUM_STEPS[variant]
  config.outer.learning_rate = 1e-6


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """130 utterances in patches of 200 samples.

  Args:
    config: of `of_utterances`, locked.
    variant: number of values stored per patch, of `SMALL`.
  """
  if variant not in SMALL:
    raise ValueError(f"variant {variant!r} is not one of {[*SMALL]}")
  grids.shrink(config, variant)
  with config.unlocked():
    config.signal.sides = (200,)
    config.data.source.update(held_out=10, tfds=config_dict.placeholder(str))
    config.data.pipeline.update(batch_size=64, crops_per_image=16)
    config.network.w0 = 30.0
    config.train.num_steps = 1000
    config.outer.task_tile = 32
