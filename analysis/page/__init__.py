"""One self-contained HTML page of a study: no link, font or script from elsewhere, nothing of the table executed.

page(study, drawings, facts) -> the text of the file
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

from analysis.figures.chart import Drawing
from analysis.figures.style import ROLES
from analysis.page import sections, tables
from analysis.page.markup import join, json_text, raw_element, tag
from analysis.page.payload import payload
from analysis.study import Study

SCRIPTS = ("chart.js", "table.js")


def page(
    study: Study,
    drawings: Sequence[Drawing],
    skipped: Mapping[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
    title: str = "Scaling report",
) -> str:
    """The page of a study with these drawings; `skipped`: figure -> why it is missing; `provenance`: name -> value."""
    style, script = _style(), "\n".join(_source(name) for name in SCRIPTS)
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        raw_element("style", style),
    )
    main = tag(
        "main",
        sections.navigation(),
        sections.headline(study, title),
        sections.approaches(study),
        sections.figures(drawings, skipped or {}),
        sections.minima(study),
        sections.heldout(study),
        sections.seed_noise(study),
        tables.runs_table(study),
        tables.excluded_table(study),
        sections.provenance(study, provenance or {}),
    )
    data = raw_element("script", json_text(payload(study, drawings)), type="application/json", id="data")
    body = tag("body", main, data, raw_element("script", script))
    return "<!doctype html>\n" + join(tag("html", head, body, lang="en")) + "\n"


def _source(name: str) -> str:
    return resources.files("analysis.page").joinpath(name).read_text(encoding="utf-8")


def _style() -> str:
    roles = [[f"  --{role}: {pair[scheme]};" for role, pair in ROLES.items()] for scheme in (0, 1)]
    text = _source("page.css").replace("LIGHT_ROLES", "\n".join(roles[0]))
    return text.replace("DARK_ROLES", "\n".join(roles[1]))


def _hash(source: str) -> str:
    """What a Content-Security-Policy calls an inline source: nothing else on the page may run or style it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
