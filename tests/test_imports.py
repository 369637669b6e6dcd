"""The order of the packages: each imports only those to its left."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

import inrjax

ROOT = pathlib.Path(inrjax.__file__).parent
ORDER = (
  "types coords networks adapt sparsity quantize meta codec evaluate train"
).split()
ALLOWED = {name: set(ORDER[: i + 1]) for i, name in enumerate(ORDER)}
ALLOWED["data"] = {"types", "data"}
# The package's own __init__ re-exports and the command line uses anything.
FREE = {"__init__", "cli"}
# Configs and flags stop at the command line: the library takes keywords.
FLAGS = ("absl.flags", "absl.app", "ml_collections")
MODULES = sorted(ROOT.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
  """Every module or `module.name` that a source imports, at any depth."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"line {node.lineno}: a relative import"
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(package: str, source: str) -> list[str]:
  """The imports in `source` that a module of `package` may not have."""
  wrong = []
  for name in imported(ast.parse(source)):
    root, _, rest = name.partition(".")
    if root in ("experiments", "benchmarks", "tests"):
      wrong.append(name)
    elif root == "inrjax" and package not in FREE:
      if rest.partition(".")[0] not in ALLOWED[package]:
        wrong.append(name)
    elif package != "cli" and f"{name}.".startswith(
      tuple(f"{flag}." for flag in FLAGS)
    ):
      wrong.append(name)
  return wrong


@pytest.mark.parametrize(
  "path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES]
)
def test_imports_only_point_down_the_pipeline(path: pathlib.Path) -> None:
  package = path.relative_to(ROOT).with_suffix("").parts[0]
  assert package in ALLOWED.keys() | FREE, f"{package} has no place in ORDER."
  assert not violations(package, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
  ("package", "source"),
  [
    ("coords", "from inrjax.codec import container"),
    ("data", "from inrjax import coords"),
    ("data", "import inrjax.train.loop"),
    ("adapt", "import inrjax"),
    ("train", "from absl import flags"),
    ("codec", "def f():\n  from ml_collections import config_dict"),
    ("codec", "import experiments.launch"),
  ],
)
def test_a_wrong_import_is_seen(package: str, source: str) -> None:
  # Fails if a form of import is not walked, or the order is not looked at.
  assert violations(package, source)


def test_a_right_import_is_left_alone() -> None:
  # Fails if logging is taken for a flag, or a prefix for a whole name.
  source = "from inrjax import types\nfrom absl import logging\nimport jax"
  assert not violations("train", source)
