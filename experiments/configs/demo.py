"""A scaling law from nothing in about ten minutes on two cores, and a bet on four times the compute.

    scripts/demo                (this file through experiments.demo, into runs/demo)

Transformers over width and depth on the packaged presidential messages, byte-pair tokens: five budgets from 5e10 to
8e11 FLOPs, six shapes each, three seeds at three shapes of the three smallest, the learning rate checked at every
budget's best shape; then 3.2e12 FLOPs forecast, trained and graded. Tuned at width 32 and depth 2, from where CompleteP
carries decay and learning rate over the shapes; the rate follows N and D by the rule in demo_rule.json, which was
fitted to docs/results/demo_rates. Expect a minimum inside every budget's shapes, 2.17 bits per byte at the smallest
budget, 1.76 at the largest and 1.63 at the forecast, and exponents called a local slope: the range is 16-fold.
"""

import os
from pathlib import Path

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe; what each number was chosen from stands in docs/results/recipe.md."""
    return ExperimentConfig(
        model=ModelConfig(width=0, depth=0, n_heads=2),
        task=TaskConfig(tokenizer="bpe", vocab_size=1024, context=64),
        optimizer=OptimizerConfig(learning_rate=0.02, weight_decay=0.1, beta2=0.98),
        train=TrainConfig(base_width=32, base_depth=2, batch_size=8, curve_points=12, curve_eval_tokens=8192),
        sweep=SweepConfig(
            budgets=(5e10, 1e11, 2e11, 4e11, 8e11),
            widths=(8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80),
            depths=(2, 5),
            aspect_ratio=16,
            shapes_per_budget=6,
            center=1.5e5,
            center_exponent=0.47,
            extra_seeds=(1, 2),
            extra_seed_shapes=3,
            extra_seed_budgets=3,
            rule=os.path.relpath(Path(__file__).with_name("demo_rule.json")),
        ),
    )
