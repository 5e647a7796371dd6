"""The critical batch from kept runs: hyperbolas, its power of the loss, and the noise scale beside it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from experiments import batches
from experiments.reproduce import sweeps
from experiments.reproduce.entry import Own
from experiments.reproduce.papers import critical_batch
from experiments.reproduce.recipes import batches as recipe
from scaling_laws.interrupts import Asked
from scaling_laws.sweep import study
from scaling_laws.sweep.summary import Summary

KEPT = Path(__file__).parents[2] / "docs" / "results"


def test_from_kept_runs(verdicts, tmp_path):
    found = verdicts("critical_batch", f"--data={KEPT}", "--bootstrap=100")
    known = json.loads((KEPT / "critical_batch" / "critical_batch.json").read_text())
    told, loss = found["tradeoff"], found["loss"]
    for one in known["targets"]:
        where = f"loss {one['target']:.4g}"
        assert told[f"S_min, steps, {where}"][1] == pytest.approx(one["s_min"], rel=1e-6)
        assert told[f"E_min, tokens, {where}"][1] == pytest.approx(one["e_min"] * known["context"], rel=1e-6)
        assert told[f"steps of batch 64 by the hyperbola of the others, over its own, {where}"][0] == "yes"
    targets, crit = np.array([(one["target"], one["b_crit"]) for one in known["targets"]]).T
    slope = np.polyfit(np.log(targets), np.log(crit), 1)[0]
    assert loss["1 / alpha_B of B_crit ~ L^(-1 / alpha_B)"][1] == pytest.approx(-slope, rel=1e-6)
    assert loss["decrease of the loss that doubles B_crit"][1] == pytest.approx(1 - 2 ** (1 / slope), rel=1e-6)
    assert loss["B_crit at loss 4.67, tokens"] == ("no", pytest.approx(crit[2] * known["context"], rel=1e-6))
    assert loss["noise scale over B_crit, loss 4.489"] == ("yes", pytest.approx(1.03, abs=0.01))
    assert "noise scale over B_crit, loss 5.032" not in loss  # the run was not measured so early
    with (tmp_path / "critical_batch" / "loss" / "critical_batch_over_loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    theirs = [(float(row["x"]), float(row["y"])) for row in rows if row["layer"].startswith("Kaplan")]
    assert all(y == pytest.approx(2.1e8 * math.exp(-4.76 * math.log(x))) for x, y in theirs)
    with (tmp_path / "critical_batch" / "tradeoff" / "steps_over_examples.csv").open(newline="") as file:
        hollow = [row for row in csv.DictReader(file) if "foretold" in row["layer"]]
    assert len(hollow) == 4
    assert all(float(row["x"]) == pytest.approx(64 * known["context"] * float(row["y"])) for row in hollow)


def test_runs_of_something_else_say_what_is_missing(reproduce, capsys):
    assert reproduce("--paper=critical_batch", f"--data={KEPT / sweeps.SWEEPS['text'].kept}") == 2
    assert "no finished run with a curve; allowed: runs over several batch sizes" in capsys.readouterr().err


def test_a_workdir_without_noise_scales_has_hyperbolas_alone(tmp_path):
    for name in ("runs.parquet", "curves.parquet"):
        (tmp_path / name).write_bytes((KEPT / "critical_batch" / name).read_bytes())
    result = critical_batch.over_loss(Own("cpu", {"batches": tmp_path}, 20))
    assert not any("noise" in one.name for one in result.quantities)
    assert "fitted power" in {layer.name for layer in result.drawings[0].panels[0].layers}


@pytest.mark.parametrize(
    "interrupted, asked, said",
    [(True, False, [True]), (False, True, [False, True]), (False, False, [False])],
)
def test_the_recipe_stops_where_it_is_asked_to(monkeypatch, tmp_path, interrupted, asked, said):
    """In the runs, or while the noise scale is measured."""
    summary = Summary((), 0, 0, interrupted, 1.0)
    for name, result in (("grid", []), ("train", summary), ("fit", []), ("measure", Asked() if asked else [])):
        monkeypatch.setattr(batches, name, lambda *_, result=result: result)
    monkeypatch.setattr(study, "facts_of", lambda config: None)
    assert [one.interrupted for one in recipe.train("smoke", tmp_path)] == said
