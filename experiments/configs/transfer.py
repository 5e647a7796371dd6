"""Does the best learning rate of a small model hold for a wider and a deeper one?

    python -m experiments.coordinate_check --config=experiments/configs/transfer.py --workdir=runs/transfer \
        --beside=standard
    python -m experiments.lr_sweep --config=experiments/configs/transfer.py --workdir=runs/transfer --beside=standard

Byte-level transformers on the packaged presidential messages under CompleteP, base width 32 and depth 2, then 2 and 4
times as wide, and 2 and 4 times as deep, three seeds, half a million tokens each. What comes out stands in
docs/results/transfer.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe; the learning rate is the middle of the grid of rates."""
    return ExperimentConfig(
        model=ModelConfig(width=32, depth=2, head_dim=16),
        task=TaskConfig(context=64),
        optimizer=OptimizerConfig(learning_rate=8e-3, beta2=0.98, warmup=0.1),
        train=TrainConfig(
            parametrization="completep",
            base_width=32,
            base_depth=2,
            batch_size=16,
            steps=512,
            curve_points=8,
            curve_eval_tokens=4096,
            checkpoint_seconds=0,
        ),
        sweep=SweepConfig(seeds=(0, 1, 2)),
    )
