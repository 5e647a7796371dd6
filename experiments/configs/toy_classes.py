"""Two classes from 100 rows of 10 numbers: a 10-10-2 network under plain gradient descent, in ten seconds on a core.

    python -m experiments.train --config=experiments/configs/toy_classes.py --workdir=runs/toy_classes
    python -m experiments.worked_cases --workdir=runs/worked        (this and toy_line, with tables and figures)

Ten inputs, one hidden layer of ten units, two outputs: 132 parameters. Every step reads all 70 training rows: this is
gradient descent and not a stochastic one; the rate is .01 from the first step to the last. Expect a training loss of
2.4e-4, with the norm of the gradient below 1e-3, and a validation loss of 3.6 where guessing has .69: the 70 rows are
learnt by heart. `--config.train.steps=113` stops before that; `--config.model.depth=0` is a logistic regression. What
came out stands in docs/results/worked_cases.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: numbers in their own units, 70 rows to train on, 15 for the curve, 15 held out."""
    return ExperimentConfig(
        model=ModelConfig(family="mlp", width=10, depth=1),
        task=TaskConfig(
            name="table", path="toy_classes", standardise=False, valid_fraction=0.15, heldout_fraction=0.15
        ),
        optimizer=OptimizerConfig(
            name="sgd", learning_rate=0.01, momentum=0.0, clip_norm=0.0, schedule="constant", warmup=0.0
        ),
        train=TrainConfig(
            parametrization="standard",
            batch_size=70,
            steps=150_000,
            steps_per_dispatch=5000,
            keep_parameters=True,
        ),
    )
