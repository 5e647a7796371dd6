"""Prices by hand, a schedule by brute force, and bytes beside real files."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
from fake_pool import row_of

from scaling_laws import config, memory, table
from scaling_laws.config import ConfigError
from scaling_laws.sweep import device, price, show, trunks, volume
from scaling_laws.sweep.device import Device, parse
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.plan import plan

SLOW = Device(peak=1e7, memory=1e9, utilization=0.5, price=3.6, count=2)


@pytest.fixture
def grid(experiment, facts):
    return plan(experiment(sweep__widths=(8, 16), sweep__depths=(1,), sweep__seeds=(0, 1)), facts)


def lasting(planned, *seconds):
    runs = [dataclasses.replace(planned, run_id=f"r{i}", expected_seconds=float(s)) for i, s in enumerate(seconds)]
    return tuple(runs)


def test_a_device_by_name_and_by_numbers():
    named = parse("h100,count=8, price=2.5")
    assert (named.peak, named.memory, named.count, named.price) == (989.4e12, 80e9, 8, 2.5)
    assert named.rate == pytest.approx(989.4e12 * device.ASSUMED)
    assert (str(named), named.dtype) == ("8 x h100", "bfloat16")
    own = parse("peak=1e12,memory=2e9,utilization=0.25")
    assert own == Device(1e12, 2e9, utilization=0.25)
    assert own.rate == 0.25e12
    assert parse("h100,peak=67e12").dtype == ""  # another peak is not that of our table


@pytest.mark.parametrize(
    "text, message",
    [
        ("h10", "--device: 'h10'; allowed: one of a100, .*; did you mean h100"),
        ("h100,prise=2", "--device: 'prise=2'; allowed: peak, .*; did you mean price"),
        ("h100,price=free", "--device: price=free; allowed: a number, 0 to"),
        ("h100,count=1.5", "--device: count=1.5; allowed: a whole number, 1 to"),
        ("h100,utilization=35", "--device: utilization=35; allowed: a number, 1e-06 to 1"),
        ("h100,price=1,price=2", "--device: 'price=2'; allowed: .* each once"),
        ("peak=1e12", "--device: no memory; allowed"),
        ("h100,a100", "--device: 'a100'; allowed"),
        ("", "--device: ''; allowed: one of"),
        ("peak=nan,memory=1e9", "--device: peak=nan; allowed"),
    ],
)
def test_what_is_no_device_ends_in_one_line(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_hours_and_money_are_those_of_the_flops(grid):
    found = price.price(grid, SLOW)
    evaluated = 1024 + 3 * 256  # train.eval_tokens and three points of a curve
    flops = sum(one.flops + one.counts.forward * evaluated for one in grid.runs)
    assert found.device_hours == pytest.approx(flops / 5e6 / 3600)
    assert found.cost == pytest.approx(3.6 * found.device_hours)
    assert found.held_cost == pytest.approx(3.6 * 2 * found.wall_seconds / 3600)
    assert found.wall_seconds == pytest.approx(price.wall_seconds(found.runs, 2))
    assert not found.misfits
    assert dataclasses.replace(found, device=dataclasses.replace(SLOW, price=None)).cost is None


def test_the_clock_by_hand(grid):
    first = grid.runs[0]
    assert price.wall_seconds(lasting(first, 4, 3, 3, 2), 2) == 6  # 4 + 2 and 3 + 3
    assert price.wall_seconds(lasting(first, 10, 1, 1), 2) == 10  # bound by the longest
    assert price.wall_seconds(lasting(first, 1, 1, 1), 9) == 1
    assert price.wall_seconds((), 3) == 0


def test_the_clock_is_within_a_third_of_the_best_order(grid):
    """Longest first ends within 4/3 - 1/(3 m) of the best schedule (Graham 1969)."""
    for seconds in ((5, 5, 4, 4, 3, 3, 3), (7, 6, 5, 4, 3, 2, 1), (2, 2, 2, 3, 3)):
        best = min(
            max(sum(s for s, w in zip(seconds, workers, strict=True) if w == one) for one in (0, 1))
            for workers in itertools.product((0, 1), repeat=len(seconds))
        )
        found = price.wall_seconds(lasting(grid.runs[0], *seconds), 2)
        assert best <= found <= best * (4 / 3 - 1 / 6) + 1e-9


def test_branches_of_a_trunk_wait_for_each_other(experiment, facts):
    changes = {
        "optimizer__schedule": "wsd",
        "optimizer__warmup_steps": 10,
        "sweep__widths": (8,),
        "sweep__depths": (1,),
    }
    grid = plan(experiment(**changes, sweep__budgets=(1e9, 2e9, 4e9)), facts)
    found = price.price(grid, SLOW)
    assert found.wall_seconds == pytest.approx(sum(one.expected_seconds for one in found.runs))
    assert [one.expected_seconds for one in found.runs] == [
        one.expected_seconds for one in trunks.share(plan(grid.config, facts, Pace(5e6)).runs, Pace(5e6))
    ]


def test_what_does_not_fit_is_told_and_costs_nothing(grid):
    needs = sorted({show.memory_of(one.run, grid.facts, on_cpu=False).total for one in grid.runs})
    found = price.price(grid, dataclasses.replace(SLOW, memory=needs[-1] - 1.0))
    assert {planned.shape for planned, _ in found.misfits} == {(16, 1)}
    assert {planned.shape for planned in found.runs} == {(8, 1)}
    (line,) = [line for line in price.lines(found, "float32") if "does not fit" in line]
    assert "width 16 depth 1 batch 4, 4 runs: about" in line
    assert not price.price(grid, dataclasses.replace(SLOW, memory=float(needs[-1]))).misfits
    none = price.price(grid, dataclasses.replace(SLOW, memory=1e6))
    assert (none.runs, none.device_hours, none.wall_seconds) == ((), 0, 0)
    assert any("does not fit" in line for line in price.lines(none, "float32"))


def test_a_run_over_several_devices(experiment, facts):
    grid = plan(experiment(train__data_devices=2), facts)
    alone, both = price.price(plan(experiment(), facts), SLOW), price.price(grid, SLOW)
    assert both.device_hours == pytest.approx(alone.device_hours)
    assert both.wall_seconds == pytest.approx(sum(one.expected_seconds for one in both.runs))
    with pytest.raises(ConfigError, match="count=1; allowed: at least 2"):
        price.price(grid, dataclasses.replace(SLOW, count=1))


def test_words(grid):
    said = price.lines(price.price(grid, parse("h100,count=2,price=2")), "float32")
    assert said[0] == "on 2 x h100 (9.894e+14 FLOP/s of bfloat16, 80 GB), at 35% of the peak:"
    assert "note: model.dtype is float32, the peak that of bfloat16" in said[1]
    assert len(price.lines(price.price(grid, SLOW), "float32")) == 5
    assert [price.size(n) for n in (0, 999, 1e3, 1.25e9, 3e15)] == ["0 bytes", "999 bytes", "1 kB", "1.25 GB", "3 PB"]


def test_checkpoints_by_hand(grid):
    small = [dataclasses.replace(one, expected_seconds=s) for one, s in zip(grid.runs, (10, 29, 31, 95), strict=False)]
    found = price.Price(SLOW, tuple(small), (), 1, 100.0)
    sizes = [12 * one.counts.n_params + volume.BESIDE for one in small]  # AdamW: three numbers of four bytes each
    assert found.written == sizes[2] + 3 * sizes[3]  # every 30 seconds
    assert found.at_once == 3 * (sizes[2] + sizes[3])
    assert found.kept == 0
    none = [dataclasses.replace(one, run=config.replace(one.run, {"train.checkpoint_seconds": 0.0})) for one in small]
    assert price.Price(SLOW, tuple(none), (), 1, 100.0).written == 0


@pytest.mark.parametrize("depth, n_points", [(1, 3), (2, 12), (5, 25)])
def test_a_row_in_the_journal_is_as_long_as_foretold(experiment, facts, tmp_path, depth, n_points):
    """Numbers as long as real ones; the sizes of real files stand in `test_real_files`."""
    grid = plan(experiment(sweep__widths=(32,), sweep__depths=(depth,), train__curve_points=n_points), facts)
    planned = grid.runs[0]
    number = 1.2345678901234567
    point = {"tokens": 1234567, "flops": 1.2345678e12, "learning_rate": 0.0012345678901234567, "train_loss": number}
    point |= {"grad_norm": number, "loss": number, "logit_mean": -number, "attention_logits": [number] * depth}
    point |= {name: [number] * (depth + 2) for name in ("layer_grad_norms", "layer_update_ratios")}
    with table.Journal(tmp_path) as journal:
        before = journal.path.stat().st_size
        journal.append(row_of(planned, facts), [point | {"step": i + 1} for i in range(n_points)])
        written = journal.path.stat().st_size - before
    assert volume.points(planned) == n_points
    assert volume.journal(planned) == pytest.approx(written, rel=0.15)


@pytest.mark.slow
def test_real_files(experiment, tmp_path, monkeypatch):
    """A trained run's journal and TensorBoard file, kept parameters and a checkpoint, beside what was foretold."""
    from scaling_laws.sweep import study

    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = experiment(
        sweep__widths=(32,), sweep__depths=(2,), sweep__budgets=(1e9,), sweep__workers=1, train__keep_parameters=True
    )
    small = config.replace(small, {"train.curve_points": 6, "optimizer.name": "adamw"})
    grid = study.plan_sweep(small, say=lambda line: None)
    study.run_sweep(small, tmp_path / "runs", say=lambda line: None)
    (planned,) = grid.runs
    journal = (tmp_path / "runs" / "journal.jsonl").read_bytes().splitlines()[1]
    points = len(json.loads(journal)["curve"])
    assert points == volume.points(planned)
    assert volume.journal(planned) == pytest.approx(len(journal), rel=0.05)
    (events,) = (tmp_path / "runs" / "tensorboard" / planned.run_id).iterdir()
    assert volume.events(planned) == pytest.approx(events.stat().st_size, rel=0.05)
    assert volume.parameters(planned) == pytest.approx(_bytes(tmp_path / "runs" / "parameters"), rel=0.1)
    assert volume.checkpoint(planned) == memory.state_bytes(planned.run, planned.counts.n_params) + volume.BESIDE


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
