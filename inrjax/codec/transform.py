"""Transform coding of fast parameters in the reconstruction's own metric.

As adapted, modulations are correlated with one another and not scaled to what
they do to the reconstruction. Let C be their covariance over the training set,
J the derivative of the reconstruction with respect to them and G = E[J^T J] /
(N C) its mean square per output value. The codec codes

  c = U^T G^(1/2) (phi - mu)

with U the eigenvectors of G^(1/2) C G^(1/2), by falling eigenvalue. In these
coordinates squared error is, to first order, the mean squared error of the
reconstruction, energy is concentrated in the leading ones, and one step size
serves all. Beyond the papers, which round each modulation on its own.
"""

from typing import NamedTuple

import numpy as np


class Transform(NamedTuple):
  """An affine map between fast parameters and codes, `L' <= L` of them.

  Attributes:
    mean: `[L]` mu.
    analysis: `[L', L]`, U^T G^(1/2).
    synthesis: `[L, L']`, G^(-1/2) U.
    deviation: `[L']` root mean square of every code over the training set.
  """

  mean: np.ndarray
  analysis: np.ndarray
  synthesis: np.ndarray
  deviation: np.ndarray


def mean_metric(jacobians: np.ndarray) -> np.ndarray:
  """G = E[J^T J] / (N C).

  Args:
    jacobians: `[B, N C, L]` derivatives at some training signals.

  Returns:
    `[L, L]`.
  """
  num_values = jacobians.shape[0] * jacobians.shape[1]
  flat = jacobians.reshape(num_values, -1)
  return flat.T @ flat / num_values


def fit(
  fast: np.ndarray,
  metric: np.ndarray,
  *,
  max_codes: int | None = None,
  energy_floor: float = 1e-7,
) -> Transform:
  """Fits the transform to adapted fast parameters of the training set.

  Args:
    fast: `[B, L]` adapted parameters.
    metric: `[L, L]` G.
    max_codes: most codes to keep; None for all with energy.
    energy_floor: codes whose variance, in mean squared error, is below this
      are dropped; 1e-7 is far below one 8-bit level.

  Returns:
    The transform.

  Raises:
    ValueError: if there are fewer than two signals, a value is not finite, or
      the metric is zero.
  """
  if len(fast) < 2 or not (
    np.isfinite(fast).all() and np.isfinite(metric).all()
  ):
    raise ValueError(
      f"The transform needs finite fast parameters of at least two signals, "
      f"got {fast.shape}; check that training converged."
    )
  if not np.any(metric):
    raise ValueError(
      f"The reconstruction does not depend on the {len(metric)} fast "
      "parameters; check that training converged and gates are open."
    )
  fast = fast.astype(np.float64)
  mean = fast.mean(axis=0)
  covariance = np.cov(fast, rowvar=False).reshape(fast.shape[1], -1)
  values, vectors = np.linalg.eigh(metric.astype(np.float64))
  # Directions the reconstruction does not see are dropped, not divided by.
  seen = values > 1e-9 * values.max()
  root = vectors[:, seen] * np.sqrt(values[seen])
  inverse = vectors[:, seen] / np.sqrt(values[seen])
  energy, axes = np.linalg.eigh(root.T @ covariance @ root)
  order = np.argsort(-energy)
  kept = order[energy[order] > energy_floor][:max_codes]
  if not len(kept):
    kept = order[:1]
  axes = axes[:, kept]
  return Transform(
    mean.astype(np.float32),
    (axes.T @ root.T).astype(np.float32),
    (inverse @ axes).astype(np.float32),
    np.sqrt(np.maximum(energy[kept], 0)).astype(np.float32),
  )


def analyse(transform: Transform, fast: np.ndarray) -> np.ndarray:
  """`[..., L]` fast parameters to `[..., L']` codes."""
  return (fast - transform.mean) @ transform.analysis.T


def synthesise(transform: Transform, codes: np.ndarray) -> np.ndarray:
  """`[..., L']` codes to `[..., L]` fast parameters."""
  return transform.mean + codes @ transform.synthesis.T
