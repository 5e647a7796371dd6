"""A study's command in a process of its own, and the catalogue of papers in this one."""

import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import started

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
# their values outlive a call
FLAGS = ["--nolist", "--paper=", "--figure=", "--data=own", "--scale=cpu", "--page=", "--bootstrap=20"]
CONFIG = """
from scaling_laws import config

def get_config():
    return config.replace(config.ExperimentConfig(), {settings})
"""


@pytest.fixture
def command(request, tmp_path):
    """`command(*words)` runs the binary `BINARY` of the test's module on its `SETTINGS`, with those words."""
    config, module = tmp_path / "small.py", request.module
    config.write_text(CONFIG.format(settings=module.SETTINGS))
    words = [sys.executable, "-m", f"experiments.{module.BINARY}", f"--config={config}"]
    known = os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def called(*more):
        return subprocess.run([*words, *more], cwd=ROOT, env=known, capture_output=True, text=True, timeout=300)

    return called


@pytest.fixture
def refused(command, tmp_path):
    """`refused(words, said)`: with those words one line that has `said` in it, exit code 2, and no workdir."""

    def check(words, said):
        done = command(f"--workdir={tmp_path / 'runs'}", *words)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "runs").exists()

    return check


@pytest.fixture(scope="module")
def start(request, tmp_path_factory):
    """`start(workdir, processes, **changes)`: processes that train one model on what the test's module has as `data`
    (folder -> settings of the task)."""
    starter = started.Starter(request.module.data(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("cache"))
    yield starter
    starter.close()


@pytest.fixture
def reproduce(tmp_path):
    """`reproduce(*words)`: exit code of the catalogue's command, into the folder `reproduce.out`."""
    from experiments import cli
    from experiments.reproduce import __main__ as catalogue

    def reproduce(*words):
        return cli.call(catalogue.run, ["reproduce", f"--workdir={tmp_path}", *FLAGS, *words])

    reproduce.out = tmp_path
    return reproduce


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """What a figure's table of numbers says: quantity -> agrees, quantity -> the number here."""

    agrees: dict[str, str]
    here: dict[str, float]

    def __getitem__(self, name):
        """What is said of a quantity, and the number here."""
        return self.agrees[name], self.here[name]

    def __contains__(self, name):
        return name in self.agrees

    def those(self, verdict):
        """The quantities with a verdict: yes, no, too wide, or nothing where there is nothing to compare with."""
        return {name for name, agrees in self.agrees.items() if agrees == verdict}


@pytest.fixture
def verdicts(reproduce):
    """`verdicts(paper, *words, files=())`: figure -> Verdicts; skips, saying so, where a published file is absent."""

    def verdicts(paper, *words, files=()):
        for name in files:
            if not (DATA / name).exists():
                pytest.skip(f"published table {name} is not here")
        data = [f"--data={DATA}"] if files else []
        assert reproduce(f"--paper={paper}", *data, *words) == 0
        found = {}
        for path in (reproduce.out / paper).glob("*/quantities.csv"):
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert all(row["why"] for row in rows if row["agrees"] == "no"), "what does not agree says why"
            numbers = {row["quantity"]: float(row["here"] or "nan") for row in rows}
            found[path.parent.name] = Verdicts({row["quantity"]: row["agrees"] for row in rows}, numbers)
            assert len(numbers) == len(rows), "every quantity has a name of its own"
        return found

    return verdicts


@pytest.fixture
def table(tmp_path):
    """`table(runs)`: the path of a CSV of runs, to serve as the table of a sweep."""

    def table(runs):
        path = tmp_path / "runs.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(runs.columns)
            writer.writerows(zip(*(values.tolist() for values in runs.columns.values()), strict=True))
        return path

    return table
