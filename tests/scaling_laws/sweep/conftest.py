from collections.abc import Callable

import pytest

from scaling_laws import config, spec
from scaling_laws.config import ExperimentConfig
from scaling_laws.sweep.planned import TaskFacts

SMALL = {
    "model.width": 0,
    "model.depth": 0,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "train.eval_tokens": 1024,
    "train.curve_points": 3,
    "train.curve_eval_tokens": 256,
    "train.steps_per_dispatch": 10,
    "sweep.widths": (8, 16, 32),
    "sweep.depths": (1, 2),
    "sweep.budgets": (1e9, 4e9),
    "sweep.lr_check": False,
}


@pytest.fixture
def experiment() -> Callable[..., ExperimentConfig]:
    """A small sweep; keyword names use `__` for the dot."""

    def make(**changes) -> ExperimentConfig:
        dotted = {name.replace("__", "."): value for name, value in changes.items()}
        return config.replace(ExperimentConfig(), SMALL | dotted)

    return make


@pytest.fixture
def facts() -> TaskFacts:
    return TaskFacts(unique_tokens=10**7, corpus_hash="c0ffee", spec=spec.text(256, 16), data_bytes=10**7)
