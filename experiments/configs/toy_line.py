"""A straight line through 100 points, y = 2 + 3 x + noise, by Adam: a few seconds on a core.

    python -m experiments.train --config=experiments/configs/toy_line.py --workdir=runs/toy_line
    python -m experiments.worked_cases --workdir=runs/worked        (this and toy_classes, with tables and figures)

A perceptron without a hidden layer is a linear regression: a slope and an intercept, from 0. Every step reads all 85
training rows. Expect a held-out squared error of .14 ± .07, near the noise's variance of .25. With
`--config.model.bias=false` there is no intercept, the line must pass through the origin, and the error is 3.7 ± .6.
What came out stands in docs/results/worked_cases.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: numbers in their own units, so that slope and intercept are the line's own."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", depth=0),
        task=TaskConfig(name="table", path="toy_line", standardise=False),
        optimizer=OptimizerConfig(name="adam", learning_rate=0.05, beta2=0.999, clip_norm=0.0, warmup=0.0),
        train=TrainConfig(
            parametrization="standard",
            batch_size=85,
            steps=2000,
            steps_per_dispatch=500,
            keep_parameters=True,
        ),
    )
