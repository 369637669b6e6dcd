"""A gradient of the objective of `clip_meta`, with two kinds of convolution.

MAML over clips: a small hyperprior is adapted to crops of each clip in an inner
loop, and what comes after is differentiated. XLA's convolution, as JAX
differentiates it, against `networks.convolution`.
"""

import argparse
from collections.abc import Sequence
from unittest import mock

import jax
import numpy as np

from benchmarks import classifier, turns
from experiments import hyperprior
from inrjax.adapt import gradient, links
from inrjax.meta import meta_adaptive
from inrjax.networks import convolution
from inrjax.networks import hyperprior as networks
from inrjax.quantize import spike_and_slab
from inrjax.types import Array, PyTree

PLAIN, OURS = "XLA's convolution", "inrjax"
# Of the loss, and of its gradient: rates sum over some ten thousand latents.
TOLERANCE = 1e-3, 1e-2
_BETA = 1e-3
_GRADIENTS = {
  "first_order": (gradient.first_order, links.adam(1e-5)),
  "mixed_mode": (gradient.mixed_mode, links.sgd(0.01)),
}


def plain(x: Array, w: Array, stride: int = 1) -> Array:
  """`convolution.convolve`, with the gradient that JAX derives."""
  reach = w.shape[0] // 2
  return jax.lax.conv_general_dilated(
    x,
    w,
    (stride, stride),
    ((reach, reach), (reach, reach)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


def programs(
  network: networks.HyperpriorConfig,
  *,
  clips: int,
  frames: int,
  side: int,
  steps: int,
  kind: str,
) -> dict[str, turns.Program]:
  """The loss and its gradient, compiled for each convolution.

  Args:
    network: the widths.
    clips: in a batch.
    frames: of each clip.
    side: of the crops.
    steps: within.
    kind: of the inner gradient, a name of `_GRADIENTS`.
  """
  gradient_fn, link = _GRADIENTS[kind]
  model = hyperprior.model_of(network)
  params = jax.jit(model.init)(jax.random.key(0))
  shape = (clips, frames, side, side, 3)
  batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

  def objective(params: PyTree, batch: Array) -> Array:
    adapt = meta_adaptive.make_adapt(
      model,
      link,
      beta=_BETA,
      frame_shape=(side, side, 3),
      num_pixels=frames * side**2,
      prior=spike_and_slab.SpikeAndSlab(
        bin_width=0.005, slab=0.05, spike_weight=1000.0
      ),
      num_steps=steps,
      gradient=gradient_fn,
    )
    of_clips = meta_adaptive.post_adaptation(lambda _: adapt)
    images = hyperprior.as_images(batch)
    return of_clips(jax.random.key(0), params, None, images)[0]

  step = jax.value_and_grad(objective)
  with mock.patch.object(convolution, "convolve", plain):
    found = {PLAIN: turns.program(step, params, batch)}
  # Under another name: what has been traced would be taken again.
  found[OURS] = turns.program(lambda p, b: step(p, b), params, batch)
  return found


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures both."""
  parser = argparse.ArgumentParser("clip_meta_step", description=__doc__)
  parser.add_argument("--clips", type=int, default=2)
  parser.add_argument("--frames", type=int, default=4, help="of a clip")
  parser.add_argument("--side", type=int, default=128, help="of the crops")
  parser.add_argument("--steps", type=int, default=4, help="within")
  parser.add_argument("--kind", choices=_GRADIENTS, default="first_order")
  parser.add_argument("--rounds", type=int, default=turns.ROUNDS)
  args = vars(parser.parse_args(arguments))
  rounds = args.pop("rounds")
  print(f"clip_meta_step: {args}", flush=True)
  sides = programs(networks.small(), **args)
  if rounds:
    one, other = (side.run() for side in sides.values())
    for part, tolerance in enumerate(TOLERANCE):
      classifier.check_same(one[part], other[part], tolerance=tolerance)
  seen = turns.take_turns(sides, rounds=rounds)
  print(turns.table(seen, PLAIN))
  turns.publish(turns.record("clip_meta_step", OURS, PLAIN, seen) | args)


if __name__ == "__main__":
  main()
