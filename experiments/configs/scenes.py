"""What the configs of scenes of posed views have in common."""

from ml_collections import config_dict

from experiments.configs import grids

section = config_dict.create

# Values stored per scene, on two cores.
SMALL = ("16", "32", "64", "128")


def of_cars(config: config_dict.ConfigDict) -> None:
  """SRN's cars, 128 x 128 (Functa's code, and MSCN's table 9).

  Args:
    config: of `grids.base`, changed in place, unlocked.
  """
  del config.export  # The codec takes values on grids.
  config.signal = section(
    num_views=8,  # Drawn anew for each visit to a scene,
    num_rays=8192,  # and pixels of theirs: 1024 of each on average.
    # Rays of other views that the loss after adaptation is of; 0: that loss
    # is of the rays adapted to.
    num_target_rays=0,
    jitter=False,  # Depths in training; False: the intervals' middles.
  )
  config.scene = section(
    near=0.8,
    far=1.8,
    num_samples=32,
    background=1.0,  # White.
    density_scale=1.0,
    point_scale=1.0,  # Models have a diagonal of 1.
  )
  config.data.source = section(
    num_views=50,  # Of each training scene, at random; None: all.
    held_out=100,  # The last scenes of a folder without splits, for testing.
    scale=1.0,  # Of the cameras' places.
  )
  config.network.update(in_dim=3, out_dim=4)
  config.data.pipeline.batch_size = 8  # One on each of eight devices.
  config.train.num_steps = 500000  # Functa's code; MSCN does not say.
  config.evaluate = section(
    num_scenes=config_dict.placeholder(int),  # All test scenes.
    num_validation_scenes=10,
    num_held_out_views=8,  # Of each scene, at random.
    num_given_views=(1, 2, 8),  # Views to adapt to,
    num_steps=(3, 10),  # inner steps to try, unquantised,
    ema_decays=(1.0,),  # and averages; 1: the last iterate.
    num_rays=16384,  # Of the given views, in a fit.
    rays_per_call=16384,  # Rendered at a time.
    num_pictures=4,  # Scenes in views.png.
    quantise=section(
      num_training_scenes=500,  # Whose statistics the quantisers have; 0: none.
      num_given_views=8,
      num_steps=3,
      ema_decay=1.0,
      num_bits=(3, 4, 5, 6, 8),
      num_deviations=(3.0, 5.0),
    ),
  )


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """32 x 32 views of voxel models (`experiments.render_voxels`).

  Args:
    config: of `of_cars`, locked.
    variant: number of values stored per scene, of `SMALL`.
  """
  if variant not in SMALL:
    raise ValueError(f"variant {variant!r} is not one of {[*SMALL]}")
  with config.unlocked():
    config.num_modulations = int(variant)
    config.network.update(depth=4, width=64, w0=10.0, out_bias=0.0)
    config.inner.update(low=1.0, high=1.0, clip=(0.0, 10.0))
    config.train.update(
      num_steps=2000, checkpoint_every=500, log_every=20, evaluate_every=500
    )
    config.data.source.num_views = config_dict.placeholder(int)
    config.data.pipeline.update(batch_size=4, read_threads=1)
    config.signal.update(num_rays=256, jitter=True)
    config.scene.update(num_samples=24, density_scale=10.0, point_scale=2.0)
    config.outer.update(
      learning_rate=1e-3, schedule="cosine", clip_norm=1.0, task_tile=1
    )
    if "gates" in config:
      grids.control(config)
    config.evaluate.update(
      num_validation_scenes=4,
      num_held_out_views=4,
      num_rays=1024,
      rays_per_call=1024,
    )
    config.evaluate.quantise.update(
      num_training_scenes=100, num_bits=(3, 4, 6, 8), num_deviations=(3.0,)
    )
