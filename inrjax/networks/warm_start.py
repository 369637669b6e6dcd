"""Starts a network's basis from the principal components of the data.

Where the readout is modulated, a network with zero shifts is a linear codec:
its reconstructions are combinations of the basis functions of the coordinates.
The best such functions are known, the principal components of the training
signals, and fitting a SIREN to a few hundred of them is a regression that takes
seconds; meta-learning then starts from there and bends them. Not in the papers,
which start from Sitzmann's initialisation.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax.networks import network as network_lib
from inrjax.networks import siren
from inrjax.types import Array, PyTree


def principal_components(values: np.ndarray, num_components: int) -> np.ndarray:
  """Leading eigenfunctions of the covariance between points.

  Args:
    values: `[B, N, C]` training signals; the channels count as signals.
    num_components: K, at most N.

  Returns:
    `[N, K]` float32, orthogonal, each with mean square 1 over the points.

  Raises:
    ValueError: if more components are asked for than there are points, or
      signals.
  """
  num_points = values.shape[1]
  if not 1 <= num_components <= num_points:
    raise ValueError(
      f"num_components must lie in [1, {num_points}], the number of points; "
      f"got {num_components}."
    )
  rows = np.moveaxis(values, 2, 1).reshape(-1, num_points).astype(np.float64)
  if num_components > len(rows):
    raise ValueError(
      f"{len(rows)} signals have at most {len(rows)} principal components, got "
      f"num_components {num_components}."
    )
  rows = rows - rows.mean()
  if len(rows) < num_points:  # The same eigenvectors, by the smaller matrix.
    _, vectors = np.linalg.eigh(rows @ rows.T)
    leading = np.linalg.qr(rows.T @ vectors[:, ::-1][:, :num_components])[0]
  else:
    _, vectors = np.linalg.eigh(rows.T @ rows)
    leading = vectors[:, ::-1][:, :num_components]
  # The sign of an eigenvector is the solver's; fix it.
  largest = np.take_along_axis(
    leading, np.abs(leading).argmax(axis=0)[None], axis=0
  )
  leading = leading * np.sign(largest)
  return (leading * np.sqrt(num_points)).astype(np.float32)


def fit_basis(
  network: network_lib.Network,
  params: PyTree,
  coords: Array,
  targets: Array,
  *,
  num_steps: int = 2000,
  learning_rate: float = 1e-3,
) -> tuple[PyTree, Array]:
  """Fits the outputs of the basis layer to given functions of the coordinates.

  The sine layers are trained by Adam; the basis layer is solved by least
  squares inside each step (variable projection), which converges far faster
  than training it as well.

  Args:
    network: a SIREN with `basis_dim` K and a modulated readout.
    params: its parameters.
    coords: `[N, D]` coordinates.
    targets: `[N, K]` values the basis should take there.
    num_steps: Adam steps.
    learning_rate: their rate, with cosine decay.

  Returns:
    The parameters, with readout weights zero, and the mean squared error left
    (`[]`, relative to targets of mean square 1).

  Raises:
    ValueError: if the network has no basis layer of that size.
  """
  if "basis" not in params or params["basis"]["w"].shape[1] != targets.shape[1]:
    raise ValueError(
      f"The targets are {targets.shape[1]} functions; the network needs a "
      "basis layer of that size (basis_dim)."
    )
  width = params["basis"]["w"].shape[0]
  # The ridge keeps the weights, and with them the sensitivity to shifts, small.
  ridge = 1e-4 * coords.shape[0] * jnp.eye(width)

  def solve(body: PyTree) -> tuple[Array, tuple[Array, Array]]:
    h = network.features(params | body, coords)
    gram = h.T @ h + ridge
    weights = jnp.linalg.solve(gram, h.T @ targets)
    error = jnp.mean(jnp.square(h @ weights - targets))
    return error, (weights, error)

  optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, num_steps))

  @jax.jit
  def step(body: PyTree, state: optax.OptState) -> tuple[PyTree, PyTree]:
    grads = jax.grad(lambda p: solve(p)[0])(body)
    updates, state = optimizer.update(grads, state)
    return optax.apply_updates(body, updates), state

  trained = {k: v for k, v in params.items() if k not in ("basis", "~")}
  state = optimizer.init(trained)
  for _ in range(num_steps):
    trained, state = step(trained, state)
  _, (weights, error) = jax.jit(solve)(trained)
  readout = params["~"] | {"w": jnp.zeros_like(params["~"]["w"])}
  return params | trained | {"basis": {"w": weights}, "~": readout}, error


def principal_start(
  config: siren.SirenConfig,
  params: PyTree,
  coords: Array,
  values: np.ndarray,
  *,
  num_steps: int = 1000,
  shift_factor: float = 0.01,
) -> PyTree:
  """Parameters whose linear part is the best linear codec of some signals.

  The basis is fitted to the principal components, the readout's bias is the
  mean value, and a latent, where the network has one, becomes the vector of the
  leading principal coordinates: latent k changes the reconstruction by a
  pattern of mean square 1, and patterns are orthogonal, so an inner rate of 1/2
  is a Newton step.

  Args:
    config: the network's shape, with `basis_dim` and a modulated readout.
    params: freshly initialised parameters.
    coords: `[N, D]` coordinates.
    values: `[B, N, C]` training signals.
    num_steps: steps of the fit of the basis.
    shift_factor: the latent map's weights to other modulations are multiplied
      by this, so that the linear part leads at the start.

  Returns:
    The parameters.

  Raises:
    ValueError: if the network has no basis layer, no modulated readout, a
      latent map that is not linear, or more latents than the basis has
      coordinates.
  """
  if config.basis_dim is None or "readout" not in config.modulate:
    raise ValueError(
      "A principal start needs basis_dim and 'readout' in modulate; got "
      f"{config.basis_dim} and {config.modulate}."
    )
  num_coordinates = config.basis_dim * config.out_dim
  if config.latent_map_widths or (config.latent_dim or 0) > num_coordinates:
    raise ValueError(
      "A principal start needs a linear latent map of at most basis_dim times "
      f"out_dim = {num_coordinates} latents; got {config.latent_dim}, and "
      f"latent_map_widths {config.latent_map_widths}."
    )
  network = network_lib.make_siren(config)
  targets = principal_components(values, config.basis_dim)
  params, _ = fit_basis(
    network, params, coords, jnp.asarray(targets), num_steps=num_steps
  )
  mean = values.mean(axis=(0, 1))
  params = params | {"~": params["~"] | {"b": jnp.asarray(mean, jnp.float32)}}
  if config.latent_dim is None:
    return params
  basis = network.features(params, coords) @ params["basis"]["w"]
  centred = np.moveaxis(values - mean, 2, 1) @ np.asarray(basis) / len(coords)
  # [B, K C], the readout's layout.
  projected = np.moveaxis(centred, 1, 2).reshape(len(values), -1)
  _, vectors = np.linalg.eigh(projected.T @ projected)
  leading = vectors[:, ::-1][:, : config.latent_dim]
  # Mean square 1 over N and C, of which each basis function meets one C.
  readout = leading.T * np.sqrt(config.out_dim)
  maps = {"latent_map_readout": {"w": jnp.asarray(readout, jnp.float32)}}
  for name in set(config.modulate) - {"readout"}:
    module = f"latent_map_{name}"
    maps[module] = {"w": params[module]["w"] * shift_factor}
  return params | maps
