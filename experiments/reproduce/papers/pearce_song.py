"""Pearce and Song 2024, "Reconciling Kaplan and Chinchilla scaling laws": one law, two counts, two exponents."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.conventions import Slopes
    from analysis.figures.chart import Drawing
    from analysis.fitting import Fit
    from analysis.load import Runs

SIZES = "N 768 to 1.5e9"
LEAST_SQUARES, ENDPOINTS, LOCAL, ASYMPTOTIC, KAPLAN = 0.79, 0.749, (0.53, 0.97), 0.513, 0.73
COARSE = 20  # sizes, between whose neighbours the greatest slope is .97
STEEPEST = "the derivative reaches .981 near N = 2e6; differences over some twenty sizes smooth the peak down to .97"
OTHER_TEXT = (
    "the gap between the counts is that of the paper's vocabulary and sizes; here both exponents are local slopes of "
    "a small range, and the embedding is a larger share of every model"
)


def slope(own: Own) -> Result:
    """d ln N* / d ln C over N without embedding, if Besiroglu et al.'s law in the total count is true."""
    from analysis import conventions
    from analysis.published import BESIROGLU_2024, KAPLAN_SIZES

    law, found = BESIROGLU_2024.coefficients, conventions.pearce_song_slope()
    few = np.geomspace(*KAPLAN_SIZES, COARSE)
    steepest = float(np.gradient(np.log(few), np.log(conventions.non_embedding_compute(few, law))).max())
    where = (SIZES, SIZES)
    quantities = (
        Quantity("a without embedding, least squares (the one that is printed)", LEAST_SQUARES, found.least_squares,
                 None, 0.005, *where),
        Quantity("a without embedding, between the smallest and the largest N", ENDPOINTS, found.endpoints, None, 5e-4,
                 *where),
        Quantity("least local slope", LOCAL[0], found.local[0], None, 0.005, *where),
        Quantity(f"greatest local slope, by differences of {COARSE} sizes", LOCAL[1], steepest, None, 0.005, *where),
        Quantity("greatest local slope, the derivative", LOCAL[1], found.local[1], None, 0.005, *where, STEEPEST),
        Quantity("a with embedding, and without it at last", ASYMPTOTIC, found.asymptotic, None, 5e-4),
    )  # fmt: skip
    notes = (f"Kaplan et al. printed {KAPLAN}: below the slopes of this law at most of their sizes, above .513",)
    return Result((_slopes(law, found),), quantities, notes)


def _slopes(law: Mapping[str, float], found: "Slopes") -> "Drawing":
    """The local slope over N, and N* over C by either count."""
    from analysis import conventions
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from analysis.frontier import SIX_N_D, Frontier
    from analysis.lines import frontier_line
    from analysis.published import KAPLAN_SIZES

    wide, n = np.geomspace(KAPLAN_SIZES[0], 1e13, 300), np.geomspace(*KAPLAN_SIZES, 300)
    ends, across, flops = np.array(KAPLAN_SIZES), wide[[0, -1]], conventions.non_embedding_compute(n, law)
    lines = {"Kaplan et al., printed": (KAPLAN, ends, "ink"), "least squares": (found.least_squares, ends, "law"),
             "between the ends": (found.endpoints, ends, "approach1"),
             "asymptote": (found.asymptotic, across, "muted")}  # fmt: skip
    local = Layer("line", "local slope", wide, conventions.local_slope(wide, law), role="frontier")
    levels = [Layer("line", name, x, np.full(2, y), role=role, mark="dashed") for name, (y, x, role) in lines.items()]
    start, line = frontier_line(flops, n)
    total = Frontier({**law, "outer": 1.0}, SIX_N_D)
    panels = (
        Panel(Axis("parameters without embedding N"), Axis("d ln N* / d ln C", log=False), (local, *levels)),
        Panel(Axis("compute C = 6 N D, N by either count"), Axis("N*, by that count"), (
            Layer("line", "without embedding", flops, n, role="frontier"),
            Layer("line", "least squares", flops, np.exp(start) * flops**line, role="law", mark="dashed"),
            Layer("line", "with embedding", flops, np.asarray(total.n_opt(flops)), role="approach2"),
        )),
    )  # fmt: skip
    caption = f"Dashed levels over the sizes they belong to; printed as exponent: least squares, {SIZES} log-uniform."
    return Drawing("local_slope", "One law, counted without embedding (Pearce and Song 2024)", caption, panels)


def counts(own: Own) -> Result:
    """N* over C of one's own runs, N and C = 6 N D with and without embedding and head."""
    from analysis import conventions
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from experiments.reproduce import own_study

    workdir = own.workdirs["text"]
    studies = {
        "with embedding and head": own_study.study(workdir, own.bootstrap, flops_convention="6nd"),
        "without them": own_study.study(
            workdir, own.bootstrap, params_convention="n_non_embedding", flops_convention="6nd"
        ),
    }
    laws = {name: study.require_fit() for name, study in studies.items()}
    whole, bare = studies.values()
    law, inner = laws.values()
    layers = [layer for (name, found), role in zip(laws.items(), ("approach2", "frontier"), strict=True)
              for layer in own_study.frontier_layers(name, found, studies[name].compute_range(40), role)]  # fmt: skip
    flops = bare.compute_range(40)
    middle = float(np.sqrt(flops[0] * flops[-1]))
    told = conventions.recounted(law.coefficients, embedding_of(whole.runs, bare.runs), at=middle)
    foretold = "without them, foretold"
    layers.append(Layer("line", foretold, flops, told.n_opt(flops), role="law", mark="dashed"))
    panel = Panel(Axis("compute C = 6 N D, N by either count"), Axis("N*, by that count", si=True), tuple(layers))
    caption = (
        f"Own runs, the law fitted under each count; bands hold {whole.level:.0%} of the resamples. Dashed: the "
        "law with embedding and head, seen by who leaves them out."
    )
    drawing = Drawing("counts", "Own runs with and without the embedding in N", caption, (panel,))
    gap = own_study.interval(_exponents(inner) - _exponents(law), whole.level)
    first, second = (own_study.scale_of(study) for study in studies.values())
    quantities = (
        Quantity("a with embedding", ASYMPTOTIC, _a(law), _interval(law), None, "any C", first, OTHER_TEXT),
        Quantity("a without embedding", LEAST_SQUARES, _a(inner), _interval(inner), None, SIZES, second, OTHER_TEXT),
        Quantity("their difference", LEAST_SQUARES - ASYMPTOTIC, _a(inner) - _a(law), gap, None, SIZES, second,
                 OTHER_TEXT),
        Quantity("a without embedding that the law with it foretells", None, told.a, scale=f"C {middle:.2g}"),
    )  # fmt: skip
    said = f"fitted here under either count: a {law.frontier.name}" if law.frontier else "there is no frontier"
    return Result((drawing,), quantities, (said,))


def embedding_of(whole: "Runs", bare: "Runs") -> Callable[[np.ndarray], np.ndarray]:
    """N with embedding and head over N without: N + c N^q, c and q by least squares over the runs' shapes.

    `whole` and `bare` are the same runs, their n_params counted either way.
    """
    n, rest = bare["n_params"].astype(float), whole["n_params"] - bare["n_params"]
    q, log_c = np.polyfit(np.log(n), np.log(rest), 1)
    return lambda inner: inner + np.exp(log_c) * np.asarray(inner, dtype=float) ** q


def _a(law: "Fit") -> float:
    return law.frontier.a if law.frontier is not None else float("nan")


def _interval(law: "Fit") -> tuple[float, float] | None:
    return law.frontier.intervals.get("a") if law.frontier is not None else None


def _exponents(law: "Fit") -> np.ndarray:
    """(R,) a of every resample, C = 6 N D; both counts draw the same runs."""
    from analysis.frontier import exponent_of_n

    return exponent_of_n(law.samples, 0.0) if law.samples else np.zeros(0)


PAPER = Paper(
    "Pearce and Song 2024, Reconciling Kaplan and Chinchilla scaling laws (arXiv:2406.12907)",
    "Kaplan et al.'s .73 is what Hoffmann et al.'s law looks like to who leaves the embedding out of small models.",
    {
        "slope": Figure("the exponent over N without embedding, of one published law", own=slope),
        "counts": Figure("exponents of one's own runs by both counts", own=counts, sweeps=("text",)),
    },
)
