"""Long horizons on Imagenette, for two CPU cores.

What is compared is said in `text_long_horizon.py`. The paper has one inner rate
for all; of a network of a quarter of its width four times that rate is the same
in function space, and best for Learnit. Targets at 5e-2 are those of GradNCP.
"""

from experiments import sweeps
from experiments.configs import long_horizon
from experiments.sweeps import text_long_horizon


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return text_long_horizon.comparison(
    "imagenette",
    "ecop_cpu",
    rates={"learnit": (4e-2,)},
    target_rates=(5e-2,),
    num_steps=long_horizon.NUM_STEPS_CPU,
  )
