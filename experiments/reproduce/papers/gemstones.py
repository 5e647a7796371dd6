"""McLeish et al. 2025, "Gemstones": laws over width and depth, and how far the exponent moves with the runs kept."""

import math

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

PAPER_SCALE = "N 5e7 to 2e9"
LAWS = ("power_sum(n_params,tokens)", "power_sum(width,depth,tokens)")  # with N too they would be of one and the same
NOTHING = 1e-6  # of an interval's lower end: the fit has E as small as it may be
FEW = "with so few sizes hardly any can be left out, and the spread over choices is only as wide as the choices"


def spread(own: Own) -> Result:
    """Figure 1: the exponent of approach 1 over which sizes are kept."""
    from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    if study.envelope is None:
        raise NothingToDraw(study.why("envelope"))
    kept = [choice for choice in study.envelope.kept if math.isfinite(choice.a)]
    exponents, scale = [choice.a for choice in kept], own_study.scale_of(study)
    low, high = (min(exponents), max(exponents)) if exponents else (math.nan, math.nan)
    quantities = (
        Quantity("least exponent a over the sizes kept", 0.46, low, None, 0.1, PAPER_SCALE, scale, FEW),
        Quantity("greatest exponent a over the sizes kept", 0.80, high, None, 0.1, PAPER_SCALE, scale, FEW),
    )
    names = tuple(f"without {one.smallest} smallest, {one.largest} largest" for one in kept)
    points = Layer("spans", "approach 1", np.array(exponents), np.arange(len(kept)) + 0.0, mark="dot", role="approach1")
    panel = Panel(Axis("exponent a of N* ~ C^a", log=False), Axis("", log=False, categories=names), (points,))
    title = "Approach 1 by the sizes that are kept (McLeish et al. 2025)"
    caption = "Each row leaves out so many of the smallest and of the largest sizes of the same sweep."
    return Result((Drawing("spread", title, caption, (panel,)),), quantities)


def shapes(own: Own) -> Result:
    """Laws over (N, D) and (width, depth, D): E, and how fits of the smaller budgets foretell the largest."""
    from analysis import compare
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from analysis.options import Options
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    ranked = compare.compare(study.runs, LAWS, Options(holdout=compare.HOLDOUT, bootstrap=own.bootstrap))
    quantities = []
    for one in ranked.contenders:
        if one.fit is not None:
            ends = one.fit.intervals.get("E")
            said = "not identified" if "E" in one.fit.unidentified or (ends and ends[0] <= NOTHING) else "identified"
            quantities.append(Quantity(f"E of {one.name}: {said}", None, one.fit.coefficients.get("E"), ends))
            quantities.append(Quantity(f"error on the largest budgets, {one.name}", None, one.rms_log_error))
    everything = list(ranked.contenders)
    errors = np.array([one.rms_log_error for one in everything])
    layer = Layer("spans", "held-out error", errors, np.arange(len(errors)) + 0.0, mark="dot", role="law")
    names = tuple(one.name for one in everything)
    panel = Panel(Axis("root mean square of ln(predicted / observed)"), Axis("", log=False, categories=names), (layer,))
    title = "Laws over width and depth beside one over N (McLeish et al. 2025)"
    caption = "Each law was fitted to the smaller budgets and asked for the largest; two naive guesses beside them."
    return Result((Drawing("shapes", title, caption, (panel,)),), tuple(quantities))


PAPER = Paper(
    "McLeish et al. 2025, Gemstones: a model suite for multi-faceted scaling laws (arXiv:2502.06857)",
    "The exponent of N* runs from .46 to .80 on the same runs by which of them are kept.",
    {
        "1": Figure("approach 1 over choices of runs", own=spread, sweeps=("text",)),
        "laws": Figure("laws over width and depth by their held-out error", own=shapes, sweeps=("text",)),
    },
)
