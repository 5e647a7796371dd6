"""The demo in about a minute: the same products from budgets that are far too small to mean anything.

    scripts/demo --smoke        (this file through experiments.demo, into runs/smoke)

Four budgets from 2e9 to 1.6e10 FLOPs, four shapes of depth 1 each, a shorter evaluation, and a forecast at four times
the largest. At this scale models have hardly learnt more than how frequent each token is: read the pictures for their
form, not for their exponents.
"""

from experiments.configs import demo
from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """The demo's recipe on smaller budgets, with shorter evaluations of the curves."""
    changes = {
        "sweep.budgets": (2e9, 4e9, 8e9, 1.6e10),
        "sweep.widths": (4, 8, 12, 16),
        "sweep.depths": (1,),
        "sweep.shapes_per_budget": 4,
        "sweep.extra_seed_budgets": 1,
        "sweep.min_steps": 20,
        "train.eval_tokens": 32768,
        "train.curve_points": 6,
        "train.curve_eval_tokens": 2048,
    }
    return replace(demo.get_config(), changes)
