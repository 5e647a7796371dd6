"""The demo over two decades of compute, in well under an hour on two cores.

    scripts/demo --scale=full   (this file through experiments.demo, into runs/full)

Five budgets from 4e10 to 4e12 FLOPs, seven shapes each, three seeds at three shapes of the four smallest budgets, then
1.6e13 FLOPs forecast, trained and graded. Expect 1.49 bits per byte at the forecast. The tables and figures of
one such run are kept in docs/results/demo_full.
"""

from experiments.configs import demo
from scaling_laws.config import ExperimentConfig, replace

# What docs/results/demo_full was trained with, older than the demo's base shape, head and fitted rule.
AS_MEASURED = {
    "model.head_init": "small",
    "train.parametrization": "standard",
    "sweep.rule": "",
    "sweep.lr_coefficient": 2200.0,
    "sweep.lr_n_exponent": -0.7,
    "sweep.lr_d_exponent": -0.25,
}


def get_config() -> ExperimentConfig:
    """The demo's recipe on half-decade budgets, under the parametrisation and the rates of the kept results."""
    changes = {
        "sweep.budgets": (4e10, 1.26e11, 4e11, 1.26e12, 4e12),
        "sweep.widths": (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128),
        "sweep.depths": (2, 8),
        "sweep.shapes_per_budget": 7,
        "sweep.extra_seed_budgets": 4,
    } | AS_MEASURED
    return replace(demo.get_config(), changes)
