"""The staircase of Porian et al. 2024 on own runs: head, warm-up, cosine and rates, one mend after the other."""

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Own, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Layer, Panel
    from analysis.isoflop import Isoflop

PAPER_SCALE = "RefinedWeb, C 1.25e16 to 2.56e19"
SPAN = 32  # of the budgets at which curves are read, the largest over the smallest
WHOLE_STEPS = 0.02  # of a budget: by how much the runs that spend it may differ
N_BUDGETS = 5
ASIDE = 0.15  # of the way from one step to the next
METHODS = {"akima": "", "log_parabola": ", by parabolas"}  # the paper's first; how its rows are told apart
NEITHER, WHOLE = ("n_non_embedding", "non_embedding"), ("n_params", "flops")
TAKEN = "taken off a: "
SMALL = (
    "a millionth of their compute: local slopes over a decade and a half, of models that are mostly embedding and "
    "head, at other rates, batches and warm-ups than theirs"
)


@dataclasses.dataclass(frozen=True)
class Step:
    """One mend: what it is called, whose runs show it, how N and C are counted, the paper's exponent and its role;
    `curves`: a run serves every budget, read along its curve."""

    mend: str
    sweep: str
    counts: tuple[str, str]
    theirs: float
    role: str
    curves: bool = False


STEPS = (
    Step("Kaplan's setting", "porian_fixed", NEITHER, 0.83377, "ink", curves=True),
    Step("head counted", "porian_fixed", WHOLE, 0.70090, "approach1", curves=True),
    Step("short warm-up", "porian_short", WHOLE, 0.60353, "approach2", curves=True),
    Step("cosine matched", "porian_cosine", WHOLE, 0.57142, "approach3"),
    Step("rates tuned", "porian_tuned", WHOLE, 0.49703, "warning"),
)
MENDS = {step.mend: before for before, step in itertools.pairwise(STEPS)}


def staircase(own: Own) -> Result:
    """Figure 1 on own runs: the exponent of N* in C after each mend, by Akima's minima as theirs and by parabolas."""
    from analysis.figures.chart import Axis, Drawing, Panel

    found = {
        method: {step.mend: _minima(own.workdirs[step.sweep], step, method, own.bootstrap) for step in STEPS}
        for method in METHODS
    }
    quantities = [one for method in METHODS for one in _quantities(found[method], METHODS[method])]
    notes = [f"{one.name.removeprefix(TAKEN)}: {_direction(one.interval)}" for one in quantities if TAKEN in one.name]
    compute, sizes = Axis("training compute C (FLOPs)"), Axis("optimal parameters N*", si=True)
    layers = [layer for step in STEPS for layer in _line(step, found["akima"][step.mend])]
    subtitle = "After Porian et al. 2024, figure 1: each setting mends one thing more. Bars of 90 %."
    counted = "By Akima's interpolation. Without the head, N and C leave out the embedding as well."
    lines = Panel(compute, sizes, tuple(layers))
    drawings = (
        Drawing("staircase", "From Kaplan's exponent to Chinchilla's on own runs", subtitle, (_stairs(found),)),
        Drawing("minima", "N* over C under five settings", counted, (lines,)),
    )
    edges = [f"{mend}: {note}" for mend, one in found["akima"].items() for note in one.notes if "edge" in note]
    return Result(drawings, tuple(quantities), (*notes, *edges))


def _quantities(found: "dict[str, Isoflop]", method: str) -> list[Quantity]:
    """The exponents after each mend, and what each takes off."""
    from experiments.reproduce import own_study

    quantities = []
    for step in STEPS:
        here = found[step.mend]
        about = (PAPER_SCALE, _scale(here), SMALL)
        quantities.append(Quantity(f"a: {step.mend}{method}", step.theirs, here.a, here.a_interval, None, *about))
    for step in STEPS[1:]:
        before = MENDS[step.mend]
        old, new = found[before.mend], found[step.mend]
        both = [one.line_samples[:, 1] for one in (old, new) if len(one.line_samples)]
        inside = own_study.interval(both[0] - both[1], new.level) if len(both) == 2 else None
        about = (PAPER_SCALE, _scale(new), SMALL)
        name, theirs = f"{TAKEN}{step.mend}{method}", before.theirs - step.theirs
        quantities.append(Quantity(name, theirs, old.a - new.a, inside, None, *about))
    return quantities


def _minima(workdir: Path, step: Step, method: str, bootstrap: int) -> "Isoflop":
    """N* over C in one sweep."""
    from analysis.isoflop import isoflop
    from analysis.isoflop.from_curves import from_curves
    from analysis.options import Options
    from analysis.study import curves_of, runs_of

    params, flops = step.counts
    options = Options(params_convention=params, flops_convention=flops)
    runs = runs_of(workdir, options)
    if step.curves:
        most = _largest(runs_of(workdir, Options())["flops"], runs["flops"])
        runs = from_curves(curves_of(workdir, options), runs, np.geomspace(most / SPAN, most, N_BUDGETS).tolist())
    return isoflop(runs, method, bootstrap=bootstrap)


def _largest(spent: np.ndarray, counted: np.ndarray) -> float:
    """The largest budget, as `counted`, that all runs pass which were trained for the largest whole one."""
    return float(counted[spent > (1 - WHOLE_STEPS) * spent.max()].min())


def _scale(found: "Isoflop") -> str:
    kept = [group for group in found.groups if not group.edge]
    if not kept:
        return "no minimum inside the sizes"
    return f"C {kept[0].budget:.2g} to {kept[-1].budget:.2g}, {len(kept)} budgets"


def _direction(inside: tuple[float, float] | None) -> str:
    if inside is None or inside[0] <= 0 <= inside[1]:
        return "which way it moves a cannot be told from these runs"
    return "moves a down, as in the paper" if inside[0] > 0 else "moves a up, against the paper"


def _stairs(found: "dict[str, dict[str, Isoflop]]") -> "Panel":
    from analysis.figures.chart import Axis, Layer, Panel

    place = np.arange(len(STEPS), dtype=float)
    akima, parabola = (_slopes(found[method]) for method in METHODS)
    layers = (
        Layer("line", "stairs", place, akima[0], role="law", mark="thin", legend=False),
        Layer("points", "own runs, Akima's minima, 90 %", place, *akima, role="law", mark="dot"),
        Layer("points", "own runs, parabolas, 90 %", place + ASIDE, *parabola, role="approach2", mark="dot"),
        Layer("points", "Porian et al., RefinedWeb", place, np.array([step.theirs for step in STEPS]), mark="hollow"),
    )
    return Panel(Axis("", categories=tuple(step.mend for step in STEPS)), Axis("a of N* ~ C^a", log=False), layers)


def _slopes(found: "dict[str, Isoflop]") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S,) exponents of the steps and the ends of their intervals."""
    ends = np.array([found[step.mend].a_interval or (np.nan, np.nan) for step in STEPS])
    return np.array([found[step.mend].a for step in STEPS]), ends[:, 0], ends[:, 1]


def _line(step: Step, found: "Isoflop") -> "list[Layer]":
    from analysis.figures.chart import Layer
    from analysis.isoflop.result import interior

    kept = list(interior(found))
    if not kept:
        return []
    flops = np.array([group.budget for group in kept])
    bars = np.array([group.n_opt_interval or (np.nan, np.nan) for group in kept]).T
    points = Layer("points", step.mend, flops, np.array([group.n_opt for group in kept]), *bars, role=step.role,
                   mark="dot")  # fmt: skip
    if len(kept) < 2:
        return [points]
    ends = flops[[0, -1]]
    return [points, Layer("line", step.mend, ends, np.asarray(found.n_opt(ends)), role=step.role, legend=False)]
