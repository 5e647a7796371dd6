"""How the best rank of a matrix factorisation grows with compute, in about two minutes on two cores.

    python -m experiments.sweep --config=experiments/configs/ratings.py --workdir=runs/ratings
    python -m analysis.report --runs=runs/ratings --out=runs/ratings/report.html

160,000 made-up ratings by 500 users of 400 items, of true rank 32, factorised with ranks from 1 to 64: five budgets
from 2e6 to 6.3e7 FLOPs, which read the 136,000 ratings to train on up to ten times (`sweep.max_epochs`). Expect a
minimum inside every budget's ranks, 3 at the smallest, 12 in the middle and 32 at the largest, with a squared error of
.94, .67 and .03 (of ratings of deviation 1; the noise alone is .01), and half and twice the rate worse at all of them.
The true factors are all of one strength, so the error falls ever faster until the rank is found, and no power law
continues it: no forecast is made.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: one rate, carried over the ranks from 16; of .01, .02 and .04 it was the best at every budget."""
    return ExperimentConfig(
        model=ModelConfig(family="recommender", width=0, depth=0),
        task=TaskConfig(name="ratings", rank=32, examples=160_000),
        optimizer=OptimizerConfig(learning_rate=0.04),
        train=TrainConfig(base_width=16, base_depth=1, batch_size=256, curve_points=8),
        sweep=SweepConfig(
            budgets=(2e6, 5e6, 1.2e7, 2.8e7, 6.3e7),
            widths=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64),
            depths=(0,),
            shapes_per_budget=7,
            center=1.08e7,
            center_exponent=0.61,
            forecast_factor=0,
            max_epochs=20,
        ),
    )
