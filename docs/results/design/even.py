"""An even grid for the loss at flops 8e+12: 28 runs.

    python -m experiments.sweep --config=even.py --workdir=runs/next

What is not named here is as it is by default.
"""

from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """Settings of the table's runs; width x depth x steps x seed of the design."""
    changes = {
        "model.n_heads": 2,
        "task.tokenizer": "bpe",
        "task.vocab_size": 1024,
        "task.context": 64,
        "optimizer.weight_decay": 0.1,
        "optimizer.beta2": 0.98,
        "train.base_width": 32,
        "train.batch_size": 8,
        "sweep.lr_coefficient": 1582.06,
        "sweep.lr_n_exponent": -0.423807,
        "sweep.lr_d_exponent": -0.459061,
        "model.width": 0,
        "model.depth": 0,
        "sweep.lr_check": False,
        "sweep.forecast_factor": 0.0,
        "sweep.runs": (
            "40x3x4260x3",
            "40x3x4260x4",
            "16x2x13893x3",
            "16x2x13893x4",
            "48x3x2359x3",
            "48x3x2359x4",
            "24x2x7693x3",
            "64x5x972x3",
            "40x3x2359x3",
            "40x3x2359x4",
            "16x2x7693x3",
            "24x2x4260x3",
            "64x5x538x3",
            "48x3x972x3",
            "16x2x4260x3",
            "40x3x972x3",
            "24x2x2359x3",
            "48x3x538x3",
            "16x2x2359x3",
            "40x3x538x3",
            "8x2x4260x3",
            "8x2x4260x4",
            "48x3x298x3",
            "24x2x972x3",
            "40x3x298x3",
            "8x2x2359x3",
            "16x2x972x3",
            "24x2x538x3",
        ),
    }
    return replace(ExperimentConfig(), changes)
