"""Branches of one trunk against runs trained from scratch: equal to the bit, through packs, stops and damage."""

import json

import numpy as np
import pytest

from scaling_laws import config, hyper, table, validation
from scaling_laws.config import ConfigError, RunConfig, replace, trunk_steps
from scaling_laws.train import loop, saved
from scaling_laws.train.member import Order

SMALL = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 5,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "optimizer.learning_rate": 1e-2,
    "optimizer.schedule": "wsd",
    "optimizer.warmup_steps": 4,
    "train.average": "ema",
}
SHORT, LONG = 20, 45  # steps; the first cools from step 16 on, the second from 36 on


def branch(steps, **changes):
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    return replace(RunConfig(), SMALL | {"train.steps": steps} | dotted)


def pack(orders, task, workdir, **options):
    lines = []
    ended = list(loop.train_pack(orders, task, workdir=workdir, say=lines.append, **options))
    return ended, lines


def alone(run, task, workdir, keep_trunk=False, **options):
    ((row, curve),), lines = pack([Order(run, keep_trunk=keep_trunk)], task, workdir, **options)
    return row, curve, lines


def results(row):
    return {name: row[name] for name in table.result_columns() if name in row}


def trunk_folder(workdir, task, run):
    return saved.folder(workdir, config.trunk_identity(run, task.content_hash))


@pytest.fixture(scope="module")
def separate(task, tmp_path_factory):
    return {steps: alone(branch(steps), task, tmp_path_factory.mktemp("separate"))[:2] for steps in (SHORT, LONG)}


class After:
    def __init__(self, dispatches):
        self.left = dispatches

    def asked(self):
        self.left -= 1
        return self.left < 0


def test_a_branch_is_the_run_trained_from_scratch_to_the_bit(separate, task, tmp_path):
    short, short_curve, _ = alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    row, curve, lines = alone(branch(LONG), task, tmp_path)
    assert lines == [f"{row['run_id']}: branches off its trunk at step 16 of 45"]
    assert results(short) == results(separate[SHORT][0])
    assert short_curve == separate[SHORT][1]
    assert results(row) == results(separate[LONG][0])
    assert curve == separate[LONG][1]
    assert row["averaged_loss"] is not None
    assert (row["steps_done"], row["own_steps"], row["resumed"]) == (45, 45 - 16, 0)
    assert (short["own_steps"], separate[LONG][0]["own_steps"]) == (20, 45)
    assert short["trunk"] == row["trunk"] != ""


def test_branches_differ_by_their_cooldown_alone():
    """The rates of two horizons are the same numbers before the earlier cooldown, and not after it."""
    numbers = [hyper.hyperparameters(branch(steps)) for steps in (SHORT, LONG)]
    rates = np.array([[float(hyper.learning_rate("wsd", s, each, np)) for s in range(SHORT)] for each in numbers])
    assert (rates[0, : trunk_steps(branch(SHORT))] == rates[1, : trunk_steps(branch(SHORT))]).all()
    assert rates[0, -1] < rates[1, -1]
    np.testing.assert_allclose(rates[1, :6] / 1e-2, [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)


def test_where_nobody_waits_nothing_is_kept(task, tmp_path):
    alone(branch(SHORT), task, tmp_path)
    assert not list((tmp_path / "checkpoints").rglob("step_*"))


def test_a_shorter_branch_cannot_begin_in_the_cooldown_of_its_own(separate, task, tmp_path):
    alone(branch(LONG), task, tmp_path, keep_trunk=True)
    assert saved.steps(trunk_folder(tmp_path, task, branch(LONG))) == [36]
    row, curve, lines = alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    assert lines == []
    assert (results(row), curve) == (results(separate[SHORT][0]), separate[SHORT][1])
    assert saved.steps(trunk_folder(tmp_path, task, branch(LONG))) == [36]  # which serves longer ones better


def test_a_branch_stopped_on_its_way_goes_on_from_its_own_checkpoint(separate, task, tmp_path):
    alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    with pytest.raises(loop.StopRequested):
        alone(branch(LONG), task, tmp_path, stop=After(1).asked)
    row, curve, lines = alone(branch(LONG), task, tmp_path)
    assert "resumed at step" in lines[0]
    assert (row["resumed"], row["own_steps"]) == (1, 45 - 16)
    assert (results(row), curve) == (results(separate[LONG][0]), separate[LONG][1])


def test_a_trunk_stopped_on_its_way_still_hands_over(separate, task, tmp_path):
    with pytest.raises(loop.StopRequested):
        alone(branch(SHORT), task, tmp_path, keep_trunk=True, stop=After(1).asked)
    assert not saved.steps(trunk_folder(tmp_path, task, branch(SHORT)))
    alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    row, curve, _ = alone(branch(LONG), task, tmp_path)
    assert row["own_steps"] == 45 - 16
    assert (results(row), curve) == (results(separate[LONG][0]), separate[LONG][1])


def test_a_damaged_trunk_is_named_and_the_run_starts_earlier(separate, task, tmp_path):
    alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    (kept,) = saved.checkpoints(trunk_folder(tmp_path, task, branch(SHORT)))
    data = bytearray((kept / "arrays.raw").read_bytes())
    data[100] ^= 1
    (kept / "arrays.raw").write_bytes(data)
    row, curve, lines = alone(branch(LONG), task, tmp_path)
    assert len(lines) == 1
    assert "arrays.raw is damaged; moved to damaged_" in lines[0]
    assert row["own_steps"] == 45
    assert (results(row), curve) == (results(separate[LONG][0]), separate[LONG][1])


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_pack_of_seeds_branches_off_their_trunks(task, tmp_path, strategy):
    seeds = ({}, {"train__seed": 1, "train__data_seed": 1})
    shorts = [Order(branch(SHORT, **seed), keep_trunk=True) for seed in seeds]
    longs = [Order(branch(LONG, **seed)) for seed in seeds]
    whole, _ = pack(longs, task, tmp_path / "whole", strategy=strategy)
    pack(shorts, task, tmp_path / "cut", strategy=strategy)
    branched, lines = pack(longs, task, tmp_path / "cut", strategy=strategy)
    assert sum("branches off its trunk at step 16" in line for line in lines) == 2
    assert [(results(row), curve) for row, curve in branched] == [(results(row), curve) for row, curve in whole]
    assert len({row["trunk"] for row, _ in branched}) == 2


def test_a_pack_with_unlike_cooldowns_hands_over_at_each(task, tmp_path):
    early, late = branch(SHORT, optimizer__cooldown=0.5), branch(SHORT)
    pack([Order(early, keep_trunk=True), Order(late, keep_trunk=True)], task, tmp_path)
    assert [saved.steps(trunk_folder(tmp_path, task, run)) for run in (early, late)] == [[10], [16]]


class Recorder:
    def __init__(self):
        self.points = []

    def at(self, step):
        pass

    def scalars(self, step, values):
        self.points.append((step, values["loss"]))

    def hparams(self, values, final):
        pass


def test_a_watcher_sees_the_curve_of_the_trunk_too(separate, task, tmp_path):
    alone(branch(SHORT), task, tmp_path, keep_trunk=True)
    watch = Recorder()
    pack([Order(branch(LONG), watch=watch)], task, tmp_path)
    assert watch.points == [(point["step"], point["loss"]) for point in separate[LONG][1]]


def test_the_trunk_is_the_configuration_without_its_horizon():
    trunk = config.trunk_identity(branch(SHORT), "a")
    assert trunk == config.trunk_identity(branch(LONG), "a") != config.trunk_identity(branch(LONG), "b")
    assert trunk != config.trunk_identity(branch(LONG, train__seed=1), "a")
    assert trunk != config.trunk_identity(branch(LONG, optimizer__learning_rate=1e-3), "a")
    assert config.trunk_identity(branch(LONG, optimizer__schedule="cosine"), "a") == ""
    assert config.trunk_identity(branch(LONG, optimizer__warmup_steps=0), "a") == ""
    default = branch(RunConfig().train.steps)  # whose horizon is not among the settings that its identity hashes
    assert "train.steps" not in json.dumps(config.non_defaults(default))
    assert config.trunk_identity(default, "a") != config.identity(default, "a")


@pytest.mark.parametrize("steps, cooldown, expected", [(20, 0.2, 16), (21, 0.2, 16), (10, 0.0, 9), (10, 1.0, 0)])
def test_the_trunk_ends_before_the_cooldown(steps, cooldown, expected):
    assert trunk_steps(branch(steps, optimizer__cooldown=cooldown)) == expected


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"optimizer__warmup_steps": 17}, "optimizer.warmup_steps: 17; allowed: at most 16 of 20 steps"),
        ({"train__average": "window", "train__average_window": 0.3}, "train.average_window: 0.3; allowed: at most"),
        (
            {"optimizer__schedule": "cosine", "optimizer__warmup_steps": 21},
            "optimizer.warmup_steps: 21; allowed: at most 20 of 20 steps",
        ),
    ],
)
def test_what_leaves_no_trunk_is_refused(changes, words):
    validation.validate_run(branch(SHORT))
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        validation.validate_run(branch(SHORT, **changes))


def test_curve_points_stand_still_when_the_horizon_moves():
    short, long = (loop.curve_steps(steps, 4, absolute=True) for steps in (500, 20_000))
    assert short == [1, 10, 100, 500]
    assert long == [1, 10, 100, 1000, 10_000, 20_000]
    for points in (2, 7, 20):
        shared = [s for s in loop.curve_steps(777, points, absolute=True) if s < 777]
        assert shared == [s for s in loop.curve_steps(9999, points, absolute=True) if s < 777]
