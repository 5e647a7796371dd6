"""The page: complete, self-contained, and harmless whatever the table of runs says."""

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from analysis import load, report
from analysis.figures import build_all
from analysis.options import Options
from analysis.page import page
from analysis.page.markup import Markup, json_text, raw_element, tag
from analysis.page.payload import number, payload
from analysis.study import make_study, study_of
from scaling_laws.config import ConfigError

OPTIONS = Options(bootstrap=20)
ENDS = ("run", "end of a run (held-out loss)")
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--<script>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "\u2028&lt;b&gt;",
)


class Reader(html.parser.HTMLParser):
    """Every element with its attributes, and the text by element."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self._open.append(name)

    def handle_endtag(self, name):
        while self._open and self._open.pop() != name:
            pass

    def handle_data(self, text):
        self.text.setdefault(self._open[-1] if self._open else "", []).append(text)

    def named(self, name):
        return [attributes for element, attributes in self.elements if element == name]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(synthetic.workdir(tmp_path_factory.mktemp("sweep")), OPTIONS)


@pytest.fixture(scope="module")
def text(study):
    built = build_all(study)
    return page(study, built.drawings, built.skipped, report.versions())


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def page_of(rows, folder, curves=False, options=OPTIONS):
    made = study_of(synthetic.workdir(folder, rows, curves), options)
    built = build_all(made)
    return page(made, built.drawings, built.skipped)


def test_page_needs_nothing_from_elsewhere(text):
    read = Reader(text)
    assert not [name for name, _ in read.elements if name in ("link", "img", "iframe", "object", "embed", "base")]
    assert all(set(item) <= {"type", "id"} for item in read.named("script"))
    assert all(item["href"].startswith("#") for item in read.named("a"))
    places = re.findall(r"https?://[^\"'\s<]+", text)
    assert set(places) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "url(" not in text.replace("url(#", "")
    assert "@import" not in text


def test_policy_admits_only_our_script_and_style(text):
    policy = Reader(text).named("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]*\sstyle=", text.split("<main>")[1].split("<script")[0])
    assert not re.search(r"<[^>]*\son[a-z]+=", text.split("<main>")[1].split("<script")[0])


def test_page_says_what_was_fitted(study, text):
    front = study.fit.frontier
    assert f"<b>{front.a:.4g}</b>" in text
    low, high = front.intervals["a"]
    assert f"90% in {low:.4g} to {high:.4g}" in text
    assert "local slope" in text
    assert f"fitted to {len(study.runs)} runs" in text
    assert f"{study.fit.certificate['agreeing_fraction']:.0%} of {study.fit.certificate['starts']} starts agree" in text
    assert f"<b>{study.fit.coefficients['E']:.4g}</b>" in text


def test_three_approaches_stand_side_by_side(study, text):
    for part in (study.envelope, study.isoflop, study.fit.frontier):
        assert f">{part.a:.4g}</td>" in text


def test_excluded_rows_and_reasons_are_listed(study, text):
    assert {item.reason for item in study.runs.excluded} == {"status diverged", "a forecast, held out"}
    for item in study.runs.excluded:
        for name in item.names():
            assert f"<td>{name}</td><td>{item.reason}</td>" in text


def test_held_out_run_stands_beside_its_forecast(study, text):
    predicted = study.fit.predict(study.heldout["n_params"], study.heldout["tokens"])[0]
    assert f"{predicted:.4g}</td>" in text
    assert f"{predicted / study.heldout['loss'][0] - 1:+.2%}" in text


def test_provenance_is_named(text):
    for fact in ("0123abc", "0.10.2", "abcd", "numpy"):
        assert f"<dd>{fact}</dd>" in text or f"<dt>{fact}</dt>" in text


def test_xla_flops_stand_beside_the_counted_ones(tmp_path):
    rows = [row for row in synthetic.rows(synthetic.Plan(depths=(2,))) if row["status"] == "finished"]
    assert "XLA" not in page_of(rows, tmp_path / "absent").split("<script")[0]  # a neutral 0 tells nothing
    for row, ratio in zip(rows, (2.0, 1.25, 0.5), strict=False):
        row["xla_flops"] = ratio * row["flops"]
    rows[3]["xla_flops"] = None
    written = page_of(rows, tmp_path / "present")
    assert "median 1.250, 0.500 to 2.000 over 3 runs" in written
    assert "layers that run under a scan once" in written


def test_curves_and_ends_name_their_loss(text):
    assert "show the validation loss on the way, points and the law the held-out loss" in text
    names = [layer["name"] for layer in data_of(text)["drawings"][0]["panels"][0]["layers"]]
    assert {"training curves (validation loss)", "end of a run (held-out loss)"} <= set(names)


def test_every_run_is_in_the_table(study, text):
    rows = re.findall(r'<tr data-run="(\d+)"', text)
    assert rows == [str(i) for i in range(len(study.runs) + len(study.heldout))]


def test_every_drawn_run_leads_to_its_facts(study, text):
    data = data_of(text)
    assert [item["name"] for item in data["drawings"]][:2] == ["loss_over_flops", "isoflop_curves"]
    for name in ("loss_over_flops", "isoflop_curves", "surface"):
        drawing = next(item for item in data["drawings"] if item["name"] == name)
        ends = [x for p in drawing["panels"] for x in p["layers"] if x["name"] in ENDS]
        drawn = {member[0]: y for layer in ends for member, y in zip(layer["runs"], layer["y"], strict=True)}
        assert len(drawn) == len(study.runs)
        for place in drawn:
            assert dict(data["runs"][place])["run"] == study.runs["run_id"][place]
    facts = dict(data["runs"][0])
    assert facts["loss (nats/token)"] == f"{study.runs['loss'][0]:.5g} ± 0.0040"
    assert {"run", "width", "depth", "N", "D (tokens)", "C (FLOPs)", "learning rate", "seed", "status"} <= set(facts)


def test_cells_lead_to_all_their_seeds(study):
    drawing = payload(study, build_all(study).drawings)["drawings"][-1]
    cells = [cell for panel in drawing["panels"] for cell in panel["layers"][0]["runs"]]
    members = [place for cell in cells for place in cell]
    assert sorted(members) == list(range(len(study.runs)))


def test_hostile_names_stay_text(tmp_path):
    rows = synthetic.rows(synthetic.Plan(forecast=0, depths=(2,)))
    for i, row in enumerate(rows):
        row["run_id"] = f"{i} {HOSTILE[i % len(HOSTILE)]}"
        row["task"] = row["device"] = row["purpose"] = HOSTILE[i % len(HOSTILE)]
    written = page_of(rows, tmp_path, curves=True)
    read = Reader(written)
    assert len(read.named("script")) == 2
    assert not read.named("img")
    assert not [key for _, attributes in read.elements for key in attributes if key.startswith("on")]
    names = {dict(run)["run"] for run in data_of(written)["runs"]}
    assert names == {row["run_id"] for row in rows if row["status"] == "finished"}
    assert rows[0]["run_id"] in "".join(read.text["td"])


@given(st.text(max_size=40))
def test_no_text_leaves_its_element(value):
    read = Reader(tag("p", value, title=value))
    assert read.elements == [("p", {"title": value.replace("\r\n", "\n").replace("\r", "\n")})] or "\r" in value
    assert len(read.elements) == 1
    escaped = json_text({"key": value})
    assert not re.search(r"[<>&\u2028\u2029]", escaped)
    assert json.loads(escaped) == {"key": value}


def test_markup_is_not_escaped_twice_and_scripts_cannot_end_early():
    assert tag("p", tag("b", "1 < 2")) == "<p><b>1 &lt; 2</b></p>"
    assert tag("input", hidden=True, value=None, data_x='a"b') == '<input hidden data-x="a&quot;b">'
    assert isinstance(tag("p", "x"), Markup)
    with pytest.raises(ValueError, match="end the element"):
        raw_element("script", "'</SCRIPT>'")


def test_few_runs_give_a_page_that_says_so(tmp_path):
    written = page_of(synthetic.rows(synthetic.Plan(forecast=0, diverged=0))[:3], tmp_path)
    assert "No law was fitted" in written
    assert "Training curves are not drawn: the table has no training curves" in written
    assert "Not drawn: surface" in written
    assert written.count('<tr data-run="') == 3


def test_no_budgets_give_a_page_that_says_so():
    noise = np.random.default_rng(0)
    n, d = np.exp(noise.uniform(10, 16, 40)), np.exp(noise.uniform(15, 22, 40))
    runs = load.runs_from({"n_params": n, "tokens": d, "loss": synthetic.law_loss(n, d)})
    made = make_study(runs, None, OPTIONS)
    built = build_all(made)
    written = page(made, built.drawings, built.skipped)
    assert "Not drawn: shape maps" in written
    assert "row 1" in written


def test_holdout_and_forecasts_are_both_kept_out(tmp_path):
    runs = load.load(synthetic.workdir(tmp_path))
    made = make_study(runs, None, Options(holdout="budgets=1"))
    assert set(made.heldout["budget"]) == {1.28e13, 3.2e12}
    assert made.runs["budget"].max() == 1.6e12
    whole = make_study(runs, None, Options(include_forecasts=True))
    assert whole.heldout is None
    assert whole.runs["budget"].max() == 1.28e13


def test_without_resamples_it_asks_for_them(tmp_path):
    rows = synthetic.rows(synthetic.Plan(depths=(2,)))
    written = page_of(rows, tmp_path, options=Options())
    assert "No intervals were computed" in written


def test_unknown_law_is_the_users_error(study):
    with pytest.raises(ConfigError, match="did you mean chinchilla"):
        make_study(study.runs, None, Options(law="chinchila"))


def test_page_and_figures_are_written_and_repeatable(tmp_path):
    folder = synthetic.workdir(tmp_path / "sweep", synthetic.rows(synthetic.Plan(depths=(2,), widths=(16, 32, 48, 64))))
    made = make_study(load.load(folder), None, Options())
    first = report.write_report(made, tmp_path / "a" / "page.html")
    assert first[0].name == "page.html"
    assert {path.parent for path in first[1:]} == {tmp_path / "a" / "page_figures"}
    assert {path.suffix for path in first[1:]} == {".png", ".svg", ".csv"}
    second = report.write_report(made, tmp_path / "b.html", tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--runs=nowhere"], "error: nowhere: no such file"),
        (["--runs=nowhere", "--out=page.txt"], "error: --out: 'page.txt'; allowed: a path that ends in .html"),
        (["--run=x"], "error: --run: no such flag; did you mean --runs?"),
        ([], "error: --runs: missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, message):
    command = [sys.executable, "-m", "analysis.report", *words]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_command_line_writes_the_page(tmp_path, capsys):
    rows = synthetic.rows(synthetic.Plan(depths=(2,), widths=(16, 32, 48, 64, 96), forecast=0))
    folder = synthetic.workdir(tmp_path / "sweep", rows, curves=False)
    values = {**vars(OPTIONS), "bootstrap": 0, "runs": str(folder), "figures": None}
    report.run(type("Flags", (), values | {"out": str(tmp_path / "page.html")}))
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "2 left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "value, text", [(11264, "11\u202f264"), (0.003, "0.003"), (2e11, "2·10¹¹"), (float("nan"), ""), (2.26751, "2.2675")]
)
def test_numbers_of_a_run_read_well(value, text):
    assert number(value) == text
