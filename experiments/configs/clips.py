"""What the configs of clips have in common."""

from ml_collections import config_dict

from experiments.configs import full_weights, grids, long_horizon, long_signals

# A.1: height, width and frames.
SIZES = {"128x128x16": (128, 128, 16), "256x256x32": (256, 256, 32)}
# K of Learnit on SIREN (A.2); on 256 x 256 x 32 it did not fit the authors'
# GPU, and ECoP's K / gamma is not given: that of images of 1024 x 1024.
_LEARNIT_STEPS = {"128x128x16": 2, "256x256x32": 1}
_RATIO = 0.25  # gamma.
_TEST_STEPS = 16  # Table 2.
# The same of NeRV (A.2).
_NERV_LEARNIT_STEPS = {"128x128x16": 20, "256x256x32": 5}
_NERV_RATIOS = {"128x128x16": 0.5, "256x256x32": 0.2}
_NERV_STRIDES = {"128x128x16": (4, 2, 2, 2), "256x256x32": (4, 2, 2, 2, 2)}
VARIANTS = tuple(
  f"{method}-{size}" for size in SIZES for method in long_horizon.METHODS
)
# All fits of these begin alike: TransINR reads clips of one size, and predicts
# the weights of perceptrons.
FROM_ONE_START = long_signals.METHODS
NERV_VARIANTS = tuple(
  f"{method}-{size}" for size in SIZES for method in FROM_ONE_START
)
# Values stored per block of 4 frames of 8 x 8 pixels, on two cores.
SMALL = ("8", "16", "32")


def source(num_frames: int, size: tuple[int, int]) -> config_dict.ConfigDict:
  """The section `data.source`: UCF-101's first frames.

  Args:
    num_frames: of a clip.
    size: height and width, to which the middle of its frames is resized.
  """
  return grids.section(
    num_frames=num_frames,  # Of a clip; its first, which the paper leaves open.
    # Of one for training, out of which blocks are drawn; None: as num_frames.
    train_frames=config_dict.placeholder(int),
    size=size,
    start=0,
    stride=1,
    rate=25.0,  # Frames a second (Soomro et al.), written into files.
    test_files=(),  # In a folder without lists: those for testing.
    division=1,  # Of UCF-101's three; the paper does not name one.
    seed=0,  # Of the order of the clips.
  )


def signal(sides: tuple[int, int, int]) -> config_dict.ConfigDict:
  """The section `signal`.

  Args:
    sides: frames, height and width of a block.
  """
  return grids.section(
    kinds=("video",),
    sides=sides,
    low=-1.0,  # Where coordinates start, on all axes (A.1),
    high=1.0,  # and end.
    value_range=(0.0, 255.0),  # Values that become 0 and 1.
  )


def long_fits(variant: str) -> config_dict.ConfigDict:
  """ECoP, or what it is compared with, on whole clips (A.2); unlocked.

  Args:
    variant: of `VARIANTS`, a method and the size of a clip.
  """
  method, size = full_weights.checked(variant, VARIANTS).split("-")
  height, width, num_frames = SIZES[size]
  config = long_signals.make(
    method,
    signal=signal((num_frames, height, width)),
    source=source(num_frames, (height, width)),
    in_dim=3,
    ratio=_RATIO,
    learnit_steps=_LEARNIT_STEPS[size],
  )
  _see_pictures(config)
  if "hypernetwork" in config:
    config.hypernetwork.update(  # Not given; here 4 x 8 x 8 patches.
      patch=(num_frames // 4, height // 8, width // 8), padding=(0, 0, 0)
    )
  config.inner.point_tile = 2**16
  config.network.update(
    depth=6,  # Sine layers, of the paper's 7 layers.
    out_dim=3,
  )
  if config.train.num_steps:  # Else nothing is learned.
    config.train.num_steps = 100_000
  config.outer.task_tile = 1
  config.evaluate.fit.num_steps = _TEST_STEPS
  return config


def long_fits_of_frames(variant: str) -> config_dict.ConfigDict:
  """The same with NeRV, whose points are whole frames (A.2); unlocked.

  Args:
    variant: of `NERV_VARIANTS`.
  """
  method, size = full_weights.checked(variant, NERV_VARIANTS).split("-")
  height, width, num_frames = SIZES[size]
  config = long_signals.make(
    method,
    signal=signal((num_frames, height, width)),
    source=source(num_frames, (height, width)),
    in_dim=1,
    ratio=_NERV_RATIOS[size],
    learnit_steps=_NERV_LEARNIT_STEPS[size],
  )
  _see_pictures(config)
  config.signal.points = "frames"  # Contexts lose whole frames.
  config.network = nerv_network(strides=_NERV_STRIDES[size])
  config.inner.update(low=1e-1, high=1e-1)
  config.outer.update(learning_rate=1e-4, task_tile=1)
  if num_frames > 16:
    config.inner.point_tile = 8  # Frames.
  if method == "gradncp":  # SIREN's has a rate of its own, 5 alpha.
    config.objective.learning_rate = None
  return config


def nerv_network(
  *,
  strides: tuple[int, ...],
  stem_size: tuple[int, int] = (4, 4),
  stem_channels: int = 32,
  stem_width: int = 512,
) -> config_dict.ConfigDict:
  """The section `network` of a NeRV.

  Args:
    strides: enlargement of each block.
    stem_size: height and width of what the first of them gets.
    stem_channels: its channels.
    stem_width: units of the layer before it.
  """
  # The paper gives the number of blocks alone. Sizes are those of the authors'
  # code (jihoontack/GradNCP on GitHub): a stem of 4 x 4 x 32 behind 512 units,
  # expansion 4, at least 32 channels, 40 frequencies of base 1.25.
  return grids.section(
    kind="nerv",
    strides=strides,  # A frame has stem_size times their product in pixels.
    stem_size=stem_size,
    stem_channels=stem_channels,
    stem_width=stem_width,
    expansion=4,  # Channels of the first block over stem_channels; then halved,
    min_channels=32,  # but to no fewer.
    num_frequencies=40,  # l and b of the embedding of times, NeRV's own.
    frequency_base=1.25,
    out_dim=3,
  )


def _see_pictures(config: config_dict.ConfigDict) -> None:
  """Adds what is asked of pictures alone."""
  config.evaluate.num_pictures = 3  # Clips of which frames are drawn.
  # A file of LPIPS weights (docs/data_sets.md); None: no LPIPS.
  config.evaluate.lpips_weights = config_dict.placeholder(str)


def of_blocks() -> config_dict.ConfigDict:
  """Functa on blocks of 4 x 8 x 8 pixels, which no paper has; unlocked."""
  config = grids.with_functa(grids.base(int(SMALL[0])))
  config.signal = signal((4, 8, 8))
  config.data.source = source(16, (144, 176))
  config.network.update(in_dim=3, out_dim=3)
  return config


def of_four_files(config: config_dict.ConfigDict) -> None:
  """Three clips for training and one for testing; unlocked.

  Args:
    config: any of these, changed in place.
  """
  config.data.source.update(
    train_frames=36,  # Of the shortest.
    rate=30.0,
    test_files=("carphone_pristine.mp4",),
  )


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """Clips of 176 x 144 in blocks of 4 frames of 8 x 8 pixels.

  Args:
    config: of `of_blocks`, locked.
    variant: number of values stored per block.
  """
  grids.shrink(config, variant)
  with config.unlocked():
    of_four_files(config)
    config.data.pipeline.update(batch_size=32, crops_per_image=16)
    config.network.w0 = 10.0  # Blocks are small, and their pixels alike.
    config.outer.task_tile = 16
    config.evaluate.update(num_signals=1, num_validation_signals=1)
