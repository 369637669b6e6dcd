"""A global hyperprior codec: `--data_dir`, or TFDS (CLIC), or bundled.

The test is on `--kodak_dir`, or on two photographs bundled with scikit-image.
Training begins anew, or from the model file `--begin_from`, of whatever beta.
"""

import functools

from absl import flags

from experiments import hyperprior, kodak, launch, xiph
from inrjax import codec

_BEGIN_FROM = flags.DEFINE_string(
  "begin_from", None, "A trained model's file that training begins from."
)

load = kodak.load


def begin_from() -> codec.HyperpriorCodec | None:
  """The codec of `--begin_from`, or None."""
  if _BEGIN_FROM.value is None:
    return None
  return xiph.hyperprior_of(_BEGIN_FROM.value)


if __name__ == "__main__":
  launch.main(load, functools.partial(hyperprior.Run, make_start=begin_from))
