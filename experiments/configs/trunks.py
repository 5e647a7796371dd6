"""Three token budgets of one shape from one trunk a seed, with an average of the parameters beside them.

    python -m experiments.sweep --config=experiments/configs/trunks.py --workdir=runs/trunks [--dry_run]

A transformer of width 32 and depth 2 on the demo's text, five seeds, budgets of 5e10, 1e11 and 2e11 FLOPs. Each seed is
one run at a constant rate (warm-up of 15 steps) from which a cooldown branches off for each budget, so that the token
axis costs .2 + .8 max(D) / sum(D) of separate runs: 66 %. About a minute on two cores. A grid over shapes works the
same way, one trunk a shape and seed, as long as the learning rate does not depend on D (`sweep.lr_d_exponent` 0):

    python -m experiments.sweep --config=experiments/configs/trunks.py --workdir=runs/grid \
        --config.model.width=0 --config.sweep.widths=16,32,48,64
"""

from experiments.configs import demo
from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """The demo's task and optimiser under `wsd`; how branches compare with cosine runs: docs/results/trunks."""
    changes = {
        "model.width": 32,
        "model.depth": 2,
        "optimizer.schedule": "wsd",
        "optimizer.warmup_steps": 15,
        "optimizer.learning_rate": 0.028,
        "train.average": "ema",
        "train.ema_decay": 0.98,
        "sweep.budgets": (5e10, 1e11, 2e11),
        "sweep.shapes_per_budget": 0,
        "sweep.seeds": (0, 1, 2, 3, 4),
        "sweep.extra_seeds": (),
        "sweep.rule": "",
        "sweep.lr_check": False,
    }
    return replace(demo.get_config(), changes)
