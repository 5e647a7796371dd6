"""A memoriser of items with Zipf's frequencies, whose exponents theory knows (Hutter 2021), in half a minute.

    python -m experiments.sweep --config=experiments/configs/zipf.py --workdir=runs/zipf
    python -m analysis.fit --runs=runs/zipf --law=power --terms=tokens

A table with a place for each of the 65,536 most frequent items, trained on one example a step: an item seen once is
known. With item i as frequent as i^-(1 + task.alpha), the loss is the probability of an item never seen, and falls as
D^-(a/(1+a)): exponent .333 at task.alpha .5, .5 at 1. With examples enough it falls as N^-a with the places N
(`--terms=n_params`):

    --config.sweep.steps=50000 --config.sweep.widths=8,16,32,64,128,256 --config.sweep.seeds=0
"""

from scaling_laws.config import ExperimentConfig, ModelConfig, OptimizerConfig, SweepConfig, TaskConfig, TrainConfig


def get_config() -> ExperimentConfig:
    """The recipe. The rate is the one at which a single sight fills a place (`theory.zipf.EXACT_RATE`)."""
    return ExperimentConfig(
        model=ModelConfig(family="memoriser", width=0, depth=1),
        task=TaskConfig(name="zipf", alpha=0.5),
        optimizer=OptimizerConfig(
            name="sgd", learning_rate=0.5, momentum=0.0, clip_norm=0.0, schedule="constant", warmup=0.0
        ),
        train=TrainConfig(
            parametrization="standard",
            batch_size=1,
            eval_tokens=16384,
            curve_points=2,
            curve_eval_tokens=256,
            steps_per_dispatch=2000,
            checkpoint_seconds=0.0,
        ),
        sweep=SweepConfig(
            steps=(100, 215, 464, 1000, 2154, 4642, 10_000),
            widths=(1 << 16,),
            depths=(1,),
            seeds=tuple(range(16)),
            lr_check=False,
            forecast_factor=0.0,
            strategy="vmap",
            pack_size=16,
        ),
    )
