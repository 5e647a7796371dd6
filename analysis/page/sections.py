"""The sections of the page, one function each: what was fitted, how sure that is, what was left out."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis import budgets, forecasting, laws
from analysis.figures import ticks
from analysis.figures.chart import Drawing
from analysis.fitting import Fit
from analysis.isoflop import Group
from analysis.page.markup import Markup, join, tag
from analysis.page.payload import number
from analysis.page.tables import fact_list, plain_table
from analysis.study import Study
from scaling_laws.units import TEXT

SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ", "alpha_N": "α_N", "alpha_D": "α_D"}
NOISE = {"sd": "standard deviation", "groups": "shapes with repeated seeds", "dof": "degrees of freedom"}
XLA = "XLA's total includes elementwise work, and counts layers that run under a scan once."
HINT = (
    "Point at a mark, or focus a figure and use the arrow keys, to see which run it is; "
    "click or press Enter to find it in the table."
)
SECTIONS = {
    "approaches": "Approaches", "figures": "Figures", "minima": "Budgets", "runs": "Runs", "excluded": "Left out",
    "provenance": "Provenance",
}  # fmt: skip


def navigation() -> Markup:
    """Links to the sections of this page."""
    return tag("nav", [tag("a", text, href=f"#{name}") for name, text in SECTIONS.items()], aria_label="sections")


def headline(study: Study, title: str) -> Markup:
    """What was fitted, its exponents and coefficients with intervals, and the certificate of the optimum."""
    heading, fit = tag("h1", title), study.fit
    if fit is None:
        return tag("header", heading, tag("p", f"No law was fitted: {study.why('fit')}.", class_="lead warn"))
    low, high = fit.ranges["flops"]
    decades = np.log10(high / low)
    span = f"{ticks.write(low)} to {ticks.write(high)} FLOPs ({decades:.1f} decades)"
    lead = tag(
        "p",
        tag("span", laws.get(fit.law).formula, class_="formula"),
        f" fitted to {fit.n_points} runs over {span} by {_objective(fit)}.",
        class_="lead",
    )
    cards = tag("ul", _cards(fit, study.units.loss), class_="cards")
    return tag("header", heading, lead, cards, *_warnings(fit), _certificate(fit))


def _objective(fit: Fit) -> str:
    name, delta = fit.objective["name"], fit.objective["delta"]
    return f"the sum of Huber losses of ln L (δ = {delta:g})" if name == "huber" else f"the objective {name}"


def _cards(fit: Fit, unit: str) -> list[Markup]:
    cards = []
    if fit.frontier is not None:
        for name, meaning in (("a", "N* grows as C^a"), ("b", "D* grows as C^b")):
            value = getattr(fit.frontier, name)
            cards.append(_card(name, value, fit.frontier.intervals.get(name), fit, f"{fit.frontier.name}: {meaning}"))
    for name in sorted(fit.coefficients, key=lambda name: (name not in ("E", *SYMBOLS), name)):
        note = "not identified by these runs" if name in fit.unidentified else _meaning(name, unit)
        cards.append(_card(SYMBOLS.get(name, name), fit.coefficients[name], fit.intervals.get(name), fit, note))
    return cards


def _card(symbol: str, value: float, interval: tuple[float, float] | None, fit: Fit, note: str) -> Markup:
    return tag(
        "li", tag("i", symbol), tag("b", short(value)), tag("span", between(interval, fit.level)), tag("span", note)
    )


def _meaning(name: str, unit: str) -> str:
    return f"irreducible loss, {unit}" if name == "E" else ""


def _warnings(fit: Fit) -> list[Markup]:
    notes = []
    if fit.frontier is not None and fit.frontier.name != "exponent":
        notes.append(f"a and b are local slopes: {budgets.RULE}.")
    if not fit.samples:
        notes.append("No intervals were computed: run again with --bootstrap=1000.")
    kept = [tag("p", note, class_="soft") for note in fit.notes]
    return [*(tag("p", note, class_="warn") for note in notes), *kept]


def _certificate(fit: Fit) -> Markup:
    sure, gap = fit.certificate, fit.certificate["gap_to_second"]
    second = "no other optimum was met" if gap is None else f"the next optimum lies {short(gap)} higher"
    facts = [
        ("objective at the optimum", short(fit.objective["value"])),
        ("norm of its gradient", short(sure["gradient_norm"])),
        ("condition number", short(sure["condition_number"])),
        ("at a bound", ", ".join(sure["at_bound"]) or "nothing"),
        ("scatter of ln loss around the law", f"{fit.residual_sd:.2%}"),
    ]
    summary = f"Certificate: {sure['agreeing_fraction']:.0%} of {sure['starts']} starts agree on the optimum; {second}"
    return tag("details", tag("summary", summary), fact_list(facts))


def approaches(study: Study) -> Markup:
    """The three estimates of a and b side by side, or why one is missing."""
    rows = [
        _approach("1: envelope of the training curves", study.envelope, study.why("envelope")),
        _approach("2: IsoFLOP minima", study.isoflop, study.why("isoflop")),
        _approach_law(study),
    ]
    head = ("approach", "read as", "a (N* over C)", f"{study.level:.0%} interval", "b (D* over C)", "interval")
    notes = [note for part in (study.envelope, study.isoflop) if part is not None for note in part.notes]
    return tag(
        "section",
        tag("h2", "Three approaches side by side", id="approaches"),
        plain_table(head, rows, 2),
        [tag("p", note, class_="soft") for note in notes],
    )


def _approach(name: str, found: object, reason: str) -> tuple[str, ...]:
    if found is None:
        return name, reason, "", "", "", ""
    a, b = getattr(found, "a", np.nan), getattr(found, "b", np.nan)
    intervals = [pair(getattr(found, key, None)) for key in ("a_interval", "b_interval")]
    if not np.isfinite(a):
        return name, "no exponent from these runs", "", "", "", ""
    return name, getattr(found, "name", ""), short(a), intervals[0], short(b), intervals[1]


def _approach_law(study: Study) -> tuple[str, ...]:
    name = "3: fitted law"
    if study.fit is None or study.fit.frontier is None:
        reason = study.why("fit") if study.fit is None else "this law has no frontier over N and D"
        return name, reason, "", "", "", ""
    found = study.fit.frontier
    intervals = [pair(found.intervals.get(key)) for key in ("a", "b")]
    return name, found.name, short(found.a), intervals[0], short(found.b), intervals[1]


def figures(drawings: Sequence[Drawing], skipped: Mapping[str, str]) -> Markup:
    """A place for each figure, which the script fills, and the figures that could not be drawn."""
    places = [
        tag(
            "figure",
            tag("h3", drawing.title),
            tag("div", tag("noscript", "This figure needs scripts; see the folder of figures."),
                class_="chart", id=f"chart-{drawing.name}"),
            tag("figcaption", drawing.caption),
        )
        for drawing in drawings
    ]  # fmt: skip
    reasons = [f"Not drawn: {name.replace('_', ' ')}, since {why}." for name, why in skipped.items()]
    return tag(
        "section",
        tag("h2", "Figures", id="figures"),
        tag("p", HINT, class_="soft"),
        places,
        [tag("p", text, class_="warn") for text in reasons],
    )


def minima(study: Study) -> Markup:
    """The minimum of each budget, kept or refused with the reason."""
    heading = tag("h2", "Minima of the budgets", id="minima")
    if study.isoflop is None:
        return tag("section", heading, tag("p", f"There are none: {study.why('isoflop')}."))
    head = (
        "budget (FLOPs)",
        "verdict",
        "sizes",
        "runs",
        "N*",
        f"{study.isoflop.level:.0%} interval",
        f"D* ({study.units.data})",
        f"loss at N* ({study.units.loss})",
    )
    return tag("section", heading, plain_table(head, [_minimum(group) for group in study.isoflop.groups], 2))


def _minimum(group: Group) -> tuple[str, ...]:
    verdict = f"refused: {group.reason}" if group.edge else "kept"
    counts = (str(len(np.unique(group.n_params))), str(len(group.loss)))
    optimum = (_rounded(group.n_opt), pair(group.n_opt_interval), _rounded(group.d_opt), short(group.loss_opt))
    return ticks.write(group.budget), verdict, *counts, *(optimum if not group.edge else ("",) * 4)


def heldout(study: Study) -> Markup | None:
    """What the fit predicts for the runs kept out of it, beside what came out."""
    runs = study.heldout
    if runs is None or not len(runs) or study.fit is None:
        return None
    predicted, low, high = forecasting.predicted(study.fit, runs)
    losses = f"predicted loss ({study.units.loss})", f"{study.level:.0%} interval", "measured loss"
    head = ("held-out run", "C (FLOPs)", *losses, "error")
    rows = []
    for i, run_id in enumerate(runs.names()):
        loss = runs.numbers("loss")[i]
        limits = "" if low is None or high is None else pair((low[i], high[i]))
        error = f"{predicted[i] / loss - 1:+.2%}"
        rows.append((run_id, ticks.write(runs["flops"][i]), short(predicted[i]), limits, short(loss), error))
    return tag("section", tag("h2", "Held-out runs"), plain_table(head, rows))


def seed_noise(study: Study) -> Markup:
    """How far runs of one shape and budget lie apart when only the seed differs."""
    heading = tag("h2", "Seed noise")
    noise = study.fit.seed_noise if study.fit is not None else None
    if noise is None:
        return tag("section", heading, tag("p", "Not measured: no shape was trained with more than one seed."))
    facts = [(NOISE.get(name, name), short(value)) for name, value in noise.items()]
    text = "Standard deviation of ln loss between runs of one shape and budget that differ in their seed alone."
    return tag("section", heading, tag("p", text), fact_list(facts))


def provenance(study: Study, facts: Mapping[str, str]) -> Markup:
    """Where the table came from, on what it was made, and what made this page."""
    pairs = [("table of runs", study.runs.source), *_made_on(study), *_xla_total(study), *facts.items()]
    notes = [tag("p", note, class_="soft") for note in study.runs.notes]
    return tag("section", tag("h2", "Provenance", id="provenance"), fact_list(pairs), join(*notes))


def _made_on(study: Study) -> list[tuple[str, str]]:
    columns = ("family", "task", "corpus_hash", "device", "backend", "jax_version", "python_version", "source_revision")
    found = []
    for name in columns:
        values = sorted(
            {str(value) for runs in study.tables() if name in runs for value in runs[name]} - {"", "None", "nan"}
        )
        if values:
            more = f" and {len(values) - 5} more" if len(values) > 5 else ""
            found.append((_fact(name, study), ", ".join(values[:5]) + more))
    return found


def _fact(name: str, study: Study) -> str:
    """What a column of the provenance is called: only text has a corpus."""
    return "content hash" if name == "corpus_hash" and study.units != TEXT else name.replace("_", " ")


def _xla_total(study: Study) -> list[tuple[str, str]]:
    """XLA's own total of a run over the counted C: what the count does not see, or XLA does not."""
    ratio = study.both("xla_flops") / study.both("flops")
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    if not len(ratio):
        return []
    found = f"median {np.median(ratio):.3f}, {ratio.min():.3f} to {ratio.max():.3f} over {len(ratio)} runs. {XLA}"
    return [("XLA's FLOPs over the counted C", found)]


def short(value: object) -> str:
    """A number with four digits; anything else as text; empty when it is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return str(value)
    return ticks.write(float(f"{float(value):.4g}")) if np.isfinite(value) else ""


def pair(interval: Sequence[float] | None) -> str:
    """`low to high`, or nothing."""
    if interval is None or not np.isfinite(interval).all():
        return ""
    return f"{short(interval[0])} to {short(interval[1])}"


def between(interval: Sequence[float] | None, level: float) -> str:
    """`90% in low to high`, or nothing."""
    return f"{level:.0%} in {pair(interval)}" if pair(interval) else ""


def _rounded(value: float) -> str:
    return number(float(round(value))) if np.isfinite(value) else ""
