"""What the configs of volumes have in common."""

from ml_collections import config_dict

from experiments.configs import full_weights, grids

# C.3.3: latent sizes of 16 x 16 x 16 voxels.
VARIANTS = ("16", "32", "64", "128")
# Values stored per block of 8 x 8 x 8 voxels, on two cores.
SMALL = ("4", "8", "16", "32")


def num_values(variant: str) -> int:
  """Values stored per block of a variant.

  Raises:
    ValueError: for one not in `VARIANTS`.
  """
  full_weights.checked(variant, VARIANTS)
  return int(variant)


def of_scans(config: config_dict.ConfigDict) -> None:
  """fastMRI's T2 scans of 16 slices (COIN++, C.1.2 and C.3.3).

  Args:
    config: of `grids.base`, changed in place, unlocked.
  """
  config.signal = grids.section(
    kinds=("volume",),
    sides=(16, 16, 16),  # Voxels of a block.
    low=0.0,  # Where coordinates start, on all axes,
    high=1.0,  # and end.
    # Values that become 0 and 1; None: as data.source.percentile says.
    value_range=config_dict.placeholder(tuple),
  )
  config.data.source = grids.section(
    num_train=565,  # Of fastMRI's scans;
    num_test=212,
    seed=0,  # of their division, which is not published.
    test_files=(),  # In a folder of other volumes: those for testing.
    # Of the training values, in percent, at or below the top of the range. None
    # takes each volume's own range.
    percentile=config_dict.placeholder(float),
    # Most voxels of a test volume, of its middle; None: all.
    box=config_dict.placeholder(tuple),
  )
  config.data.source.percentile = 99.99
  config.data.pipeline.update(
    batch_size=16,
    # Crops that vary less, in [0, 1], are drawn anew up to three times; None
    # takes them as they come.
    min_spread=config_dict.placeholder(float),
  )
  config.train.num_steps = 1_100_000  # 32,000 epochs.
  config.network.in_dim = 3
  config.evaluate.num_validation_signals = 8
  config.evaluate.encoder.num_steps = 10  # "This gave the best results."
  config.export.num_signals = 100


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """Five volumes in blocks of 8 x 8 x 8 voxels; two others for testing.

  Each volume has its own range: scanners, units and species differ.

  Args:
    config: of `of_scans`, locked.
    variant: number of values stored per block, of `SMALL`.
  """
  full_weights.checked(variant, SMALL)
  grids.shrink(config, variant)
  with config.unlocked():
    config.signal.sides = (8, 8, 8)
    config.data.source.update(
      test_files=("FLAIR.nii.gz", "stent_ct.npz"),
      percentile=None,
      box=(64, 64, 64),
    )
    config.data.pipeline.update(
      batch_size=32,
      crops_per_image=16,
      min_spread=0.02,  # Most of a volume is air.
    )
    config.network.w0 = 30.0
    config.outer.task_tile = 16
    config.evaluate.num_validation_signals = 2
    config.evaluate.encoder.num_steps = 3
