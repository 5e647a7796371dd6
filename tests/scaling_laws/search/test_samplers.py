"""Samplers: functions of seed, trial number and what was told; better than chance where there is something to learn."""

import math

import optuna
import pytest

from scaling_laws.config import RunConfig
from scaling_laws.search import samplers
from scaling_laws.search.settings import SAMPLERS
from scaling_laws.search.space import parse

optuna.logging.set_verbosity(optuna.logging.WARNING)
LATTICE = parse("optimizer.learning_rate=log:1e-3:1:16,optimizer.weight_decay=log:1e-3:1:16", RunConfig())
MIXED = parse("optimizer.learning_rate=log:1e-3:1,model.depth=int:1:4,model.norm=rms|layer", RunConfig())


def bowl(point):
    """Lowest, 0, at a rate of 0.03 and a decay of 0.1."""
    rate, decay = point["optimizer.learning_rate"], point.get("optimizer.weight_decay", 0.1)
    return math.log(rate / 0.03) ** 2 + 0.3 * math.log(decay / 0.1) ** 2 + 2 * (point.get("model.norm") == "layer")


def search(kind, space, seed, n_trials, before=()):
    """The points of a search, in order, after those told `before`."""
    study = optuna.create_study(sampler=samplers.sampler(kind, space, seed, n_trials))
    dists = {axis.field: samplers.distribution(axis) for axis in space.axes}
    for params, value in before:
        study.add_trial(optuna.trial.create_trial(params=params, distributions=dists, value=value))
    found = []
    for _ in range(n_trials - len(before)):
        trial = study.ask(dists)
        found.append((trial.params, samplers.changes(space, trial.params)))
        study.tell(trial, bowl(found[-1][1]))
    return found


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_search_that_is_taken_up_again_goes_on_as_it_would_have(kind):
    space = LATTICE if kind == "grid" else MIXED
    whole = search(kind, space, 3, 12)
    for done in (2, 9):
        before = [(params, bowl(point)) for params, point in whole[:done]]
        assert search(kind, space, 3, 12, before) == whole[done:]


@pytest.mark.parametrize("kind", SAMPLERS)
def test_seeds_give_different_searches_within_the_space(kind):
    first, second = (search(kind, LATTICE, seed, 8) for seed in (0, 1))
    assert first != second
    for _, point in first + second:
        assert all(point[axis.field] in axis.points for axis in LATTICE.axes)


def test_values_of_a_mixed_space():
    for _, point in search("random", MIXED, 0, 20):
        assert 1e-3 <= point["optimizer.learning_rate"] <= 1
        assert point["model.depth"] in (1, 2, 3, 4)
        assert point["model.norm"] in ("rms", "layer")


def test_a_grid_is_each_point_once_in_a_shuffled_order():
    points = [tuple(samplers.grid_point(LATTICE, 5, number).values()) for number in range(256)]
    assert len(set(points)) == 256
    assert points != sorted(points)


@pytest.mark.parametrize("kind, n_trials", [("tpe", 40), ("gp", 20)])
def test_models_beat_chance_on_a_bowl(kind, n_trials):
    def found(sampler):
        return [min(bowl(point) for _, point in search(sampler, LATTICE, seed, n_trials)) for seed in range(6)]

    assert sum(found(kind)) < 0.5 * sum(found("random"))


def test_a_small_space_is_searched_to_its_end():
    space = parse("optimizer.learning_rate=log:1e-2:1:4,model.norm=rms|layer", RunConfig())
    points = [tuple(point.values()) for _, point in search("gp", space, 0, 14)]
    assert len(set(points)) == 8


def test_the_gaussian_process_learns_choices_and_ranges():
    points = [point for _, point in search("gp", MIXED, 0, 24)][-8:]
    assert sum(point["model.norm"] == "rms" for point in points) >= 6
    assert min(bowl(point) for point in points) < 0.05


def test_open_trials_are_not_proposed_again():
    study = optuna.create_study(sampler=samplers.sampler("gp", LATTICE, 0, 16))
    dists = {axis.field: samplers.distribution(axis) for axis in LATTICE.axes}
    for _ in range(8):
        trial = study.ask(dists)
        study.tell(trial, bowl(samplers.changes(LATTICE, trial.params)))
    opened = [tuple(study.ask(dists).params.values()) for _ in range(4)]
    assert len(set(opened)) == 4


def test_how_many_trials_are_drawn_blindly():
    assert [samplers.startup_trials(count) for count in (1, 16, 24, 40, 100)] == [4, 4, 6, 10, 10]
