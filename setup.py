"""Packaging of inrjax; settings of the tools are in pyproject.toml."""

import pathlib

import setuptools

ROOT = pathlib.Path(__file__).parent

# Python 3.11 ends at jax 0.10.2; later releases of jax need Python 3.12.
# `dm-haiku` without its own `jax` extra, which asks for jax >= 0.11.
INSTALL_REQUIRES = [
  "absl-py>=2.1",
  "chex>=0.1.92",
  "constriction>=0.4.1,<0.6",
  "dm-haiku>=0.0.17",
  "dm-pix>=0.4.3",
  "grain>=0.2.18",
  "jax>=0.10.2,<0.13",
  "jaxlib>=0.10.2,<0.13",
  "jmp>=0.0.4",
  "ml-collections>=1.0",
  "numpy>=2.0",
  "optax>=0.2.8",
  "orbax-checkpoint>=0.12",
  "Pillow>=11.3",  # The first whose wheels read and write AVIF.
  "rich>=13.7",
  "scipy>=1.13",
  "tensorboardX>=2.6.2",
]

# Training on TensorFlow Datasets; importlib_resources is imported by it and
# not declared. TensorFlow itself is needed only to prepare some of the sets.
TFDS = ["importlib_resources", "tensorflow-datasets>=4.9.9"]
# Classical codecs that Pillow's wheels lack: HEVC intra.
CODECS = ["pillow-heif>=1.0"]
# Rate-distortion plots and side-by-side pictures.
PLOTS = ["matplotlib>=3.9"]
# Clips as signals.
VIDEO = ["av>=14"]
# Speech and music, fields on the globe, volumes, meshes as signals.
AUDIO = ["soundfile>=0.13"]
CLIMATE = ["h5netcdf>=1.4", "h5py>=3.12", "xarray>=2024.10", "zarr>=3.0"]
VOLUMES = ["h5py>=3.12", "nibabel>=5.3"]
MESHES = ["libigl>=2.5", "scikit-image>=0.24", "trimesh>=4.5"]
# What scientific arrays are compressed with today. Where zfpy's version is no
# plain number, numcodecs, which zarr imports, cannot read it.
SCIENTIFIC = ["pysz>=1.1", "zfpy>=1.0,!=1.0.1.post0"]
# A dozen photographs to try things on, inside scikit-image's wheel.
PHOTOS = ["scikit-image>=0.24"]
# Everything the tests and the linters use.
DEV = [
  "hypothesis>=6.100",
  "mypy>=1.13",
  "pytest>=8.3",
  "pytest-xdist>=3.6",
  "ruff>=0.14",
  *TFDS,
  *CODECS,
  *PLOTS,
  *PHOTOS,
  *VIDEO,
  *AUDIO,
  *CLIMATE,
  *VOLUMES,
  *MESHES,
  *SCIENTIFIC,
]

setuptools.setup(
  name="inrjax",
  version="0.1.0",
  description="Meta-learned implicit neural compression in JAX.",
  long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  license_files=["LICENSE"],
  python_requires=">=3.11",
  # experiments/ and benchmarks/ are not installed: they are launchers and
  # their configs, meant to be read, edited and run from the checkout
  # (`python -m experiments.cifar10 ...`), and so general as names that they
  # would collide with other people's folders in site-packages.
  packages=setuptools.find_packages(include=["inrjax", "inrjax.*"]),
  package_data={
    "inrjax": ["py.typed", "pretrained/*.inrmodel", "pretrained/*.md"]
  },
  zip_safe=False,
  install_requires=INSTALL_REQUIRES,
  extras_require={
    "tfds": TFDS,
    "codecs": CODECS,
    "plots": PLOTS,
    "photos": PHOTOS,
    "video": VIDEO,
    "audio": AUDIO,
    "climate": CLIMATE,
    "volumes": VOLUMES,
    "meshes": MESHES,
    "scientific": SCIENTIFIC,
    "dev": DEV,
  },
  entry_points={"console_scripts": ["inrjax = inrjax.cli:main"]},
  classifiers=[
    "Intended Audience :: Science/Research",
    "Programming Language :: Python :: 3",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
    "Topic :: Multimedia :: Graphics",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
  ],
)
