"""Regression on a manifold of known dimension (Sharma and Kaplan 2020), in about half a minute on two cores.

    python -m experiments.sweep --config=experiments/configs/manifold.py --workdir=runs/manifold
    python -m analysis.fit --runs=runs/manifold --law=power --terms=n_params

Perceptrons of two hidden layers learn a fixed function of a point on a manifold of `task.dimension` d dimensions, from
fresh examples. A piecewise linear student in the limit has a loss of N^-(4/d); at these sizes, 417 to 7,921 parameters,
it still falls faster, the more slowly the higher the dimension.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", width=0, depth=2, activation="relu"),
        task=TaskConfig(name="manifold", dimension=4),
        optimizer=OptimizerConfig(name="adam", learning_rate=0.01, clip_norm=0.0),
        train=TrainConfig(
            base_width=32,
            base_depth=2,
            batch_size=256,
            eval_tokens=16384,
            curve_points=8,
            curve_eval_tokens=1024,
            steps_per_dispatch=200,
            checkpoint_seconds=0.0,
        ),
        sweep=SweepConfig(
            steps=(10_000,),
            widths=(13, 19, 28, 40, 57, 80),
            depths=(2,),
            seeds=(0,),
            lr_check=False,
            forecast_factor=0.0,
        ),
    )
