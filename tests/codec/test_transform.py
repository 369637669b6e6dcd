"""The affine map to codes in the reconstruction's own metric."""

import numpy as np
import pytest

from inrjax.codec import transform

NUM_FAST = 6


def problem(seed=0, rank=NUM_FAST, num=200):
  """Correlated fast parameters, and a linear reconstruction of rank `rank`."""
  rng = np.random.default_rng(seed)
  mixing = rng.normal(size=(NUM_FAST, NUM_FAST))
  fast = rng.normal(size=(num, NUM_FAST)) @ mixing + rng.normal(size=NUM_FAST)
  jacobian = rng.normal(size=(30, rank)) @ rng.normal(size=(rank, NUM_FAST))
  return fast, jacobian


def fitted(fast, jacobian, **options):
  return transform.fit(fast, transform.mean_metric(jacobian[None]), **options)


def test_the_metric_is_the_mean_of_the_outer_products():
  jacobians = np.random.default_rng(0).normal(size=(3, 5, 2))
  expected = np.mean(
    [np.outer(row, row) for j in jacobians for row in j], axis=0
  )
  # fails if it is divided by the signals, or the values, alone.
  np.testing.assert_allclose(transform.mean_metric(jacobians), expected)


def test_squared_error_of_codes_is_that_of_the_reconstruction():
  fast, jacobian = problem()
  mapping = fitted(fast, jacobian)
  codes = transform.analyse(mapping, fast)
  noise = np.random.default_rng(1).normal(size=codes.shape)
  moved = transform.synthesise(mapping, codes + noise)
  error = np.mean(np.square((moved - fast) @ jacobian.T), axis=1)
  # fails if G^(1/2) is G, or is left out of one of the two directions.
  np.testing.assert_allclose(error, np.square(noise).sum(axis=1), rtol=1e-3)


def test_of_a_curved_reconstruction_it_is_so_to_first_order():
  fast, jacobian = problem()
  centre = fast.mean(axis=0)
  curved = lambda phi: np.sin((phi - centre) @ jacobian.T)  # noqa: E731
  mapping = fitted(fast, jacobian)
  direction = np.random.default_rng(2).normal(size=(1, NUM_FAST))
  code = transform.analyse(mapping, centre[None])
  ratios = []
  for size in (1e-1, 1e-2):
    moved = transform.synthesise(mapping, code + size * direction)
    error = np.mean(np.square(curved(moved) - curved(centre[None])))
    ratios.append(error / np.square(size * direction).sum())
  assert abs(ratios[1] - 1) < 1e-2 < abs(ratios[0] - 1)


def test_codes_are_centred_decorrelated_and_in_order():
  fast, jacobian = problem()
  mapping = fitted(fast, jacobian)
  codes = transform.analyse(mapping, fast)
  covariance = np.cov(codes, rowvar=False)
  variance = np.diag(covariance)
  # fails if the axes are those of C or of G alone.
  np.testing.assert_allclose(
    covariance, np.diag(variance), atol=1e-4 * variance.max()
  )
  np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-3)
  np.testing.assert_allclose(mapping.deviation**2, variance, rtol=1e-3)
  # fails if they rise.
  assert (np.diff(mapping.deviation) < 0).all()


@pytest.mark.parametrize("rank", [1, 3, NUM_FAST])
def test_synthesis_inverts_analysis_where_the_reconstruction_sees(rank):
  fast, jacobian = problem(rank=rank)
  mapping = fitted(fast, jacobian)
  # fails if directions that nobody sees are coded, or divided by.
  assert mapping.analysis.shape == (rank, NUM_FAST)
  np.testing.assert_allclose(
    mapping.analysis @ mapping.synthesis, np.eye(rank), atol=1e-4
  )
  again = transform.synthesise(mapping, transform.analyse(mapping, fast))
  np.testing.assert_allclose(
    again @ jacobian.T, fast @ jacobian.T, rtol=1e-3, atol=1e-3
  )


def test_codes_without_energy_are_dropped():
  fast, jacobian = problem()
  variance = np.square(fitted(fast, jacobian).deviation)
  floor = float(np.sqrt(variance[2] * variance[3]))
  # fails if the floor is compared with deviations.
  assert len(fitted(fast, jacobian, energy_floor=floor).deviation) == 3
  shorter = fitted(fast, jacobian, max_codes=2)
  np.testing.assert_allclose(shorter.deviation**2, variance[:2], rtol=1e-5)
  assert shorter.analysis.shape == (2, NUM_FAST)
  assert shorter.synthesis.shape == (NUM_FAST, 2)


def test_parameters_that_never_vary_take_one_code_that_is_zero():
  _, jacobian = problem()
  fast = np.tile(np.arange(NUM_FAST, dtype=np.float32), (5, 1))
  mapping = fitted(fast, jacobian)
  codes = transform.analyse(mapping, fast)
  assert codes.shape == (5, 1)
  np.testing.assert_allclose(codes, 0, atol=1e-5)
  np.testing.assert_allclose(transform.synthesise(mapping, codes), fast)


def test_a_single_parameter_is_scaled_by_its_effect():
  fast = np.array([[1.0], [2.0], [4.0]])
  mapping = fitted(fast, np.full((10, 1), 3.0))
  np.testing.assert_allclose(np.abs(mapping.analysis), [[3]], rtol=1e-6)


@pytest.mark.parametrize(
  ("fast", "metric"),
  [
    (np.zeros((1, 2)), np.eye(2)),
    (np.array([[0.0, np.nan], [1.0, 1.0]]), np.eye(2)),
    (np.zeros((3, 2)), np.full((2, 2), np.inf)),
    # fails if no code is left and the context model is made for none.
    (np.ones((3, 2)), np.zeros((2, 2))),
    (np.zeros((3, 0)), np.zeros((0, 0))),
  ],
)
def test_what_cannot_be_transformed_is_refused(fast, metric):
  with pytest.raises(ValueError, match="check that training converged"):
    transform.fit(fast, metric)
