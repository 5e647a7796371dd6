"""A scaling law of convolutional networks on handwritten digits, in two or three minutes on two cores.

    python -m experiments.sweep --config=experiments/configs/digits_convnet.py --workdir=runs/digits_convnet
    python -m analysis.report --runs=runs/digits_convnet --out=runs/digits_convnet/report.html

One block a stage on the 8 x 8 digits that scikit-learn ships, 2 to 16 channels in the first stage: five budgets from
1.5e9 to 2.4e10 FLOPs, four seeds. There are 1,347 digits to train on, so small models read them up to 51 times
(`sweep.max_epochs`, where more than 4 are refused by default): what is fitted is the loss of models that see few
examples often. Expect a minimum inside every budget's widths, at 3, 5, 8, 10 and 12 channels, .24 falling to .09 nats,
and 97 % of 359 held-out digits told apart at 6e9 FLOPs, 97.8 % from 1.2e10 on; the best rate is that below or half
of it.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: one rate, carried over the widths from 8."""
    return ExperimentConfig(
        model=ModelConfig(family="convnet", width=0, depth=1),
        task=TaskConfig(name="images", path="digits", heldout_fraction=0.2),
        optimizer=OptimizerConfig(learning_rate=0.005, weight_decay=0.3, beta2=0.98),
        train=TrainConfig(base_width=8, base_depth=1, batch_size=16, curve_points=8),
        sweep=SweepConfig(
            budgets=(1.5e9, 3e9, 6e9, 1.2e10, 2.4e10),
            widths=(2, 3, 4, 5, 6, 8, 10, 12, 16),
            shapes_per_budget=7,
            center=1.1e5,
            center_exponent=0.5,
            seeds=(0, 1, 2, 3),
            max_epochs=70,
        ),
    )
