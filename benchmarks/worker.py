"""The process of one side: prepares it, then runs it whenever told to.

Reads `run` or `stop` from standard input, a word per line, and
answers each with one JSON object on a line of standard output.
"""

import argparse
import importlib
import json
import resource
import sys
import time

from benchmarks import case as case_lib
from benchmarks import side as side_lib

MODULES = {
  "ours": "benchmarks.ours",
  "jax": "benchmarks.baselines",
  "torch": "benchmarks.torch_baseline",
}


def make(side: str, task: str, case: case_lib.Case) -> side_lib.Side:
  """A side by its name, importing no other."""
  module = importlib.import_module(MODULES[side])
  made: side_lib.Side = getattr(module, task)(case)
  return made


def peak_bytes() -> int:
  """Peak resident memory of this process."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
  """Serves one side until told to stop."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--side", required=True, choices=sorted(MODULES))
  parser.add_argument("--task", required=True, choices=["train_step", "encode"])
  parser.add_argument("--case", required=True, help="fields of Case as JSON")
  args = parser.parse_args()
  side = make(args.side, args.task, case_lib.Case(**json.loads(args.case)))
  ready = {"temporaries": side.temporaries, "peak": peak_bytes()}
  print(json.dumps(ready), flush=True)
  for line in sys.stdin:
    if line.strip() == "stop":
      break
    start = time.perf_counter()
    loss = side.run()
    seconds = time.perf_counter() - start
    answer = {"seconds": seconds, "loss": loss, "peak": peak_bytes()}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
  main()
