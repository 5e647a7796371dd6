"""The same few tokens read again and again, beside as many fresh ones.

    python -m experiments.sweep --config=experiments/configs/repeated.py --workdir=runs/repeated
    python -m experiments.sweep --config=experiments/configs/repeated.py --workdir=runs/repeated \
        --config.train.unique_examples=1024 --config.sweep.max_epochs=32
    python -m analysis.fit --runs=runs/repeated --law=data_constrained

Transformers of depth 2 on the demo's text: three widths, five horizons from 1.3e5 to 2.1e6 tokens, two seeds at the
middle width. The first command reads every token once, the second 1024 windows (65 536 tokens) 2 to 32 times, with the
same rates and seeds, into the same table; any other number of windows is a further command. A minute or two each on two
cores. Expect the losses of four epochs to be near those of fresh tokens, and hardly any gain beyond sixteen.
docs/results/repeated: what came of such runs.
"""

from experiments.configs import demo
from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """The demo's text, optimiser and rule for the rate on a grid over N and D, the rate taken as it is."""
    changes = {
        "model.depth": 2,
        "sweep.steps": (256, 512, 1024, 2048, 4096),
        "sweep.widths": (8, 16, 24),
        "sweep.aspect_ratio": 0,
        "sweep.shapes_per_budget": 0,
        "sweep.extra_seeds": (1,),
        "sweep.extra_seed_shapes": 1,
        "sweep.extra_seed_budgets": 0,
        "sweep.lr_check": False,
    }
    return replace(demo.get_config(), changes)
