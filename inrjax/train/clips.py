"""Adapting a codec's whole model to a clip while somebody waits for it."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
import optax

from inrjax.codec import hyperprior_codec
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.train import adaptation, loop, optimizer, parallel
from inrjax.train import step as step_lib

# How often the clip is measured on the way.
_MEASUREMENTS = 20

# Steps between two calls of `on_step`.
_STEPS_SHOWN = 10

# `(step, metrics)`, metrics being those of `adaptation.make_measure` and "bpp".
Report = Callable[[int, dict[str, float]], None]


class _Steps(NamedTuple):
  """A logger that passes on the steps alone."""

  on_step: Callable[[int], None]

  def log(self, step: int, metrics: Mapping[str, float]) -> None:
    del metrics
    self.on_step(step)

  def close(self) -> None:
    pass


def adapt_clip(
  codec: hyperprior_codec.HyperpriorCodec,
  frames: np.ndarray,
  batches: Iterator[np.ndarray],
  *,
  beta: float,
  num_steps: int,
  learning_rate: float = 1e-4,
  min_gain: float = 0.0,
  report: Report = lambda step, metrics: None,
  on_step: Callable[[int], None] = lambda step: None,
  seed: int = 0,
) -> adaptation.Best:
  """Full-model adaptation, measured twenty times on the way.

  Differs from the paper: its rate is constant, and its steps are 100,000. Of
  few steps the last ones have to be small: at a constant rate the RDM swings by
  more than it falls.

  An interrupt, a gain that is too small, and a loss that is not finite (with a
  `DivergedWarning`) end it with the best so far.

  Args:
    codec: of the global model.
    frames: `[T, H, W, C]` uint8.
    batches: of frames or crops of them `[B, h, w, C]` uint8, all of one size.
    beta: weight of the rates.
    num_steps: at most so many.
    learning_rate: of Adam, at first; it falls to zero over the steps.
    min_gain: percent of the RDM by which it has to fall in a minute.
    report: called after every measurement, and before the first step.
    on_step: called every ten steps.
    seed: of noise.

  Returns:
    The best model, for `adaptation.compress`.

  Raises:
    ValueError: for a number out of range.
  """
  if num_steps < 1 or not min_gain >= 0:
    raise ValueError(
      "num_steps must be at least 1 and min_gain not negative, got "
      f"{num_steps} and {min_gain}."
    )
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(codec.config))
  chosen = adaptation.of_model(
    model, codec.params, beta=beta, num_pixels=frames[..., 0].size
  )
  measure = adaptation.make_measure(chosen, codec.params, frames, beta=beta)
  best = adaptation.Best(measure, chosen.start, beta=beta)
  report(0, _with_bpp(best.measured))
  adam = optimizer.make_optimizer(
    optax.cosine_decay_schedule(learning_rate, num_steps)
  )
  step_fn, placement = parallel.make_single_step(chosen.objective, adam)
  state = step_lib.init_state(
    jax.random.key(seed), chosen.start, adam, carry=codec.params
  )
  segment = -(-num_steps // _MEASUREMENTS)
  for stop in range(segment, num_steps + segment, segment):
    stop = min(stop, num_steps)
    before, since = best.measured["rdm"], time.monotonic()
    try:
      state = loop.train(
        state,
        step_fn,
        batches,
        num_steps=stop,
        placement=placement,
        log_every=_STEPS_SHOWN,
        loggers=[_Steps(on_step)],
      )
    except loop.NonFiniteError as error:
      warnings.warn(
        f"{error} The best model before it is that of step {best.step}.",
        adaptation.DivergedWarning,
        stacklevel=2,
      )
      break
    report(int(state.step), _with_bpp(best.offer(state)))
    minutes = (time.monotonic() - since) / 60
    gain = 100 * (1 - best.measured["rdm"] / before)
    # The first segment compiles, and begins from rest.
    is_slow = stop > segment and gain < min_gain * minutes
    if int(state.step) < stop or is_slow:
      break
  return best


def _with_bpp(measured: dict[str, float]) -> dict[str, float]:
  return measured | {"bpp": measured["rate"] + measured["model_rate"]}
