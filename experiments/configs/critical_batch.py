"""The critical batch of a small transformer on the packaged presidential messages, in about twenty minutes of a core.

    python -m experiments.critical_batch --config=experiments/configs/critical_batch.py --workdir=runs/batch
        --batch_sizes=2,4,8,16,32,64        (all in one line)

Width 32, depth 2, byte-pair tokens, windows of 64 tokens, a constant learning rate: 68 runs with those that the edges
of the rates ask for. Expect a critical batch that grows from 49 windows at a loss of 5.03 to 103 at 4.49; what came
out stands in docs/results/critical_batch. The guess in `batch_size` is too small: 64 would shorten the small batches.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: `steps` and `batch_size` are the least steps and the critical batch as guessed."""
    return ExperimentConfig(
        model=ModelConfig(width=32, depth=2, n_heads=2, head_init="small"),
        task=TaskConfig(tokenizer="bpe", vocab_size=1024, context=64),
        optimizer=OptimizerConfig(learning_rate=4e-3, beta2=0.98, schedule="constant", warmup=0.02),
        train=TrainConfig(
            parametrization="standard",
            batch_size=12,
            steps=160,
            eval_tokens=8192,
            curve_points=40,
            curve_eval_tokens=8192,
            steps_per_dispatch=50,
        ),
        sweep=SweepConfig(seeds=(0, 1), max_epochs=4.0),
    )
