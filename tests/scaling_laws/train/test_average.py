"""Averages of the parameters against NumPy on the parameters after every step, and in every layout and pack."""

import itertools

import numpy as np
import pytest

from scaling_laws import hyper, memory, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import batches
from scaling_laws.train import loop, state
from scaling_laws.train.layout import Layout
from scaling_laws.train.member import Order
from scaling_laws.train.programs import stack
from scaling_laws.train.step import JOINED, Step

SMALL = {
    "train.parametrization": "standard",
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 14,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 3,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "optimizer.learning_rate": 3e-2,
    "optimizer.schedule": "wsd",  # the programs of test_trunk.py
}
EMA = {"train.average": "ema", "train.ema_decay": 0.7}
WINDOW = {"train.average": "window", "train.average_window": 0.5, "train.average_every": 3}  # steps 8, 11 and 14


def run_of(*changes):
    return replace(RunConfig(), SMALL | {name: value for change in changes for name, value in change.items()})


def through_every_step(run, task):
    """The parameters after each step, one dispatch a step, and the averages at the end."""
    built = loop.programs_of(run, task, Layout())
    data, _ = built.place_data(task.train, task.valid)
    now, numbers = built.place_states([built.initial_state(0)]), stack([hyper.hyperparameters(run)])
    seen = []
    for step in range(run.train.steps):
        starts_MxKxB = np.zeros((1, 7, 4), np.int32)
        starts_MxKxB[0, :1] = batches.window_starts(task.length("train"), 16, 0, step, 1, 4)
        now, *_ = built.advance(now, numbers, data, starts_MxKxB, 1, np.ones(1, bool))
        (host,) = built.fetch_states(now)
        seen.append({name: np.array(leaf, np.float64) for name, leaf in state.params(host).items()})
    return seen, state.averaged(host)


def ema(seen, decay):
    """By its definition, divided by the weights' sum."""
    n = len(seen)
    weights = np.array([decay ** (n - 1 - i) for i in range(n)])
    return {k: np.tensordot(weights / weights.sum(), np.stack([p[k] for p in seen]), axes=1) for k in seen[0]}


def mean_of(seen, steps):
    return {name: np.mean([seen[step - 1][name] for step in steps], axis=0) for name in seen[0]}


@pytest.mark.parametrize("change, joined", [(EMA, JOINED), (WINDOW, JOINED), (EMA, 0)])
def test_averages_are_those_of_the_parameters_after_every_step(task, monkeypatch, change, joined):
    monkeypatch.setattr("scaling_laws.train.step.JOINED", joined)
    run = run_of(change, {"optimizer.nesterov": joined == 0})  # another shape, which another program is built for
    seen, averages = through_every_step(run, task)
    expected = ema(seen, 0.7) if change is EMA else mean_of(seen, (8, 11, 14))
    assert averages.keys() == expected.keys()
    for name, average in averages.items():
        np.testing.assert_allclose(average, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert not np.allclose(averages["params/head"], seen[-1]["params/head"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "steps, window, every, expected",
    [(14, 0.5, 3, [8, 11, 14]), (14, 0.0, 1, [14]), (10, 0.3, 1, [8, 9, 10]), (10, 1.0, 4, [2, 6, 10])],
)
def test_the_window_ends_with_the_last_step(steps, window, every, expected):
    run = run_of({"train.steps": steps, "train.average_window": window, "train.average_every": every})
    weights = [float(hyper.average_weight("window", s, hyper.hyperparameters(run))) for s in range(1, steps + 1)]
    assert [step for step, weight in enumerate(weights, start=1) if weight] == expected
    assert [w for w in weights if w] == pytest.approx([1 / (i + 1) for i in range(len(expected))])


def ended(runs, task, workdir, **options):
    found = loop.train_pack([Order(run) for run in runs], task, workdir=workdir, say=lambda _: None, **options)
    return list(found)


@pytest.mark.parametrize("change", [EMA, WINDOW], ids=["ema", "window"])
def test_beside_an_average_the_run_is_bitwise_the_baseline(task, tmp_path, change):
    (plain, plain_curve), (row, curve) = (
        ended([run_of(extra)], task, tmp_path / name)[0] for name, extra in (("plain", {}), ("averaged", change))
    )
    assert row["loss"] == plain["loss"]
    assert [point["loss"] for point in curve] == [point["loss"] for point in plain_curve]
    assert plain["averaged_loss"] is plain["averaged_loss_se"] is None
    assert row["averaged_loss"] not in (None, row["loss"])
    assert row["averaged_loss_se"] > 0
    assert row["run_id"] != plain["run_id"]


def test_the_averaged_loss_is_that_of_the_averaged_parameters(task, tmp_path, monkeypatch):
    run, kept = run_of(EMA), {}
    evaluate = loop._Pack.evaluate

    def spy(self, split, n_tokens, state=None):
        if state is not None:
            kept["state"] = {name: np.asarray(leaf)[0] for name, leaf in state.items()}
        return evaluate(self, split, n_tokens, state)

    monkeypatch.setattr(loop._Pack, "evaluate", spy)
    ((row, _),) = ended([run], task, tmp_path)
    step = Step(loop.programs_of(run, task, Layout()).shape)
    params = state.tree({"params": step.abstract_state()["params"]}, kept["state"])["params"]
    starts = batches.eval_starts(task.length("heldout"), 16, 512)
    windows = task.heldout["tokens"][starts[:, None] + np.arange(17)].astype(int)
    logits = np.asarray(step.module.apply({"params": params}, windows[:, :-1]), np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log_p, windows[:, 1:, None], -1)[..., 0].mean()
    assert row["averaged_loss"] == pytest.approx(expected, rel=1e-5)


def test_without_an_average_the_state_holds_none(task):
    template = state.named(Step(loop.programs_of(run_of(), task, Layout()).shape).abstract_state())
    assert not any(name.startswith(state.AVERAGE) for name in template)
    assert memory.estimate(run_of(EMA), spec.text(256, 16)).state > memory.estimate(run_of(), spec.text(256, 16)).state


@pytest.mark.parametrize("change", [EMA, WINDOW], ids=["ema", "window"])
def test_averages_survive_a_stop_to_the_bit(task, tmp_path, change):
    ((whole, _),) = ended([run_of(change)], task, tmp_path / "whole")
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        ended([run_of(change)], task, tmp_path / "cut", stop=lambda: next(asked) > 1)
    ((row, _),) = ended([run_of(change)], task, tmp_path / "cut")
    assert row["resumed"] == 1
    assert (row["loss"], row["averaged_loss"]) == (whole["loss"], whole["averaged_loss"])


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_packs_average_each_member_by_its_own_numbers(task, tmp_path, strategy):
    runs = [run_of(EMA), run_of(EMA, {"train.ema_decay": 0.2, "train.seed": 1})]
    alone = [ended([run], task, tmp_path / str(i))[0][0] for i, run in enumerate(runs)]
    packed = [row for row, _ in ended(runs, task, tmp_path / "pack", strategy=strategy)]
    expected = [row["averaged_loss"] for row in alone]
    assert [row["averaged_loss"] for row in packed] == pytest.approx(expected, rel=1e-5)
    assert abs(expected[0] - expected[1]) > 1e-3
