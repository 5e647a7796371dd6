"""Arms beside a baseline: which runs there are, what they share, and which of their rates count."""

import re
from statistics import fmean

import pytest

from scaling_laws import spec
from scaling_laws.config import ConfigError, ExperimentConfig, ModelConfig, SweepConfig, TrainConfig, replace
from scaling_laws.sweep import arms
from scaling_laws.sweep.arms import Cell
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.techniques import axes

WIDTHS, STEPS = (8, 16, 24, 32), (100, 200, 400, 800)
FACTS = TaskFacts(10_000_000, "feed", spec.text(256, 64))
CONFIG = ExperimentConfig(
    model=ModelConfig(width=0, depth=2, n_heads=2),
    train=TrainConfig(batch_size=4),
    sweep=SweepConfig(widths=WIDTHS, depths=(2,), steps=STEPS, seeds=(0, 5), lr_max_extensions=2),
)
MIDDLE = replace(CONFIG, {"task.context": 64})


def rates(planned):
    return sorted({one.run.optimizer.learning_rate for one in planned})


@pytest.fixture(scope="module")
def grid():
    return arms.baseline(MIDDLE, FACTS, 1, Pace())


def rows_of(planned, best_rate, offset=0.0, status="finished"):
    """Rows whose loss is least at `best_rate`; seeds differ."""
    rows = []
    for one in planned:
        distance = abs(one.run.optimizer.learning_rate / best_rate - 1)
        loss = 2.0 + offset + 0.1 * distance + 0.01 * one.run.train.seed
        rows.append({"run_id": one.run_id, "status": status, "loss": loss})
    return rows


def test_the_baseline_is_the_whole_grid_at_three_rates_and_every_seed(grid):
    planned = grid.planned()
    shapes = {(one.run.model.width, one.run.train.steps) for one in planned}
    assert shapes == {(width, steps) for width in WIDTHS for steps in STEPS}
    assert len(planned) == len({one.run_id for one in planned}) == 16 * 3 * 2
    assert {one.arm for one in planned} == {("none", 0.0)}
    assert {one.run.train.keep_parameters for one in planned} == {True}
    assert {one.run.train.seed - one.run.train.data_seed for one in planned} == {0}


def test_the_diagonal_leaves_room_on_every_side():
    assert arms.diagonal(MIDDLE) == [Cell(16, 2, 200), Cell(24, 2, 400)]
    for changes in ({"sweep.widths": (8, 16)}, {"sweep.depths": (2, 3)}):
        with pytest.raises(ConfigError, match="--cells: missing; allowed: WIDTHxSTEPS"):
            arms.diagonal(replace(MIDDLE, changes))
    with pytest.raises(ConfigError, match=re.escape("sweep.steps: empty; allowed: at least one value")):
        arms.cells(replace(MIDDLE, {"sweep.steps": ()}))


def test_the_best_rate_is_that_of_the_mean_over_seeds_that_all_finished(grid):
    cell, run = Cell(16, 2, 200), grid.runs[5]
    assert Cell.of(run) == cell
    own = grid.of_size(run)
    lowest, middle, _ = rates(own)
    found = arms.best(grid, rows_of(own, lowest))
    assert list(found) == [cell]
    assert found[cell].learning_rate == lowest
    assert found[cell].losses == pytest.approx({0: 2.0, 5: 2.05})
    assert fmean(found[cell].losses.values()) == pytest.approx(2.025)
    ids = {one.run.train.seed: one.run_id for one in own if one.run.optimizer.learning_rate == lowest}
    assert found[cell].run_ids == ids
    lame = [{**row, "status": "diverged"} if row["run_id"] == ids[5] else row for row in rows_of(own, lowest)]
    assert arms.best(grid, lame)[cell].learning_rate == middle


def test_an_arm_has_the_seeds_and_data_of_the_baseline_and_rates_around_its_best(grid):
    cell, planned = Cell(24, 2, 400), grid.planned()
    best_rate = rates(planned)[-1]
    tuned = arms.best(grid, rows_of(planned, best_rate))
    own = arms.arm(grid, "dropout", 0.2, [cell], tuned)
    found = own.planned()
    assert {one.arm for one in found} == {("dropout", 0.2)}
    assert rates(found) == pytest.approx([best_rate / 2, best_rate, 2 * best_rate])
    beside = [one.run for one in planned if Cell.of(one.run) == cell and one.run.optimizer.learning_rate == best_rate]
    undone = {"regularise.dropout": 0.0, "train.keep_parameters": True}
    assert [replace(one.run, undone) for one in found if one.run.optimizer.learning_rate == best_rate] == beside
    # the mean's minimum at an edge is followed, that of a single seed is not
    further = own.further(rows_of(found, 2 * best_rate))
    assert rates(further) == pytest.approx([4 * best_rate])
    assert {one.arm for one in further} == {("dropout", 0.2)}
    seeds = rows_of(found, best_rate)
    edge = [one.run.optimizer.learning_rate == 2 * best_rate and one.run.train.seed == 5 for one in found]
    assert own.further([{**row, "loss": 1.99} if at else row for row, at in zip(seeds, edge, strict=True)]) == []


@pytest.mark.parametrize("name, path", [("distill", "distill.teacher"), ("slim", "transfer.source")])
def test_an_arm_of_another_run_names_that_of_its_own_seed(grid, name, path):
    cell, planned = Cell(16, 2, 200), grid.planned()
    tuned = arms.best(grid, rows_of(planned, 0.003))
    teacher = Cell(32, 2, 800) if name == "distill" else None
    own = arms.arm(grid, name, 0.5, [cell], tuned, teacher)
    own.check()
    arms.check(grid, name, 0.5, [cell], teacher)
    section, field = path.split(".")
    named = {one.run.train.seed: getattr(getattr(one.run, section), field) for one in own.planned()}
    assert named == tuned[teacher or cell].run_ids
    assert len(set(named.values())) == 2
    if teacher:
        with pytest.raises(ConfigError, match="--teacher: missing; allowed: WIDTHxSTEPS"):
            arms.arm(grid, name, 0.5, [cell], tuned)


def test_a_source_on_other_data_has_the_shape_the_seed_and_the_rate_of_its_cell_and_its_own_length(grid):
    at = [Cell(24, 2, 400), Cell(16, 2, 200)]
    tuned = arms.best(grid, rows_of(grid.planned(), 0.003))
    other = replace(MIDDLE, {"task.path": "other.txt"})
    sources = arms.pretraining(grid, 0.25, at, tuned, other, FACTS)
    sources.check()
    found = [(one.run.model.width, one.run.train.steps, one.run.train.seed) for one in sources.planned()]
    assert found == [(24, 100, 0), (24, 100, 5), (16, 50, 0), (16, 50, 5)]
    assert {one.run.task.path for one in sources.planned()} == {"other.txt"}
    assert {one.run.train.keep_parameters for one in sources.planned()} == {True}
    assert rates(sources.planned()) == pytest.approx([tuned[at[0]].learning_rate])
    assert sources.further(rows_of(sources.planned(), 1.0)) == []
    with pytest.raises(ConfigError, match=r"train\.steps: 0; allowed"):
        arms.pretraining(grid, 1e-4, at, tuned, other, FACTS).check()
    named = {cell: {seed: {"transfer.source": f"{seed:016x}"} for seed in (0, 5)} for cell in at}
    own = arms.arm(grid, "transfer", 0.25, at, tuned, sources=named)
    own.check()
    assert {(one.run.train.seed, one.run.transfer.source) for one in own.planned()} == {
        (0, "0" * 16), (5, "0" * 15 + "5")
    }  # fmt: skip
    assert {one.run.train.steps for one in own.planned()} == {200, 400}


def test_an_arm_where_the_baseline_has_nothing_is_refused(grid):
    with pytest.raises(ConfigError, match="--cells: width 24 depth 2, 400 steps: no rate finished there"):
        arms.arm(grid, "dropout", 0.2, [Cell(24, 2, 400)], {})
    with pytest.raises(ConfigError, match=r"--technique: 'dropuot'; allowed: .*; did you mean dropout"):
        axes.axis("dropuot")


@pytest.mark.parametrize(
    "name, strength, allowed", [("crop", 0.5, "1"), ("flip", 2.0, "1"), ("early_stopping", 0.3, "0.333333")]
)
def test_a_strength_that_there_is_not_is_refused(name, strength, allowed):
    with pytest.raises(ConfigError, match=f"^--strength: {strength:g}; allowed here: {allowed}$"):
        axes.AXES[name].changes(strength)


@pytest.mark.parametrize("name", axes.AXES)
def test_every_axis_names_settings_that_there_are(name):
    axis = axes.AXES[name]
    whole = {"crop", "experts", "ensemble", "quantize_weights", "quantize_activations", "quantize_after"}
    only = {"flip", "separable", "gelu", "tanh", "swiglu"}
    strength = 4.0 if name in whole else 1.0 if name in only else 0.5
    changed = replace(MIDDLE, axis.changes(strength))
    assert (changed == MIDDLE) == (axis.source in ("members", "other"))
    assert axis.source in axes.SOURCES
    assert bool(axis.source_path) == (axis.source in ("own", "teacher", "other"))
