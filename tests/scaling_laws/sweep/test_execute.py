"""The parent's loop against workers that do as they are told, without processes; and once with real ones."""

import os
import signal

import pytest

from scaling_laws import config, table
from scaling_laws.describe import describe
from scaling_laws.sweep import study
from scaling_laws.sweep.execute import SweepError, execute
from scaling_laws.sweep.messages import At, Died, Done, Failed, Said, Stopped
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.pool import Worker


def row_of(planned, facts):
    counted = vars(facts)
    row = describe(planned.run, planned.counts, run_id=planned.run_id, **counted)
    found = {"status": "finished", "loss": 2.0, "bits_per_byte": 3.0, "steps_done": 1, "wall_seconds": 1.0}
    return row | found | {"reason": "", "purpose": planned.purpose, "budget": planned.budget}


class FakePool:
    """Answers each run by `answer(planned, how often it was assigned)`, one message a call of `events`."""

    exhausted = False

    def __init__(self, answer, n_workers=2):
        self.workers = [Worker(f"worker-{i}", None) for i in range(n_workers)]
        self.answer, self.assigned, self.stopped, self.started = answer, [], False, 0

    def start(self, count):
        self.started = max(self.started, count)
        for each in self.workers:
            each.ready = True

    def assign(self, each, planned):
        assert each.idle
        each.job = planned
        self.assigned.append(planned.run_id)

    def ask_to_stop(self):
        self.stopped = True

    def events(self, timeout):
        for each in self.workers:
            if each.job:
                yield each, Said("busy")
                yield each, At(each.job.run_id, 1)
                yield each, self.answer(each.job, self.assigned.count(each.job.run_id))


@pytest.fixture
def runs(experiment, facts):
    return plan(experiment(sweep__widths=(8, 16), sweep__depths=(1,)), facts).runs


def do(runs, facts, answer, workdir, **options):
    lines, pool = [], FakePool(answer)
    with table.Journal(workdir) as journal:
        summary = execute(runs, facts, pool, journal, say=lines.append, **options)
        return summary, {row["run_id"]: row for row in journal.rows()}, lines, pool


def finish(facts):
    return lambda planned, attempt: Done(planned.run_id, row_of(planned, facts), [])


def test_every_run_once_and_none_again_after_a_restart(runs, facts, tmp_path):
    summary, rows, lines, pool = do(runs, facts, finish(facts), tmp_path)
    assert sorted(pool.assigned) == sorted(rows) == sorted(p.run_id for p in runs)
    assert (len(summary.rows), summary.skipped, summary.remaining) == (4, 0, 0)
    assert summary.line().startswith("4 runs, 2 programs, ")
    assert "busy" in lines
    again, _, _, pool = do(runs, facts, finish(facts), tmp_path)
    assert (len(again.rows), again.skipped) == (0, 4)
    assert (pool.assigned, pool.started) == ([], 0)


def test_a_diverged_run_is_settled(runs, facts, tmp_path):
    def diverge(planned, attempt):
        gone = {"status": "diverged", "reason": "not finite", "loss": None, "bits_per_byte": None}
        return Done(planned.run_id, row_of(planned, facts) | gone, [])

    summary, _, lines, _ = do(runs, facts, diverge, tmp_path)
    assert "4 diverged" in summary.line()
    assert any("diverged: not finite" in line for line in lines)
    assert do(runs, facts, finish(facts), tmp_path)[3].assigned == []


def test_a_run_that_raises_is_a_failed_row_and_is_tried_on_the_next_start(runs, facts, tmp_path):
    bad = runs[1].run_id

    def answer(planned, attempt):
        return Failed(bad, "OSError: no") if planned.run_id == bad else finish(facts)(planned, attempt)

    summary, rows, _, _ = do(runs, facts, answer, tmp_path)
    assert {row["status"] for row in rows.values()} == {"finished", "failed"}
    assert (rows[bad]["status"], rows[bad]["reason"], rows[bad]["loss"]) == ("failed", "OSError: no", None)
    assert rows[bad]["flops"] == runs[1].flops
    assert summary.count("failed") == 1
    _, rows, _, pool = do(runs, facts, finish(facts), tmp_path)
    assert pool.assigned == [bad]
    assert {row["status"] for row in rows.values()} == {"finished"}


@pytest.mark.parametrize("deaths, status", [(1, "finished"), (2, "failed")])
def test_a_run_whose_worker_dies_is_tried_once_more(runs, facts, tmp_path, deaths, status):
    bad = runs[0].run_id

    def answer(planned, attempt):
        return Died(-9) if planned.run_id == bad and attempt <= deaths else finish(facts)(planned, attempt)

    _, rows, lines, pool = do(runs, facts, answer, tmp_path)
    assert pool.assigned.count(bad) == 2
    assert rows[bad]["status"] == status
    assert len(rows) == 4
    assert any("killed by SIGKILL; the run is tried once more" in line for line in lines)


def test_further_runs_are_asked_for_after_each_row(runs, facts, tmp_path):
    seen = []

    def more(rows):
        seen.append(len(rows))
        return runs if len(rows) >= 2 else ()

    summary, rows, _, pool = do(runs[:2], facts, finish(facts), tmp_path, more=more)
    assert seen == [0, 1, 2, 3, 4]
    assert len(rows) == len(pool.assigned) == len(summary.rows) == 4


def test_an_interrupt_stops_with_what_is_left(runs, facts, tmp_path):
    calls = []

    def answer(planned, attempt):
        calls.append(planned.run_id)
        if len(calls) > 1:
            return Stopped(planned.run_id)
        os.kill(os.getpid(), signal.SIGINT)
        return finish(facts)(planned, attempt)

    summary, rows, lines, pool = do(runs, facts, answer, tmp_path)
    assert summary.interrupted
    assert pool.stopped
    assert (len(rows), summary.remaining) == (1, 3)
    assert sum("once more" in line for line in lines) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_ends_at_once(runs, facts, tmp_path):
    calls = []

    def answer(planned, attempt):
        calls.append(planned.run_id)
        os.kill(os.getpid(), signal.SIGINT)
        return Said("still busy")

    with pytest.raises(KeyboardInterrupt):
        do(runs, facts, answer, tmp_path)
    assert len(calls) == 2


def test_workers_that_never_get_ready_end_the_sweep(runs, facts, tmp_path, monkeypatch):
    monkeypatch.setattr(FakePool, "exhausted", True)
    with pytest.raises(SweepError):
        do(runs, facts, finish(facts), tmp_path)


def test_real_workers(experiment, tmp_path, monkeypatch):
    """A run that raises in a process becomes a row and a log, and the compiled programs are kept."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workdir = tmp_path / "runs"
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e8, 2e8), sweep__workers=1)
    small = config.replace(small, {"train.checkpoint_seconds": 1e-3})
    workdir.mkdir()
    (workdir / "checkpoints").write_text("a file where a folder has to be")
    failed = study.run_sweep(small, workdir, say=lambda line: None)
    assert failed.summary.count("failed") == 2
    rows = table.read_runs(workdir).to_pylist()
    assert all("Error: " in row["reason"] for row in rows)
    assert all("Traceback" in (workdir / "logs" / f"{row['run_id']}.log").read_text() for row in rows)
    assert list((tmp_path / "cache" / "scaling_laws" / "programs").rglob("*-cache"))
