"""Runs over batch sizes: how long, at which rates, and what is refused."""

import pytest

from scaling_laws.config import ConfigError
from scaling_laws.sweep import batch_grid


@pytest.fixture
def one_shape(experiment):
    def make(**changes):
        shape = {"model__width": 8, "model__depth": 1, "optimizer__schedule": "constant", "train__steps": 100}
        return experiment(**(shape | {"train__batch_size": 8, "optimizer__learning_rate": 0.01} | changes))

    return make


def test_lengths_follow_the_hyperbola_that_is_guessed(one_shape, facts):
    grid = [(2, 0.1), (8, 0.1), (32, 0.1)]
    runs = batch_grid.runs(one_shape(sweep__seeds=(0, 3)), facts, grid)
    assert [(p.run.train.batch_size, p.run.train.steps) for p in runs[::2]] == [(2, 500), (8, 200), (32, 125)]
    assert [p.run.train.seed for p in runs[:2]] == [0, 3]
    assert {(p.purpose, p.budget) for p in runs} == {("batch", None)}
    assert {p.lr_source for p in runs} == {"optimizer.learning_rate x batch^0.5, grid"}
    assert runs[0].tokens == 500 * 2 * 16
    for planned in runs:  # (S / S_min - 1) (E / E_min - 1) = 1 with S_min 100 and B_crit 8
        steps, batch = planned.run.train.steps, planned.run.train.batch_size
        assert (steps / 100 - 1) * (steps * batch / 800 - 1) == pytest.approx(1)


def test_rates_grow_with_the_root_of_the_batch_or_with_the_batch(one_shape, facts):
    assert batch_grid.rates(one_shape(), 8) == (0.005, 0.01, 0.02)
    assert batch_grid.rates(one_shape(), 32) == (0.01, 0.02, 0.04)
    assert batch_grid.rates(one_shape(optimizer__name="sgd"), 32) == (0.02, 0.04, 0.08)
    wild = batch_grid.runs(one_shape(), facts, [(8, 2e3), (8, 0.1)])
    assert [p.run.optimizer.learning_rate for p in wild] == [0.1]


@pytest.mark.parametrize(
    "changes, batches, words",
    [
        ({}, (2, 4), "batch_sizes: 2 different; allowed: 3 or more"),
        ({"optimizer__schedule": "cosine"}, (2, 4, 8), "optimizer.schedule: cosine; allowed: constant"),
        ({"sweep__seeds": ()}, (2, 4, 8), "sweep.seeds: empty"),
        ({"model__width": 0}, (2, 4, 8), "model.width: 0; allowed: 1 or more"),
        (
            {"train__accumulation": 4, "train__batch_size": 8},
            (2, 4, 8),
            "train.batch_size: 2; allowed: a multiple of 4",
        ),
        ({"sweep__max_epochs": 0.01}, (2, 4, 512), "batch_sizes: 512 reads .* epochs"),
        ({}, (2, 4, 2**21), "train.batch_size: 2097152"),
    ],
)
def test_what_is_refused(one_shape, facts, changes, batches, words):
    with pytest.raises(ConfigError, match=words) as caught:
        batch_grid.check(one_shape(**changes), batches, facts)
    assert "\n" not in str(caught.value)


def test_a_good_grid_passes(one_shape, facts):
    batch_grid.check(one_shape(), (2, 4, 8), facts)
