"""What is English worth to a model of Python? Pre-training, then fine-tuning with all layers free or some at rest.

    python -m experiments.fine_tuning --config=experiments/configs/fine_tuning.py --workdir=runs/fine_tuning

Byte-level transformers of width 32 and depth 2 read two million bytes of the presidential messages, then 16 thousand
to a quarter of a million bytes of Python, the sources of JAX itself; beside them runs of Python from scratch. It is the
question of Hernandez et al. 2021 ("Scaling laws for transfer") in small. 106 runs in six minutes on two busy cores:
expect the English to stand for three times 65 thousand bytes of Python where all layers learn, for next to none
where all but the head rests. What came out stands in docs/results/transfer_learning.
"""

import importlib.util
import os

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: the task is that of the fine-tuning; the rates are a third to nine times the one below."""
    jax = importlib.util.find_spec("jax")
    return ExperimentConfig(
        model=ModelConfig(width=32, depth=2),
        task=TaskConfig(path=os.path.dirname(jax.origin or "") if jax else "", context=64),
        optimizer=OptimizerConfig(learning_rate=0.01, weight_decay=0.1, beta2=0.98),
        train=TrainConfig(base_width=32, batch_size=16, eval_tokens=65536, curve_points=8, curve_eval_tokens=8192),
        sweep=SweepConfig(seeds=(0, 1), lr_multipliers=(0.33, 1.0, 3.0, 9.0)),
    )
