"""A scaling law of convolutional networks on Fashion-MNIST, in half an hour to an hour on two cores.

    python -m experiments.sweep --config=experiments/configs/fashion_convnet.py --workdir=runs/fashion_convnet
    python -m analysis.report --runs=runs/fashion_convnet --out=runs/fashion_convnet/report.html

28 x 28 pictures of ten kinds of clothes, from the Debian package dataset-fashion-mnist, measured on the official test
set: one block a stage, 2 to 16 channels in the first, five budgets from 3.75e11 to 6e12 FLOPs at one rate, which is not
checked (`sweep.lr_check`), one seed. The smaller models of the larger budgets see the 56,500 pictures up to 11 times
(`sweep.max_epochs`), beyond the 4 up to which repeated data are as good as new ones. Expect 91.1 % at 6e12 FLOPs with 8
and with 10 channels (.245 and .244 nats), over 90 % from 3e12 on. With full kernels;
`--config.model.convolution=separable` is the other family.
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
            widths=(2, 3, 4, 5, 6, 8, 10, 12, 14, 16),
            shapes_per_budget=6,
            center=1.2e4,
            center_exponent=0.5,
            max_epochs=11,
            lr_check=False,
        ),
    )
