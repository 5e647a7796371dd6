"""One model trained by several processes on loopback, two simulated devices each; one of them killed."""

import random
import shutil
import signal
import time

import pytest
import started

from scaling_laws.table import read_curves, read_runs, result_hash
from scaling_laws.train import arrays, saved
from scripts.benchmarks import shapes

pytestmark = pytest.mark.slow  # each process starts JAX, and they share the cores

GO_ON = "the same command on all of them goes on from the last checkpoint"


def data(folder):
    """Settings of a task whose text is written into `folder`."""
    source = random.Random(0)
    words = ["".join(source.choices("abcdefgh", k=source.randint(2, 7))) for _ in range(200)]
    for number in range(40):
        (folder / f"{number}.txt").write_text(" ".join(source.choices(words, k=300)))
    return {"task.path": folder}


@pytest.fixture(scope="module")
def runs(start, tmp_path_factory):
    """Workdirs by what was done in them, and how the killed one ended."""
    folder = tmp_path_factory.mktemp("runs")
    for name, processes in (("one", 1), ("four", 4)):
        started.trained(start(folder / name, processes))
    team = start(folder / "killed", 4, train__checkpoint_seconds=0.2)
    seconds, left = started.killed_at_a_checkpoint(team, folder / "killed", 2)
    for processes in (4, 2, 1):
        resumed = folder / f"resumed on {processes}"
        shutil.copytree(folder / "killed", resumed)
        started.trained(start(resumed, processes))
    return folder, seconds, left


def test_four_processes_reach_the_loss_of_one_device(runs):
    one, four = (started.row_of(runs[0] / name) for name in ("one", "four"))
    assert four["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert (one["run_id"], four["n_devices"]) == (four["run_id"], 8)
    curves = [[point["loss"] for point in read_curves(runs[0] / name).to_pylist()] for name in ("one", "four")]
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)


def test_the_reference_model_too(start, tmp_path):
    settings = shapes.changes(shapes.REFERENCES["small"]) | {"optimizer.learning_rate": 3e-4, "train.steps": 30}
    settings = {name.replace(".", "__"): value for name, value in settings.items()} | {"model__head_dim": 32}
    for name, processes in (("one", 1), ("four", 4)):
        started.trained(start(tmp_path / name, processes, **settings))
    one, four = (started.row_of(tmp_path / name) for name in ("one", "four"))
    print(f"one device {one['loss']!r}, 4 processes x 2 devices {four['loss']!r}, at first ln 256 = 5.545")
    assert four["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert (four["n_devices"], four["width"], four["depth"]) == (8, 128, 4)


def test_survivors_of_a_kill_leave_in_time_with_one_line(runs):
    _, seconds, left = runs
    assert seconds < 10
    for number, (code, _, errors) in enumerate(left):
        if number != 2:
            assert code == 75
            lines = [line for line in errors.splitlines() if "steps" not in line]
            assert lines == [f"error: process 2 of 4 is gone: its connection closed; {GO_ON}"]


def test_all_wrote_the_checkpoint(runs):
    newest = sorted((runs[0] / "killed").glob(f"checkpoints/*/{saved.PREFIX}*"))[-1]
    assert len(list(newest.glob(f"{arrays.PIECES}*.raw"))) == 4


def test_a_restart_ends_as_the_undisturbed_run(runs):
    assert started.row_of(runs[0] / "resumed on 4")["resumed"] == 1
    for table in (read_runs, read_curves):
        assert result_hash(table(runs[0] / "resumed on 4")) == result_hash(table(runs[0] / "four"))


@pytest.mark.parametrize("processes", [2, 1])
def test_another_number_of_processes_goes_on_from_the_checkpoint(runs, processes):
    row = started.row_of(runs[0] / f"resumed on {processes}")
    assert row["resumed"] == 1
    assert row["loss"] == pytest.approx(started.row_of(runs[0] / "four")["loss"], rel=1e-5)


def test_only_the_first_writes_and_speaks(start, runs):
    before = (runs[0] / "four" / "journal.jsonl").read_bytes()
    first, second = started.ended(start(runs[0] / "four", 2))
    assert (first[0], second[0]) == (0, 0)
    assert "finished already in" in first[1]
    assert second[1:] == ("", "")
    assert (runs[0] / "four" / "journal.jsonl").read_bytes() == before


def test_a_request_to_one_stops_all_with_a_checkpoint(start, tmp_path):
    team = start(tmp_path, 2, train__steps=100000, train__checkpoint_seconds=0.2)
    while not list(tmp_path.glob(f"checkpoints/*/{saved.PREFIX}*")):
        assert all(one.poll() is None for one in team)
        time.sleep(0.05)
    team[1].send_signal(signal.SIGTERM)
    first, second = started.ended(team)
    assert (first[0], second[0]) == (75, 75), (first, second)
    assert "checkpoint written" in first[1]
    assert not second[1]


def test_processes_that_were_not_given_the_same_say_so(start, tmp_path):
    left = started.ended(start(tmp_path, 2, only={1: ["--config.train.seed=7"]}))
    assert [code for code, _, _ in left] == [2, 2]
    assert all("error: the run by its settings and data:" in errors for _, _, errors in left)


def test_a_mesh_that_leaves_devices_out_is_refused(start, tmp_path):
    for code, _, errors in started.ended(start(tmp_path, 2, train__fsdp_devices=2)):
        assert code == 2
        assert "train.data_devices x train.fsdp_devices: 2; allowed: 4, all devices of 2 processes" in errors
