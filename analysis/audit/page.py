"""The page of an audit: one self-contained file without a script, figures inside it and as files beside it."""

from collections.abc import Mapping
from pathlib import Path

from analysis.audit import figures
from analysis.audit.examine import Audit
from analysis.audit.findings import Estimate, Finding
from analysis.figures.style import write_atomically
from analysis.load import row_list
from analysis.page import still
from analysis.page.markup import Markup, join, tag
from analysis.page.sections import between, short
from analysis.page.tables import fact_list, plain_table

TITLE = "Audit of a scaling study"
SECTIONS = {
    "findings": "Findings",
    "evidence": "Evidence",
    "passed": "Passed",
    "unchecked": "Not checked",
    "about": "About",
}
OWN_STYLE = """
.level { display: inline-block; font-size: 0.8rem; padding: 0.05rem 0.55rem; border-radius: 1rem; }
.level { border: 1px solid var(--soft); color: var(--soft); }
.level.severe { background: var(--warning); border-color: var(--warning); color: #fff; }
.level.serious { border-color: var(--warning); color: var(--warning); }
h3 { margin-top: 2.6rem; }
"""
HEAD = ("severity", "mistake", "a before", "a after", "forecast moves", "score")


def write_page(found: Audit, out: Path) -> list[Path]:
    """Writes the page, and its figures as PNG, SVG and CSV into NAME_figures beside it; the paths, page first."""
    from analysis.figures import static  # matplotlib, only where something is drawn

    folder, drawn = out.with_name(f"{out.stem}_figures"), figures.drawings(found)
    paths = [path for _, drawing in drawn for path in static.save(drawing, folder)]
    images = {check: still.image(drawing, folder / f"{drawing.name}.svg") for check, drawing in drawn}
    return [write_atomically(out, page(found, images).encode(errors="backslashreplace")), *paths]


def page(found: Audit, images: Mapping[str, Markup] | None = None) -> str:
    """The text of the page; `images`: check -> its figure."""
    images = images or {}
    links = [tag("a", text, href=f"#{name}") for name, text in SECTIONS.items()]
    main = tag(
        "main",
        tag("nav", links, aria_label="sections"),
        _header(found),
        _findings(found, images.get(figures.FOREST)),
        _evidence(found, images),
        _outcomes(found),
        _about(found),
    )
    return still.document(TITLE, main, OWN_STYLE)


def _header(found: Audit) -> Markup:
    cards = [_card("as it is", found.headline, found), _card("mended", found.mended, found)]
    score = tag(
        "li", tag("i", "score"), tag("b", f"{found.score:.1f}"), tag("span", "1 = .05 of a, or 1 % of the loss")
    )
    return tag(
        "header",
        tag("h1", TITLE),
        tag("p", found.verdict(), class_="lead"),
        tag("ul", [*filter(None, cards), score], class_="cards"),
    )


def _card(name: str, estimate: Estimate | None, found: Audit) -> Markup | None:
    if estimate is None:
        return None
    interval = between(estimate.a_interval, found.case.options.level)
    about = f"{estimate.method}; {estimate.runs} runs"
    return tag("li", tag("i", f"a, {name}"), tag("b", f"{estimate.a:.3f}"), tag("span", interval), tag("span", about))


def _findings(found: Audit, forest: Markup | None) -> Markup:
    heading = tag("h2", "Findings, the most severe first", id="findings")
    if not found.findings:
        clean = f"Nothing found. {len(found.passed)} checks passed; {len(found.not_checked)} could not be made."
        return tag("section", heading, tag("p", clean))
    return tag("section", heading, plain_table(HEAD, [_row(finding) for finding in found.findings], 2), forest)


def _row(finding: Finding) -> tuple[str, ...]:
    effect, score = finding.effect, f"{finding.score:.2f}"
    if effect is None:
        return _level(finding), finding.title, "", "cannot be refitted", "", score
    forecast = f"{effect.loss_shift:+.2%}" if effect.loss_shift else ""
    return _level(finding), finding.title, f"{effect.before.a:.3f}", f"{effect.after.a:.3f}", forecast, score


def _level(finding: Finding) -> Markup:
    return tag("span", finding.level, class_=f"level {finding.level}")


def _evidence(found: Audit, images: Mapping[str, Markup]) -> Markup | None:
    if not found.findings:
        return None
    parts = [_finding(finding, images.get(finding.check)) for finding in found.findings]
    return tag("section", tag("h2", "Evidence, and what would settle it", id="evidence"), parts)


def _finding(finding: Finding, image: Markup | None) -> Markup:
    facts = [("evidence", finding.evidence), ("refit", finding.moves()), ("what settles it", finding.settle())]
    if len(finding.rows):
        facts.append(("rows", row_list(finding.rows)))
    if finding.symptom:
        facts.append(("mend first", "this one mostly follows from others"))
    title = tag("h3", _level(finding), f" {finding.title}")
    return join(title, fact_list((name, text) for name, text in facts if text), image or "")


def _outcomes(found: Audit) -> Markup:
    passed = [(outcome.title, outcome.text) for outcome in found.passed]
    unchecked = [(outcome.title, outcome.text) for outcome in found.not_checked]
    return join(
        tag("h2", "Passed", id="passed"),
        plain_table(("looked for, not found", "what was seen"), passed, 2) if passed else tag("p", "No check passed."),
        tag("h2", "Not checked", id="unchecked"),
        plain_table(("not looked for", "what it takes"), unchecked, 2)
        if unchecked
        else tag("p", "Every check could be made."),
    )


def _about(found: Audit) -> Markup:
    case = found.case
    left_out = "; ".join(f"{count} × {why}" for why, count in case.runs.excluded_counts().items()) or "no row"
    facts = [
        ("table", case.runs.source),
        ("runs audited", str(len(case.runs))),
        ("FLOPs spent on them", short(case.spent)),
        ("law and objective", f"{case.options.law_name}, {case.options.objective}"),
        ("left out", left_out),
    ]
    notes = [tag("p", note, class_="soft") for note in case.runs.notes]
    return tag("section", tag("h2", "About this page", id="about"), fact_list(facts), join(*notes))
