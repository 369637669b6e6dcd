"""Rates, distortions, classical codecs, tables, figures and pictures.

Everything here runs on the host. A codec reaches this package as callables
(`ImageCodec`) or as measurements made outside, never by import.
`lpips.lpips` bears the name of its module and is reached through it.
"""

from inrjax.evaluate.audio_codecs import (
  AudioCodec,
  as_signal_codec,
  audio_curve,
  flac,
  mp3,
  opus,
)
from inrjax.evaluate.baselines import (
  curve_at_rates,
  curve_at_settings,
  read_images,
)
from inrjax.evaluate.bjontegaard import (
  NoOverlapError,
  bd_psnr,
  bd_rate,
  front,
)
from inrjax.evaluate.classical import (
  ImageCodec,
  avif,
  header_stripped,
  hevc,
  jpeg,
  jpeg2000,
  webp,
)
from inrjax.evaluate.field_codecs import (
  mosaic,
  of_shares,
  slicewise,
  sz3,
  zfp_accuracy,
  zfp_rate,
)
from inrjax.evaluate.frames import frame_wise
from inrjax.evaluate.interchange import (
  curve_to_json,
  curves_from_json,
  read_curve,
  read_curves,
  write_curve,
)
from inrjax.evaluate.learned import (
  LearnedCodec,
  curve_at_bpps,
  curve_at_qualities,
  measure_codec,
)
from inrjax.evaluate.lpips import (
  LpipsWeights,
  LpipsWeightsError,
  read_lpips_weights,
)
from inrjax.evaluate.metrics import (
  as_uint8,
  mean_psnr,
  mse,
  psnr,
  psnr_from_mse,
  psnr_of_mean_mse,
  ssim,
)
from inrjax.evaluate.overhead import (
  Split,
  split_isobmff,
  split_jpeg,
  split_jpeg2000,
  split_webp,
)
from inrjax.evaluate.pictures import (
  clip_frames,
  field_maps,
  shape_views,
  sound_views,
  volume_slices,
)
from inrjax.evaluate.plots import rate_distortion_figure, side_by_side
from inrjax.evaluate.programs import MissingProgramError, ProgramError
from inrjax.evaluate.rate_distortion import (
  Curve,
  Measurement,
  Rate,
  RatePoint,
  aggregate,
  average,
  curve_from_arrays,
  interpolate,
  measure,
)
from inrjax.evaluate.search import Encoded, Trials, at_rate, sweep
from inrjax.evaluate.shape_codecs import (
  of_occupancy,
  packed_voxels,
)
from inrjax.evaluate.signal_codecs import (
  Comparison,
  SignalCodec,
  measure_signal,
  of_arrays,
  signal_curve,
)
from inrjax.evaluate.signal_errors import (
  SignalErrors,
  intersection_over_union,
  signal_to_noise,
  voxel_accuracy,
)
from inrjax.evaluate.tables import markdown, plain, point_table, rate_table

__all__ = [
  "AudioCodec",
  "Comparison",
  "Curve",
  "Encoded",
  "ImageCodec",
  "LearnedCodec",
  "LpipsWeights",
  "LpipsWeightsError",
  "Measurement",
  "MissingProgramError",
  "NoOverlapError",
  "ProgramError",
  "Rate",
  "RatePoint",
  "SignalCodec",
  "SignalErrors",
  "Split",
  "Trials",
  "aggregate",
  "as_signal_codec",
  "as_uint8",
  "at_rate",
  "audio_curve",
  "average",
  "avif",
  "bd_psnr",
  "bd_rate",
  "clip_frames",
  "curve_at_bpps",
  "curve_at_qualities",
  "curve_at_rates",
  "curve_at_settings",
  "curve_from_arrays",
  "curve_to_json",
  "curves_from_json",
  "field_maps",
  "flac",
  "frame_wise",
  "front",
  "header_stripped",
  "hevc",
  "interpolate",
  "intersection_over_union",
  "jpeg",
  "jpeg2000",
  "markdown",
  "mean_psnr",
  "measure",
  "measure_codec",
  "measure_signal",
  "mp3",
  "mse",
  "of_arrays",
  "of_occupancy",
  "of_shares",
  "opus",
  "packed_voxels",
  "plain",
  "point_table",
  "psnr",
  "psnr_from_mse",
  "psnr_of_mean_mse",
  "rate_distortion_figure",
  "rate_table",
  "read_curve",
  "read_curves",
  "read_images",
  "read_lpips_weights",
  "shape_views",
  "side_by_side",
  "signal_curve",
  "signal_to_noise",
  "mosaic",
  "slicewise",
  "sound_views",
  "split_isobmff",
  "split_jpeg",
  "split_jpeg2000",
  "split_webp",
  "ssim",
  "sweep",
  "sz3",
  "volume_slices",
  "voxel_accuracy",
  "webp",
  "write_curve",
  "zfp_accuracy",
  "zfp_rate",
]
