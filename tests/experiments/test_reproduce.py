"""The catalogue: what it lists and refuses, how numbers are held against a paper's, and what it writes."""

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest

from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.load import DataError
from experiments.reproduce import catalog, page, sweeps, told
from experiments.reproduce.entry import NO, OPEN, WIDE, YES, Figure, Own, Paper, Quantity, Result

DATA = Path(__file__).parents[3] / "shared" / "data"
KEPT = Path(__file__).parents[2] / "docs" / "results" / "demo_full"


@pytest.mark.parametrize(
    "quantity, verdict",
    [
        (Quantity("a", 1.0, 1.05, tolerance=0.1), YES),
        (Quantity("a", 1.0, 1.15, tolerance=0.1), NO),
        (Quantity("a", 1.0, 1.15, (0.9, 1.2)), YES),
        (Quantity("a", 1.0, 1.15, (1.1, 1.2)), NO),
        (Quantity("a", 1.0, 1.15, (0.9, 1.2), tolerance=0.1), NO),  # a stated tolerance decides
        (Quantity("a", -1.0, -1.15, (-1.6, -0.5)), WIDE),
        (Quantity("a", 1.0, 1.15, (0.0, math.inf)), WIDE),
        (Quantity("a", 1.0, 1.15), OPEN),
        (Quantity("a", None, 1.15, (1.1, 1.2)), OPEN),
        (Quantity("a", 1.0, math.nan, (1.1, 1.2)), OPEN),
        (Quantity("a", 1.0, None), OPEN),
        (Quantity("a", 1.0, 0.2, (0.1, 0.3), at_most=True), YES),
        (Quantity("a", 1.0, 1.01, (0.9, 1.2), at_most=True), NO),
        (Quantity("a", 1.0, 1.01, tolerance=0.02, at_most=True), YES),
        (Quantity("a", 1.0, math.nan, at_most=True), OPEN),
    ],
)
def test_a_number_agrees_by_its_tolerance_or_its_interval(quantity, verdict):
    assert quantity.agrees == verdict


def test_a_result_becomes_a_figure_and_a_table_and_says_why(tmp_path):
    points = Layer("points", "run", np.array([1.0, 10.0]), np.array([2.0, 3.0]), mark="dot")
    panel = Panel(Axis("x"), Axis("y"), (points,))
    quantities = (
        Quantity("alpha", 0.3, 0.31, (0.29, 0.33), None, "far", "near", "never said"),
        Quantity("beta", 0.3, 0.41, (0.39, 0.43), None, "far", "near", "it is small"),
        Quantity("gamma", 0.5, 0.41, (0.39, 0.43), None, "far", "near", "it is small"),
        Quantity("delta", None, 2.0),
    )
    result = Result((Drawing("one", "One", "Said.", (panel,)),), quantities, ("that is all",))
    assert {path.name for path in told.write(result, tmp_path)} == {"one.png", "one.svg", "one.csv", told.FILE}
    with (tmp_path / told.FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["agrees"] for row in rows] == ["yes", "no", "no", ""]
    assert [row["why"] for row in rows] == ["", "it is small", "it is small", ""]
    assert (rows[1]["low"], rows[1]["high"], rows[3]["paper"]) == ("0.39", "0.43", "")
    lines = told.lines(result)
    assert lines[1].split("  ")[0] == "alpha"
    assert "why not: beta, gamma: it is small" in lines
    assert lines[-1] == "note: that is all"


def test_every_paper_is_listed_with_its_figures(reproduce, capsys):
    assert reproduce("--list") == 0
    out = capsys.readouterr().out
    for name in catalog.NAMES:
        paper = catalog.paper(name)
        assert isinstance(paper, Paper)
        assert f"{name}: {paper.reference}" in out
        for number, figure in paper.figures.items():
            assert f"--figure={number}" in out
            assert figure.own or figure.published
            assert bool(figure.files) == bool(figure.published)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--paper=chinchila"], "--paper: 'chinchila'; allowed: kaplan, chinchilla"),
        (["--paper=chinchilla", "--figure=9"], "--figure: '9'; allowed for chinchilla: 2-4, 3, 4"),
        (["--paper=chinchilla", "--data=nowhere"], "--data: nowhere lacks epoch_chinchilla/"),
        (["--paper=chinchilla", "--figure=3", "--data=nowhere"], "--data: nowhere; allowed for this figure: own"),
        (["--paper=chinchilla", "--config.model.width=8"], "--config: given; allowed: none"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(reproduce, capsys, words, said):
    assert reproduce(*words) == 2
    assert re.search(re.escape(said), capsys.readouterr().err)
    assert not list(reproduce.out.iterdir())


def test_figures_of_published_tables_meet_what_is_published(reproduce, capsys):
    if not DATA.exists():
        pytest.skip("the published tables are not here")
    assert reproduce("--paper=chinchilla", f"--data={DATA}") == 0
    with (reproduce.out / "chinchilla" / "4" / told.FILE).open(newline="") as file:
        verdicts = {row["quantity"]: row["agrees"] for row in csv.DictReader(file)}
    assert verdicts.pop("a as published by approach 3") == "no"
    assert set(verdicts.values()) == {"yes"}
    assert "the published fit is no optimum" in capsys.readouterr().out


def test_a_figure_without_own_runs_asks_for_tables(reproduce, capsys, monkeypatch):
    only = Figure("a claim", published=lambda published: Result((), ()), files=("a.csv",))
    monkeypatch.setattr(catalog, "paper", lambda name: Paper("one", "two", {"1": only}))
    assert reproduce("--paper=chinchilla") == 2
    assert "--data: own; allowed for this figure: a folder of published tables" in capsys.readouterr().err


def test_a_page_has_every_figure_and_says_what_was_not_made(tmp_path):
    paper = Paper("A paper (2020)", "A <claim>.", {"1": Figure("one"), "2": Figure("two")})
    panel = Panel(Axis("x"), Axis("y"), (Layer("line", "law", np.array([1.0, 10.0]), np.array([2.0, 3.0])),))
    result = Result((Drawing("one", "One", "Said.", (panel,)),), (Quantity("a", 0.3, 0.41, (0.39, 0.43), why="small"),))
    told.write(result, tmp_path)
    about = ("first", paper), ("own runs", tmp_path)
    shown = [page.Shown(*about[0], "1", paper.figures["1"], *about[1], result)]
    shown.append(page.Shown(*about[0], "2", paper.figures["2"], *about[1], reason="too few <runs>"))
    text = page.write(shown, tmp_path / "all.html").read_text()
    assert text.count("data:image/svg+xml;base64,") == 1
    assert text.count("A paper (2020)") == 1
    assert "A &lt;claim&gt;." in text
    assert "Not made: too few &lt;runs&gt;." in text
    assert "0.39 to 0.43" in text
    assert "script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_all_papers_go_on_where_the_data_of_one_say_nothing(reproduce, monkeypatch, capsys):
    def nothing(own):
        raise DataError("five budgets are needed")

    figures = {"1": Figure("one", own=nothing), "2": Figure("two", own=lambda own: Result((), (), ("fine",)))}
    monkeypatch.setattr(catalog, "NAMES", ("kaplan",))
    monkeypatch.setattr(catalog, "paper", lambda name: Paper("one", "two", figures))
    file = reproduce.out / "all.html"
    assert reproduce("--paper=all", f"--page={file}") == 0
    assert "Not made: five budgets are needed." in file.read_text()
    assert "note: fine" in capsys.readouterr().out
    assert reproduce("--paper=kaplan") == 2
    assert reproduce("--paper=all", "--figure=1") == 2


def test_a_sweep_that_is_there_serves_every_figure_of_own_runs(reproduce, capsys):
    assert reproduce("--paper=chinchilla", "--figure=2-4", f"--data={KEPT}") == 0
    assert "N* ~ C^a, approach 2" in capsys.readouterr().out
    assert (reproduce.out / "chinchilla" / "2-4" / "frontier_scaling.png").exists()


def test_a_folder_of_kept_results_serves_every_sweep_by_its_name(reproduce, capsys):
    assert reproduce("--paper=chinchilla", "--figure=2-4", f"--data={KEPT.parent}") == 0
    kept = capsys.readouterr().out
    assert reproduce("--paper=chinchilla", "--figure=2-4", f"--data={KEPT}") == 0
    assert capsys.readouterr().out == kept
    assert all((KEPT.parent / one.kept).is_dir() for one in sweeps.SWEEPS.values())


@pytest.mark.parametrize("name", ["kaplan", "chinchilla", "gemstones"])
def test_figures_of_own_runs_come_with_numbers_beside_the_papers(name):
    found = {number: figure for number, figure in catalog.figures(name).items() if figure.own}
    assert found
    for figure in found.values():
        assert set(figure.sweeps) <= set(sweeps.SWEEPS)
        result = figure.own(Own("cpu", dict.fromkeys(figure.sweeps, KEPT), 20))
        assert result.drawings
        assert all(math.isfinite(one.here) for one in result.quantities)
        assert all(one.why for one in result.quantities if one.agrees == NO)


def test_what_kaplan_did_not_count_is_what_parts_the_two_papers():
    result = catalog.figures("kaplan", "14")["14"].own(Own("cpu", {"text": KEPT}, 100))
    by_name = {one.name: one for one in result.quantities}
    without = by_name["N* ~ C^a without embedding and head, IsoFLOP minima"]
    assert without.agrees == YES
    assert without.interval[0] > by_name["N* ~ C^a with them, IsoFLOP minima"].interval[1]
