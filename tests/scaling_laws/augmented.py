"""A table of small pictures, and runs on it that are augmented in every way."""

import numpy as np

from scaling_laws.config import RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.tasks.task import Task

EVERY = {"augment.crop": 1, "augment.flip": True, "augment.noise": 0.2, "augment.mixup": 0.4}
SMALL = {
    "model.family": "mlp",
    "model.width": 8,
    "model.depth": 1,
    "train.steps": 20,
    "train.batch_size": 8,
    "train.steps_per_dispatch": 5,
    "train.curve_points": 3,
    "train.checkpoint_seconds": 0.0,
    "optimizer.learning_rate": 0.02,
}


def run(**changes) -> RunConfig:
    """A run augmented in every way, but for `changes`, whose names have __ for a dot."""
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    return replace(RunConfig(), SMALL | EVERY | dotted)


def task(**fixed) -> Task:
    """Pictures of 5 x 4 pixels, of which the class, one of three, lights up a column."""

    def table(n: int):
        rng = np.random.default_rng(n)
        targets = rng.integers(0, 3, n).astype(np.int32)
        pixels = rng.integers(0, 100, (n, 5, 4, 1), np.uint8)
        pixels[np.arange(n), :, targets] += np.uint8(100)
        return {"inputs": pixels, "targets": targets}

    fixed = {"mean": np.array([70.0], np.float32), "scale": np.array([0.02], np.float32)} | fixed
    splits = {name: table(n) for name, n in (("train", 90), ("valid", 20), ("heldout", 40))}
    return Task("images", Spec("image", (5, 4, 1), 3), **splits, content_hash="feed", fixed=fixed)
