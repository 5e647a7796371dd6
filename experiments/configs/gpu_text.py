"""A scaling law on one accelerator in about half an hour: transformers up to 50M parameters on the Python at hand.

    python -m experiments.reproduce --paper=all --scale=gpu --workdir=runs/gpu      (every figure that reads `text`)
    python -m experiments.sweep --config=experiments/configs/gpu_text.py --workdir=runs/gpu_text

The text (`python`) is every source and note of the packages in the environment, some 175 MB or 50 million byte pairs;
the rows keep its hash, for it changes with the packages. Four budgets from 5e14 to 1.6e16 FLOPs, up to six shapes
each, two seeds at three shapes of the two smallest, the rate checked at every budget; bfloat16, CompleteP from width
128 and depth 4. 1.1e17 FLOPs and the rate checks, 1.6e17 in all: half an hour at a sustained 9e13 a second. Stopped,
the same command goes on. Planned and refused by the same code as every sweep, and not yet run on an accelerator.
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe: sizes about those that are best at each budget, 1e6 to 5e7, read at most four times."""
    return ExperimentConfig(
        model=ModelConfig(width=0, depth=0, n_heads=4, dtype="bfloat16"),
        task=TaskConfig(path="python", tokenizer="bpe", vocab_size=4096, context=256),
        optimizer=OptimizerConfig(learning_rate=0.005, weight_decay=0.1, beta2=0.98),
        train=TrainConfig(
            parametrization="completep",
            base_width=128,
            base_depth=4,
            batch_size=64,
            eval_tokens=1 << 20,
            curve_points=12,
            curve_eval_tokens=1 << 17,
        ),
        sweep=SweepConfig(
            budgets=(5e14, 1.6e15, 5e15, 1.6e16),
            widths=(64, 96, 128, 160, 192, 256, 320, 384, 448, 512, 560),
            depths=(2, 12),
            aspect_ratio=48,
            shapes_per_budget=6,
            center=1.74e5,
            center_exponent=0.5,
            extra_seeds=(1,),
            extra_seed_shapes=3,
            extra_seed_budgets=2,
        ),
    )
