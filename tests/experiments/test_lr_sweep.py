"""The learning-rate sweep's command: what it refuses and prints, what it leaves, and that it goes on."""

import json
import math

import pytest

from scaling_laws import config, table
from scaling_laws.sweep import study
from scaling_laws.sweep.lr_grid import LrGrid
from scaling_laws.sweep.pace import Pace

BINARY = "lr_sweep"
SETTINGS = {
    "train.parametrization": "standard",
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 16,
    "train.eval_tokens": 256,
    "train.curve_points": 2,
    "train.curve_eval_tokens": 256,
    "optimizer.learning_rate": 0.02,
    "sweep.seeds": (0, 1),
    "sweep.lr_max_extensions": 1,
    "sweep.workers": 1,
}
WIDTHS = ["--axes=width", "--widths=8,16"]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--axes="], "--axes: none; allowed: width, depth"),
        (["--horizons=16,x"], "--horizons: '16,x'; allowed: whole numbers"),
        (["--horizons=1"], "train.steps: 1; allowed"),
        (["--reach=0"], "--reach: '0'; allowed"),
        (["--widths=8,12"], "model.width: 12; allowed: a multiple of model.head_dim = 8"),
        (["--beside=mup", "--config.train.base_width=0"], "train.base_width: 0; allowed: 1 or more"),
        (["--config.optimizer.learning_rate=0"], "optimizer.learning_rate: 0; allowed: above 0"),
        (["--config.sweep.seeds="], "sweep.seeds: empty"),
        (["--horizons=10000000"], "train.steps: 10000000 read "),
        (["--workdir="], "--workdir: missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(refused, words, said):
    refused(words, said)


def test_dry_run_prints_every_size_and_trains_nothing(command, tmp_path):
    words = ["--dry_run", *WIDTHS, "--horizons=16,32", "--beside=mup", "--config.train.base_width=8"]
    done = command(f"--workdir={tmp_path / 'runs'}", *words)
    assert done.returncode == 0, done.stderr
    assert "80 runs at 8 sizes, about" in done.stdout  # 2 parametrisations, widths and horizons, 5 rates, 2 seeds
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:3] for row in rows if row[0] in ("standard", "mup")] == [
        [name, str(width), "1"] for name in ("standard", "mup") for width in (8, 16) for _ in (16, 32)
    ]
    assert {tuple(row[7:10]) for row in rows if row[0] == "mup"} == {("0.005", "to", "0.08")}
    assert {(row[4], row[5]) for row in rows if row[0] == "mup"} == {("16", "1,024"), ("32", "2,048")}
    assert not (tmp_path / "runs").exists()


def test_runs_become_rows_minima_and_figures_and_a_second_start_adds_nothing(command, tmp_path):
    workdir = tmp_path / "runs"
    words = [f"--workdir={workdir}", "--reach=1", *WIDTHS]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    rows = table.read_runs(workdir).to_pylist()
    assert {row["purpose"] for row in rows} == {"lr_sweep"}
    assert {(row["width"], row["seed"]) for row in rows} == {(8, 0), (8, 1), (16, 0), (16, 1)}
    assert len(rows) >= 12
    assert "standard over width:" in done.stdout
    found = json.loads((workdir / "lr_sweep.json").read_text())
    assert [(one["width"], one["steps"]) for one in found["sizes"]] == [(8, 16), (16, 16)]
    assert found["level"] == 0.9
    for one in found["sizes"]:
        own = {row["learning_rate"] for row in rows if row["width"] == one["width"]}
        assert one["rates"] == pytest.approx(sorted(own))
    assert sorted(path.name for path in (workdir / "figures").iterdir()) == [
        f"lr_sweep_width.{kind}" for kind in ("csv", "png", "svg")
    ]
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "0 runs, " in again.stdout
    assert table.read_runs(workdir).to_pylist() == rows
    assert json.loads((workdir / "lr_sweep.json").read_text()) == found


def planted(workdir, best):
    """A workdir in which all is done: ln loss a parabola about the best rate of each width, at .08 everything bad."""
    experiment = config.replace(config.ExperimentConfig(), SETTINGS)
    sizes = tuple(config.replace(config.run_part(experiment), {"model.width": width}) for width in best)
    facts = study.facts_of(experiment)
    grid = LrGrid(experiment, facts, sizes, 2, Pace())
    rows, new = [], list(grid.planned())
    with table.Journal(workdir) as journal:
        while new:
            for one in new:
                rate, seed = one.run.optimizer.learning_rate, one.run.train.seed
                row = facts.described(one.run, one.counts, one.run_id)
                loss = 3 * math.exp(0.05 * math.log(rate / (best[one.run.model.width] * 1.02**seed)) ** 2)
                ended = {"status": "finished", "loss": loss} if rate < 0.08 else {"status": "diverged", "loss": None}
                rows.append(row | ended | {"steps_done": 16, "purpose": one.purpose, "lr_source": one.lr_source})
                journal.append(rows[-1])
            new = grid.further(rows)
    return rows


def test_planted_minima_are_found_with_bad_rates_in_the_sensitivity(command, tmp_path):
    rows = planted(tmp_path / "runs", {8: 0.021, 16: 0.0098})
    done = command(f"--workdir={tmp_path / 'runs'}", "--level=0.5", *WIDTHS)
    assert done.returncode == 0, done.stderr
    assert "0 runs, " in done.stdout
    narrow, wide = json.loads((tmp_path / "runs" / "lr_sweep.json").read_text())["sizes"]
    assert narrow["best"] == pytest.approx(0.021 * 1.01, rel=1e-3)
    assert wide["best"] == pytest.approx(0.0098 * 1.01, rel=1e-3)
    low, high = narrow["interval"]
    assert low == pytest.approx(0.021, rel=1e-3)  # Student's for one degree of freedom: t = 1 at a half
    assert high == pytest.approx(0.021 * 1.02, rel=1e-3)
    shift = math.log2(0.0098 / 0.021)
    assert f"moved {shift:+.2f} octaves, -1 steps" in done.stdout
    for one, width in ((narrow, 8), (wide, 16)):
        assert one["rates"] == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08])
        assert one["losses"][-1] == [None, None]
        own = [row for row in rows if row["width"] == width]
        losses = {rate: [] for rate in one["rates"]}
        for row in own:
            losses[row["learning_rate"]].append(row["loss"] or math.log(256))
        means = [sum(values) / 2 for values in losses.values()]
        assert one["sensitivity"] == pytest.approx(sum(means) / 5 - min(means))
