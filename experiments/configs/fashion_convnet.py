"""A scaling law of convolutional networks on Fashion-MNIST, in about three quarters of an hour on two quiet cores.

    python -m experiments.sweep --config=experiments/configs/fashion_convnet.py --workdir=runs/fashion_convnet
    python -m analysis.report --runs=runs/fashion_convnet --out=runs/fashion_convnet/report.html

28 x 28 pictures of ten kinds of clothes, from the Debian package dataset-fashion-mnist, measured on the official test
set: one block a stage, 3 to 16 channels in the first, five budgets from 3.75e11 to 6e12 FLOPs at one rate. The smaller
models of the larger budgets see the 56,500 pictures up to 6.3 times (`sweep.max_epochs`), beyond the 4 up to which
repeated data are as good as new ones. Before the sweep, single runs at this rate reached 90.0 % at 8 channels and 3e12
FLOPs (3.2 epochs, .278 nats) and 90.5 % at 12 channels and 6e12 (2.8 epochs, .264 nats): expect the bar of 90 % to be
passed at the largest budget. With full kernels; `--config.model.convolution=separable` is the other family.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: one rate, carried over the widths from 8."""
    return ExperimentConfig(
        model=ModelConfig(family="convnet", width=0, depth=1),
        task=TaskConfig(name="images", path="fashion_mnist"),
        optimizer=OptimizerConfig(learning_rate=0.01, weight_decay=0.1, beta2=0.98),
        train=TrainConfig(
            base_width=8, base_depth=1, batch_size=64, eval_tokens=10_000, curve_points=12, curve_eval_tokens=2000
        ),
        sweep=SweepConfig(
            budgets=(3.75e11, 7.5e11, 1.5e12, 3e12, 6e12),
            widths=(2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20),
            shapes_per_budget=5,
            center=1.7e4,
            center_exponent=0.5,
            max_epochs=8,
        ),
    )
