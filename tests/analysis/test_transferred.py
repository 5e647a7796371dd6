"""Effective data transferred, against a power law that is known."""

import math

import pytest

from analysis.figures.fine_tuning import losses_over_tokens
from analysis.transferred import ROW, SCRATCH, arms, equivalent, transferred


def power(tokens):
    return 50 * tokens**-0.25


def a_row(tokens, loss, rate=0.01, seed=0, source=None, frozen=0, status="finished"):
    return {
        "run_id": f"{source}-{frozen}-{tokens}-{rate}-{seed}",
        "status": status,
        "width": 8,
        "depth": 2,
        "n_params": 200,
        "frozen_params": frozen if source else None,
        "source_run": source,
        "tokens": tokens,
        "unique_tokens": min(tokens, 5000),
        "learning_rate": rate,
        "loss": loss,
    }


SCRATCHES = [a_row(tokens, power(tokens)) for tokens in (100, 1000, 4000)]


@pytest.mark.parametrize("tokens", [100, 250, 1000, 3999, 4000])
def test_the_equivalent_of_a_power_laws_loss_is_its_tokens(tokens):
    assert equivalent(power(tokens), [4000, 100, 1000], [power(4000), power(100), power(1000)]) == pytest.approx(tokens)


@pytest.mark.parametrize("loss", [power(99), power(4001)])
def test_outside_of_what_was_measured_there_is_none(loss):
    assert math.isnan(equivalent(loss, [100, 1000, 4000], [power(100), power(1000), power(4000)]))
    assert math.isnan(equivalent(1.0, [], []))


def test_transferred_tokens_are_those_that_scratch_needs_beyond_the_fine_tuning():
    tuned = [a_row(100, power(700), source="s"), a_row(100, power(300), source="s", frozen=150)]
    free, frozen = transferred(arms([*SCRATCHES, *tuned, a_row(9000, 1.0, source="s")]))[:3:2]
    assert (free.arm.arm, frozen.arm.arm) == ("all learn", "75% rest")
    assert free.transferred_tokens == pytest.approx(600)
    assert frozen.transferred_tokens == pytest.approx(200)
    assert free.scratch_loss == power(100)


def test_the_best_rate_counts_and_an_edge_is_said():
    tried = ((0.1, 3), (0.2, 2), (0.4, 4))
    rows = [a_row(100, loss + 0.1 * seed, rate, seed) for rate, loss in tried for seed in (0, 1)]
    (arm,) = arms(rows)
    assert (arm.arm, arm.learning_rate, arm.edge, arm.seeds) == (SCRATCH, 0.2, False, 2)
    assert (arm.loss, arm.loss_se) == (pytest.approx(2.05), pytest.approx(0.05))
    (arm,) = arms([*rows, a_row(100, 1.0, 0.8, 0), a_row(100, None, 0.8, 1, status="diverged")])
    assert arm.learning_rate == 0.2  # a rate at which a seed went bad is none
    (arm,) = arms([row for row in rows if row["learning_rate"] < 0.4])
    assert arm.edge


def test_a_row_has_the_columns_of_the_law_and_nothing_that_is_not_known():
    (found,) = transferred(arms([*SCRATCHES, a_row(9000, 0.5, source="s")]))
    row = found.to_row()
    assert tuple(row) == ROW
    assert (row["arm"], row["width"]) == ("all learn", 8)
    assert (row["finetune_tokens"], row["transferred_tokens"], row["scratch_loss"]) == (5000, "", "")


def test_the_figure_has_a_line_an_arm():
    tuned = [a_row(tokens, power(7 * tokens), source="s") for tokens in (100, 500)]
    (panel,) = losses_over_tokens(arms([*SCRATCHES, *tuned])).panels
    points = [layer for layer in panel.layers if layer.kind == "points"]
    assert [layer.name for layer in points] == ["from scratch", "fine-tuned, all learn"]
    assert points[1].x.tolist() == [100, 500]
