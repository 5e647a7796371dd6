"""The search's command: what it refuses, and that a killed or shared search loses nothing and does nothing twice."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from absl.testing import flagsaver

from experiments import cli, search
from scaling_laws import table

ROOT = Path(__file__).parents[2]
CONFIG = """
from scaling_laws import config

def get_config():
    return config.replace(config.ExperimentConfig(), {
        "model.width": 8, "model.depth": 1, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4,
        "train.steps": 24, "train.eval_tokens": 1024, "train.curve_points": 2, "train.curve_eval_tokens": 256,
        "train.steps_per_dispatch": 12, "train.parametrization": "standard", "sweep.workers": 1,
    })
"""
SPACE = "--space=optimizer.learning_rate=log:1e-3:1,optimizer.beta2=0.9|0.95"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    (folder / "tiny.py").write_text(CONFIG)
    return folder


@pytest.fixture
def call(capsys):
    """Calls the program in this process; its exit code and what it says on standard error."""

    def called(*words):
        with flagsaver.flagsaver():
            code = cli.call(search.run, ["search", *words])
        return code, capsys.readouterr().err

    return called


def begin(place, workdir, *options):
    words = [sys.executable, "-m", "experiments.search", f"--config={place / 'tiny.py'}", f"--workdir={workdir}", SPACE]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(place / "cache")}
    with Path(f"{workdir}.log").open("a") as log:
        return subprocess.Popen([*words, *options], cwd=ROOT, env=environment, stdout=log, stderr=log)


def end(place, workdir, *options):
    return ended(begin(place, workdir, *options), workdir)


def ended(running, workdir):
    assert running.wait(timeout=300) == 0, Path(f"{workdir}.log").read_text()
    return json.loads((workdir / "search.json").read_text())


def rows(workdir):
    journal = workdir / "journal.jsonl"
    return journal.read_bytes().count(b'"run"') if journal.exists() else 0


def test_a_search_that_is_killed_goes_on_to_the_same_end(place, tmp_path):
    options = ("--sampler=tpe", "--trials=7", "--seeds=0,1")
    undisturbed, running = (begin(place, tmp_path / name, *options) for name in ("whole", "killed"))
    until = time.monotonic() + 200
    while rows(tmp_path / "killed") < 11 and running.poll() is None:  # the sixth trial is open, guided by the others
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    found, whole = end(place, tmp_path / "killed", *options), ended(undisturbed, tmp_path / "whole")
    assert found["trials"] == whole["trials"]  # one worker: the order in which runs end is one
    ran = table.read_runs(tmp_path / "killed").to_pylist()
    assert len(ran) == found["n_runs"] == 14
    assert rows(tmp_path / "killed") == 14  # none was trained twice
    assert found["flops"] == sum(row["flops"] for row in ran)
    figures = sorted(path.name for path in (tmp_path / "whole" / "search_figures").iterdir())
    assert len(figures) == 6


def test_two_processes_share_one_search(place, tmp_path):
    options = ("--sampler=random", "--trials=12", f"--storage={tmp_path / 'shared.journal'}")
    both = [begin(place, tmp_path / name, *options) for name in "ab"]
    assert [each.wait(timeout=300) for each in both] == [0, 0]
    found = end(place, tmp_path / "a", *options)  # whichever ended last saw the whole
    ran = [row["run_id"] for name in "ab" for row in table.read_runs(tmp_path / name).to_pylist()]
    assert len(ran) == len(set(ran)) == found["n_runs"] == 12
    assert [trial["number"] for trial in found["trials"]] == list(range(12))
    assert found["n_open"] == 0


@pytest.mark.parametrize(
    "options, word",
    [
        ([], "--space: empty"),
        (["--space=optimizer.learning_rat=log:1e-3:1"], "did you mean optimizer.learning_rate?"),
        (["--space=model.depth=int:1:2", "--sampler=bayes"], "allowed: grid, random, tpe, gp"),
        (["--space=model.depth=int:1:2", "--seeds=a"], "--seeds: 'a'; allowed: whole numbers"),
        (["--space=model.depth=int:1:2", "--trials=0"], "--trials: 0; allowed: 1 to"),
        (["--space=optimizer.learning_rate=log:1e-3:1", "--sampler=grid"], "is a range"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path, call, options, word):
    code, said = call(f"--workdir={tmp_path / 'none'}", *options)
    assert code == 2
    assert word in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_without_optuna_one_line_says_how_to_get_it(tmp_path, call, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "optuna" else find(name))
    code, said = call(f"--workdir={tmp_path}", "--space=model.depth=int:1:2")
    assert code == 2
    assert "optuna is not installed; allowed: after scripts/setup --extra search" in said


def test_help_needs_nothing_heavy():
    program = "import sys; from experiments import cli, search; cli.call(search.run, ['search', '--help'])"
    program += "; print(sorted({'jax', 'optuna', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("[]"), done.stdout[-200:]
    assert "--space" in done.stdout
