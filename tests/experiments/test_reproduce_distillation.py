"""Students beside their teacher: the kept tables, and a planted table of several teachers."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from analysis.load import DataError, Runs
from experiments.reproduce.entry import NO, OPEN, YES, Own, Published
from experiments.reproduce.papers import distillation
from experiments.reproduce.recipes import teachers as recipe

KEPT = Path(__file__).parents[2] / "docs" / "results" / "techniques"
WIDTHS, STEPS, SEEDS = (8, 16, 32), (100, 200, 400), (0, 1, 2)
STUDENT = (8, 200)
GAIN = {(8, 100): 0.05, (16, 400): -0.2, (32, 400): -0.1}  # of each teacher, on the student's ln loss
NOISE = 1e-3


def planted(gain=GAIN):
    """A baseline of a law over N and D, and one student under several teachers, by paired seeds."""
    columns: dict[str, list] = {}

    def add(width, steps, seed, loss, teacher="", technique="none"):
        row = {"run_id": f"{technique} {width} {steps} {seed} {teacher}", "technique": technique, "width": width}
        row |= {"strength": 0.5 if teacher else 0.0, "depth": 2, "steps": steps, "batch_size": 1, "context": 100}
        row |= {"n_params": 100.0 * width, "tokens": 100.0 * steps, "flops": 6e4 * width * steps, "loss": loss}
        row |= {"seed": seed, "data_seed": seed, "learning_rate": 0.01, "status": "finished", "teacher_run": teacher}
        for name, value in row.items():
            columns.setdefault(name, []).append(value)

    def alone(width, steps, seed):
        noise = np.random.default_rng([width, steps, seed]).normal()
        return (1 + 20 / (100 * width) ** 0.4 + 30 / (100 * steps) ** 0.4) * np.exp(NOISE * noise)

    for width, steps, seed in itertools.product(WIDTHS, STEPS, SEEDS):
        add(width, steps, seed, alone(width, steps, seed))
    for (width, steps), seed in itertools.product(gain, SEEDS):
        loss = alone(*STUDENT, seed) * np.exp(gain[width, steps])
        add(*STUDENT, seed, loss, f"none {width} {steps} {seed} ", "distill")
    return Runs({name: np.array(values) for name, values in columns.items()}, "planted")


@pytest.fixture
def own(monkeypatch):
    """`own(gain)`: the planted table as that of one's own runs."""

    def own(gain=GAIN):
        monkeypatch.setattr("analysis.technique.load_runs", lambda path: planted(gain), raising=False)
        return Own("cpu", {"teachers": Path("runs")}, 20)

    return own


def test_kept_students_are_better_than_alone_and_no_teacher_is_worth_its_training():
    result = distillation.worth(Published(KEPT, 40))
    for one in result.quantities:
        passes = one.name.startswith("C over that without a teacher")
        assert one.agrees in ((NO,) if passes else (YES, OPEN)), one.name
    sunk = [one for one in result.quantities if one.name.startswith("gain in compute, teacher trained for it")]
    assert len(sunk) == 3
    assert all(one.interval[1] < 0.2 for one in sunk)
    text = next(one for one in result.quantities if one.name == "m_N with a teacher, text, weight 0.5")
    assert text.here == pytest.approx(1.38, abs=0.03)  # as docs/results/techniques has it
    assert [panel.title for panel in result.drawings[0].panels][::2] == ["pictures", "text"]


def test_a_student_is_held_against_each_of_its_teachers(own):
    result = distillation.teachers(own())
    by_said = {one.name.partition(" teacher")[0]: one for one in result.quantities}
    alone = np.mean([planted()["loss"][3 + seed] for seed in SEEDS])  # width 8, 200 steps
    for said, teacher in (("the weakest", (8, 100)), ("the best", (32, 400)), ("the most useful", (16, 400))):
        one = by_said[f"loss under {said}"]
        assert one.here == pytest.approx(alone * (np.exp(GAIN[teacher]) - 1), rel=1e-6)
        assert one.interval[0] < one.here < one.interval[1]
    assert by_said["loss under the best"].agrees == YES
    assert "makes a better student than the best" in result.notes[0]
    assert "beyond what seeds tell" in result.notes[0]
    student, flat, line = result.drawings[0].panels[0].layers
    assert len(student.x) == len(GAIN)
    np.testing.assert_array_equal(line.x, line.y)
    assert flat.y == pytest.approx([alone, alone])


def test_where_the_best_teacher_makes_the_best_student_no_gap_is_seen(own):
    result = distillation.teachers(own({(8, 100): 0.05, (16, 400): -0.1, (32, 400): 0.02 - 0.3}))
    assert "no gap of capacity is seen" in result.notes[0]


def test_a_teacher_that_harms_does_not_agree(own):
    result = distillation.teachers(own({(8, 100): 0.2, (32, 400): 0.1}))
    best = next(one for one in result.quantities if one.name.startswith("loss under the best"))
    assert (best.agrees, bool(best.why)) == (NO, True)


def test_of_several_teachers_the_best_stands_for_what_one_is_worth(own):
    result = distillation.worth(own())
    one = next(one for one in result.quantities if one.name.startswith("loss with a teacher less without"))
    alone = np.mean([planted()["loss"][3 + seed] for seed in SEEDS])
    assert one.here == pytest.approx(alone * (np.exp(GAIN[32, 400]) - 1), rel=1e-6)
    assert result.drawings[0].panels[0].title == "own runs, best of 3 teachers"


def test_a_table_without_teachers_is_refused():
    own = Own("cpu", {"teachers": KEPT.parent / "demo"}, 20)
    for figure in (distillation.worth, distillation.teachers):
        with pytest.raises(DataError, match=r"no run has a teacher|no student has two teachers"):
            figure(own)


def test_students_and_teachers_are_cells_of_the_grid():
    for size in recipe.SIZES.values():
        grid = set(itertools.product(size.changes["sweep.widths"], size.changes["sweep.steps"]))
        assert {*size.students, *size.teachers} <= grid
        assert len(size.teachers) > 1
