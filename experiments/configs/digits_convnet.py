"""A scaling law of convolutional networks on handwritten digits, in three or four minutes on two quiet cores.

    python -m experiments.sweep --config=experiments/configs/digits_convnet.py --workdir=runs/digits_convnet
    python -m analysis.report --runs=runs/digits_convnet --out=runs/digits_convnet/report.html

One block a stage on the 8 x 8 digits that scikit-learn ships, 3 to 12 channels in the first stage: five budgets from
3e9 to 4.8e10 FLOPs, two seeds. There are 1,348 digits to train on, so small models read them up to 70 times
(`sweep.max_epochs`, where more than 4 are refused by default): what is fitted is the loss of models that see few
examples often. Expect a minimum inside every budget's widths, at 4, 5, 5, 6 and 10 channels, .12 falling to .08 nats,
and with it 96.5 to 98.8 % of 359 held-out digits told apart, over 97 % from 6e9 FLOPs on; the best rate is that below,
twice it or, at the largest budget, four times it, all within the noise of so few digits.
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
