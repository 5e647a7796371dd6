"""The demo in about a minute: the same products from budgets that are far too small to mean anything.

    scripts/demo --smoke        (this file through experiments.demo, into runs/smoke)

Four budgets from 8e9 to 6.4e10 FLOPs, five shapes each, and a forecast at four times the largest. At this scale models
have only learnt how frequent each token is, so read the pictures for their form, not for their exponents.
"""

from experiments.configs import demo
from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """The demo's recipe on smaller budgets, with shorter evaluations of the curves."""
    changes = {
        "sweep.budgets": (8e9, 1.6e10, 3.2e10, 6.4e10),
        "sweep.widths": (4, 8, 12, 16, 24, 32),
        "sweep.shapes_per_budget": 5,
        "sweep.extra_seed_budgets": 1,
        "sweep.min_steps": 20,
        "train.curve_points": 8,
        "train.curve_eval_tokens": 4096,
    }
    return replace(demo.get_config(), changes)
