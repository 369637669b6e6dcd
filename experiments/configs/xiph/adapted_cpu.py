"""A small hyperprior adapted to a clip or folder of frames, for two CPU cores.

  python -m experiments.xiph
      --config=experiments/configs/xiph/adapted_cpu.py:model_1e-3
      --model=MODEL --data_dir=CLIP --workdir=DIR
      --mode=train --mode=evaluate --mode=export

The part after the colon is what is adapted, and beta, as in `adapted.py`; the
model should be that of `configs/clic/hyperprior_cpu.py` of the same beta.
Hardware and time: two CPU cores, minutes; longer is better:
--config.train.num_steps=20000. Of a long clip, some frames:
--config.data.source.num_frames=16 --config.data.source.stride=5.
Measured here: `docs/results/instance_adaptive.md`.
"""

from ml_collections import config_dict

from experiments.configs.xiph import adapted

VARIANTS = adapted.VARIANTS


def get_config(variant: str = "model_1e-3") -> config_dict.ConfigDict:
  """What differs from `adapted.py`, locked.

  Args:
    variant: what is adapted, and beta.
  """
  config = adapted.get_config(variant)
  with config.unlocked():
    config.data.source.clip = config_dict.placeholder(str)
    # Whole frames, as in the paper: of crops the zeros around them are a large
    # part, and what is learned of these makes frames dearer.
    latents = config.adapt.part == "latents"
    if not latents:
      config.data.batches.update(batch_size=1, read_threads=0)
    config.train.update(
      num_steps=100 if latents else 2500,
      checkpoint_every=100 if latents else 250,
      log_every=10,
      evaluate_every=10 if latents else 250,
    )
    # Higher rates make up for some of the missing steps.
    factors = {"encoder": 100.0, "latents": 10.0}
    config.outer.learning_rate *= factors.get(config.adapt.part, 1.0)
    # At a constant rate RDM swings by more than few steps bring.
    config.outer.schedule = "cosine"
  return config
