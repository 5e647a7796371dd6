"""The audit on the terminal: the verdict, the findings, what was passed, and what could not be checked."""

import textwrap

from analysis.audit.examine import Audit

WIDTH = 118
INDENT = " " * 10


def lines(found: Audit) -> list[str]:
    """The printed table."""
    runs = found.case.runs
    text = [f"audit of {runs.source}: {len(runs)} runs", *textwrap.wrap(found.verdict(), WIDTH), ""]
    for finding in found.findings:
        text.append(f"{finding.level:<10}{finding.title} (score {finding.score:.2f})")
        text += [line for part in (finding.evidence, finding.moves(), finding.settle()) for line in _wrapped(part)]
    text += _listed("passed", found.passed) + _listed("not checked", found.not_checked)
    text += [f"left out: {count} x {reason}" for reason, count in runs.excluded_counts().items()]
    return text + [f"note: {note}" for note in runs.notes]


def _wrapped(part: str) -> list[str]:
    return textwrap.wrap(part, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + "  ")


def _listed(name, outcomes) -> list[str]:
    if not outcomes:
        return []
    needs = "needs " if name == "not checked" else ""
    rows = [f"  {outcome.title}: {_needed(needs, outcome.text)}" for outcome in outcomes]
    return ["", f"{name}:", *(line for row in rows for line in textwrap.wrap(row, WIDTH, subsequent_indent="    "))]


def _needed(needs: str, text: str) -> str:
    return f"needs {text}" if needs and text.startswith(("column", "budgets", "a law", "two different")) else text
