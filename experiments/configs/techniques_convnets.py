"""Techniques where pictures are few: convolutional networks on handwritten digits, a grid over width and steps to
measure them against.

    python -m experiments.technique --config=experiments/configs/techniques_convnets.py \
        --workdir=runs/techniques_convnets --technique=separable --strength=1
    python -m analysis.technique --runs=runs/techniques_convnets --bootstrap=1000

One block a stage, 2 to 12 channels in the first, batches of 16 for 64 to 2048 steps on the 8 x 8 digits that
scikit-learn ships: .8 to 24 times through the 1,347 to train on; five seeds, each cell at its best rate of three or
more. The baseline is 36 cells, 540 runs of about two seconds and more where a rate lies at the edge; an arm is four
cells, 60 runs.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: without decay, which is a technique here; CompleteP carries the rate over the widths from 8."""
    return ExperimentConfig(
        model=ModelConfig(family="convnet", width=0, depth=1),
        task=TaskConfig(name="images", path="digits", heldout_fraction=0.2),
        optimizer=OptimizerConfig(learning_rate=0.005, beta2=0.98),
        train=TrainConfig(base_width=8, base_depth=1, batch_size=16, curve_points=6),
        sweep=SweepConfig(
            widths=(2, 3, 4, 6, 8, 12),
            depths=(1,),
            steps=(64, 128, 256, 512, 1024, 2048),
            seeds=(0, 1, 2, 3, 4),
            max_epochs=25,
            lr_max_extensions=3,
        ),
    )
