"""Checkpoints come back to the bit, or not at all."""

import pathlib
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import train
from tests.train import problems

# Where one file cannot be written, the other writes of that save end after
# Orbax has closed its event loop, and say so to nobody.
pytestmark = pytest.mark.filterwarnings(
  "ignore:Exception ignored in. None:pytest.PytestUnraisableExceptionWarning"
)


def make_state(step, fill=0.5):
  """A state with every kind of leaf there is."""
  params = {
    "a/b~c": {"w": jnp.arange(6, dtype=jnp.float32).reshape(2, 3) + fill},
    "half": jnp.arange(3, dtype=jnp.bfloat16) / 3,
    "mask": jnp.array([True, False]),
    "empty": (),
  }
  return train.TrainState(
    jnp.int32(step),
    params,
    (jnp.uint32(7), [jnp.full((2, 2), jnp.nan)]),
    {"scalar": jnp.float32(1 / 3)},
    jax.random.key(step),
  )


def fill_folder(folder, steps=(1, 2)):
  checkpointer = train.Checkpointer(folder)
  for step in steps:
    checkpointer.save(make_state(step), pipeline={"next_index": step})
  return checkpointer


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
  """A folder with checkpoints of the steps 1 and 2, to be copied."""
  folder = tmp_path_factory.mktemp("prepared")
  fill_folder(folder)
  return folder


@pytest.fixture
def folder(prepared, tmp_path):
  return shutil.copytree(prepared, tmp_path / "copy")


def test_everything_comes_back(folder):
  restored = train.Checkpointer(folder).restore(make_state(0))
  # fails if a type is widened, a NaN lost, or the older one is taken.
  problems.assert_same(restored.state, make_state(2))
  assert restored.pipeline == {"next_index": 2}


def test_raw_keys_and_no_pipeline_come_back(tmp_path):
  state = make_state(3)._replace(key=jax.random.PRNGKey(5))
  train.Checkpointer(tmp_path).save(state)
  restored = train.Checkpointer(tmp_path).restore(state)
  problems.assert_same(restored.state, state)
  assert restored.pipeline is None


def test_an_empty_folder_has_nothing_to_restore(tmp_path):
  assert train.Checkpointer(tmp_path / "new").restore(make_state(0)) is None


def test_the_last_few_are_kept(tmp_path):
  checkpointer = train.Checkpointer(tmp_path, keep=2)
  for step in (9, 10, 100):
    checkpointer.save(make_state(step))
  # fails if sorted as text without padding, or one is kept too many.
  assert checkpointer.steps() == [10, 100]
  # fails if anything temporary is left.
  assert len(list(tmp_path.iterdir())) == 2


def files_of(step_folder):
  return sorted(p for p in step_folder.rglob("*") if p.is_file())


def test_a_flipped_bit_in_any_file_is_noticed(prepared, tmp_path):
  names = [
    p.relative_to(prepared) for p in files_of(prepared / "step_0000000002")
  ]
  assert len(names) > 5
  for i, name in enumerate(names):
    copy = shutil.copytree(prepared, tmp_path / str(i))
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / name).write_bytes(content)
    checkpointer = train.Checkpointer(copy)
    with pytest.warns(
      train.CorruptCheckpointWarning, match="step_0000000002 is damaged"
    ):
      restored = checkpointer.restore(make_state(0))
    # fails if the digest leaves this file out.
    problems.assert_same(restored.state, make_state(1))
    assert restored.pipeline == {"next_index": 1}


@pytest.mark.parametrize("damage", ["truncated", "missing", "extra", "digests"])
def test_a_file_that_is_short_missing_or_foreign_is_noticed(folder, damage):
  newest = folder / "step_0000000002"
  victim = max(files_of(newest), key=lambda p: p.stat().st_size)
  if damage == "truncated":
    victim.write_bytes(victim.read_bytes()[:-1])
  elif damage == "missing":
    victim.unlink()
  elif damage == "extra":
    (newest / "extra").touch()
  else:
    (newest / "sha256.json").write_text("[]")
  with pytest.warns(train.CorruptCheckpointWarning):
    restored = train.Checkpointer(folder).restore(make_state(0))
  assert int(restored.state.step) == 1


def test_the_place_of_a_damaged_one_can_be_written_again(folder):
  (folder / "step_0000000002" / "sha256.json").unlink()
  checkpointer = train.Checkpointer(folder)
  checkpointer.save(make_state(2, fill=9.0))
  restored = checkpointer.restore(make_state(0))
  problems.assert_same(restored.state, make_state(2, fill=9.0))


def test_all_damaged_is_an_error_not_a_fresh_start(folder):
  for path in folder.iterdir():
    (path / "sha256.json").unlink()
  with (
    pytest.warns(train.CorruptCheckpointWarning) as caught,
    pytest.raises(train.CheckpointError, match="All 2"),
  ):
    train.Checkpointer(folder).restore(make_state(0))
  assert len(caught) == 2


@pytest.mark.parametrize(
  ("target", "named"),
  [
    (make_state(0)._replace(carry={}), "scalar"),
    (make_state(0)._replace(carry={"scalar": jnp.zeros(2)}), "scalar"),
    (make_state(0)._replace(carry={"scalar": jnp.int32(0)}), "int32"),
  ],
)
def test_another_structure_is_an_error_that_names_the_leaf(
  folder, target, named
):
  with pytest.raises(train.CheckpointError, match=named):
    train.Checkpointer(folder).restore(target)


def test_a_full_disk_is_a_typed_error_and_costs_nothing(folder):
  checkpointer = train.Checkpointer(folder, keep=1)
  noise = np.random.default_rng(0).random((1000, 1000), np.float32)
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  # No file may grow beyond 1 MB: writing fails as on a full disk.
  resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, limits[1]))
  try:
    with pytest.raises(train.CheckpointError, match="step 3"):
      checkpointer.save(make_state(3)._replace(params=noise))
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  # fails if old ones are removed first, or a partial one is left.
  assert checkpointer.steps() == [1, 2]
  assert len(list(folder.iterdir())) == 2
  problems.assert_same(checkpointer.restore(make_state(0)).state, make_state(2))


def test_a_folder_that_vanished_is_a_typed_error(folder):
  checkpointer = train.Checkpointer(folder)
  shutil.rmtree(folder)
  folder.write_text("a file now")
  with pytest.raises(train.CheckpointError, match="copy"):
    checkpointer.save(make_state(3))


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(train.CheckpointError, match="file"):
    train.Checkpointer(tmp_path / "file" / "folder")


def test_what_a_killed_save_left_is_ignored_and_cleared(folder):
  partial = folder / ".partial"
  shutil.copytree(folder / "step_0000000001", partial)
  checkpointer = train.Checkpointer(folder)
  assert checkpointer.steps() == [1, 2]
  checkpointer.save(make_state(3))
  assert checkpointer.steps() == [1, 2, 3] and not partial.exists()


def test_keep_must_be_positive(tmp_path):
  with pytest.raises(ValueError, match="keep"):
    train.Checkpointer(tmp_path, keep=0)


def test_a_relative_folder_is_followed(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  checkpointer = train.Checkpointer(pathlib.Path("runs") / "a")
  checkpointer.save(make_state(1))
  assert (tmp_path / "runs" / "a" / "step_0000000001").is_dir()
