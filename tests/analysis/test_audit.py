"""The audit as a whole: severity by hand, order, JSON, the command line, and input that cannot be audited."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from known import isoflop_runs
from test_audit_planted import headed, sound

from analysis import load
from analysis.audit import DEFAULTS, audit, text
from analysis.audit.checks import CHECKS
from analysis.audit.findings import Effect, Estimate
from analysis.audit.proposals import Proposal, cost_sentence
from analysis.audit.severity import level_of, measured
from analysis.options import Options
from scaling_laws.config import ConfigError

OPTIONS = Options(bootstrap=20)


def estimate(a, interval=None, loss=2.5, loss_interval=None, flops=1e20):
    return Estimate("law", a, interval, loss, loss_interval, flops, 50)


def test_a_shift_weighs_by_exponent_or_forecast_whichever_is_more():
    assert measured(Effect(estimate(0.5), estimate(0.6), "")) == pytest.approx(2)
    assert measured(Effect(estimate(0.5), estimate(0.5, loss=2.5 * np.exp(0.03)), "")) == pytest.approx(3)
    assert measured(Effect(estimate(0.5), estimate(0.5, loss=3.0, flops=1e21), "")) == 0  # not the same C
    assert measured(Effect(estimate(0.5, loss=np.nan), estimate(0.45), "")) == pytest.approx(1)


def test_a_shift_within_what_a_smaller_sample_moves_by_chance_weighs_nothing():
    """Half-widths .03 and .05: leaving rows out moves by sqrt(.05^2 - .03^2) = .04 by chance."""
    before, after = estimate(0.5, (0.47, 0.53)), estimate(0.53, (0.48, 0.58))
    assert measured(Effect(before, after, "")) == 0
    assert measured(Effect(after, before, "")) == pytest.approx(0.03 / 0.05)  # the part is surer: no chance
    far = estimate(0.6, (0.55, 0.65))
    assert measured(Effect(before, far, "")) == pytest.approx((0.1 - 0.04) / 0.05)


def test_levels():
    assert [level_of(score) for score in (5, 2, 1.9, 1, 0.5, 0.4, 0.3, 0)] == [
        "severe", "severe", "serious", "serious", "moderate", "moderate", "minor", "minor"
    ]  # fmt: skip


def test_further_runs_are_costed_with_their_seeds():
    runs = (Proposal(3e7, 5e9, 9e17, seeds=2), Proposal(6e7, 5e9, 2e17, learning_rate=1e-3, note="longer"))
    said = cost_sentence(runs, 2e20)
    assert said == (
        "3 runs (N 3e+07, D 5e+09 (C 9e+17), 2 seeds; N 6e+07, D 5e+09 (C 2e+17), lr 0.001, longer) "
        "cost 2e+18 FLOPs, 1 % of what the table spent"
    )
    assert "2.0 times what the table spent" in cost_sentence(runs, 1e18)
    assert cost_sentence((), 1e18) == ""


def test_every_check_has_a_name_of_its_own_and_says_what_it_needs():
    assert len({check.NAME for check in CHECKS}) == len({check.TITLE for check in CHECKS}) == len(CHECKS)
    assert all(check.NEEDS for check in CHECKS)


@pytest.fixture(scope="module")
def several():
    """Two mistakes at once, and symptoms of them."""
    columns = sound()
    columns["learning_rate"][:] = 1e-3
    columns["horizon_tokens"][:20] *= 4
    columns["loss"][:20] += 0.3
    columns["unique_tokens"][:] = 3e9
    return audit(load.runs_from(columns), OPTIONS)


def test_the_most_severe_come_first_and_symptoms_below_causes(several):
    scores = [finding.score for finding in several.findings]
    assert scores == sorted(scores, reverse=True)
    assert not several.findings[0].symptom
    assert {"one_learning_rate", "mid_schedule", "repeated_data"} <= {finding.check for finding in several.findings}
    assert several.score == pytest.approx(sum(scores))
    names = [item.check for part in (several.findings, several.passed, several.not_checked) for item in part]
    assert sorted(names) == sorted(check.NAME for check in CHECKS)


def test_the_json_holds_all_that_is_printed(several):
    found = json.loads(json.dumps(several.to_json(), allow_nan=False, default=str))
    assert [item["check"] for item in found["findings"]] == [finding.check for finding in several.findings]
    first = found["findings"][0]
    assert {"level", "score", "evidence", "moves", "settle", "rows", "effect", "further_runs"} <= set(first)
    printed = " ".join(" ".join(text.lines(several)).split())
    assert first["evidence"] in printed
    assert first["moves"] in printed
    assert found["verdict"] in printed
    for name in ("headline", "mended"):
        assert set(found[name]) == {"method", "a", "a_interval", "loss", "loss_interval", "flops", "runs"}


def test_options_are_those_of_the_fit():
    runs = isoflop_runs(np.geomspace(1e17, 1e20, 7), 6, points=9, noise=0.004)
    found = audit(runs, Options(objective="log_mse", law="chinchilla", bootstrap=0))
    assert found.headline.method == "law chinchilla, log_mse"
    assert found.headline.a_interval is None
    assert DEFAULTS.bootstrap == 200
    with pytest.raises(ConfigError, match="law"):
        audit(runs, Options(law="chinchila"))


def test_a_law_without_a_frontier_leaves_the_minima():
    found = audit(isoflop_runs(np.geomspace(1e17, 1e20, 7), 6, points=9), Options(law="power_floor", bootstrap=0))
    assert found.headline.method == "minima, parabola"


def test_a_table_that_can_be_audited_but_not_fitted():
    runs = load.runs_from({"n_params": [1e6, 2e6, 3e6], "tokens": [1e8, 5e8, 1e9], "loss": [4.0, 3.5, 3.2]})
    found = audit(runs, OPTIONS)
    assert found.headline is None
    assert "3 runs for 5 parameters" in found.why
    assert "short_range" in {finding.check for finding in found.findings}
    one = audit(load.runs_from({"n_params": [1e6], "tokens": [1e8], "loss": [4.0]}), OPTIONS)
    assert one.headline is None


def test_a_sweep_of_this_project_is_read_as_it_is(tmp_path):
    found = audit(load.load(synthetic.workdir(tmp_path)), OPTIONS)
    checks = {finding.check: finding for finding in found.findings}
    assert {"one_learning_rate", "short_range"} <= set(checks)
    assert "failed_runs" in {outcome.check for outcome in found.passed}  # two diverged, both named
    assert found.case.table["purpose"].tolist().count("forecast") == 0


NUMBERS = (
    *("learning_rate", "horizon_tokens", "steps", "steps_done", "warmup_tokens", "epochs", "unique_tokens", "seed"),
    *("n_non_embedding", "width", "depth", "vocab_size", "n_head", "train_loss", "eval_tokens", "budget"),
)
WORDS = ("run_id", "trunk", "schedule", "counts", "loss_split", "parametrization")


def odd_table(seed):
    """A table of up to 13 rows whose optional columns hold anything: gaps, zeros, words in place of numbers."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 14))
    columns = {"n_params": 10 ** rng.uniform(5, 9, k), "tokens": 10 ** rng.uniform(7, 10, k)}
    columns["loss"] = rng.uniform(1, 6, k)
    for name in NUMBERS:
        values = np.where(rng.random(k) < 0.2, rng.choice([np.nan, 0.0, -1.0], k), 10 ** rng.uniform(-3, 9, k))
        kind = rng.random()
        if kind < 0.5:
            columns[name] = np.full(k, "x") if kind < 0.05 else values
    for name in WORDS:
        if rng.random() < 0.4:
            columns[name] = rng.choice(["", "cosine", "total", "train", "r1"], k)
    return columns


# laws through a handful of arbitrary points overflow: what is asked here is what the checks make of it
@pytest.mark.filterwarnings(r"ignore::RuntimeWarning:analysis\.(uncertainty|laws|frontier)")
@pytest.mark.parametrize("seed", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 40))])
def test_whatever_the_optional_columns_hold_each_check_has_its_say(seed):
    found = audit(load.runs_from(odd_table(seed)), Options(bootstrap=5 * (seed % 2)))
    assert len(found.findings) + len(found.passed) + len(found.not_checked) == len(CHECKS)
    assert all(np.isfinite(finding.score) for finding in found.findings)
    assert text.lines(found)
    json.dumps(found.to_json())


def command(*arguments, **more):
    return subprocess.run([sys.executable, "-m", "analysis.audit", *arguments], capture_output=True, text=True, **more)


def csv_of(columns, path):
    names = list(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_the_command_prints_and_writes_page_figures_and_json(tmp_path):
    table = {"size": "n_params", "data": "tokens", "val": "loss"}
    columns = {theirs: headed()[ours] for theirs, ours in table.items()}
    columns |= {"counts": np.full(len(columns["size"]), "non_embedding")}
    path = csv_of(columns, tmp_path / "runs.csv")
    done = command(
        f"--runs={path}", "--columns=n_params=size,tokens=data,loss=val", "--bootstrap=20",
        f"--out={tmp_path / 'a.html'}", f"--json={tmp_path / 'a.json'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^severe +N leaves out the head \(score \d", done.stdout, re.MULTILINE)
    assert "not checked:" in done.stdout
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "a_figures" / "with_and_without.csv").exists()
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["findings"][0]["check"] == "head_not_counted"


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,b\n1,2\n", (), "no column"),
        ("n_params,tokens,loss\n1e6,1e8,x\n", (), "column 'loss' holds text: row 1"),
        ("n_params,tokens,loss\n1e6,1e8,-1\n", (), "loss is not a positive number"),
        ("n_params,tokens,loss\n1e6,1e8,2\n", ("--out=a.pdf",), "--out: 'a.pdf'; allowed: a path that ends in .html"),
        ("n_params,tokens,loss\n1e6,1e8,2\n", ("--law=chinchila",), "did you mean chinchilla?"),
        ("n_params,tokens,loss\n1e6,1e8,2\n", ("--where=speed > 2",), "no column 'speed'"),
        ("n_params,tokens,loss\n1e6,1e8,2\n", ("--bootstrp=2",), "bootstrp"),
    ],
)
def test_bad_input_ends_in_one_line_and_code_2(tmp_path, content, arguments, message):
    (tmp_path / "runs.csv").write_text(content)
    done = command("--runs=runs.csv", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_help_imports_nothing_heavy():
    script = """import atexit, runpy, sys
sys.argv = ["audit", "--help"]
atexit.register(lambda: print(sorted({"matplotlib", "jax"} & set(sys.modules))))
runpy.run_module("analysis.audit", run_name="__main__")"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "--json" in done.stdout
    assert done.stdout.rstrip().endswith("[]")
