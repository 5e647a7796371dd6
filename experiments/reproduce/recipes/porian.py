"""The stages between Kaplan's setting and Chinchilla's (Porian et al. 2024, section 3), as sweeps on text.

fixed, short: runs of every size at a constant rate and batch, after a warm-up of a fixed number of steps, long or
short; their curves are read at every budget. cosine: a run for every size and budget, its cosine ending where it ends,
still at that rate. tuned: the rate by the rule that was fitted to measured minima, a function of N and D, and half the
batch.

After a short warm-up the best model of the middle budget is trained for as many tokens as the long one lasts. So it is
in theirs, where 3000 steps are 1.6e9 tokens, which the best models pass at 8e17 FLOPs, of 1.25e16 to 2.56e19. The long
one moves the optimum to smaller models, most of all at small budgets, so the two first stages have smaller ones than
the others.
"""

from collections.abc import Callable
from typing import Any

from experiments.configs import demo, demo_smoke
from scaling_laws import families, spec
from scaling_laws.config import ExperimentConfig, replace, run_part
from scaling_laws.sweep.planned import whole_steps

STAGES = ("fixed", "short", "cosine", "tuned")
BUDGETS = {"smoke": (2e9, 4e9, 8e9, 1.6e10), "cpu": (5e10, 1.2e11, 2.8e11, 6.7e11, 1.6e12)}
WARMUP = {"smoke": {"fixed": 40, "short": 5}, "cpu": {"fixed": 500, "short": 20}}  # steps
RATE = 0.01  # of all sizes: the rule's for the best model of 1.6e12 FLOPs
SEEDS = {"smoke": dict.fromkeys(STAGES, 1), "cpu": {"fixed": 2, "short": 2, "cosine": 3, "tuned": 3}}  # of a size
# (width, depth): the last of BUDGETS that the size is trained to, its place from the end
SIZES: dict[str, dict[tuple[int, int], int]] = {
    "smoke": {(4, 2): 1, (8, 2): 1, (12, 2): 1, (16, 2): 1},
    "cpu": {(4, 2): 3, (8, 2): 3, (12, 2): 1, (16, 2): 1, (20, 2): 1, (24, 2): 1, (28, 2): 1, (32, 2): 1,
            (40, 3): 1, (48, 3): 1, (56, 4): 1, (64, 4): 1, (80, 5): 1},
}  # fmt: skip
CURVES: dict[str, dict[str, Any]] = {
    "smoke": {"train.curve_points": 12, "train.curve_eval_tokens": 4096},
    "cpu": {"train.curve_points": 28, "train.curve_eval_tokens": 24576},
}


def recipe(stage: str) -> Callable[[str], ExperimentConfig]:
    """scale -> the configuration of one of STAGES."""

    def config(scale: str) -> ExperimentConfig:
        base = {"smoke": demo_smoke, "cpu": demo}[scale].get_config()
        changes = {"sweep.budgets": BUDGETS[scale], "sweep.seeds": tuple(range(SEEDS[scale][stage]))}
        changes |= {"sweep.extra_seeds": (), "sweep.lr_check": False}
        if stage != "tuned":
            changes |= {"sweep.rule": "", "optimizer.learning_rate": RATE}
            changes |= {"train.batch_size": 2 * base.train.batch_size}
        if stage in WARMUP[scale]:
            changes |= {"optimizer.schedule": "constant", "optimizer.warmup_steps": WARMUP[scale][stage]}
            changes |= {"sweep.max_epochs": 5.0} | CURVES[scale]
            changed = replace(base, changes)
            return replace(changed, {"sweep.runs": _runs(changed, scale)})
        if scale == "cpu":
            changes |= {"sweep.shapes_per_budget": 8}
        return replace(base, changes)

    return config


def _runs(experiment: ExperimentConfig, scale: str) -> tuple[str, ...]:
    """Every size of SIZES until its largest budget is spent, for `sweep.runs`."""
    task = spec.text(experiment.task.vocab_size, experiment.task.context)
    found = []
    for (width, depth), last in SIZES[scale].items():
        run = run_part(replace(experiment, {"model.width": width, "model.depth": depth}))
        counts = families.count_run(run, task)
        steps = whole_steps(BUDGETS[scale][-last], counts, experiment.train.batch_size * task.targets)
        found += [f"{width}x{depth}x{steps}x{seed}" for seed in experiment.sweep.seeds]
    return tuple(found)
