"""A scaling law of perceptrons on handwritten digits, in about a minute on two cores.

    python -m experiments.sweep --config=experiments/configs/digits_mlp.py --workdir=runs/digits_mlp
    python -m analysis.report --runs=runs/digits_mlp --out=runs/digits_mlp/report.html

Two hidden layers, 4 to 96 units wide, on the 8 x 8 digits that scikit-learn ships: five budgets from 4e6 to 1.6e8
FLOPs, three seeds. There are 1,347 digits to train on, so most runs read them many times, up to 26
(`sweep.max_epochs`): what is fitted is the loss of models that see few examples often, and decay keeps them from
learning those by heart. Expect a minimum inside every budget's widths, 12 at the smallest and 32 at the largest, and
.72 falling to .14 nats (accuracy .97); half and twice the rate are worse at four of the five.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: a rate that CompleteP carries over the widths, from 32, where of .005 and .01 it was the better."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", width=0, depth=2),
        task=TaskConfig(name="images", path="digits", heldout_fraction=0.2),
        optimizer=OptimizerConfig(learning_rate=0.01, weight_decay=0.1),
        train=TrainConfig(base_width=32, base_depth=2, batch_size=8, curve_points=8),
        sweep=SweepConfig(
            budgets=(4e6, 1e7, 2.5e7, 6.3e7, 1.6e8),
            widths=(4, 6, 8, 12, 16, 24, 32, 48, 64, 96),
            shapes_per_budget=7,
            center=5.7e4,
            center_exponent=0.32,
            seeds=(0, 1, 2),
            max_epochs=50,
        ),
    )
