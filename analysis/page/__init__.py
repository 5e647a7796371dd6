"""One self-contained HTML page of a study: no link, font or script from elsewhere, nothing of the table executed.

page(study, drawings, facts) -> the text of the file
"""

from collections.abc import Mapping, Sequence

from analysis.figures.chart import Drawing
from analysis.page import sections, tables
from analysis.page.document import policy_hash, source, style
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
    sheet, script = style(), "\n".join(source(name) for name in SCRIPTS)
    policy = (
        f"default-src 'none'; style-src '{policy_hash(sheet)}'; script-src '{policy_hash(script)}'; base-uri 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        raw_element("style", sheet),
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
