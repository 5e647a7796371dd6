"""What the tests of single papers share: figures through the command line, and their verdicts."""

import csv
from pathlib import Path

import pytest

from experiments import cli
from experiments.reproduce import __main__ as reproduce
from experiments.reproduce import told

DATA = Path(__file__).parents[3] / "shared" / "data"
FLAGS = ["--nolist", "--paper=", "--figure=", "--data=own", "--scale=cpu", "--bootstrap=20"]  # values outlive a call


def verdicts(folder, paper, *words, files=()):
    """figure -> quantity -> (agrees, here) of a paper; skips the test, saying so, where a published file is absent."""
    for name in files:
        if not (DATA / name).exists():
            pytest.skip(f"published table {name} is not here")
    data = [f"--data={DATA}"] if files else []
    assert cli.call(reproduce.run, ["reproduce", f"--workdir={folder}", *FLAGS, f"--paper={paper}", *data, *words]) == 0
    found = {}
    for path in sorted((Path(folder) / paper).glob(f"*/{told.FILE}")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        found[path.parent.name] = {row["quantity"]: (row["agrees"], float(row["here"])) for row in rows}
        assert all(row["why"] for row in rows if row["agrees"] == "no"), "what does not agree says why"
    return found


def apart(quantities):
    """The names of those that do not agree."""
    return {name for name, (agrees, _) in quantities.items() if agrees == "no"}
