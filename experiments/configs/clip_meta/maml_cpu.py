"""A small hyperprior meta-learned over small clips, for CPUs.

  python -m experiments.clip_meta
      --config=experiments/configs/clip_meta/maml_cpu.py:maml_1e-3
      --model=MODEL --data_dir=CLIPS --workdir=DIR
      --mode=train --mode=evaluate --mode=export

The part after the colon is the method, and beta, as in `maml.py`; the model
should be that of `configs/clic/hyperprior_cpu.py` of the same beta.
Hardware and time: one CPU core; maml six minutes (2.5 s a step), fomaml ten.
Measured here on photographs panned over and three clips, after 100 and 300
steps of adapting: maml is level with the same training without inner steps
(`--config.inner.num_steps=0`), fomaml behind the global model
(`docs/results/instance_adaptive.md`).
"""

from ml_collections import config_dict

from experiments.configs.clip_meta import maml

VARIANTS = maml.VARIANTS


def get_config(variant: str = "maml_1e-3") -> config_dict.ConfigDict:
  """What differs from `maml.py`, locked.

  Args:
    variant: the method, and beta.
  """
  config = maml.get_config(variant)
  with config.unlocked():
    config.signal.update(num_frames=4, side=144)
    config.inner.num_pixels = 30 * 144 * 176
    config.data.source.update(
      num_frames=8, size=(144, 176), stride=1, held_out=1
    )
    config.data.pipeline.update(batch_size=2, cache_bytes=2**30, read_threads=1)
    config.train.update(
      num_steps=140, checkpoint_every=20, log_every=10, evaluate_every=20
    )
    # Few steps: to zero, at twice the rate.
    config.outer.update(learning_rate=2e-5, schedule="cosine")
  return config
