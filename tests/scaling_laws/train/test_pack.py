"""Packs: every strategy against runs trained alone, through divergence and interruption."""

import itertools

import numpy as np
import pytest

from scaling_laws import hyper
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.tasks.task import Task
from scaling_laws.train import loop, trial
from scaling_laws.train.layout import Layout
from scaling_laws.train.member import Order
from scaling_laws.train.programs import programs, stack

SMALL = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 20,
    "train.steps_per_dispatch": 5,
    "train.curve_points": 3,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
}
VARIED = (
    {"optimizer.learning_rate": 1e-2},
    {"optimizer.learning_rate": 3e-3, "train.seed": 1},
    {"optimizer.learning_rate": 1e-2, "train.data_seed": 2, "optimizer.weight_decay": 0.1},
)
CONVOLUTIONAL = {
    "model.family": "convnet",
    "model.width": 4,
    "model.head_dim": 16,
    "task.context": 128,
    "task.name": "images",
    "train.steps": 6,
    "train.steps_per_dispatch": 3,
    "model.head_init": "small",
    "optimizer.epsilon": 1e-5,  # Adam makes whole steps of the rounding of a gradient that is all but 0
}
EXPLODING = {"optimizer.learning_rate": 1e3, "optimizer.clip_norm": 0.0, "optimizer.warmup": 0.0}


def orders(*changes):
    return [Order(replace(RunConfig(), SMALL | change)) for change in changes]


def pack(changes, task, workdir, **options):
    return list(loop.train_pack(orders(*changes), task, workdir=workdir, say=lambda _: None, **options))


@pytest.fixture(scope="module")
def alone(task, tmp_path_factory):
    found = [pack([change], task, tmp_path_factory.mktemp("alone"))[0] for change in VARIED]
    return {row["run_id"]: (row, curve) for row, curve in found}


def check(ended, alone, rel):
    assert {row["run_id"] for row, _ in ended} == {*alone}
    for row, curve in ended:
        expected_row, expected_curve = alone[row["run_id"]]
        assert row["status"] == "finished"
        assert row["loss"] == pytest.approx(expected_row["loss"], rel=rel)
        for point, expected in zip(curve, expected_curve, strict=True):
            assert point["step"] == expected["step"]
            assert point["train_loss"] == pytest.approx(expected["train_loss"], rel=rel)
            assert point["loss"] == pytest.approx(expected["loss"], rel=rel)


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_packed_run_equals_the_run_alone(alone, task, tmp_path, strategy):
    check(pack(VARIED, task, tmp_path, strategy=strategy), alone, 1e-5)


@pytest.fixture(scope="module")
def pictures():
    """Bright and dark pictures, odd in one side."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 40).astype(np.int32)
    arrays = {"inputs": (targets[:, None, None, None] + rng.normal(size=(40, 5, 6, 1))).astype(np.float32)}
    splits = {name: {**arrays, "targets": targets} for name in ("train", "valid", "heldout")}
    return Task("images", Spec("image", (5, 6, 1), 2), **splits, content_hash="feed")


@pytest.mark.parametrize("convolution", ["standard", "separable"])
def test_a_packed_convolutional_run_equals_the_run_alone(pictures, tmp_path, convolution):
    settings = CONVOLUTIONAL | {"model.convolution": convolution}
    changes = [settings | change for change in VARIED[:2]]
    alone = [pack([change], pictures, tmp_path / "alone")[0] for change in changes]
    ended = pack(changes, pictures, tmp_path / "pack", strategy="vmap")
    assert len({row["loss"] for row, _ in ended}) == 2
    check(ended, {row["run_id"]: (row, curve) for row, curve in alone}, 1e-5)


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_member_that_diverges_is_frozen_and_hurts_no_other(alone, task, tmp_path, strategy):
    changes = [VARIED[0], EXPLODING, *VARIED[1:]]
    first, *others = pack(changes, task, tmp_path, strategy=strategy)
    assert first[0]["status"] == "diverged"
    assert first[0]["steps_done"] < 20
    check(others, alone, 1e-5)


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_frozen_member_keeps_its_parameters(task, strategy):
    first = orders(*VARIED)
    built = loop.programs_of(first[0].run, task, Layout(3, strategy))
    states = [built.initial_state(seed) for seed in range(3)]
    numbers, starts = stack([hyper.hyperparameters(order.run) for order in first]), np.zeros((3, 5, 4), np.int32)
    alive = np.array([True, False, True])
    placed = built.place_states([dict(state) for state in states])
    after, losses, *_ = built.advance(placed, numbers, task.train, starts, 5, alive)
    heads = [state["params/head"] for state in built.fetch_states(after)]
    moved = [not np.array_equal(head, state["params/head"]) for head, state in zip(heads, states, strict=True)]
    assert moved == [True, False, True]
    assert np.isfinite(np.asarray(losses)).all()
    if strategy == "map":  # one that rests takes no time: its steps are not done
        assert not np.asarray(losses)[1].any()


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_stopped_pack_goes_on_bit_for_bit(task, tmp_path, strategy):
    undisturbed = pack(VARIED, task, tmp_path / "whole", strategy=strategy)
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        pack(VARIED, task, tmp_path / "cut", strategy=strategy, stop=lambda: next(asked) > 1)
    resumed = pack(VARIED, task, tmp_path / "cut", strategy=strategy)
    assert [row["resumed"] for row, _ in resumed] == [1, 1, 1]
    assert [(row["loss"], curve) for row, curve in resumed] == [(row["loss"], curve) for row, curve in undisturbed]


def test_a_run_of_a_stopped_pack_goes_on_alone(alone, task, tmp_path):
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        pack(VARIED, task, tmp_path, stop=lambda: next(asked) > 1)
    check([pack([change], task, tmp_path)[0] for change in VARIED], alone, 1e-5)


def test_a_pack_without_a_common_checkpoint_starts_afresh(alone, task, tmp_path):
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        pack(VARIED[:1], task, tmp_path, stop=lambda: next(asked) > 1)
    ended = pack(VARIED, task, tmp_path)
    assert [row["resumed"] for row, _ in ended] == [0, 0, 0]
    check(ended, alone, 1e-5)


def test_runs_of_unlike_forms_are_refused(task, tmp_path):
    with pytest.raises(ValueError, match="unlike forms"):
        pack([VARIED[0], {"train.steps": 30}], task, tmp_path)


def test_xlas_flops_are_those_of_one_run_whatever_the_strategy(task):
    run = orders(*VARIED)[0].run
    alone, *packed = (
        loop.programs_of(run, task, Layout(members, strategy)).xla_flops_per_step
        for members, strategy in ((1, "map"), (3, "map"), (3, "vmap"))
    )
    assert packed == pytest.approx([alone, alone], rel=0.1)


@pytest.mark.parametrize("members, strategy", [(1, "map"), (3, "vmap")])
def test_a_trial_measures_the_programs_of_the_runs(task, members, strategy):
    (order,) = orders({})
    before = programs.cache_info()
    assert trial.rate(order.run, task, members, strategy) > 0
    assert programs.cache_info().hits + programs.cache_info().misses == before.hits + before.misses + 1
    layout = Layout(members, strategy)
    assert loop.programs_of(order.run, task, layout).layout == layout
    assert programs.cache_info().misses <= before.misses + 1


def test_a_trial_on_devices_that_are_not_there_is_refused(task):
    (order,) = orders({})
    with pytest.raises(ConfigError, match="allowed: at most"):
        trial.rate(order.run, task, 64, "vmap", 64)
