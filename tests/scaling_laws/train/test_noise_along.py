"""The noise scale along a run: where it is measured, nothing is measured twice, and the run stays as it was."""

import pytest

from scaling_laws.config import RunConfig, replace
from scaling_laws.train import loop, noise_along
from scaling_laws.train.drawing import Drawing
from scaling_laws.train.noise_rows import NoiseRows

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 40,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 8,
    "train.eval_tokens": 256,
    "train.curve_eval_tokens": 256,
    "optimizer.learning_rate": 1e-2,
}
DRAWING = Drawing(windows=8, batches=4, points=3)
STEPS = DRAWING.steps(loop.curve_steps(40, 8))


RUN = replace(RunConfig(), TINY)


def along(task, workdir, **options):
    return noise_along.noise_along(RUN, task, DRAWING, workdir, say=lambda _: None, **options)


@pytest.fixture(scope="module")
def measured(task, tmp_path_factory):
    """The workdir of a run that was measured along, what it gave, and what the run itself ended at."""
    workdir, seen, real = tmp_path_factory.mktemp("measured"), [], loop.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train", lambda *words, **named: seen.append(real(*words, **named)))
        rows = along(task, workdir)
    return workdir, rows, seen[0]


def test_points_are_those_of_the_curve_and_the_run_is_as_without(measured, task, tmp_path):
    _, rows, (row, curve) = measured
    by_step = {point["step"]: point for point in curve}
    assert {each["step"] for each in rows} == STEPS <= set(by_step)
    assert max(by_step) in STEPS
    assert len(rows) == 3
    for each in rows:
        assert (each["loss"], each["trained_tokens"]) == (by_step[each["step"]]["loss"], 64 * each["step"])
        assert each["low"] < each["windows"] < each["high"]
        assert each["tokens"] == 16 * each["windows"]
    alone = loop.train(RUN, task, workdir=tmp_path, say=lambda _: None)
    assert (alone[0]["loss"], alone[1]) == (row["loss"], curve)


def test_what_is_there_is_not_measured_again(measured, task, monkeypatch):
    workdir, rows, _ = measured
    monkeypatch.setattr(loop, "train", None)
    assert along(task, workdir) == rows


def test_stopped_and_resumed_measures_the_same(measured, task, tmp_path):
    _, whole, _ = measured
    asked = iter([False] * 5 + [True, False, True])
    for _ in range(2):
        with pytest.raises(loop.StopRequested):
            along(task, tmp_path, stop=lambda: next(asked))
    assert 0 < len(NoiseRows(tmp_path).of(whole[0]["run_id"], DRAWING.name)) < 3
    assert along(task, tmp_path) == whole


def test_a_damaged_line_counts_as_not_measured(tmp_path):
    rows = NoiseRows(tmp_path)
    for step in (2, 1, 2):
        rows.add({"run_id": "r", "step": step, "drawn": "d", "windows": step / 3})
    rows.add({"run_id": "other", "step": 1, "drawn": "d", "windows": None})
    assert [row["step"] for row in NoiseRows(tmp_path).of("r", "d")] == [1, 2]
    assert NoiseRows(tmp_path).of("r", "e") == []
    data = rows.path.read_bytes()
    rows.path.write_bytes(data.replace(b'"step":2', b'"step":3'))
    assert [row["step"] for row in NoiseRows(tmp_path).of("r", "d")] == [1]
    assert [path.name for path in tmp_path.iterdir()] == [rows.path.name]


def test_points_lie_in_the_later_half_of_a_curve():
    assert Drawing(points=2).steps([1, 2, 3, 4, 5, 6, 7, 8]) == {8, 6}
    assert Drawing(points=8).steps([1, 2, 3]) == {1, 2, 3}
    assert Drawing(points=0).steps([1, 2, 3]) == set()
