"""The command line of the design and of its simulation: what is written, and one line for bad input."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.design.simulate import Truth

DEMO = Path(__file__).parents[3] / "docs" / "results" / "demo"
ROOT = DEMO.parents[2]


def command(*arguments, module="analysis.design", **more):
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=ROOT, **more)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A stranger's CSV."""
    runs = Truth().first(np.random.default_rng(0))
    path = tmp_path_factory.mktemp("table") / "runs.csv"
    lines = [
        ",".join(map(repr, row))
        for row in zip(*(runs[k].tolist() for k in ("n_params", "tokens", "loss")), strict=True)
    ]
    path.write_text("N,D,loss\n" + "\n".join(lines) + "\n")
    return path


def test_the_command_prints_and_writes_recipes_figure_and_json(tmp_path):
    done = command(
        f"--runs={DEMO}", "--budget=4e12", "--at=flops=1e14", "--bootstrap=8", "--max_runs=20", "--max_seeds=2",
        f"--emit={tmp_path / 'next.py'}", f"--emit_even={tmp_path / 'even.py'}", f"--figures={tmp_path}",
        f"--out={tmp_path / 'design.json'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "expected 90% interval of the loss at flops 1e+14" in done.stdout
    assert "designs" in done.stderr
    found = json.loads((tmp_path / "design.json").read_text())
    assert found["after"]["flops"] <= 4e12
    assert sum(row["seeds"] for row in found["runs"]) == found["after"]["runs"] <= 20
    assert found["after"]["half_width"] < found["before"]["half_width"]
    assert found["ratio"] == pytest.approx(found["after"]["half_width"] / found["even"]["half_width"])
    for name, rows, promise in (("next", "runs", "after"), ("even", "even_runs", "even")):
        text = (tmp_path / f"{name}.py").read_text()
        listed = re.findall(r'"(\d+)x(\d+)x(\d+)x\d+",', text)
        assert len(listed) == found[promise]["runs"]
        assert {tuple(map(int, one)) for one in listed} == {(r["width"], r["depth"], r["steps"]) for r in found[rows]}
    assert {"next_runs.png", "next_runs.svg", "next_runs.csv"} <= {path.name for path in tmp_path.iterdir()}


def test_a_strangers_table_gets_runs_by_n_and_d(table):
    done = command(
        f"--runs={table}", "--columns=n_params=N,tokens=D", "--budget=6e13", "--target=choice",
        "--laws=chinchilla,kaplan", "--bootstrap=4", "--max_runs=12",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "choice of law, against kaplan" in done.stdout
    assert "sd off" in done.stdout
    assert "width  " not in done.stdout


def test_branches_of_trunks_are_counted_on_as_correlated(table):
    done = command(
        f"--runs={table}", "--columns=n_params=N,tokens=D", "--budget=3e13", "--target=exponent", "--trunks",
        "--bootstrap=4", "--max_runs=12", "--misfit=0.001",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the law misses by 0.0010 beyond" in done.stdout
    assert "share a trunk, 20% of each is its own, their noise correlated by 0.5" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target=loss",), "at: missing; allowed with --target=loss"),
        (("--target=losses",), "--target: 'losses'; allowed: loss, exponent, choice"),
        (("--target=exponent", "--at=flops=1e14"), "--at: 'flops=1e14'; allowed with --target=loss alone"),
        (("--target=exponent", "--law=power"), "allowed for a design: chinchilla, kaplan, gadre"),
        (("--target=exponent", "--bootstrap=0"), "--bootstrap: 0; allowed: 1 or more"),
        (("--target=choice", "--laws=kaplan"), "--laws: 'kaplan'; allowed with --target=choice: two laws"),
        (("--target=exponent", "--budget=-1"), "--budget: -1.0; allowed: above 0"),
        (("--target=exponent", "--max_flops=10"), "allowed: --max_flops of"),
        (("--target=exponent", "--cooldown=1"), "--cooldown: 1.0; allowed: above 0, below 1"),
        (("--target=exponent", "--emit=next.txt"), "--emit: 'next.txt'; allowed: a path that ends in .py"),
        (("--target=exponent", "--emit=a.py", "--emit_even=./a.py"), "--emit_even: './a.py'; allowed: another file"),
        (("--target=exponent", "--emit=next.py", "--bootstrap=2"), "--emit: the table has no settings to go by"),
    ],
)
def test_bad_input_ends_in_one_line_and_code_2(table, tmp_path, arguments, message):
    budget = () if any(word.startswith("--budget") for word in arguments) else ("--budget=6e13",)
    done = command(f"--runs={table}", "--columns=n_params=N,tokens=D", "--max_runs=3", *budget, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_trunks_are_refused_where_the_table_has_none():
    done = command(f"--runs={DEMO}", "--budget=4e12", "--target=exponent", "--trunks", "--bootstrap=2")
    assert done.returncode == 2
    assert "--trunks: the table's runs have schedule cosine; allowed: wsd" in done.stderr


def test_the_simulation_prints_and_writes(tmp_path):
    done = command(
        "--studies=2", "--targets=loss", "--max_runs=12", "--max_seeds=2", f"--out={tmp_path / 's.json'}",
        f"--figures={tmp_path}", module="analysis.design.simulate",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 studies" in done.stdout
    assert json.loads((tmp_path / "s.json").read_text())["targets"][0]["target"] == "loss"
    assert (tmp_path / "simulated_designs.csv").exists()
    wrong = command("--targets=lost", module="analysis.design.simulate")
    assert wrong.returncode == 2
    assert "allowed: loss, exponent, choice" in wrong.stderr


def test_help_imports_nothing_heavy():
    script = """import atexit, runpy, sys
sys.argv = ["design", "--help"]
atexit.register(lambda: print(sorted({"matplotlib", "jax", "numpy"} & set(sys.modules))))
runpy.run_module("analysis.design", run_name="__main__")"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert "--trunk_correlation" in done.stdout
    assert done.stdout.rstrip().endswith("[]")
