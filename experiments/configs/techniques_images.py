"""Techniques on pictures: perceptrons on Fashion-MNIST, a grid over width and steps to measure them against.

    python -m experiments.technique --config=experiments/configs/techniques_images.py --workdir=runs/techniques_images \
        --technique=dropout --strength=0.05,0.1
    python -m analysis.technique --runs=runs/techniques_images --bootstrap=1000

Two hidden layers of 8 to 48 units, batches of 32 for 250 to 8000 steps: up to 4.3 times through the 60,000 pictures of
the Debian package dataset-fashion-mnist, evaluated on the official 10,000; three seeds, each cell at its best rate of
three or more. The baseline is 36 cells, 324 runs of about a second and more where a rate lies at the edge; an arm is
four cells, 36 runs.
"""

from scaling_laws.config import (
    ExperimentConfig,
    ModelConfig,
    OptimizerConfig,
    PruneConfig,
    QuantizeConfig,
    SweepConfig,
    TaskConfig,
    TrainConfig,
)


def get_config() -> ExperimentConfig:
    """The recipe: without decay, which is a technique here; CompleteP carries the rate over the widths from 16."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", width=0, depth=2),
        task=TaskConfig(name="images", path="fashion_mnist"),
        prune=PruneConfig(outer=True),  # most weights are those of the first layer
        quantize=QuantizeConfig(ends=True),
        optimizer=OptimizerConfig(learning_rate=0.01, beta2=0.98),
        train=TrainConfig(
            base_width=16, base_depth=2, batch_size=32, eval_tokens=10_000, curve_points=6, curve_eval_tokens=2000
        ),
        sweep=SweepConfig(
            widths=(8, 12, 16, 24, 32, 48),
            depths=(2,),
            steps=(250, 500, 1000, 2000, 4000, 8000),
            seeds=(0, 1, 2),
            max_epochs=5,
            lr_max_extensions=3,
        ),
    )
