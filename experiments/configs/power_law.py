"""Power-law random features with exponents that theory knows (Paquette et al. 2024), in about two minutes on two cores.

    python -m experiments.sweep --config=experiments/configs/power_law.py --workdir=runs/power_law
    python -m analysis.isoflop --runs=runs/power_law

One-pass SGD at one rate on linear regression over d features whose variances fall as j^-2, seven budgets over two
decades, seven widths each, sixteen seeds that each have their own random features. With (task.alpha, task.beta) =
(1, .25) the loss of the best width falls as C^-.500 and that width grows as C^.333 (phase Ia); other phases:

    (1, .7)   phase II   .706  .412   --config.task.beta=0.7 with the budgets and centre below
    (1, 1.3)  phase III  .750  .500

    --config.sweep.budgets=1.28e5,2.76e5,5.94e5,1.28e6,2.76e6,5.94e6,1.28e7
    --config.sweep.center=39100 --config.sweep.center_exponent=0.41     (beta .7; for 1.3: 224000 and 0.5)
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe. The rate is half of the largest stable one; every pack is the seeds of one shape and budget."""
    return ExperimentConfig(
        model=ModelConfig(family="features", width=0, depth=1),
        task=TaskConfig(name="power_law", alpha=1.0, beta=0.25),
        optimizer=OptimizerConfig(
            name="sgd", learning_rate=0.25, momentum=0.0, clip_norm=0.0, schedule="constant", warmup=0.0
        ),
        train=TrainConfig(
            parametrization="standard",
            batch_size=8,
            eval_tokens=16384,
            curve_points=2,
            curve_eval_tokens=256,
            steps_per_dispatch=2000,
            checkpoint_seconds=0.0,
        ),
        sweep=SweepConfig(
            budgets=(3.84e5, 8.27e5, 1.78e6, 3.84e6, 8.27e6, 1.78e7, 3.84e7),
            widths=(24, 34, 48, 68, 96, 136, 192, 272, 384, 543, 768, 1086, 1536),
            shapes_per_budget=7,
            center=6840.0,
            center_exponent=1 / 3,
            seeds=tuple(range(16)),
            min_steps=8,
            lr_check=False,
            forecast_factor=0.0,
            strategy="vmap",
            pack_size=16,
        ),
    )
