import math
import random

import pytest
from outcomes import row_of

from scaling_laws import config
from scaling_laws.sweep import rates
from scaling_laws.sweep.plan import plan

BASE = 0.01


@pytest.fixture
def grid(experiment, facts):
    """Two budgets, three shapes, one rate (0.01) each."""

    def make(**changes):
        given = {"sweep__lr_check": True, "sweep__depths": (1,), "optimizer__learning_rate": BASE} | changes
        return plan(experiment(**given), facts)

    return make


def bowl(best_rate, best_width=16):
    """A loss that is lowest at a rate and at a width."""

    def loss(planned):
        rate, width = planned.run.optimizer.learning_rate, planned.run.model.width
        return 2 + 0.1 * math.log2(rate / best_rate) ** 2 + abs(math.log2(width / best_width))

    return loss


def settle(planned, loss, rows=None, limit=20):
    """Do what the check asks for until it asks for nothing: the rows, and the runs it asked for, round by round."""
    rows = [row_of(p, loss) for p in planned.runs] if rows is None else list(rows)
    rounds = []
    while new := rates.next_rates(planned, rows):
        rounds.append([(p.budget, p.run.optimizer.learning_rate) for p in new])
        rows += [row_of(p, loss) for p in new]
        assert len(rounds) < limit
    return rows, rounds


def test_half_and_twice_the_rate_at_the_best_shape(grid):
    planned = grid()
    rows = [row_of(p, bowl(BASE)) for p in planned.runs]
    new = rates.next_rates(planned, rows)
    assert [(p.budget, p.run.optimizer.learning_rate) for p in new] == [
        (1e9, BASE / 2), (1e9, BASE * 2), (4e9, BASE / 2), (4e9, BASE * 2)
    ]  # fmt: skip
    assert {p.run.model.width for p in new} == {16}
    assert {(p.purpose, p.run.train.seed) for p in new} == {("lr_check", 0)}
    for p in new:
        (twin,) = [g for g in planned.runs if (g.budget, g.shape) == (p.budget, p.shape)]
        assert config.replace(p.run, {"optimizer.learning_rate": BASE}) == twin.run
        assert p.flops == twin.flops


def test_an_interior_minimum_ends_the_check(grid):
    rows, rounds = settle(grid(), bowl(BASE))
    assert len(rounds) == 1
    for entry in rates.report(grid(), rows):
        assert entry.rates == (BASE / 2, BASE, BASE * 2)
        assert (entry.chosen, entry.interior, entry.pending) == (BASE, True, False)


@pytest.mark.parametrize("best, expected", [(4 * BASE, [BASE / 2, 1 * BASE, 2 * BASE, 4 * BASE, 8 * BASE]),
                                            (BASE / 2, [BASE / 4, BASE / 2, BASE, 2 * BASE])])  # fmt: skip
def test_an_edge_is_extended_until_the_minimum_is_inside(grid, best, expected):
    planned = grid(sweep__budgets=(1e9,))
    rows, _ = settle(planned, bowl(best))
    (entry,) = rates.report(planned, rows)
    assert entry.rates == pytest.approx(expected)
    assert entry.chosen == pytest.approx(best)
    assert entry.interior


@pytest.mark.parametrize("extensions", [0, 2])
def test_extensions_are_limited_and_the_edge_is_reported(grid, extensions):
    planned = grid(sweep__budgets=(1e9,), sweep__lr_max_extensions=extensions)
    rows, _ = settle(planned, bowl(1e3))
    (entry,) = rates.report(planned, rows)
    assert entry.chosen == entry.rates[-1] == BASE * 2 ** (1 + extensions)
    assert not entry.interior
    assert "AT THE EDGE" in rates.describe(entry)


def test_a_diverged_rate_is_a_bound(grid):
    planned = grid(sweep__budgets=(1e9,))

    def loss(p):
        return math.inf if p.run.optimizer.learning_rate > BASE else bowl(BASE)(p)

    rows, rounds = settle(planned, loss)
    (entry,) = rates.report(planned, rows)
    assert len(rounds) == 1
    assert entry.interior
    assert entry.losses[-1] == math.inf


def test_a_grid_with_its_own_interior_minimum_needs_no_check(grid):
    planned = grid(sweep__lr_multipliers=(0.25, 1.0, 4.0))
    assert rates.next_rates(planned, [row_of(p, bowl(BASE)) for p in planned.runs]) == []


def test_a_wide_grid_with_an_edge_minimum_goes_on_by_twos(grid):
    planned = grid(sweep__lr_multipliers=(0.25, 1.0, 4.0), sweep__budgets=(1e9,))
    rows, _ = settle(planned, bowl(8 * BASE))
    (entry,) = rates.report(planned, rows)
    assert entry.rates == pytest.approx([BASE / 4, BASE, 4 * BASE, 8 * BASE, 16 * BASE])


def test_the_best_shape_is_that_of_the_mean_over_seeds(grid):
    planned = grid(sweep__budgets=(1e9,), sweep__seeds=(0, 1))

    def lucky(p):  # width 8 wins on seed 0, width 32 on average
        return {(8, 0): 1.0, (8, 1): 5.0, (16, 0): 4.0, (16, 1): 4.0, (32, 0): 2.0, (32, 1): 2.0}[
            p.run.model.width, p.run.train.seed
        ]

    new = rates.next_rates(planned, [row_of(p, lucky) for p in planned.runs])
    assert {p.run.model.width for p in new} == {32}


def test_a_budget_waits_for_its_grid(grid):
    planned = grid()
    rows = [row_of(p, bowl(BASE)) for p in planned.runs if not (p.budget == 4e9 and p.run.model.width == 8)]
    assert {p.budget for p in rates.next_rates(planned, rows)} == {1e9}


def test_a_failed_run_does_not_stop_the_check(grid):
    planned = grid(sweep__budgets=(1e9,))
    rows = [row_of(p, bowl(BASE)) for p in planned.runs]
    rows[1] = rows[1] | {"status": "failed", "loss": None}  # width 16, the best one
    assert {p.run.model.width for p in rates.next_rates(planned, rows)} == {8}
    for row in rows:
        row |= {"status": "failed", "loss": None}
    assert rates.next_rates(planned, rows) == []


def test_off_means_off(grid):
    planned = grid(sweep__lr_check=False)
    assert rates.next_rates(planned, [row_of(p, bowl(BASE)) for p in planned.runs]) == []
    entries = rates.report(planned, [row_of(p, bowl(BASE)) for p in planned.runs])
    assert [(entry.chosen, entry.interior, entry.pending) for entry in entries] == [(BASE, False, False)] * 2


@pytest.mark.parametrize("seed", range(20))
def test_any_interruption_leads_to_the_same_runs(grid, seed):
    """Kill at a random row, in a random order of arrival: the set of runs is that of the undisturbed sweep."""
    planned, loss, chance = grid(), bowl(5 * BASE), random.Random(seed)
    undisturbed, _ = settle(planned, loss)
    rows, waiting = [], list(planned.runs)
    while waiting:
        chance.shuffle(waiting)
        rows.append(row_of(waiting.pop(), loss))
        chance.shuffle(rows)
        if chance.random() < 0.5:  # a restart: what waits is found out anew
            waiting = [p for p in planned.runs if p.run_id not in {r["run_id"] for r in rows}]
        waiting += [p for p in rates.next_rates(planned, rows) if p not in waiting]
    assert {r["run_id"] for r in rows} == {r["run_id"] for r in undisturbed}
    assert len(rows) == len(undisturbed)
