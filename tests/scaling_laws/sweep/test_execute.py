"""The parent's loop against workers that do as they are told, without processes; and once with real ones."""

import dataclasses
import os
import signal
import sys
import time

import pytest
from fake_pool import FakePool, finish, row_of

from scaling_laws import config, table
from scaling_laws.config import SweepConfig
from scaling_laws.sweep import choice, machine, study
from scaling_laws.sweep import execute as execute_module
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.execute import Limits, SweepError, execute
from scaling_laws.sweep.messages import At, Died, Done, Failed, Said, Stopped, Unable
from scaling_laws.sweep.packing import ALONE, Packing
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.pool import Worker
from scaling_laws.sweep.summary import Summary


@pytest.fixture
def runs(experiment, facts):
    return plan(experiment(sweep__widths=(8, 16), sweep__depths=(1,)), facts).runs


def do(runs, facts, answer, workdir, packing=ALONE, **options):
    lines, pool = [], FakePool(answer)
    options["choices"] = Choices(packing)
    with table.Journal(workdir) as journal:
        summary = execute(runs, facts, pool, journal, say=lines.append, **options)
        return summary, {row["run_id"]: row for row in journal.rows()}, lines, pool


def test_every_run_once_and_none_again_after_a_restart(runs, facts, tmp_path):
    summary, rows, lines, pool = do(runs, facts, finish(facts), tmp_path)
    assert sorted(pool.assigned) == sorted(rows) == sorted(p.run_id for p in runs)
    assert (len(summary.rows), summary.skipped, summary.remaining) == (4, 0, 0)
    assert summary.line().startswith("4 runs, 2 programs, ")
    assert "busy" in lines
    again, _, _, pool = do(runs, facts, finish(facts), tmp_path)
    assert (len(again.rows), again.skipped) == (0, 4)
    assert (pool.assigned, pool.started) == ([], 0)


def test_the_summary_says_where_the_seconds_went():
    row = {"width": 8, "depth": 1, "batch_size": 4, "status": "finished", "wall_seconds": 10.0}
    row |= {"init_seconds": 0.5, "compile_seconds": 2.5, "step_seconds": 6.0, "eval_seconds": 1.0}
    summary = Summary((row, row), 0, 0, False, wall_seconds=15.0, start_seconds=4.0, write_seconds=0.5, workers=2)
    spent = {"start": 4.0, "init": 1.0, "compile": 5.0, "step": 12.0, "eval": 2.0, "write": 0.5}
    spent["idle"] = 2 * 15.0 - 4 - 20
    assert summary.spent() == spent
    words = " / ".join(spent)
    assert f"4 / 1 / 5 / 12 / 2 / 0 / 6 seconds {words}" in summary.line()


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
        return Failed("OSError: no") if planned.run_id == bad else finish(facts)(planned, attempt)

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


def test_runs_of_one_form_go_as_a_pack(experiment, facts, tmp_path):
    """Seeds and rates of a shape and budget are one pack; its rows arrive one by one."""
    small = experiment(sweep__widths=(8, 16), sweep__depths=(1,), sweep__seeds=(0, 1), sweep__lr_multipliers=(1.0, 2.0))
    runs, packs = plan(small, facts).runs, []
    assign = FakePool.assign

    class Seen(FakePool):
        def assign(self, each, pack, packing, awaited=()):
            packs.append([(planned.shape, planned.budget) for planned in pack])
            assign(self, each, pack, packing, awaited)

    with table.Journal(tmp_path) as journal:
        choices = Choices(Packing(size=3, strategy="vmap"))
        summary = execute(runs, facts, Seen(finish(facts)), journal, say=lambda line: None, choices=choices)
    assert len(summary.rows) == len(runs) == 16
    assert sorted(map(len, packs)) == [1, 1, 1, 1, 3, 3, 3, 3]
    assert all(len(set(pack)) == 1 for pack in packs)


@pytest.mark.parametrize("rate, sizes", [(110.0, [4, 4]), (104.0, [1] * 8), (0.0, [1] * 8)])
def test_what_a_trial_finds_clearly_faster_is_what_the_form_gets(experiment, facts, tmp_path, rate, sizes):
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e9,), sweep__seeds=tuple(range(8)))
    runs = [dataclasses.replace(run, expected_seconds=choice.WORTH / 8) for run in plan(small, facts).runs]
    packs, pair, lines = [], (ALONE, Packing(4, "vmap")), []

    class Seen(FakePool):
        def assign(self, each, pack, packing, awaited=()):
            packs.append(len(pack))
            super().assign(each, pack, packing, awaited)

    with table.Journal(tmp_path) as journal:
        pool = Seen(finish(facts), 1, dict(zip(pair, (100.0, rate), strict=True)))
        execute(runs, facts, pool, journal, say=lines.append, choices=Choices(ALONE, pair))
    assert (len(pool.tried), packs) == (1, sizes)
    assert any(f"alone 100, vmap x 4 {rate:.4g} steps a second" in line for line in lines)


@pytest.mark.parametrize("seconds, count", [(choice.WORTH, 3), (choice.WORTH / 8 * 0.9, 8)])
def test_a_trial_is_not_worth_it_for_few_or_short_runs(experiment, facts, seconds, count):
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e9,), sweep__seeds=tuple(range(count)))
    runs = [dataclasses.replace(run, expected_seconds=seconds) for run in plan(small, facts).runs]
    assert Choices(ALONE, (ALONE, Packing(4, "vmap"))).to_try(runs[0], runs) == ()


def test_what_is_tried_follows_the_settings_and_the_machine(monkeypatch):
    assert Packing.options(SweepConfig(strategy="vmap")) == ()
    assert Packing.options(SweepConfig()) == (ALONE, Packing(8, "vmap"))
    monkeypatch.setattr(machine, "accelerator", lambda: True)
    assert Packing.options(SweepConfig()) == (ALONE, Packing(8, "vmap"), Packing(32, "vmap"))
    monkeypatch.setattr(machine, "device_count", lambda: 4)
    assert Packing.options(SweepConfig(pack_size=18)) == (ALONE, Packing(8, "vmap", 4), Packing(16, "vmap", 4))


@pytest.mark.parametrize("accident", [Failed("MemoryError"), Died(-9)])
def test_what_happens_to_a_pack_is_tried_alone(experiment, facts, tmp_path, accident):
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e9,), sweep__seeds=(0, 1, 2))
    runs = plan(small, facts).runs

    def answer(planned, attempt):
        return accident if attempt == 1 else finish(facts)(planned, attempt)

    _, rows, lines, pool = do(runs, facts, answer, tmp_path, packing=Packing(size=3, strategy="map"))
    assert [row["status"] for row in rows.values()] == ["finished"] * 3
    assert len(pool.assigned) == 6
    assert any("3 runs" in line and "each is tried alone" in line for line in lines)


def test_runs_at_different_checkpoints_are_not_packed(experiment, facts, tmp_path):
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e9,), sweep__seeds=(0, 1, 2))
    runs = plan(small, facts).runs
    (tmp_path / "checkpoints" / runs[1].run_id / "step_000000000020").mkdir(parents=True)
    packing = Packing(size=3, strategy="map")
    pack = packing.choose(runs[0], runs, lambda planned: 20 if planned is runs[1] else 0)
    assert [planned.run_id for planned in pack] == [runs[0].run_id, runs[2].run_id]
    assert len(Packing(4, "vmap", 2).choose(runs[0], runs, lambda _: 0)) == 2
    _, rows, _, _ = do(runs, facts, finish(facts), tmp_path, packing=packing)
    assert len(rows) == 3


def test_further_runs_are_asked_for_after_each_row(runs, facts, tmp_path):
    seen = []

    def more(rows):
        seen.append(len(rows))
        return runs if len(rows) >= 2 else ()

    summary, rows, _, pool = do(runs[:2], facts, finish(facts), tmp_path, more=more)
    assert seen == [0, 1, 2, 3, 4]
    assert len(rows) == len(pool.assigned) == len(summary.rows) == 4


def test_a_slow_question_is_asked_seldom_while_runs_wait_and_before_the_end(experiment, facts, tmp_path):
    every = plan(experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__seeds=tuple(range(20))), facts).runs
    asked = []

    def more(rows):
        asked.append(len(rows))
        time.sleep(0.01)
        return every if len(rows) >= 39 else ()

    summary, rows, _, pool = do(every[:39], facts, finish(facts), tmp_path, more=more)
    assert len(rows) == len(summary.rows) == len(pool.assigned) == 40
    assert asked[0] == 0
    assert asked[-2:] == [39, 40]  # nothing waits any more
    assert len(asked) < 15


def test_an_interrupt_stops_with_what_is_left(runs, facts, tmp_path):
    calls = []

    def answer(planned, attempt):
        calls.append(planned.run_id)
        if len(calls) > 1:
            return Stopped()
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


def test_sigterm_is_told_apart(runs, facts, tmp_path):
    asked = []

    def answer(planned, attempt):
        if asked:
            return Stopped()
        asked.append(os.kill(os.getpid(), signal.SIGTERM))
        return Said("busy")

    summary, *_ = do(runs[:1], facts, answer, tmp_path)
    assert summary.interrupted
    assert summary.terminated


class Silent(FakePool):
    """Workers that say one step of a run and then nothing, until they are ended."""

    def __init__(self, answer, clock, quiet=(), n_workers=1):
        super().__init__(answer, n_workers)
        self.clock, self.quiet, self.ended = clock, set(quiet), []
        for each in self.workers:
            each.pipe, each.end = True, lambda why, each=each: self._end(each, why)

    def _end(self, each, why):
        each.ended = why
        self.ended.append((each.name, why))

    def assign(self, each, pack, packing, awaited=()):
        super().assign(each, pack, packing, awaited)
        each.begin(self.clock())

    def events(self, timeout):
        self.clock.now += 10.0
        for each in self.workers:
            if each.ended:
                yield each, Died(-9)
                each.ended = ""
            elif each.jobs and each.jobs[0].run_id in self.quiet:
                if not each.stepping:
                    each.stepping = True
                    yield each, At(each.jobs[0].run_id, 1)
            elif each.jobs:
                yield each, self.answer(each.jobs[0], 1)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def with_silent(runs, facts, workdir, quiet, monkeypatch, **options):
    clock, lines = Clock(), []
    monkeypatch.setattr(execute_module.time, "monotonic", clock)
    pool = Silent(finish(facts), clock, quiet)
    with table.Journal(workdir) as journal:
        execute(runs, facts, pool, journal, say=lines.append, choices=Choices(ALONE), **options)
        return {row["run_id"]: row for row in journal.rows()}, lines, pool, clock


def test_a_worker_that_hangs_is_ended_and_its_run_fails_after_two_tries(runs, facts, tmp_path, monkeypatch):
    hung = runs[0].run_id
    rows, lines, pool, _ = with_silent(runs, facts, tmp_path, {hung}, monkeypatch)
    assert pool.assigned.count(hung) == 2
    assert rows[hung]["status"] == "failed"
    assert rows[hung]["reason"] == "worker said nothing for 70 s and was ended, 2 times"
    assert {row["status"] for run_id, row in rows.items() if run_id != hung} == {"finished"}
    assert any("tried once more" in line for line in lines)


def test_patience_follows_the_workers_own_rate():
    each = Worker("worker-0", None)
    each.pipe, each.ready, each.jobs = True, True, [object()]
    each.begin(100.0)
    assert not each.hangs(1800.0, 1800.0)
    assert each.hangs(1901.0, 1800.0)  # compiling
    for now in (1000.0, 1010.0, 1015.0):
        each.hear(At("x", 1), now)
    assert each.silence == 10.0
    assert not each.hangs(1015.0 + 200, 1800.0)
    assert each.hangs(1015.0 + 201, 1800.0)
    assert each.hangs(1015.0 + 151, 150.0)
    assert not each.hangs(1e9, 0.0)  # never
    each.jobs = []
    assert not each.hangs(1e9, 1800.0)  # idle


def test_a_worker_that_does_not_stop_in_time_is_ended(runs, facts, tmp_path, monkeypatch):
    clock_limits = Limits(stop=25.0, hang=0.0)

    class Stubborn(Silent):
        def events(self, timeout):
            if self.clock.now == 20.0:
                os.kill(os.getpid(), signal.SIGTERM)
            yield from super().events(timeout)

    monkeypatch.setattr(sys.modules[__name__], "Silent", Stubborn)
    rows, lines, pool, clock = with_silent(
        runs[:1], facts, tmp_path, {runs[0].run_id}, monkeypatch, limits=clock_limits
    )
    assert rows == {}
    assert pool.ended == [("worker-0", "did not stop")]
    assert 45 <= clock.now <= 70
    assert any("no checkpoint within 25 s" in line for line in lines)


@pytest.mark.parametrize("reason", ["checkpoints: no space left on device; what is finished is kept", "changed"])
def test_what_no_run_can_help_ends_the_sweep(runs, facts, tmp_path, reason):
    finished = []

    def answer(planned, attempt):
        if finished:
            return Unable(reason)
        finished.append(planned.run_id)
        return finish(facts)(planned, attempt)

    with pytest.raises(SweepError, match=reason):
        do(runs, facts, answer, tmp_path)
    with table.Journal(tmp_path) as journal:
        assert [row["run_id"] for row in journal.rows()] == finished


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


def test_real_workers_try_a_form_out(experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "WORTH", 0.0)
    small = experiment(sweep__widths=(8,), sweep__depths=(1,), sweep__budgets=(1e8,), sweep__workers=1)
    small = config.replace(small, {"sweep.seeds": (0, 1, 2), "sweep.pack_size": 2, "sweep.lr_check": False})
    lines = []
    done = study.run_sweep(small, tmp_path / "runs", say=lines.append)
    assert done.summary.count("finished") == 3
    (told,) = [line for line in lines if "steps a second" in line]
    assert told.startswith("width 8 depth 1: alone ")
    assert "vmap x 2" in told
