"""The coordinate check's command: what it refuses, what it leaves, and that its exit code is its verdict."""

import csv

import pytest

from analysis import coordinates

BINARY = "coordinate_check"
SETTINGS = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "optimizer.learning_rate": 0.01,
    "train.parametrization": "mup",
    "train.base_width": 8,
}


@pytest.mark.parametrize(
    "words, said",
    [
        (["--axes=height"], "--axes: 'height'; allowed: width, depth"),
        (["--widths=8"], "--widths: 8 alone; allowed: two sizes or more"),
        (["--widths=8,12"], "model.width: 12; allowed: a multiple of model.head_dim = 8"),
        (["--seeds="], "--seeds: ''; allowed: whole numbers"),
        (["--steps=0"], "--steps: '0'; allowed"),
        (["--beside=standart"], "did you mean standard?"),
        (["--config.train.base_width=0"], "train.base_width: 0; allowed: 1 or more with train.parametrization=mup"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(refused, words, said):
    refused(words, said)


def test_it_measures_draws_and_judges(command, tmp_path):
    words = ["--axes=width", "--widths=8,64", "--steps=3", "--seeds=1,0", "--beside=standard"]
    done = command(f"--workdir={tmp_path / 'out'}", *words)
    verdicts = [line for line in done.stdout.splitlines() if line.startswith("coordinate check")]
    assert len(verdicts) == 2, done.stderr
    assert done.returncode == ("FAILED" in verdicts[0])  # mup's, the configuration's own
    assert "FAILED" in verdicts[1]
    assert done.stderr.splitlines()[-1].startswith("8/8 runs")
    names = [f"coordinates_{name}_width.{kind}" for name in ("mup", "standard") for kind in ("csv", "png", "svg")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*names, "coordinates.csv"])
    with (tmp_path / "out" / "coordinates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == coordinates.COLUMNS
    assert len(rows) == 2 * 2 * 2 * 4 * 6  # parametrisations, sizes, seeds, steps from 0, layers
    assert {row["optimizer"] for row in rows} == {"adamw"}
    numbers = {"size": int, "seed": int, "step": int, "scale": float, "change": float}
    read = [row | {name: kind(row[name]) for name, kind in numbers.items()} for row in rows]
    again = coordinates.check([row for row in read if row["parametrization"] == "mup"], "width")
    assert "\n".join(again.lines()) in done.stdout
