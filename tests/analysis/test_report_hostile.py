"""Whatever names a table has, its pages have the elements and scripts of a harmless one, and its figures show text."""

import csv
import html.parser
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import synthetic
from test_audit_planted import sound

from analysis import load
from analysis.audit import audit
from analysis.audit.page import write_page
from analysis.figures import static, style
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.options import Options
from analysis.report import write_report
from analysis.study import study_of

OPTIONS = Options(bootstrap=10)
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "</style></title></main><iframe srcdoc='<script>alert(1)</script>'>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u2028alert(1)//",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "<!--<script>",
    "$\\frac$ $x^2$ \\input{/etc/passwd}",
    "\x1b[2J\ud800",
)
HARMLESS = tuple(f"plain {i}" for i in range(len(HOSTILE)))
ABOUT = ("metadata", "RDF", "Work", "type", "format")  # what matplotlib says of itself
COMPARED = ("id", "class", "type", "href", "http-equiv", "name", "scope", "tabindex", "charset", "lang", "role")


class Reader(html.parser.HTMLParser):
    """The elements with their attributes, some with their values, and what stands in scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.code, self._open = [], [], ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        kept = [(key, value if key in COMPARED else "") for key, value in attributes if key != "data-value"]
        self.elements.append((name, sorted(kept)))
        self._open = name if name in ("script", "style") else ""

    def handle_endtag(self, name):
        self._open = ""

    def handle_data(self, data):
        if self._open and not data.startswith('{"runs"'):
            self.code.append(data)


def table(folder, names):
    """A table of runs in which every name, of the file and of columns too, is one of `names`; and how it is mapped."""
    folder.mkdir()
    path = folder / f"{names[0]}.csv"
    texts = ("run_id", "status", "purpose", "task", "device", names[4], names[5])
    rows = synthetic.rows(synthetic.Plan(depths=(2,)))
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(["budget", "seed", "width", "depth", names[1], names[2], names[3], *texts])
        for i, row in enumerate(rows):
            name = names[i % len(names)]
            status = names[6] if row["status"] == "diverged" else "finished"
            purpose = "forecast" if row["purpose"] == "forecast" else name
            numbers = [row[key] for key in ("budget", "seed", "width", "depth", "n_params", "tokens", "loss")]
            writer.writerow([*numbers, f"{i:03d} {name}", status, purpose, name, name, name, name])
    return path, f"n_params={names[1]},tokens={names[2]},loss={names[3]}"


def report_of(folder, names):
    path, columns = table(folder, names)
    study = study_of(path, Options(bootstrap=10, columns=columns))
    page, *figures = write_report(study, folder / "report.html")
    return page.read_text(encoding="utf-8"), figures


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return [report_of(folder / kind, names) for kind, names in (("harmless", HARMLESS), ("hostile", HOSTILE))]


def test_the_report_has_the_elements_and_the_code_of_a_harmless_one(reports):
    harmless, hostile = (Reader(text) for text, _ in reports)
    assert hostile.elements == harmless.elements
    assert hostile.code == harmless.code
    assert len(hostile.code) == 2


def test_what_the_scripts_of_the_report_get_is_data(reports):
    hostile = reports[1][0]
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', hostile, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(data)
    runs = {dict(map(tuple, run))["run"] for run in json.loads(data)["runs"]}
    assert {f"{i:03d} {name}" for i, name in enumerate(HOSTILE[:9])} <= runs


def test_the_figures_of_the_report_are_those_of_a_harmless_one(reports):
    for first, second in zip(reports[0][1], reports[1][1], strict=True):
        assert first.name == second.name
        if first.suffix == ".svg":
            assert first.read_bytes() == second.read_bytes()


def audited(folder, names):
    columns = sound()
    columns["loss"][40] *= 1.5
    columns["run_id"] = np.array([f"{i:03d} {names[i % len(names)]}" for i in range(len(columns["loss"]))])
    columns["task"] = np.full(len(columns["loss"]), names[1])
    runs = load.Runs(load.runs_from(columns).columns, source=names[0], notes=names)
    page, *_ = write_page(audit(runs, OPTIONS), folder / "audit.html")
    return Reader(page.read_text(encoding="utf-8"))


def test_the_audit_has_the_elements_of_a_harmless_one(tmp_path):
    harmless, hostile = (audited(tmp_path, names) for names in (HARMLESS, HOSTILE))
    assert hostile.elements == harmless.elements
    assert hostile.code == harmless.code
    assert len(hostile.code) == 1


@pytest.mark.parametrize("name", HOSTILE[:9])
def test_a_figure_shows_any_text_as_it_is(tmp_path, name):
    places = np.array([1.0, 2.0])
    layer = Layer("line", name, places, places, labels=(name, name))
    axis = Axis(name)
    drawing = Drawing("figure", name, name, (Panel(axis, axis, (layer,), title=name),))
    paths = {path.suffix: path for path in static.save(drawing, tmp_path)}
    root = ElementTree.parse(paths[".svg"]).getroot()
    drawn = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert drawn <= {"svg", "defs", "style", "g", "path", "use", "clipPath", "rect", *ABOUT}
    assert not [key for element in root.iter() for key in element.attrib if key.lower().startswith("on")]


def test_dollars_are_not_formulas():
    assert style.RC["text.parse_math"] is False
