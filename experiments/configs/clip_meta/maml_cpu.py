"""A small hyperprior meta-learned over a few clips, for two CPU cores.

  python -m experiments.clip_meta
      --config=experiments/configs/clip_meta/maml_cpu.py:fomaml_1e-3
      --model=MODEL --data_dir=CLIPS --workdir=DIR
      --mode=train --mode=evaluate --mode=export

The part after the colon is the method, and beta, as in `maml.py`; the model
should be that of `configs/clic/hyperprior_cpu.py` of the same beta.
Hardware and time: two CPU cores, half a minute a step of crops of 192.
Measured for 50 steps on three clips: of no use as it is (RDM 4.9e-3 after
adapting at step 20, 10.2e-3 at step 50). Four of its inner steps move a
parameter by up to 4e-3, more than half a bin: most changes are paid for.
"""

from ml_collections import config_dict

from experiments.configs.clip_meta import maml

VARIANTS = maml.VARIANTS


def get_config(variant: str = "fomaml_1e-3") -> config_dict.ConfigDict:
  """What differs from `maml.py`, locked.

  Args:
    variant: the method, and beta.
  """
  config = maml.get_config(variant)
  with config.unlocked():
    config.signal.update(num_frames=4, side=192)
    config.inner.update(num_steps=4, num_pixels=16 * 240 * 320)
    config.data.source.update(
      num_frames=24, size=(240, 320), stride=5, held_out=1, held_out_frames=4
    )
    config.data.pipeline.update(batch_size=2, cache_bytes=2**30, read_threads=1)
    config.train.update(
      num_steps=1000, checkpoint_every=100, log_every=10, evaluate_every=100
    )
    config.outer.learning_rate = 5e-5
  return config
