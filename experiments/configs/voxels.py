"""What the configs of occupancy grids have in common."""

from ml_collections import config_dict

from experiments.configs import full_weights, grids

# Table 10: sine layers by number of modulations.
DEPTHS = {"64": 15, "128": 15, "256": 15, "512": 15, "1024": 20}
# Values stored per block of 16 x 16 x 16 cells, on two cores.
SMALL = ("16", "32", "64")

# The paper does not name its ten classes; these are ShapeNetCore's largest.
_CLASSES = (
  "04379243",  # Table.
  "03001627",  # Chair.
  "02691156",  # Airplane.
  "02958343",  # Car.
  "04256520",  # Sofa.
  "04090263",  # Rifle.
  "03636649",  # Lamp.
  "04530566",  # Watercraft.
  "02828884",  # Bench.
  "03691459",  # Loudspeaker.
)


def num_values(variant: str) -> int:
  """Values stored per shape of a variant.

  Raises:
    ValueError: for one not in `DEPTHS`.
  """
  full_weights.checked(variant, tuple(DEPTHS))
  return int(variant)


def of_shapes(config: config_dict.ConfigDict, variant: str) -> None:
  """ShapeNet10, 64^3 (MSCN, appendix A and table 10).

  Args:
    config: of `grids.with_functa` or `grids.with_mscn`, changed in place,
      unlocked.
    variant: a key of `DEPTHS`.
  """
  config.signal = grids.section(
    kinds=("occupancy",),
    sides=(64, 64, 64),  # A whole grid is one signal.
    low=0.0,  # Where coordinates start, on all axes,
    high=1.0,  # and end.
    value_range=(0.0, 1.0),
  )
  config.data.source = grids.section(
    side=64,  # Of the cubes; ShapeNet's own have 128.
    threshold=0.05,  # Cells above it, of those scaled down, are occupied.
    # Synset numbers; None takes all.
    classes=config_dict.placeholder(tuple),
    num_variants=50,  # Signals of each shape (1,516,750 + 168,850 in all).
    test_share=0.1,  # Of the shapes; not in .npz, where files are splits.
    seed=0,  # Of the division, the order and the variants.
  )
  config.data.source.classes = _CLASSES
  config.data.pipeline.batch_size = 8  # One on each of eight devices.
  config.train.num_steps = 500_000  # Not given.
  config.network.update(depth=DEPTHS[variant], in_dim=3)
  config.inner.point_tile = 2**15  # Points whose activations are in memory.
  config.outer.task_tile = 1
  config.evaluate.num_signals = 1000  # The paper takes all.


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """Cubes of 32^3 in blocks of 16 x 16 x 16 cells.

  Args:
    config: of `of_shapes`, locked.
    variant: number of values stored per block, of `SMALL`.
  """
  full_weights.checked(variant, SMALL)
  grids.shrink(config, variant)
  with config.unlocked():
    config.signal.sides = (16, 16, 16)
    config.data.source.update(side=32, num_variants=4, classes=None)
    config.data.pipeline.batch_size = 4
    config.network.w0 = 30.0
    config.inner.point_tile = None
    config.outer.task_tile = 2
    config.evaluate.num_signals = 20
