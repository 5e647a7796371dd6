"""The audit's page: whole without network or script, harmless whatever the table says, its figures' numbers right."""

import csv
import html.parser
import re

import numpy as np
import pytest
from test_audit_planted import collinear, sound

from analysis import load
from analysis.audit import audit, figures
from analysis.audit.page import page, write_page
from analysis.options import Options

OPTIONS = Options(bootstrap=20)
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>"


class Reader(html.parser.HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, text):
        self.text.append(text)


def edged():
    """Both a mistake with rows of its own and minima at the edge."""
    columns = sound()
    columns["horizon_tokens"][:12] *= 4
    columns["loss"][:12] += 0.4
    return columns


@pytest.fixture(scope="module")
def found():
    return audit(load.runs_from(edged()), OPTIONS)


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    return write_page(found, folder / "audit.html"), (folder / "audit.html").read_text()


def test_the_page_says_every_finding_and_every_check(found, written):
    text = " ".join(" ".join(Reader(written[1]).text).split())
    for finding in found.findings:
        for part in (finding.title, finding.evidence, finding.moves(), finding.settle()):
            assert part in text
    for outcome in (*found.passed, *found.not_checked):
        assert outcome.title in text
        assert outcome.text in text
    assert found.verdict() in text


def test_it_loads_and_runs_nothing(written):
    read = Reader(written[1])
    names = [name for name, _ in read.elements]
    assert not {"script", "iframe", "object", "link", "svg", "form"} & set(names)
    sources = [attributes[key] for _, attributes in read.elements for key in ("src", "href") if key in attributes]
    assert all(source.startswith(("data:image/svg+xml;base64,", "#")) for source in sources)
    policy = next(a["content"] for name, a in read.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert names.count("img") == len(re.findall("<img", written[1]))


def test_hostile_text_stays_text():
    columns = edged()
    columns["run_id"] = np.array([f"{HOSTILE}{i}" for i in range(len(columns["loss"]))])
    columns["loss"][40] *= 1.5
    runs = load.Runs(load.runs_from(columns).columns, source=HOSTILE, notes=(HOSTILE,))
    hostile = audit(runs, OPTIONS)
    text = page(hostile)
    assert HOSTILE in "".join(Reader(text).text)
    assert not [
        name for name, attributes in Reader(text).elements if name in ("script", "img") or "onerror" in attributes
    ]
    assert text.count("<style>") == text.count("</style>") == 1


def test_the_forest_holds_the_exponents_with_and_without(found, written):
    folder = written[0][0].with_name("audit_figures")
    with (folder / f"{figures.FOREST}.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    mended = sorted(float(row["x"]) for row in rows if row["layer"].startswith("mended"))
    expected = [finding.effect.after.a for finding in found.findings if finding.effect] + [found.mended.a]
    assert mended == pytest.approx(sorted(expected))
    assert [float(row["x"]) for row in rows if row["layer"] == "as it is"] == [pytest.approx(found.headline.a)]


def test_the_rows_of_a_finding_are_marked_in_its_figure(found, written):
    folder = written[0][0].with_name("audit_figures")
    with (folder / "mid_schedule.csv").open(newline="") as handle:
        marked = {row["run_id"] for row in csv.DictReader(handle) if row["layer"] == "runs of this finding"}
    finding = next(item for item in found.findings if item.check == "mid_schedule")
    assert marked == {f"row {row}" for row in finding.rows}


def test_pages_of_clean_tables_and_of_tables_without_an_exponent(tmp_path):
    clean = audit(load.runs_from(sound()), OPTIONS)
    paths = write_page(clean, tmp_path / "clean.html")
    assert "Nothing found" in paths[0].read_text()
    bare = audit(load.runs_from(collinear(0.0)), OPTIONS)
    text = write_page(bare, tmp_path / "bare.html")[0].read_text()
    assert "carries no exponent" in text
    assert not (tmp_path / "bare_figures" / f"{figures.FOREST}.csv").exists()
