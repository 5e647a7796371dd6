"""The driver's side of job arrays, against a SLURM that is none."""

import dataclasses
import os
import signal

import pytest
from fake_pool import row_of
from fake_slurm import FakeSlurm, Requeued, finished

from scaling_laws import table
from scaling_laws.cluster import ClusterConfig
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.cluster import slurm_pool, spool
from scaling_laws.sweep.cluster.slurm import SlurmError
from scaling_laws.sweep.cluster.slurm_pool import SlurmPool, share_out
from scaling_laws.sweep.execute import Limits, SweepError, execute
from scaling_laws.sweep.messages import Died, Done, Failed, Unable
from scaling_laws.sweep.packing import ALONE, Packing
from scaling_laws.sweep.plan import plan

SETTINGS = ClusterConfig(poll_seconds=0.001, attempts=3)


@pytest.fixture
def runs(experiment, facts):
    return plan(experiment(sweep__widths=(8, 16), sweep__depths=(1,), sweep__seeds=(0, 1)), facts).runs


@pytest.fixture
def rows(runs, facts):
    return {one.run_id: row_of(one, facts) for one in runs}


def do(runs, facts, slurm, workdir, *, limit=2, settings=SETTINGS, packing=ALONE, settled=(), **options):
    lines = []
    with table.Journal(workdir) as journal:
        with SlurmPool(slurm, settings, limit, workdir, facts.corpus_hash, settled) as pool:
            options = {"limits": Limits(attempts=3)} | options
            summary = execute(runs, facts, pool, journal, say=lines.append, choices=Choices(packing), **options)
        return summary, {row["run_id"]: row for row in journal.rows()}, lines, pool


def test_all_runs_are_one_array_of_a_few_jobs(runs, facts, rows, tmp_path):
    slurm = FakeSlurm(finished(rows))
    summary, found, _, pool = do(runs, facts, slurm, tmp_path)
    assert {run_id: row["loss"] for run_id, row in found.items()} == dict.fromkeys(rows, 2.0)
    assert slurm.sizes == [[4, 4]]
    assert sorted(slurm.begun) == sorted(rows)
    assert (pool.at_once, summary.workers) == (2, 2)
    assert list((tmp_path / "slurm").glob("*/*.json*")) == []  # what was merged is cleared away


def test_jobs_are_filled_up_to_their_seconds(runs, monkeypatch):
    places = [slurm_pool.Place(f"slurm-{i}", FakeSlurm(None)) for i in range(8)]
    for place, one, seconds in zip(places, runs, (100, 90, 50, 40, 30, 20, 10, 10), strict=True):
        place.jobs = [dataclasses.replace(one, expected_seconds=float(seconds))]

    def loads(*limits):
        return sorted(sum(place.jobs[0].expected_seconds for place in job) for job in share_out(places, *limits))

    assert loads(900.0, 0) == [350]
    assert loads(120.0, 0) == [110, 120, 120]
    assert loads(900.0, 4) == [80, 80, 90, 100]
    assert len(loads(0.0, 0)) == len(loads(1e-3, 50)) == 8
    monkeypatch.setattr(slurm_pool, "LONGEST", 2)
    assert loads(0.0, 4) == [170, 180]


def test_never_more_jobs_than_wanted_however_many_arrays(runs, facts, rows, tmp_path, monkeypatch):
    """Three places for eight runs: what is handed out later waits until a job fewer is left."""
    monkeypatch.setattr(slurm_pool, "MOST", 3)
    open_jobs = []

    class Counts(FakeSlurm):
        def states(self, arrays):
            open_jobs.append(sum(state in ("PENDING", "RUNNING") for state in self.state.values()))
            return super().states(arrays)

    slurm = Counts(finished(rows))
    assert len(do(runs, facts, slurm, tmp_path)[1]) == 8
    assert len(slurm.begun) == 8
    assert len(slurm.sizes) > 2
    assert max(open_jobs) == 2


def test_a_run_whose_job_dies_is_submitted_again_and_the_rest_of_the_job_too(runs, facts, rows, tmp_path):
    bad = sorted(rows)[0]

    def answer(run_id, attempt):
        return Died(None, "FAILED") if run_id == bad and attempt == 1 else finished(rows)(run_id, attempt)

    slurm = FakeSlurm(answer)
    _, found, lines, _ = do(runs, facts, slurm, tmp_path, limit=1)
    assert {row["status"] for row in found.values()} == {"finished"}
    assert slurm.begun.count(bad) == 2
    assert all(slurm.begun.count(run_id) == 1 for run_id in rows if run_id != bad)
    assert sum(line.endswith("ended with its job 100_0: FAILED; the run is tried once more") for line in lines) == 1


def test_a_run_that_ends_every_job_fails_with_its_reason(runs, facts, rows, tmp_path):
    bad = runs[2].run_id

    def answer(run_id, attempt):
        return Died(None, "NODE_FAIL") if run_id == bad else finished(rows)(run_id, attempt)

    summary, found, _, _ = do(runs, facts, FakeSlurm(answer), tmp_path)
    assert (summary.count("finished"), summary.count("failed")) == (7, 1)
    assert found[bad]["reason"].startswith("worker ended with its job 10")
    assert found[bad]["reason"].endswith(": NODE_FAIL, 3 times")


def test_a_job_that_is_queued_again_goes_on_and_counts_as_no_death(runs, facts, rows, tmp_path):
    often = runs[0].run_id

    def answer(run_id, attempt):
        return Requeued() if run_id == often and attempt < 10 else finished(rows)(run_id, attempt)

    slurm = FakeSlurm(answer)
    _, found, lines, _ = do(runs, facts, slurm, tmp_path)
    assert {row["status"] for row in found.values()} == {"finished"}
    assert slurm.begun.count(often) == 10
    assert len(slurm.arrays) == 1
    assert not any("tried once more" in line for line in lines)


def test_a_job_that_seems_over_for_a_moment_is_not_given_up(runs, facts, rows, tmp_path):
    """A node dies: SLURM says NODE_FAIL once, then queues the job again by itself."""

    class Wavers(FakeSlurm):
        def states(self, arrays):
            told = super().states(arrays)
            if not self.wavered and "RUNNING" in told.values():
                self.wavered = True
                self.state |= dict.fromkeys(told, "PENDING")
                return dict.fromkeys(told, "NODE_FAIL")
            return told

    slurm = Wavers(lambda run_id, attempt: None if attempt == 1 else finished(rows)(run_id, attempt))
    slurm.wavered = False
    _, found, lines, _ = do(runs[:1], facts, slurm, tmp_path)
    assert len(slurm.arrays) == 1
    assert [row["status"] for row in found.values()] == ["finished"]
    assert not any("tried once more" in line for line in lines)


def test_a_run_that_raises_leaves_the_others_of_its_job_alone(runs, facts, rows, tmp_path):
    bad = sorted(rows)[3]

    def answer(run_id, attempt):
        return Failed("MemoryError: no") if run_id == bad else finished(rows)(run_id, attempt)

    slurm = FakeSlurm(answer)
    summary, found, _, _ = do(runs, facts, slurm, tmp_path, limit=1)
    assert (found[bad]["status"], found[bad]["reason"]) == ("failed", "MemoryError: no")
    assert (summary.count("finished"), len(slurm.arrays), len(slurm.begun)) == (7, 1, 8)


def test_the_rows_of_a_pack_that_are_there_when_its_job_dies_are_kept(runs, facts, rows, tmp_path):
    """Of a pack of two, one is finished when the job ends; the other is done alone."""
    dead = []

    def answer(run_id, attempt):
        if len(slurm.begun) == 2 and not dead:
            dead.append(run_id)
            return Died(None, "FAILED")
        return finished(rows)(run_id, attempt)

    slurm = FakeSlurm(answer)
    _, found, _, _ = do(runs, facts, slurm, tmp_path, limit=1, packing=Packing(2, "vmap"))
    assert {row["status"] for row in found.values()} == {"finished"}
    assert sorted(slurm.begun) == sorted([*rows, *dead])


def test_what_jobs_finished_after_the_driver_was_killed_is_taken_over(runs, facts, rows, tmp_path):
    class Killed(Exception):
        pass

    class Dies(FakeSlurm):
        def states(self, arrays):
            super().states(arrays)
            raise Killed

    with pytest.raises(Killed):
        do(runs, facts, Dies(finished(rows)), tmp_path)
    journals = [path.name for path in (tmp_path / "slurm").glob("*/*.jsonl")]
    assert sorted(journals) == ["0.0.jsonl", "1.0.jsonl"]
    slurm = FakeSlurm(finished(rows))
    _, found, _, _ = do(runs, facts, slurm, tmp_path)
    assert [name.startswith("scaling-") for name in slurm.cleared] == [True]
    assert {row["status"] for row in found.values()} == {"finished"}
    assert (slurm.begun, slurm.arrays) == ([], {})
    assert list((tmp_path / "slurm").glob("*/*.json*")) == []


def test_rows_that_nobody_asked_for_stay_for_a_start_that_does(runs, facts, rows, tmp_path):
    class Dies(FakeSlurm):
        def states(self, arrays):
            super().states(arrays)
            raise SystemExit

    with pytest.raises(SystemExit):
        do(runs, facts, Dies(finished(rows)), tmp_path)
    do(runs[:3], facts, FakeSlurm(finished(rows)), tmp_path)
    slurm = FakeSlurm(finished(rows))
    settled = {one.run_id for one in runs[:3]}
    assert len(do(runs, facts, slurm, tmp_path, settled=settled)[1]) == 8
    assert slurm.begun == []
    assert list((tmp_path / "slurm").glob("*/*.json*")) == []


def test_a_stop_cancels_what_runs_and_what_waits(runs, facts, rows, tmp_path):
    class Interrupted(FakeSlurm):
        def states(self, arrays):
            told = super().states(arrays)
            if "RUNNING" in self.state.values() and not self.cancelled:
                os.kill(os.getpid(), signal.SIGTERM)
            return told

    slurm = Interrupted(lambda run_id, attempt: None)
    summary, found, _, _ = do(runs, facts, slurm, tmp_path)
    assert (summary.interrupted, summary.remaining, found) == (True, 8, {})
    assert slurm.cancelled == ["100"]
    assert slurm.killed == []
    again = FakeSlurm(finished(rows))
    assert len(do(runs, facts, again, tmp_path)[1]) == 8
    assert sorted(again.begun) == sorted(rows)


def test_a_text_that_changed_ends_the_sweep_and_its_jobs(runs, facts, rows, tmp_path):
    slurm = FakeSlurm(lambda run_id, attempt: Unable("task.path: it has changed") if attempt else None)
    with pytest.raises(SweepError, match="it has changed"):
        do(runs, facts, slurm, tmp_path)


def test_a_scheduler_that_does_not_answer_is_asked_again_but_not_for_ever(runs, facts, rows, tmp_path, monkeypatch):
    class Mute(FakeSlurm):
        silent = 3

        def states(self, arrays):
            self.silent -= 1
            if self.silent >= 0:
                raise SlurmError("sacct: no answer")
            return super().states(arrays)

    assert len(do(runs, facts, Mute(finished(rows)), tmp_path)[1]) == 8
    monkeypatch.setattr(slurm_pool, "PATIENCE", 3)
    with pytest.raises(SlurmError, match="no answer"):
        do(runs, facts, Mute(finished(rows)), tmp_path / "other")


def test_what_is_refused_while_jobs_run_is_submitted_later(runs, facts, rows, tmp_path):
    """The job of one run dies; SLURM takes no other at once. Without a job that runs, a refusal ends the sweep."""
    bad, refusals = runs[0].run_id, []

    class Refuses(FakeSlurm):
        def submit(self, *words):
            if self.arrays and len(refusals) < 3:
                refusals.append(words)
                raise SlurmError("sbatch: error: Unable to contact slurm controller")
            return super().submit(*words)

        def states(self, arrays):
            told = super().states(arrays)
            if len(refusals) == 3:
                self.state |= {job: "REQUEUED" for job, state in self.state.items() if state == "RUNNING"}
            return told

    def answer(run_id, attempt):
        if run_id == bad and attempt == 1:
            return Died(None, "FAILED")
        return None if len(refusals) < 3 and run_id == runs[1].run_id else finished(rows)(run_id, attempt)

    settings = dataclasses.replace(SETTINGS, job_seconds=0.0)
    slurm = Refuses(answer)
    _, found, lines, _ = do(runs, facts, slurm, tmp_path, limit=0, settings=settings)
    assert {row["status"] for row in found.values()} == {"finished"}
    assert (len(found), len(refusals), len(slurm.arrays)) == (8, 3, 2)
    assert len(list((tmp_path / "slurm").iterdir())) == 2
    assert sum(line.endswith("slurm controller; asked again as long as jobs run") for line in lines) == 1
    refusals.clear()
    with pytest.raises(SlurmError, match="Unable to contact"):
        do(runs, facts, Refuses(lambda run_id, attempt: Died(None, "FAILED")), tmp_path / "other", limit=1)


def test_a_job_that_is_given_up_cannot_come_back(runs, facts, rows, tmp_path):
    """Were it queued again after all, two jobs would write the checkpoints of one run."""
    slurm = FakeSlurm(lambda run_id, times: Died(None, "NODE_FAIL") if times == 1 else finished(rows)(run_id, times))
    do(runs[:1], facts, slurm, tmp_path)
    assert slurm.killed == ["100_0"]


def test_a_damaged_line_is_a_run_that_has_to_be_done_again(runs, facts, rows, tmp_path):
    """A torn write of one row: the job said it, nobody can read it, and its job is over."""

    class Tears(FakeSlurm):
        torn = False

        def states(self, arrays):
            told = super().states(arrays)
            for path in () if self.torn else (tmp_path / "slurm").glob("*/0.0.jsonl"):
                lines = path.read_bytes().split(b"\n")
                (at,) = [i for i, line in enumerate(lines) if b'"Done"' in line and runs[0].run_id.encode() in line]
                lines[at] = lines[at][: len(lines[at]) // 2]
                path.write_bytes(b"\n".join(lines))
                self.torn = True
            return told

    slurm = Tears(finished(rows))
    _, found, _, _ = do(runs, facts, slurm, tmp_path, limit=1)
    assert len(found) == 8
    assert slurm.begun.count(runs[0].run_id) == 2


def test_a_zombie_that_says_more_of_a_settled_run_is_not_heard(runs, facts, rows, tmp_path):
    class Twice(FakeSlurm):
        def states(self, arrays):
            told = super().states(arrays)
            for number, folder in self.arrays.items():
                if self.state[f"{number}_0"] == "COMPLETED":
                    spool.Log(folder, 0, 7).add(0, Done(self.begun[0], rows[self.begun[0]] | {"loss": 9.0}, []))
            return told

    _, found, _, _ = do(runs, facts, Twice(finished(rows)), tmp_path, limit=1)
    assert {row["loss"] for row in found.values()} == {2.0}
