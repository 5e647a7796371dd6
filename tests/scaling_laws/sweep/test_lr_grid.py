"""A grid of rates at several sizes, extended until each minimum is inside, whatever the order and the interruptions."""

import dataclasses
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import row_of

from scaling_laws import config, spec
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.sweep.lr_grid import LrGrid
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import TaskFacts

BASE = 0.01
FACTS = TaskFacts(unique_tokens=10**7, corpus_hash="c0ffee", spec=spec.text(256, 16))


def grid_of(widths=(8, 16), reach=1, facts=FACTS, **changes):
    """Sizes of one depth at the middle rate .01 and two seeds."""
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    small = {"model.depth": 1, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4, "train.steps": 20}
    given = {"optimizer.learning_rate": BASE, "sweep.seeds": (0, 1), "sweep.lr_max_extensions": 2}
    experiment = config.replace(ExperimentConfig(), small | given | dotted)
    runs = tuple(config.replace(config.run_part(experiment), {"model.width": width}) for width in widths)
    return LrGrid(experiment, facts, runs, reach, Pace())


def facts_of(planned):
    return planned.run.model.width, planned.run.optimizer.learning_rate, planned.run.train.seed


def bowl(best):
    """A loss that is lowest at a rate, the same for all sizes or by width."""

    def loss(planned):
        width, rate, seed = facts_of(planned)
        return 2 + 0.1 * math.log2(rate / (best[width] if isinstance(best, dict) else best)) ** 2 + 0.01 * seed

    return loss


def settle(grid, loss):
    """Do what is asked for until nothing is: the rows, and what was asked for after the first grid, in order."""
    rows, asked = [row_of(one, loss) for one in grid.planned()], []
    while new := grid.further(rows):
        asked += new
        rows += [row_of(one, loss) for one in new]
        assert len(asked) < 1000
    return rows, asked


def rates(planned, width=8):
    return sorted({rate for own, rate, _ in map(facts_of, planned) if own == width})


def test_the_first_grid_is_every_rate_and_seed_at_every_size():
    planned = grid_of(reach=2).planned()
    wanted = [(w, BASE * 2.0**k, seed) for w in (8, 16) for k in (-2, -1, 0, 1, 2) for seed in (0, 1)]
    assert [facts_of(one) for one in planned] == wanted
    assert all(one.run.train.data_seed == one.run.train.seed for one in planned)
    assert {(one.purpose, one.lr_source, one.budget) for one in planned} == {("lr_sweep", "lr_sweep", None)}
    assert len({one.run_id for one in planned}) == len(planned)
    assert {one.tokens for one in planned} == {20 * 4 * 16}


def test_a_minimum_inside_ends_it():
    grid = grid_of()
    assert settle(grid, bowl(BASE))[1] == []


@pytest.mark.parametrize(
    "best, added",
    [
        (2 * BASE, [4 * BASE]),
        (4 * BASE, [4 * BASE, 8 * BASE]),
        (BASE / 2, [BASE / 4]),
        (BASE / 4, [BASE / 8, BASE / 4]),
    ],
)
def test_an_edge_is_extended_until_the_minimum_is_inside(best, added):
    _, asked = settle(grid_of(), bowl({8: best, 16: BASE}))
    assert rates(asked) == pytest.approx(added)
    assert rates(asked, 16) == []
    assert [one.run.train.seed for one in asked] == [0, 1] * len(added)  # every seed


@pytest.mark.parametrize("most", [0, 2])
@pytest.mark.parametrize("best, side", [(1e3, 1), (1e-6, -1)])
def test_extensions_are_limited_on_either_side(most, best, side):
    _, asked = settle(grid_of(widths=(8,), sweep__lr_max_extensions=most), bowl(best))
    assert rates(asked) == pytest.approx(sorted(BASE * 2.0 ** (side * (1 + k)) for k in range(1, most + 1)))


@pytest.mark.parametrize("lone", [0, 1])
def test_the_mean_over_seeds_and_every_seed_decide(lone):
    def loss(planned):  # the mean and one seed stay at the middle, the other goes up
        _, rate, seed = facts_of(planned)
        return 2 + 0.1 * math.log2(rate / (4 * BASE if seed == lone else BASE / 2)) ** 2 * (1 if seed == lone else 3)

    _, asked = settle(grid_of(widths=(8,)), loss)
    assert rates(asked) == pytest.approx([BASE / 4, 4 * BASE, 8 * BASE])
    assert [one.run.train.seed for one in asked] == [0, 1] * 3


def test_a_diverged_rate_is_a_bound():
    def loss(planned):
        _, rate, seed = facts_of(planned)
        return math.inf if rate > BASE and seed == 1 else bowl(4 * BASE)(planned)

    assert settle(grid_of(), loss)[1] == []


def test_where_everything_diverged_nothing_follows():
    assert settle(grid_of(), lambda _: math.inf)[1] == []


def test_a_size_waits_for_its_own_runs_alone():
    grid, loss = grid_of(), bowl(4 * BASE)
    first = grid.planned()
    rows = [row_of(one, loss) for one in first[:-1]]
    asked = grid.further(rows)
    assert {one.run.model.width for one in asked} == {8, 16}
    assert [one for one in asked if one.run.model.width == 16] == [first[-1]]
    assert rates(asked) == pytest.approx([4 * BASE])


def test_equal_losses_stay_at_the_lowest_rate():
    flat = settle(grid_of(widths=(8,)), lambda _: 2.0)[1]
    assert rates(flat) == pytest.approx([BASE / 8, BASE / 4])


@pytest.mark.parametrize("rate, best", [(400.0, 1e4), (1000.0, 1e4)])
def test_rates_that_no_run_may_have_are_left_out(rate, best):
    grid = grid_of(widths=(8,), reach=2, optimizer__learning_rate=rate)
    grid.check()
    assert max(rates(grid.planned())) <= 1000
    rows, asked = settle(grid, bowl(best))
    assert asked == []
    assert len(rows) == len(grid.planned())


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.integers(1, 2),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.2]),
)
def test_any_order_and_any_interruption_lead_to_the_same_runs(seed, narrow, wide, reach, most, chance_of_bad):
    """Rows arrive in any order, what is asked for is asked for again after a restart: no run twice, none missing."""
    chance = random.Random(seed)
    grid = grid_of(reach=reach, sweep__lr_max_extensions=most)
    best = {8: BASE * 2**narrow, 16: BASE * 2**wide}

    def loss(planned):
        unlucky = random.Random(f"{seed} {planned.run_id}").random() < chance_of_bad
        return math.inf if unlucky else bowl(best)(planned)

    undisturbed, _ = settle(grid, loss)
    rows, waiting = [], list(grid.planned())
    while waiting:
        chance.shuffle(waiting)
        rows.append(row_of(waiting.pop(), loss))
        chance.shuffle(rows)
        if chance.random() < 0.3:  # a restart: what waits is found out anew
            waiting = [one for one in grid.planned() if one.run_id not in {row["run_id"] for row in rows}]
        further = grid.further(rows)
        named = [one.run_id for one in further]
        assert len(set(named)) == len(named)
        assert not set(named) & {row["run_id"] for row in rows}
        waiting += [one for one in further if one.run_id not in {each.run_id for each in waiting}]
    assert len(rows) == len(undisturbed)
    assert {row["run_id"] for row in rows} == {row["run_id"] for row in undisturbed}


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"sweep__seeds": ()}, "sweep.seeds: empty; allowed: at least one value"),
        ({"optimizer__learning_rate": 0.0}, "optimizer.learning_rate: 0; allowed: above 0"),
        ({"train__steps": 1}, "train.steps: 1; allowed: whole number"),
        ({"widths": (12,)}, "model.width: 12; allowed: a multiple of model.head_dim"),
        ({"train__parametrization": "mup", "train__base_width": 0}, "train.base_width: 0; allowed: 1 or more"),
        (
            {"facts": dataclasses.replace(FACTS, unique_tokens=200), "sweep__max_epochs": 4.0},
            "train.steps: 20 read 6.40 epochs; allowed: at most sweep.max_epochs = 4",
        ),
    ],
)
def test_what_is_refused(changes, line):
    with pytest.raises(ConfigError) as error:
        grid_of(**changes).check()
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
