"""The stages between Kaplan's setting and Chinchilla's (Porian et al. 2024, section 3), as sweeps on text.

fixed, short: one run a size at a constant rate and batch, after a warm-up of a fixed number of steps, long or short;
its curve is read at every budget. cosine: a run for every size and budget, its cosine ending where it ends, still at
that rate. tuned: the rate by the rule that was fitted to measured minima, a function of N and D, and half the batch.

The long warm-up lasts as many tokens as the best model of the smallest budget is trained for, as 3000 steps do in
theirs.
"""

from collections.abc import Callable
from typing import Any

from experiments.configs import demo, demo_smoke
from scaling_laws.config import ExperimentConfig, replace

STAGES = ("fixed", "short", "cosine", "tuned")
BUDGETS = {"smoke": (2e9, 4e9, 8e9, 1.6e10), "cpu": (5e10, 1.2e11, 2.8e11, 6.7e11, 1.6e12)}
WARMUP = {"smoke": {"fixed": 40, "short": 5}, "cpu": {"fixed": 300, "short": 20}}  # steps
RATE = 0.01  # of all sizes: the rule's for the best model of 1.6e12 FLOPs
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"sweep.widths": (4, 6, 8, 12, 16)},
    "cpu": {"sweep.widths": (12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80), "sweep.depths": (2, 5)},
}
CURVES: dict[str, dict[str, Any]] = {
    "smoke": {"train.curve_points": 12, "train.curve_eval_tokens": 4096},
    "cpu": {"train.curve_points": 28, "train.curve_eval_tokens": 24576},
}


def recipe(stage: str) -> Callable[[str], ExperimentConfig]:
    """scale -> the configuration of one of STAGES."""

    def config(scale: str) -> ExperimentConfig:
        base = {"smoke": demo_smoke, "cpu": demo}[scale].get_config()
        changes = {"sweep.budgets": BUDGETS[scale], "sweep.extra_seeds": (), "sweep.lr_check": False}
        if stage != "tuned":
            changes |= {"sweep.rule": "", "optimizer.learning_rate": RATE}
            changes |= {"train.batch_size": 2 * base.train.batch_size}
        if stage in WARMUP[scale]:
            changes |= {
                "optimizer.schedule": "constant",
                "optimizer.warmup_steps": WARMUP[scale][stage],
                "sweep.budgets": BUDGETS[scale][-1:],
                "sweep.shapes_per_budget": 0,
                "sweep.max_epochs": 5.0,
            }
            changes |= SIZES[scale] | CURVES[scale]
        elif scale == "cpu":
            changes |= {"sweep.shapes_per_budget": 8}
        return replace(base, changes)

    return config
