"""A whole search against workers that do as they are told: what it asks, tells, counts, and takes up again."""

import dataclasses
import itertools
import json
import math
import statistics

import pytest
from fake_search import FACTS, diverged, failed, loss_of, trained

from scaling_laws import families, spec, table
from scaling_laws.config import ConfigError
from scaling_laws.search import driver
from scaling_laws.search.driver import run_search
from scaling_laws.search.space import changed


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def search(experiment, pools):
    """Runs a search; returns what search.json holds."""

    def done(wanted, workdir, **options):
        options.setdefault("say", lambda line: None)
        found = run_search(experiment, wanted, workdir, **options)
        assert json.loads((workdir / "search.json").read_text()) == json.loads(json.dumps(found.search))
        return found.search

    return done


def values(found):
    return [trial["value"] for trial in found["trials"]]


def test_a_grid_is_every_cell_once_and_names_the_lowest(search, make, pools, tmp_path):
    wanted = make(sampler="grid", trials=100)
    found = search(wanted, tmp_path)
    expected = [loss_of(changed(wanted.base, point)) for point in wanted.space.grid()]
    assert sorted(values(found)) == pytest.approx(sorted(expected))
    assert found["best"]["changes"] == {"optimizer.learning_rate": 0.1, "model.norm": "rms"}
    assert len(pools.runs) == len(set(pools.runs)) == 8
    rows = table.read_runs(tmp_path).to_pylist()
    assert {row["purpose"] for row in rows} == {"search"}
    assert found["flops"] == sum(row["flops"] for row in rows)


def test_a_trial_is_the_mean_over_its_seeds_and_folds(search, make, tmp_path):
    found = search(make(trials=2, seeds=(3, 5), folds=3), tmp_path)
    assert found["n_runs"] == 12
    for trial in found["trials"]:
        runs = trial["runs"]
        assert sorted((run["seed"], run["fold"]) for run in runs) == [(s, f) for s in (3, 5) for f in (0, 1, 2)]
        assert trial["value"] == pytest.approx(statistics.fmean(run["value"] for run in runs))
    # seeds differ by .02 on every fold: the folds' own differences are no spread of the seeds
    assert found["best"]["seed_deviation"] == pytest.approx(0.02 / math.sqrt(2))


def test_one_seed_has_no_spread(search, make, tmp_path):
    assert search(make(trials=1), tmp_path)["best"]["seed_deviation"] is None


def test_a_run_that_is_there_already_is_not_trained_again(search, make, pools, tmp_path):
    first = search(make(trials=5), tmp_path)
    trained_before = list(pools.runs)
    again = search(make(trials=5), tmp_path)
    assert again["trials"] == first["trials"]
    assert pools.runs == trained_before
    other = search(make(sampler="grid", trials=100), tmp_path, storage=tmp_path / "another.journal")
    assert len(set(pools.runs)) == len(pools.runs) == 8  # the cells that the random search had not seen
    assert other["n_runs"] == 8


def test_equal_settings_count_their_compute_once(search, make, pools, tmp_path):
    found = search(make(trials=40), tmp_path)
    assert len(found["trials"]) == 40
    assert found["n_runs"] == len(pools.runs) <= 8
    counts = families.count(make().base.model, spec.text(256, 16))
    assert found["flops"] == pytest.approx(found["n_runs"] * counts.flops_per_token * 64 * 4 * 16)


def test_more_trials_may_be_asked_for_later(search, make, tmp_path):
    some = search(make(trials=3), tmp_path)
    more = search(make(trials=7), tmp_path)
    assert len(more["trials"]) == 7
    assert more["trials"][:3] == some["trials"]
    assert more["trials"] == search(make(trials=7), tmp_path / "at once")["trials"]


def test_a_diverged_run_is_told_as_guessing_and_counts_by_its_steps(search, make, pools, tmp_path):
    pools.answer = lambda planned, attempt: (
        diverged(planned) if planned.run.optimizer.learning_rate == 1 else trained(planned)
    )
    found = search(make(sampler="grid", trials=100), tmp_path)
    gone = [trial for trial in found["trials"] if trial["changes"]["optimizer.learning_rate"] == 1]
    assert [trial["value"] for trial in gone] == [math.log(256)] * 2
    whole = max(trial["flops"] for trial in found["trials"])
    assert [trial["flops"] for trial in gone] == [whole / 4] * 2
    assert found["flops"] == 6.5 * whole
    assert found["best"]["value"] < math.log(256)


def test_a_failed_run_leaves_its_trial_open_and_is_tried_on_the_next_start(search, make, pools, tmp_path):
    pools.answer = lambda planned, attempt: failed(planned) if planned.run.model.norm == "layer" else trained(planned)
    lines = []
    found = search(make(sampler="grid", trials=100), tmp_path, say=lines.append)
    assert (found["n_open"], len([value for value in values(found) if value])) == (4, 4)
    assert any("trials are open in" in line for line in lines)
    pools.answer, pools.runs = trained, []
    found = search(make(sampler="grid", trials=100), tmp_path)
    assert (found["n_open"], len(pools.runs)) == (0, 4)


def test_a_failed_run_has_the_facts_of_its_own_fold(search, make, pools, tmp_path, monkeypatch):
    def facts_of(experiment, say):
        return dataclasses.replace(FACTS, unique_tokens=1000 + experiment.task.fold)

    monkeypatch.setattr(driver, "facts_of", facts_of)
    pools.answer = failed
    search(make(trials=1, folds=2), tmp_path)
    rows = table.read_runs(tmp_path).to_pylist()
    assert sorted(row["unique_tokens"] for row in rows) == [1000, 1001]


def test_settings_that_do_not_go_together_are_refused_without_compute(search, make, pools, tmp_path):
    found = search(make("model.width=16|24,model.head_dim=8|16", sampler="grid", trials=100), tmp_path)
    (refused,) = [trial for trial in found["trials"] if trial["state"] == "refused"]
    assert refused["changes"] == {"model.width": 24, "model.head_dim": 16}
    assert "multiple of model.head_dim" in refused["reason"]
    assert (refused["flops"], refused["value"], len(pools.runs)) == (0, None, 3)


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe", "gp"])
@pytest.mark.parametrize("dies_at", [1, 4, 7])
def test_after_a_kill_the_same_command_comes_to_the_same(search, make, pools, tmp_path, sampler, dies_at):
    wanted = make(sampler=sampler, trials=8, seeds=(0, 1))
    whole = search(wanted, tmp_path / "whole")
    pools.runs = []
    answered = []

    def answer(planned, attempt):
        if len(answered) == dies_at:
            raise Killed
        answered.append(planned.run_id)
        return trained(planned)

    pools.answer = answer
    with pytest.raises(Killed):
        search(wanted, tmp_path / "killed")
    pools.answer = lambda planned, attempt: (answered.append(planned.run_id), trained(planned))[1]
    found = search(wanted, tmp_path / "killed")
    assert len(set(answered)) == len(answered)
    assert found["n_open"] == 0
    if sampler in ("grid", "random"):  # what a model proposes depends on the order in which runs end
        assert found["trials"] == whole["trials"]
    assert [trial["number"] for trial in found["trials"]] == list(range(8))


def test_processes_share_a_search(search, make, pools, tmp_path):
    wanted, shared = make(sampler="grid", trials=100), tmp_path / "shared.journal"
    nested, handed = [], []

    def answer(planned, attempt):
        handed.append(planned.run_id)
        if not nested:  # while the first process trains its first runs, another one does the rest
            nested.append(True)
            nested.append(search(wanted, tmp_path / "b", storage=shared))
        return trained(planned)

    pools.answer = answer
    found = search(wanted, tmp_path / "a", storage=shared)
    ours, theirs = (table.read_runs(tmp_path / name)["run_id"].to_pylist() for name in "ab")
    assert (len(ours), len(theirs)) == (2, 6)
    assert not set(ours) & set(theirs)
    assert sorted(handed) == sorted(ours + theirs)
    assert nested[1]["n_open"] == 2  # those of the first process, which are left to it
    assert (found["n_open"], found["n_runs"]) == (0, 8)
    assert found["best"]["changes"] == {"optimizer.learning_rate": 0.1, "model.norm": "rms"}


def test_halving_trains_the_best_again_for_longer(search, make, pools, tmp_path):
    wanted = make(sampler="grid", trials=100, eta=2, rungs=3)
    found = search(wanted, tmp_path)
    assert found["steps"] == [16, 32, 64]
    rungs = [[trial for trial in found["trials"] if trial["rung"] == rung] for rung in range(3)]
    assert [len(rung) for rung in rungs] == [8, 4, 2]
    for below, above in itertools.pairwise(rungs):
        best = sorted(below, key=lambda trial: trial["value"])[: len(above)]
        assert {trial["first"] for trial in above} == {trial["first"] for trial in best}
    rows = {row["run_id"]: row for row in table.read_runs(tmp_path).to_pylist()}
    assert sorted(row["steps"] for row in rows.values()) == [16] * 8 + [32] * 4 + [64] * 2
    assert found["flops"] == sum(row["flops"] * row["steps_done"] / row["steps"] for row in rows.values())
    assert found["best"]["rung"] == 2
    assert found["best"]["changes"] == {"optimizer.learning_rate": 0.1, "model.norm": "rms"}


def test_a_halving_that_was_killed_goes_on(search, make, pools, tmp_path):
    wanted = make(sampler="random", trials=9, eta=3, rungs=3, space="optimizer.learning_rate=log:1e-3:1")
    whole = search(wanted, tmp_path / "whole")
    assert [sum(t["rung"] == rung for t in whole["trials"]) for rung in range(3)] == [9, 3, 1]
    for dies_at in (5, 10, 12):
        count = [0]

        def answer(planned, attempt, count=count, dies_at=dies_at):
            count[0] += 1
            if count[0] > dies_at:
                raise Killed
            return trained(planned)

        pools.answer = answer
        with pytest.raises(Killed):
            search(wanted, tmp_path / str(dies_at))
        pools.answer = trained
        assert search(wanted, tmp_path / str(dies_at))["trials"] == whole["trials"]


def test_another_search_in_the_same_place_is_refused(search, make, tmp_path):
    search(make(trials=2), tmp_path)
    for other, word in (
        (make(seed=1), "search_seed"),
        (make("model.norm=rms|layer"), "space"),
        (make(folds=2), "folds"),
    ):
        with pytest.raises(ConfigError, match=f"holds a search with another {word}; allowed"):
            search(other, tmp_path)


def test_a_torn_journal_is_mended_and_a_damaged_one_named(search, make, pools, tmp_path):
    whole = search(make(trials=5), tmp_path / "whole")
    search(make(trials=3), tmp_path)
    path = tmp_path / "search.journal"
    path.write_bytes(path.read_bytes()[:-7])
    assert search(make(trials=5), tmp_path)["trials"] == whole["trials"]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{\n", *lines[1:]]))
    with pytest.raises(ConfigError, match="damaged in line 2"):
        search(make(trials=5), tmp_path)


def test_a_diverged_regression_is_never_better_than_what_was_seen(search, make, pools, tmp_path):
    """Losses of 1000 times those of the formula, as of targets that were left as they came."""

    def answer(planned, attempt):
        gone = planned.run.optimizer.learning_rate == 1
        done = diverged(planned) if gone else trained(planned)
        loss = None if gone else 1000 * done.row["loss"]
        return dataclasses.replace(done, row=done.row | {"loss_kind": "squared_error", "loss": loss})

    pools.answer = answer
    lines = []
    found = search(make(sampler="grid", trials=100), tmp_path, say=lines.append)
    numbers = [int(line.split(":")[0].removeprefix("trial ")) for line in lines if line.startswith("trial ")]
    told = sorted(found["trials"], key=lambda trial: numbers.index(trial["number"]))  # several are open at once
    gone = [t for t in told if t["changes"]["optimizer.learning_rate"] == 1]
    before = [[t["value"] for t in told[: told.index(each)]] for each in gone]
    assert all(each["value"] in (1.0, *seen) or each["value"] > 1000 for each, seen in zip(gone, before, strict=True))
    assert gone[-1]["value"] >= max(before[-1])
    assert found["unit"] == "nats/token"  # of the task
    assert any(line.startswith("best: trial ") and " nats/token" in line for line in lines)
