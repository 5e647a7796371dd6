"""Techniques on text: small transformers on the presidential messages, a grid over width and steps to measure them
against.

    python -m experiments.technique --config=experiments/configs/techniques_text.py --workdir=runs/techniques_text \
        --technique=weight_decay --strength=0.1,0.3
    python -m analysis.technique --runs=runs/techniques_text --bootstrap=1000

Two blocks of width 8 to 48, 512 byte-pair tokens, windows of 64, batches of 8 for 125 to 4000 steps: two million tokens
at most, of which none is read twice; three seeds, each cell at its best rate of three or more. The baseline is 36
cells, 324 runs of 1 to 30 seconds and more where a rate lies at the edge; an arm is four cells, 36 runs.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: without decay, which is a technique here; CompleteP carries the rate over the widths from 24."""
    return ExperimentConfig(
        model=ModelConfig(width=0, depth=2, n_heads=2),
        task=TaskConfig(tokenizer="bpe", vocab_size=512, context=64),
        optimizer=OptimizerConfig(learning_rate=0.02, beta2=0.98),
        train=TrainConfig(base_width=24, base_depth=2, batch_size=8, curve_points=6, curve_eval_tokens=8192),
        sweep=SweepConfig(
            widths=(8, 12, 16, 24, 32, 48),
            depths=(2,),
            steps=(125, 250, 500, 1000, 2000, 4000),
            seeds=(0, 1, 2),
            lr_max_extensions=3,
        ),
    )
