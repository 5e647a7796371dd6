"""The audit itself: every check made on one table, each finding weighed by what mending it moves."""

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np

from analysis import select, study
from analysis.audit import estimates, severity
from analysis.audit.case import LEAST_LEFT, Case, positive, recounted
from analysis.audit.checks import CHECKS
from analysis.audit.findings import Effect, Estimate, Finding, Found, Mend, NotChecked, Outcome, Passed
from analysis.load import DataError, Runs, usable
from analysis.options import Options

NEEDS = ("n_params", "tokens", "flops", "loss")
DEFAULTS = Options(bootstrap=200)
BELOW = 0.99  # a symptom's score is at most this share of the worst cause's


@dataclasses.dataclass(frozen=True)
class Audit:
    """Findings with the most severe first, the checks that found nothing, and those that could not be made.

    headline: the estimate from the table as it is, None where there is none, and `why` says so; mended: with all mends
    that the table allows at once. score: of all findings together. case: what was audited.
    """

    findings: tuple[Finding, ...]
    passed: tuple[Outcome, ...]
    not_checked: tuple[Outcome, ...]
    headline: Estimate | None
    mended: Estimate | None
    why: str
    case: Case = dataclasses.field(repr=False)

    @property
    def score(self) -> float:
        """The sum of the findings' scores; 0 for a clean table."""
        return float(sum(finding.score for finding in self.findings))

    def verdict(self) -> str:
        """One sentence: how many mistakes, how grave, and what becomes of the exponent."""
        made = len(self.passed) + len(self.findings)
        checks = f"{made} checks made, {len(self.not_checked)} not possible on this table"
        if not self.findings:
            return f"Nothing found ({checks}). {self._exponent()}"
        words = [finding.level for finding in self.findings]
        counted = ", ".join(f"{words.count(word)} {word}" for _, word in severity.LEVELS if word in words)
        return f"{len(words)} mistake{'s' * (len(words) != 1)} found: {counted} ({checks}). {self._exponent()}"

    def _exponent(self) -> str:
        if self.headline is None:
            return f"The table carries no exponent: {self.why}."
        text = f"As it is, a = {_with_interval(self.headline)} by {self.headline.method}"
        if self.mended is None:
            return f"{text}."
        return (
            f"{text}; with all that the table allows mended, a = {_with_interval(self.mended)} by {self.mended.method}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite is for the writer to make null."""
        runs, options = self.case.runs, self.case.options
        parts = {
            name: [item.to_json() for item in getattr(self, name)] for name in ("findings", "passed", "not_checked")
        }
        found = {name: None if item is None else item.to_json() for name, item in self._estimates().items()}
        about = {"source": runs.source, "n_points": len(runs), "law": options.law_name, "objective": options.objective}
        left_out = {"left_out": runs.excluded_counts(), "notes": list(runs.notes), "spent_flops": self.case.spent}
        said = {"verdict": self.verdict(), "score": self.score, "why": self.why}
        return about | said | found | parts | left_out

    def _estimates(self) -> dict[str, Estimate | None]:
        return {"headline": self.headline, "mended": self.mended}


def audit(runs: Runs, options: Options = DEFAULTS) -> Audit:
    """Every check on runs (see `load`), as analysis.fit with the same options would fit them.

    Raises DataError for a table without N, D, C and loss or with forecasts alone, ConfigError for a law, an objective
    or another choice that does not exist.
    """
    for name in NEEDS:
        runs = usable(runs, name)
    if "budget" in runs:
        runs = runs.with_columns(budget=positive(runs, "budget"))
    if "row" not in runs:
        runs = runs.with_columns(row=np.arange(1, len(runs) + 1))
    chosen, _ = study.chosen_runs(runs, options)
    table = runs if options.include_forecasts else select.split_forecasts(runs)[0]
    case = Case(table, chosen, options)
    results = [(check, check.check(case)) for check in CHECKS]
    mends: dict[str, Mend] = {check.NAME: result.mend for check, result in results if _mends(result)}
    findings = [_weighed(case, check, result) for check, result in results if isinstance(result, Found)]
    findings = sorted(_symptoms_below(findings), key=lambda finding: -finding.score)
    return Audit(
        findings=tuple(findings),
        passed=tuple(_outcome(check, result) for check, result in results if isinstance(result, Passed)),
        not_checked=tuple(_outcome(check, result) for check, result in results if isinstance(result, NotChecked)),
        headline=case.headline,
        mended=_mended(case, [mends[finding.check] for finding in findings if finding.check in mends]),
        why="" if case.headline is not None else case.no_fit,
        case=case,
    )


def _mends(result: Any) -> bool:
    return isinstance(result, Found) and result.mend is not None and not result.symptom


def _weighed(case: Case, check: ModuleType, found: Found) -> Finding:
    effect, reason = found.effect, found.unmended
    if effect is None and found.mend is not None:
        effect, reason = _effect(case, found)
    score = max(found.floor, severity.measured(effect) if effect else 0.0)
    return Finding(
        check=check.NAME,
        title=check.TITLE,
        level=severity.level_of(score),
        score=score,
        evidence=found.evidence,
        rows=found.rows,
        effect=effect,
        unmended="" if effect else reason,
        symptom=found.symptom,
        proposals=found.proposals,
        advice=found.advice,
        spent=case.spent,
        unit=case.units.loss,
        picture=found.picture,
    )


def _effect(case: Case, found: Found) -> tuple[Effect | None, str]:
    assert found.mend is not None
    try:
        return case.effect(found.mend, found.mended), ""
    except DataError as reason:
        return None, str(reason)


def _symptoms_below(findings: list[Finding]) -> list[Finding]:
    """Symptoms' scores brought below the worst cause's: to mend the cause comes first."""
    causes = [finding.score for finding in findings if not finding.symptom]
    if not causes:
        return findings
    most = BELOW * max(causes)
    capped = [finding for finding in findings if finding.symptom and finding.score > most]
    lowered = {id(item): dataclasses.replace(item, score=most, level=severity.level_of(most)) for item in capped}
    return [lowered.get(id(finding), finding) for finding in findings]


def _mended(case: Case, mends: list[Mend]) -> Estimate | None:
    """The estimate after all mends that leave a table to estimate from, most severe first; None without any."""
    runs, found = case.runs, None
    for mend in mends:
        try:
            after = mend(runs)
            if len(after) >= LEAST_LEFT * len(case.runs):
                method = estimates.LAW if recounted(case.runs, after) else case.method
                found, runs = case.estimate(after, method, case.ahead), after
        except DataError:
            continue  # this mend leaves nothing to estimate from: the others stand without it
    return found


def _outcome(check: ModuleType, result: Passed | NotChecked) -> Outcome:
    return Outcome(check.NAME, check.TITLE, result.text)


def _with_interval(estimate: Estimate) -> str:
    interval = estimate.a_interval
    if interval is None or not np.isfinite(interval).all():
        return f"{estimate.a:.3f}"
    return f"{estimate.a:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
