"""One of two processes of a training run; `test_parallel.py` starts both.

Usage: python two_processes.py PORT PROCESS_ID FOLDER. The last line printed is
a JSON object.
"""

import json
import os
import signal
import sys

os.environ["XLA_FLAGS"] = (
  "--xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=false"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402

from inrjax import data, train  # noqa: E402
from tests.train import problems  # noqa: E402


def main() -> None:
  port, process, folder = sys.argv[1:]
  train.initialise_distributed(f"localhost:{port}", 2, int(process))
  assert jax.device_count() == 4 and jax.local_device_count() == 2
  step_fn, placement = train.make_parallel_step(
    problems.linear_objective, problems.SGD
  )

  def run(num_steps, **options):
    # A fresh pipeline each time: all but the first have to resume.
    batches = data.make_pipeline(
      problems.SOURCE,
      batch_size=problems.BATCH_SIZE,
      seed=0,
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
    )
    return train.train(
      problems.linear_state(),
      step_fn,
      batches,
      num_steps=num_steps,
      placement=placement,
      checkpointer=train.Checkpointer(folder),
      **options,
    )

  run(3)
  weights = run(6).params["w"].tolist()

  def interrupt_the_second(state):
    if process == "1" and int(state.step) == 7:
      signal.raise_signal(signal.SIGTERM)
    return {}

  stopped = run(20, evaluate_fn=interrupt_the_second, evaluate_every=1)

  if process == "1":
    folder = f"{folder}/of the second"
  try:
    run(20)
  except train.CheckpointError as error:
    private_folder = str(error)

  print(
    json.dumps(
      {
        "weights": weights,
        "stopped": int(stopped.step),
        "private_folder": private_folder,
      }
    )
  )


if __name__ == "__main__":
  main()
