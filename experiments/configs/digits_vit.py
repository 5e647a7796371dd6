"""A scaling law of vision transformers on handwritten digits, in a few minutes on two cores.

    python -m experiments.sweep --config=experiments/configs/digits_vit.py --workdir=runs/digits_vit
    python -m analysis.report --runs=runs/digits_vit --out=runs/digits_vit/report.html

Two blocks over the four 4 x 4 squares of the 8 x 8 digits that scikit-learn ships, 4 to 32 wide: five budgets from
1.6e8 to 6.3e9 FLOPs, two seeds. There are 1,347 digits to train on, so small models read them many times, up to 110
(`sweep.max_epochs`): what is fitted is the loss of models that see few examples often, and decay keeps them from
learning those by heart. Expect a minimum inside every budget's widths, 6 at the smallest and 12 at the largest, and .43
falling to .11 nats; N* grows as C^.45, a local slope.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: one rate, carried over the widths from 32."""
    return ExperimentConfig(
        model=ModelConfig(family="vit", width=0, depth=2, patch=4, n_heads=2),
        task=TaskConfig(name="images", path="digits", heldout_fraction=0.2),
        optimizer=OptimizerConfig(learning_rate=0.01, weight_decay=0.3),
        train=TrainConfig(base_width=32, base_depth=2, batch_size=16, curve_points=8),
        sweep=SweepConfig(
            budgets=(1.6e8, 4e8, 1e9, 2.5e9, 6.3e9),
            widths=(4, 6, 8, 12, 16, 24, 32),
            shapes_per_budget=6,
            center=1.75e4,
            center_exponent=0.19,
            seeds=(0, 1),
            max_epochs=150,
        ),
    )
