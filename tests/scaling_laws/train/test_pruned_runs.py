"""Runs that are pruned: thresholds against sorting, what is 0 at the end, and each method against the same by hand."""

import itertools

import numpy as np
import pytest

from scaling_laws import families, hyper, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import batches
from scaling_laws.techniques import pruning as settings
from scaling_laws.train import kept, loop, pruning, state, zeros
from scaling_laws.train.health import Health
from scaling_laws.train.layout import Layout
from scaling_laws.train.member import Member, Order
from scaling_laws.train.programs import stack
from scaling_laws.train.pruning import Pruner
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 30,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 3,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "train.checkpoint_seconds": 0.0,
    "train.keep_parameters": True,
    "optimizer.learning_rate": 1e-2,
    "optimizer.schedule": "constant",
    "optimizer.warmup": 0.0,
    "optimizer.weight_decay": 0.1,
}
INNER = {"block_0/attention/qkv": 192, "block_0/attention/out": 64, "block_0/mlp/up": 256, "block_0/mlp/down": 256}
ONE_SHOT = {"prune.method": "one_shot", "prune.begin": 0.3, "prune.sparsity": 0.5}
GRADUAL = {"prune.method": "gradual", "prune.sparsity": 0.9, "prune.events": 5, "prune.scope": "global"}
REWIND = {"prune.method": "rewind", "prune.sparsity": 0.7, "prune.rounds": 2, "prune.rewind": 0.3}  # 14, 8, 8 steps
FROZEN = {"model.depth": 2, "transfer.frozen": "blocks", "transfer.frozen_blocks": 1}


def run_of(*changes):
    return replace(RunConfig(), TINY | {name: value for change in changes for name, value in change.items()})


def ended(runs, task, workdir, **options):
    found = loop.train_pack([Order(run) for run in runs], task, workdir=workdir, say=lambda _: None, **options)
    return list(found)


def trained(task, workdir, *changes, **options):
    """Row, curve and last parameters by name of a run."""
    ((row, curve),) = ended([run_of(*changes)], task, workdir, **options)
    parameters = kept.read(workdir, row["run_id"])
    return row, curve, {name.removeprefix(state.PARAMS): leaf for name, leaf in parameters.items()}


def n_zeros(parameters):
    return {name: int((leaf == 0).sum()) for name, leaf in parameters.items()}


@pytest.mark.parametrize("share", [0.0, 0.013, 0.5, 1.0])
def test_the_smallest_are_those_that_sorting_puts_first(share):
    rng = np.random.default_rng(0)
    weights = [rng.integers(-9, 10, shape).astype(np.float32) for shape in ((7, 3), (11,), (2, 2, 5))]
    flat = np.concatenate([each.ravel() for each in weights])
    first = sorted(range(52), key=lambda index: (abs(flat[index]), index))[: round(share * 52)]
    found = np.concatenate([mask.ravel() for mask in pruning.smallest(weights, share)])
    assert np.flatnonzero(found).tolist() == sorted(first)


def test_what_is_pruned_stays_so_and_counts():
    weights = np.array([1e-9, -0.0, 3.0, 0.0, -0.0, -2.0], np.float32)
    assert zeros.pruned(weights, np).tolist() == [False, True, False, False, True, False]
    for share, expected in ((0.0, [1, 4]), (0.5, [1, 3, 4]), (0.67, [0, 1, 3, 4])):
        (mask,) = pruning.smallest([weights], share)
        assert np.flatnonzero(mask).tolist() == expected


def test_a_layer_of_stacked_blocks_is_a_matrix_of_its_own():
    rng = np.random.default_rng(1)
    scales = np.array([1.0, 10.0, 0.1], np.float32)[:, None, None]
    weights = {"blocks/mlp/up": scales * rng.normal(size=(3, 4, 5)).astype(np.float32), "head": np.ones((3, 3))}
    by_layer, together = (pruning.masks(weights, 0.4, scope) for scope in ("layer", "global"))
    assert by_layer["blocks/mlp/up"].sum(axis=(1, 2)).tolist() == [8, 8, 8]
    for mask, layer in zip(by_layer["blocks/mlp/up"], np.abs(weights["blocks/mlp/up"]), strict=True):
        assert layer[mask].max() <= np.partition(layer.ravel(), 7)[7] < layer[~mask].min()
    assert by_layer["head"].sum() == 4
    assert together["blocks/mlp/up"].sum() + together["head"].sum() == round(0.4 * 69)
    assert together["blocks/mlp/up"][2].all()


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, {*INNER}),
        ({"prune.outer": True}, {*INNER, "embedding", "head"}),
        ({"model.layers": "scanned"}, {name.replace("block_0", "blocks") for name in INNER}),
        (FROZEN, {name.replace("block_0", "block_1") for name in INNER}),
    ],
)
def test_the_matrices_that_decay_would_shrink_are_pruned(changes, expected):
    run = run_of(ONE_SHOT, changes)
    template = state.named(Step(Shape.of(run, spec.text(256, 16))).abstract_state())
    assert {*Pruner(run).weights(template)} == expected


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_all_that_is_kept_of_a_pruned_weight_is_zero(name):
    run = run_of(ONE_SHOT, {"optimizer.name": name, "train.average": "ema"})
    template = state.named(Step(Shape.of(run, spec.text(256, 16))).abstract_state())
    ones = {name: np.ones(leaf.shape, leaf.dtype) for name, leaf in template.items()}
    mask = np.arange(256).reshape(8, 32) % 3 == 0
    found = pruning.zeroed(ones, {"block_0/mlp/up": mask})
    of_it = [name for name in found if name.endswith("block_0/mlp/up")]
    assert len(of_it) == (4 if name == "adamw" else 3)  # itself, its moments and its average
    assert all(((found[name] == 0) == mask).all() for name in of_it)
    assert all((found[name] == 1).all() for name in found if name not in of_it)


def test_zeros_that_nobody_pruned_learn_on():
    before = {"w": np.array([0.0, -0.0, 1.0, -1.0], np.float32)}
    ones = {"w": np.full(4, 0.5, np.float32)}
    np.testing.assert_array_equal(zeros.without(ones, before)["w"], [0.5, 0, 0.5, 0.5])
    after = zeros.kept({"w": before["w"] + ones["w"]}, before)
    np.testing.assert_array_equal(after["w"], [0.5, 0, 1.5, -0.5])
    assert zeros.pruned(after["w"]).tolist() == [False, True, False, False]


def test_a_step_leaves_what_is_pruned_alone_whatever_its_gradient_and_its_moments(task):
    run, name = run_of(ONE_SHOT), "block_0/mlp/up"
    built = loop.programs_of(run, task, Layout())
    data, _ = built.place_data(task.train, task.valid)
    before, mask = built.initial_state(0), np.arange(256).reshape(8, 32) % 3 == 0
    before["opt_state/1/1/mu/" + name] += 1
    before["params/" + name] = np.where(mask, np.float32(-0.0), before["params/" + name])
    numbers, starts_MxKxB = stack([hyper.hyperparameters(run)]), np.full((1, 7, 4), 5, np.int32)
    now = built.advance(built.place_states([dict(before)]), numbers, data, starts_MxKxB, 1, np.ones(1, bool))[0]
    (after,) = built.fetch_states(now)
    np.testing.assert_array_equal(zeros.pruned(after["params/" + name], np), mask)
    assert (after["params/" + name] != before["params/" + name])[~mask].all()
    decayed = after["opt_state/1/1/mu/" + name] == np.float32(0.9)
    assert decayed[mask].all()
    assert not decayed[~mask].all()


def test_the_baseline_is_approached_as_the_strength_goes_to_0(task, tmp_path):
    _, _, plain = trained(task, tmp_path)

    def distance(sparsity):
        _, _, found = trained(task, tmp_path, ONE_SHOT, {"prune.sparsity": sparsity})
        return sum(float(np.square(found[name] - plain[name]).sum()) for name in plain)

    far, near, nothing = (distance(sparsity) for sparsity in (0.8, 0.05, 0.001))  # of 256 weights none
    assert far > 4 * near > 0 == nothing


@pytest.mark.parametrize("begin", [0.3, 1.0])
def test_one_shot_is_the_baseline_masked_and_continued(task, tmp_path, begin):
    """By hand, step by step in the baseline's program, what was pruned set to 0 after each: without clipping nothing
    else depends on the gradients of what was."""
    free = {"optimizer.clip_norm": 0.0}
    row, _, found = trained(task, tmp_path, ONE_SHOT, free, {"prune.begin": begin})
    baseline = run_of(free)
    built = loop.programs_of(baseline, task, Layout())
    data, _ = built.place_data(task.train, task.valid)
    numbers, host, masks = stack([hyper.hyperparameters(baseline)]), built.initial_state(0), {}
    for step in range(30):
        starts_MxKxB = np.zeros((1, 7, 4), np.int32)
        starts_MxKxB[0, :1] = batches.window_starts(task.length("train"), 16, 0, step, 1, 4)
        placed = built.place_states([dict(host)])
        (host,) = built.fetch_states(built.advance(placed, numbers, data, starts_MxKxB, 1, np.ones(1, bool))[0])
        if step + 1 == round(begin * 30):
            sizes = {name: np.abs(host[f"params/{name}"]) for name in INNER}
            masks = {name: size <= np.sort(size, axis=None)[INNER[name] // 2 - 1] for name, size in sizes.items()}
        host = {name: np.where(masks.get(name.removeprefix("params/"), False), 0, leaf) for name, leaf in host.items()}
    for name, leaf in found.items():
        np.testing.assert_allclose(leaf, host[f"params/{name}"], rtol=1e-4, atol=1e-6, err_msg=name)
    assert {name: count for name, count in n_zeros(found).items() if count} == {n: k // 2 for n, k in INNER.items()}
    n_params = families.count(baseline.model, task.spec).n_params
    assert row["nonzero_params"] == n_params - 384 == sum(leaf.size for leaf in found.values()) - 384
    assert (row["technique"], row["strength"], row["n_params"]) == ("prune", 0.5, n_params)


@pytest.mark.parametrize(
    "change, stops",  # dispatches until each
    [(ONE_SHOT, (2, 3)), (GRADUAL, (3, 3, 2)), (REWIND, (3, 1, 1, 1))],
    ids=["at 5 and 23", "at 10, 20 and 29", "at 6, 13, 14 and 21"],
)
def test_stopped_between_prunings_it_goes_on_bit_for_bit(task, tmp_path, change, stops):
    row, curve, found = trained(task, tmp_path / "whole", change)
    for dispatches in stops:
        asked = itertools.count(1)
        with pytest.raises(loop.StopRequested):
            trained(task, tmp_path / "cut", change, stop=lambda asked=asked, last=dispatches: next(asked) == last)
    resumed, same_curve, same = trained(task, tmp_path / "cut", change)
    assert resumed["resumed"] == len(stops)
    assert (resumed["loss"], resumed["nonzero_params"], same_curve) == (row["loss"], row["nonzero_params"], curve)
    assert all(same[name].tobytes() == found[name].tobytes() for name in found)
    counts = {name: count for name, count in n_zeros(found).items() if count}
    assert counts.keys() <= INNER.keys()
    assert sum(counts.values()) == row["n_params"] - row["nonzero_params"]
    if change is GRADUAL:
        assert sum(counts.values()) == round(0.9 * 768)
        assert counts != {name: round(0.9 * size) for name, size in INNER.items()}
    else:
        assert counts == {name: round(change["prune.sparsity"] * size) for name, size in INNER.items()}


def test_a_rewound_run_goes_back_to_where_a_short_run_ends(task, tmp_path, monkeypatch):
    seen, prune = {}, Pruner.at

    def spy(self, step, before):
        seen[step] = before, prune(self, step, before)
        return seen[step][1]

    monkeypatch.setattr(Pruner, "at", spy)
    _, _, last = trained(task, tmp_path, REWIND)
    early, rewound = settings.rewound_to(run_of(REWIND).prune, 30), [*seen][1:]
    assert (early, rewound) == (6, [14, 22])
    _, _, short = trained(task, tmp_path, {"train.steps": early})
    masks = {}
    for step, share in zip(rewound, (1 - 0.3**0.5, 0.7), strict=True):
        before, after = seen[step]
        assert (before["opt_state/3/count"], after["opt_state/3/count"]) == (14, 6)
        for name, leaf in short.items():
            now, was = after[f"params/{name}"], before[f"params/{name}"]
            masks[name] = mask = now == 0 if name in INNER else np.zeros(now.shape, bool)
            np.testing.assert_array_equal(now[~mask], leaf[~mask])
            if name in INNER:
                assert mask.sum() == round(share * INNER[name])
                assert np.abs(was[mask]).max() < np.abs(was[~mask]).min()
                for moment in ("mu", "nu"):
                    moments = after[f"opt_state/1/1/{moment}/{name}"]
                    assert not moments[mask].any()
                    kept_moments = seen[early][0][f"opt_state/1/1/{moment}/{name}"]
                    np.testing.assert_array_equal(moments[~mask], kept_moments[~mask])
    assert all((last[name][~mask] != after[f"params/{name}"][~mask]).any() for name, mask in masks.items())
    assert all(((last[name] == 0) == masks[name]).all() for name in INNER)


def test_each_member_of_a_pack_is_pruned_by_its_own_settings(task, tmp_path):
    runs = [run_of(change) for change in (ONE_SHOT, GRADUAL, REWIND)]
    alone = [ended([run], task, tmp_path / str(i))[0][0] for i, run in enumerate(runs)]
    packed = [row for row, _ in ended(runs, task, tmp_path / "pack", strategy="vmap")]
    assert [row["loss"] for row in packed] == pytest.approx([row["loss"] for row in alone], rel=1e-5)
    assert [row["nonzero_params"] for row in packed] == [row["nonzero_params"] for row in alone]
    assert len({row["nonzero_params"] for row in alone}) == 3


def test_an_average_of_a_pruned_weight_is_zero(task, tmp_path, monkeypatch):
    averages, evaluate = {}, loop._Pack.evaluate

    def spy(self, split, n_tokens, state=None):
        if split == "heldout" and state is not None and state is not self.state:
            averages.update({name: np.asarray(leaf)[0] for name, leaf in state.items()})
        return evaluate(self, split, n_tokens, state)

    monkeypatch.setattr(loop._Pack, "evaluate", spy)
    _, _, found = trained(task, tmp_path, ONE_SHOT, {"train.average": "ema"})
    for name in INNER:
        np.testing.assert_array_equal(averages[f"params/{name}"] == 0, found[name] == 0)


def test_a_run_that_prunes_nothing_says_so(task, tmp_path):
    row, _, _ = trained(task, tmp_path, ONE_SHOT, {"prune.sparsity": 0.0})
    assert (row["nonzero_params"], row["technique"]) == (None, "none")


def test_a_loss_that_pruning_has_raised_is_no_spike(task, tmp_path):
    run = run_of(ONE_SHOT)
    member = Member(Order(run), task, tmp_path, print)
    member.progress.health.take(0, np.ones(8), np.ones(8))
    member.prune(9, loop.programs_of(run, task, Layout()).initial_state(0))
    assert member.progress.health.stale == 8

    def of(anew, jump=99):
        """40 losses at 5, 240 at 3, and then, changed or not, 100 at 4 with one at 5 among them."""
        health, losses = Health(), np.repeat([5.0, 3.0, 4.0], [40, 240, 100])
        losses[280 + jump] += 1
        losses += 0.01 * np.random.default_rng(0).normal(size=380)
        for first in range(0, 380, 20):
            if anew and first == 280:
                health.anew()
            health.take(first, losses[first : first + 20], np.ones(20))
        return health.verdict(380)[0], health.spikes, health.stale

    assert of(anew=False)[0] == "spiked"
    assert of(anew=True) == ("finished", 1, 100)  # of the 200 that are kept
    assert of(anew=True, jump=30) == ("finished", 0, 100)  # too few are known by then


def test_pruned_after_the_last_step_a_run_is_finished(task, tmp_path):
    row, _, _ = trained(task, tmp_path, ONE_SHOT, {"prune.begin": 1.0, "train.steps": 60})
    assert row["status"] == "finished"
