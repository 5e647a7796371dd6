"""experiments.train: one run from the command line to the runs table."""

import contextlib
import os
import random
import signal

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiments import cli, train
from scaling_laws.interrupts import Asked
from scaling_laws.table import Journal, read_curves, read_runs, result_hash

SMALL = {
    "model.width": 16,
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 24,
    "train.eval_tokens": 1024,
    "train.curve_eval_tokens": 256,
    "train.curve_points": 3,
    "train.steps_per_dispatch": 4,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Forty documents of made-up words, the same every time."""
    folder, source = tmp_path_factory.mktemp("corpus"), random.Random(0)
    words = ["".join(source.choices("abcdefgh", k=source.randint(2, 7))) for _ in range(200)]
    for number in range(40):
        (folder / f"{number}.txt").write_text(" ".join(source.choices(words, k=300)))
    return folder


@pytest.fixture(scope="module")
def call(corpus):
    def call(workdir, **changes):
        settings = SMALL | {"task.path": corpus} | {name.replace("__", "."): value for name, value in changes.items()}
        words = [f"--config.{path}={value}" for path, value in settings.items()]
        return cli.call(train.run, ["train", f"--workdir={workdir}", *words])

    return call


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def undisturbed(call, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed")
    assert call(workdir) == 0
    return workdir


def test_a_run_becomes_a_row_and_a_curve(undisturbed):
    (row,) = read_runs(undisturbed).to_pylist()
    assert (row["status"], row["purpose"], row["width"], row["depth"]) == ("finished", "single", 16, 1)
    assert row["tokens"] == 24 * 4 * 16
    assert row["eval_tokens"] == 1024
    assert 0 < row["loss_se"] < row["loss"] < 5.6  # ln 256 = 5.55
    assert row["bits_per_byte"] == pytest.approx(row["loss"] / 0.6931472, rel=0.02)  # bytes; the separator weighs 0
    assert read_curves(undisturbed)["step"].to_pylist()[-1] == 24


def test_a_run_is_watched_and_its_progress_shown(call, tmp_path, capsys):
    assert call(tmp_path, train__seed=1) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("24/24 steps  100%")
    (row,) = read_runs(tmp_path).to_pylist()
    curve = read_curves(tmp_path).to_pylist()
    events = EventAccumulator(str(tmp_path / "tensorboard" / row["run_id"]))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [point["step"] for point in curve]
    assert [event.value for event in events.Scalars("final/loss")] == pytest.approx([row["loss"]])


def test_a_finished_run_is_shown_not_repeated(undisturbed, call, capsys):
    before = (undisturbed / "journal.jsonl").read_bytes()
    assert call(undisturbed) == 0
    already, line = capsys.readouterr().out.splitlines()
    (row,) = read_runs(undisturbed).to_pylist()
    assert already.startswith(f"{row['run_id']}: finished already in {undisturbed}")
    assert line == train.summary(row)
    assert (undisturbed / "journal.jsonl").read_bytes() == before


def test_parameters_of_a_run_that_is_over_are_asked_for_in_vain(undisturbed, call, capsys):
    before = (undisturbed / "journal.jsonl").read_bytes()
    assert call(undisturbed, train__keep_parameters=True) == 2
    assert "has finished in" in capsys.readouterr().err
    assert (undisturbed / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_writes_a_checkpoint_and_the_same_command_goes_on(
    undisturbed, call, tmp_path, monkeypatch, capsys, number, code
):
    asked = Asked()
    asked.heard.append(number)
    with monkeypatch.context() as patch:
        patch.setattr(train, "interruptible", lambda: contextlib.nullcontext(asked))
        assert call(tmp_path) == code
    assert "checkpoint written" in capsys.readouterr().out
    with Journal(tmp_path) as journal:
        assert journal.rows() == []
    assert call(tmp_path) == 0
    assert "resumed at step" in capsys.readouterr().out
    assert result_hash(read_runs(tmp_path)) == result_hash(read_runs(undisturbed))
    assert read_curves(tmp_path).equals(read_curves(undisturbed))


def test_a_diverged_run_keeps_its_row_and_says_so(call, tmp_path, capsys):
    assert call(tmp_path, train__stop_loss=2) == train.WENT_BAD
    (row,) = read_runs(tmp_path).to_pylist()
    assert (row["status"], row["loss"]) == ("diverged", None)
    line = capsys.readouterr().out.splitlines()[-1]
    assert f"{row['run_id']}: diverged at step {row['steps_done']}: training loss" in line
    before = (tmp_path / "journal.jsonl").read_bytes()
    assert call(tmp_path, train__stop_loss=2) == train.WENT_BAD
    assert (tmp_path / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"model__width": 0}, "error: model.width: 0; allowed: 1 or more outside a sweep"),
        ({"model__width": 12}, "error: model.width: 12; allowed: a multiple of model.head_dim = 8"),
        ({"task__path": "absent.txt"}, "error: task.path: absent.txt does not exist"),
        ({"train__eval_tokens": "many"}, "error: train.eval_tokens: 'many'; allowed: whole number"),
    ],
)
def test_bad_settings_end_in_one_line_and_write_nothing(call, tmp_path, capsys, changes, line):
    assert call(tmp_path / "new", **changes) == 2
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_corpus_that_has_changed_is_named(call, tmp_path, capsys):
    place = tmp_path / "text.txt"
    verses = "\n\n".join(f"{number}: to be or not to be, that is the question" for number in range(2000))
    place.write_text(verses + "one")
    assert call(tmp_path / "runs", task__path=str(place)) == 0
    place.write_text(verses + "two")
    before = (tmp_path / "runs" / "journal.jsonl").read_bytes()
    capsys.readouterr()
    assert call(tmp_path / "runs", task__path=str(place)) == 2
    assert "is not what run" in capsys.readouterr().err
    assert (tmp_path / "runs" / "journal.jsonl").read_bytes() == before
    assert call(tmp_path / "other", task__path=str(place)) == 0


def test_a_run_that_its_task_refuses_leaves_nothing(call, tmp_path, capsys):
    assert call(tmp_path / "new", augment__noise=0.5) == 2
    assert capsys.readouterr().err.startswith("error: augment.noise: 0.5; allowed: 0.0 where")
    assert not (tmp_path / "new").exists()


def test_a_workdir_in_use_is_refused(call, undisturbed, capsys):
    with Journal(undisturbed):
        assert call(undisturbed) == 2
    assert f"in use by process {os.getpid()}" in capsys.readouterr().err


def test_unique_examples_change_what_is_read_and_nothing_that_is_measured(call, tmp_path):
    """At rate 0 the parameters stay as they were drawn: losses are of the splits alone."""
    for examples in (0, 4):
        assert call(tmp_path, optimizer__learning_rate=0, train__unique_examples=examples) == 0
    few, whole = sorted(read_runs(tmp_path).to_pylist(), key=lambda row: row["unique_tokens"])
    assert (few["unique_tokens"], few["epochs"], whole["unique_tokens"]) == (4 * 16, 24.0, 24 * 4 * 16)
    assert [few[name] for name in ("loss", "eval_tokens")] == [whole[name] for name in ("loss", "eval_tokens")]
    valid, trained = {}, {}
    for point in read_curves(tmp_path).to_pylist():
        valid.setdefault(point["step"], set()).add(point["loss"])
        trained.setdefault(point["run_id"], []).append(point["train_loss"])
    assert all(len(losses) == 1 for losses in valid.values())
    assert np.ptp(trained[few["run_id"]]) < 1e-5 < np.ptp(trained[whole["run_id"]])  # the same four windows a step


def test_a_few_examples_are_learnt_by_heart(call, tmp_path):
    for examples in (0, 4):
        assert call(tmp_path, train__unique_examples=examples, train__steps=200) == 0
    few, whole = sorted(read_runs(tmp_path).to_pylist(), key=lambda row: row["unique_tokens"])
    assert few["train_loss"] < whole["train_loss"] - 0.2
    assert few["loss"] > whole["loss"] + 0.2


def test_more_unique_examples_than_there_are_is_one_line(call, tmp_path, capsys):
    assert call(tmp_path / "runs", train__unique_examples=10**6) == 2
    assert "train.unique_examples: 1000000; allowed: at most" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
