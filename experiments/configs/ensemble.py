"""What further members of an ensemble are worth, on handwritten digits.

    python -m experiments.ensemble --config=experiments/configs/ensemble.py --workdir=runs/ensemble --memory_split

Perceptrons with two hidden layers of 16 units on the 8 x 8 digits that scikit-learn ships, 1,600 steps of 8, eight
ensembles of one to eight members.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: the rate and the decay of experiments/configs/digits_mlp.py."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", width=16, depth=2),
        task=TaskConfig(name="images", path="digits", heldout_fraction=0.2),
        optimizer=OptimizerConfig(learning_rate=0.01, weight_decay=0.1),
        train=TrainConfig(base_width=32, base_depth=2, batch_size=8, curve_points=4),
        sweep=SweepConfig(steps=(1600,), seeds=tuple(range(8)), lr_check=False, max_epochs=50),
    )
