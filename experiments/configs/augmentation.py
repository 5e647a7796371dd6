"""A perceptron on handwritten digits that sees them more often than is good for it: what augmentation is for.

    python -m experiments.search --config=experiments/configs/augmentation.py --workdir=runs/augmentation \
        --sampler=grid --seeds=0,1,2 --space="train.steps=1000|16000,augment.crop=0|1|2"

Two hidden layers of 64 on the 8 x 8 digits, which 16,000 steps read 190 times; a run takes a second. Expect crop 1 to
be worse than nothing after 1000 steps and far better after 16,000. `scripts/bench augmentation` compares crop, noise
and mixup over three horizons; what came out: docs/results/augmentation.
"""

from experiments.configs import digits_mlp
from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """The perceptron of `digits_mlp` at one width, without augmentation."""
    return replace(digits_mlp.get_config(), {"model.width": 64, "train.batch_size": 16, "train.steps": 4000})
