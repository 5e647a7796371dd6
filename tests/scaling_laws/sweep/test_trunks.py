"""Trunks in a plan and in a sweep: what they cost by hand and by formula, in which order, and through kills."""

import dataclasses
import itertools
import os
import signal
import sys
import time

import numpy as np
import pytest
from fake_pool import FakePool, finish, row_of

from analysis import load
from analysis.uncertainty.resampling import units
from scaling_laws import config, table
from scaling_laws.sweep import show
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.execute import execute
from scaling_laws.sweep.messages import Done, Failed
from scaling_laws.sweep.meter import Meter
from scaling_laws.sweep.pace import Pace, measured_pace
from scaling_laws.sweep.packing import ALONE, Packing
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.rates import next_rates
from scaling_laws.sweep.summary import Summary
from scaling_laws.sweep.waiting import Waiting
from scaling_laws.train import saved
from scripts.faults.victim import Victim, finished_sweep, hashes

TRUNK = {"optimizer__schedule": "wsd", "optimizer__warmup_steps": 10, "sweep__widths": (8,), "sweep__depths": (1,)}
BUDGETS = (4e9, 1e9, 2e9)


@pytest.fixture
def grid(experiment, facts):
    return plan(experiment(**TRUNK, sweep__budgets=BUDGETS), facts, Pace(default=1e7))


def test_each_branch_begins_where_the_one_before_cools(grid):
    # width 8, depth 1: 18432 FLOPs a token (by hand in test_plan.py), 64 tokens a step
    steps = [round(c / (18432 * 64)) for c in (1e9, 2e9, 4e9)]
    assert [p.run.train.steps for p in grid.runs] == steps == [848, 1695, 3391]
    assert [p.begins_at for p in grid.runs] == [0, 678, 1356]  # .8 x 848 and .8 x 1695
    assert len({p.trunk for p in grid.runs}) == 1
    own = [848, 1695 - 678, 3391 - 1356]
    assert [p.own_flops for p in grid.runs] == pytest.approx([s * 64 * 18432 for s in own])
    ratio = sum(own) / sum(steps)
    assert ratio == pytest.approx(0.2 + 0.8 * 3391 / sum(steps), abs=1e-3)
    assert f"trunks save {1 - ratio:.0%}: " in show.totals(grid, 1)[-1]


def test_expected_seconds_are_those_of_own_steps(grid):
    evaluated = 1024 + 3 * 256
    for planned in grid.runs:
        tokens = (planned.run.train.steps - planned.begins_at) * 64
        assert planned.expected_seconds == pytest.approx(18432 * (tokens + evaluated / 3) / 1e7)


@pytest.mark.parametrize("changes", [{"optimizer__schedule": "cosine"}, {"optimizer__warmup_steps": 0}])
def test_without_a_trunk_nothing_is_shared(experiment, facts, changes):
    separate = plan(experiment(**(TRUNK | changes), sweep__budgets=BUDGETS), facts)
    assert {p.begins_at for p in separate.runs} == {0}
    assert {p.trunk for p in separate.runs} == {""}
    assert not any("trunks" in line for line in show.totals(separate, 1))


def test_rates_seeds_and_shapes_have_trunks_of_their_own(experiment, facts):
    varied = {"sweep__seeds": (0, 1), "sweep__lr_multipliers": (1.0, 2.0), "sweep__widths": (8, 16)}
    grid = plan(experiment(**(TRUNK | varied), sweep__budgets=BUDGETS), facts)
    sizes = [len(list(group)) for _, group in itertools.groupby(sorted(p.trunk for p in grid.runs))]
    assert sizes == [3] * 8
    by_rule = {"sweep__lr_coefficient": 1.0, "sweep__lr_d_exponent": -0.3}  # a rate a budget: nothing to share
    assert {p.begins_at for p in plan(experiment(**TRUNK, **by_rule, sweep__budgets=BUDGETS), facts).runs} == {0}


def test_a_shape_without_room_for_the_warmup_is_refused(experiment, facts):
    grid = plan(experiment(**(TRUNK | {"optimizer__warmup_steps": 679}), sweep__budgets=BUDGETS), facts)
    assert len(grid.runs) == 2
    (refusal,) = grid.refusals
    assert refusal.reason == "budget too small: room for 678 steps of warm-up, optimizer.warmup_steps is 679"
    assert not plan(experiment(**(TRUNK | {"optimizer__warmup_steps": 678}), sweep__budgets=BUDGETS), facts).refusals


def ready(waiting):
    """The ids of the runs that would be handed out if none of them ended."""
    found = set()
    while first := waiting.choose((), set, 1):
        found.add(first.run_id)
        waiting.take([first])
    return found


def test_a_branch_waits_for_the_shorter_ones(grid):
    short, middle, long = grid.runs
    assert ready(Waiting([long, short, middle])) == {short.run_id}
    waiting = Waiting([long, middle, short])
    waiting.take([short])
    assert waiting.has_longer(short)
    assert ready(waiting) == set()
    assert len(waiting) == 2
    waiting.release(short)
    assert waiting.needs(short.trunk)
    assert ready(waiting) == {middle.run_id}
    waiting.release(middle)
    assert ready(waiting) == {long.run_id}
    assert not waiting.has_longer(long)
    assert waiting.needs(long.trunk)
    waiting.release(long)
    assert not waiting.needs(long.trunk)


def test_a_shorter_branch_that_comes_later_goes_first(grid):
    short, middle, long = grid.runs
    apart = dataclasses.replace(long, trunk="", run_id="apart")
    waiting = Waiting([middle, apart, short, long])
    assert ready(waiting) == {short.run_id, apart.run_id}
    waiting.add(short)  # its worker died
    waiting.release(short)
    assert ready(waiting) == {short.run_id}
    assert not waiting.has_longer(apart)


def test_a_trunk_counts_as_long_as_all_its_branches(grid):
    lasting = zip(grid.runs, (1, 2, 4), strict=True)
    short, middle, long = (dataclasses.replace(planned, expected_seconds=seconds) for planned, seconds in lasting)
    other = dataclasses.replace(short, trunk="", expected_seconds=6.5, run_id="other")
    waiting = Waiting([other, short, middle, long])
    assert waiting.choose((), set, 9) is short
    waiting.take([short])
    waiting.release(short)
    assert waiting.choose((), set, 9) is other


def test_the_meter_counts_own_steps(grid):
    meter, long = Meter(clock=lambda: 0.0), grid.runs[2]
    for planned in grid.runs:
        meter.add(planned)
    assert meter.total == pytest.approx(sum(p.own_flops for p in grid.runs))
    meter.at(long.run_id, 1)  # of the trunk's curve
    assert meter.done == 0
    meter.at(long.run_id, 1356 + 407)
    assert meter.done == pytest.approx(0.2 * long.own_flops)


def test_the_pace_is_that_of_own_steps():
    row = {"status": "finished", "n_params": 10, "flops": 100.0, "step_seconds": 2.0, "steps": 50, "own_steps": 10}
    assert measured_pace([row]).rate(10) == 10.0
    assert measured_pace([row | {"own_steps": None}]).rate(10) == 50.0


def test_the_summary_says_what_was_saved():
    row = {"flops": 100.0, "steps": 50, "steps_done": 50, "own_steps": 50, "trunk": "t"}
    rows = (row, row | {"flops": 200.0, "steps": 100, "steps_done": 100, "own_steps": 60}, {"status": "failed"})
    summary = Summary(rows, 0, 0, False, 1.0)
    assert summary.saved() == "trunks saved 27%: 220 of 300 FLOPs"
    assert Summary((row | {"trunk": ""},), 0, 0, False, 1.0).saved() == ""


class Seen(FakePool):
    """Notes what is assigned, what is awaited, and whether siblings ever run at a time; leaves trunk checkpoints."""

    def __init__(self, answer, workdir, n_workers):
        super().__init__(answer, n_workers)
        self.workdir, self.packs, self.awaited, self.folders = workdir, [], [], []

    def assign(self, each, pack, packing, awaited=()):
        busy = {planned.trunk for other in self.workers for planned in other.jobs}
        assert not busy & {planned.trunk for planned in pack}
        for planned in pack:
            if planned.run_id in awaited:
                step = config.trunk_steps(planned.run)
                (saved.folder(self.workdir, planned.trunk) / f"step_{step:012d}").mkdir(parents=True)
        self.folders.append(sum(1 for _ in self.workdir.glob("checkpoints/*")))
        self.packs.append([planned.run_id for planned in pack])
        self.awaited += awaited
        super().assign(each, pack, packing, awaited)


def do(grid, facts, workdir, answer=None, packing=ALONE, n_workers=2):
    with table.Journal(workdir) as journal:
        pool = Seen(answer or finish(facts), workdir, n_workers)
        execute(grid.runs, facts, pool, journal, say=lambda _: None, choices=Choices(packing))
    return pool


def test_branches_are_handed_out_in_order_and_their_trunks_dropped(experiment, facts, tmp_path):
    grid = plan(experiment(**TRUNK, sweep__budgets=BUDGETS, sweep__seeds=(0, 1)), facts)
    pool = do(grid, facts, tmp_path)
    steps = {p.run_id: (p.trunk, p.run.train.steps) for p in grid.runs}
    for trunk in {p.trunk for p in grid.runs}:
        ours = [steps[run_id][1] for run_id in pool.assigned if steps[run_id][0] == trunk]
        assert ours == [848, 1695, 3391]
    assert sorted(pool.awaited) == sorted(p.run_id for p in grid.runs if p.run.train.steps < 3391)
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_trunk_is_dropped_with_its_last_branch(experiment, facts, tmp_path):
    grid = plan(experiment(**TRUNK, sweep__budgets=BUDGETS, sweep__seeds=(0, 1)), facts)
    assert do(grid, facts, tmp_path, n_workers=1).folders[-1] == 1  # its own; the other one is gone


def test_seeds_of_one_budget_are_packed_from_their_trunks(experiment, facts, tmp_path):
    grid = plan(experiment(**TRUNK, sweep__budgets=BUDGETS, sweep__seeds=(0, 1)), facts)
    pool = do(grid, facts, tmp_path, packing=Packing(2, "vmap"))
    assert list(map(len, pool.packs)) == [2, 2, 2]


def test_runs_at_unlike_steps_of_their_trunks_go_alone(experiment, facts, tmp_path):
    grid = plan(experiment(**TRUNK, sweep__budgets=(2e9,), sweep__seeds=(0, 1)), facts)
    (saved.folder(tmp_path / "a", grid.runs[0].trunk) / "step_000000000678").mkdir(parents=True)
    assert list(map(len, do(grid, facts, tmp_path / "a", packing=Packing(2, "vmap")).packs)) == [1, 1]
    (saved.folder(tmp_path / "b", grid.runs[0].trunk) / "step_000000003000").mkdir(parents=True)  # after its cooldown
    assert list(map(len, do(grid, facts, tmp_path / "b", packing=Packing(2, "vmap")).packs)) == [2]


def test_a_branch_that_fails_lets_the_longer_ones_go_on(grid, facts, tmp_path):
    bad = grid.runs[0].run_id

    def answer(planned, attempt):
        return Failed("no") if planned.run_id == bad else Done(planned.run_id, row_of(planned, facts), [])

    assert do(grid, facts, tmp_path, answer).assigned == [p.run_id for p in grid.runs]
    assert do(grid, facts, tmp_path).assigned == [bad]


def test_the_rate_check_adds_trunks(experiment, facts):
    checked = config.replace(experiment(**TRUNK, sweep__budgets=BUDGETS), {"sweep.lr_check": True})
    grid = plan(checked, facts)
    added = next_rates(grid, [row_of(p, facts) for p in grid.runs])
    assert len(added) == 6
    assert {p.trunk for p in added}.isdisjoint({p.trunk for p in grid.runs})
    assert len({p.trunk for p in added}) == 2  # half and twice the rate, each through all budgets


def test_a_table_of_branches_is_resampled_by_trunk(experiment, facts, tmp_path):
    grid = plan(experiment(**TRUNK, sweep__budgets=BUDGETS, sweep__seeds=(0, 1)), facts)
    do(grid, facts, tmp_path)
    runs = load.load(tmp_path)
    groups = units(runs)
    assert len(set(groups.tolist())) == 2
    for group in set(groups.tolist()):
        assert len(set(runs["seed"][groups == group])) == 1
        assert len(np.unique(runs["steps"][groups == group])) == 3


SETTINGS = {
    "optimizer__schedule": "wsd",
    "optimizer__warmup_steps": "10",
    "sweep__widths": "8",
    "sweep__seeds": "0,1",
    "train__average": "ema",
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_with_a_trunk_half_used_the_tables_are_those_of_separate_runs(tmp_path):
    """Signal 9 to the whole sweep once trunk checkpoints lie there; beside, every budget as a sweep of its own."""
    workdir, seen = tmp_path / "killed", False
    victim = Victim(workdir, tmp_path, workers=1, **SETTINGS)
    try:
        until = time.monotonic() + 120
        while not victim.ended and time.monotonic() < until and not seen:
            rows = (workdir / "journal.jsonl").exists() and (workdir / "journal.jsonl").read_bytes().count(b'"run_id"')
            seen = bool(rows) and any(workdir.glob("checkpoints/*/step_*"))
            time.sleep(0.005)
        os.killpg(victim.process.pid, signal.SIGKILL)
        victim.process.wait()
    finally:
        victim.end()
    assert seen
    victim = Victim(workdir, tmp_path, workers=2, **SETTINGS)
    try:
        assert victim.process.wait(timeout=300) == 0, victim.log.read_text()
    finally:
        victim.end()
    rows = table.read_runs(workdir).to_pylist()
    assert len(rows) == 6
    assert any(row["own_steps"] < row["steps_done"] for row in rows)
    assert not list((workdir / "checkpoints").glob("*/step_*"))
    assert "trunks saved" in victim.log.read_text()
    found = hashes(workdir)
    separate = finished_sweep(tmp_path, **SETTINGS | {"sweep__budgets": "2e8"})
    for budget in ("4e8", "8e8"):  # into one folder, but by three commands: no budget knows of another
        again = Victim(separate, tmp_path, workers=2, **SETTINGS | {"sweep__budgets": budget})
        try:
            assert again.process.wait(timeout=300) == 0
        finally:
            again.end()
    assert {row["own_steps"] - row["steps_done"] for row in table.read_runs(separate).to_pylist()} == {0}
    assert hashes(separate) == found
