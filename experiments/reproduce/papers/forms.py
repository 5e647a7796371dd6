"""Alabdulmohsin et al. 2022, "Revisiting neural scaling laws": forms of a law judged by what they foretell."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.reproduce.entry import Figure, Paper, Published, Quantity, Result

FILES = ("revisiting_nsl/language.csv", "revisiting_nsl/reference_language.csv")
WEIGHTS = {"M1": "none", "M2": "x^0.5", "M3": "x^0.5", "M4": "x^0.5"}  # of the points: the far end counts more
QUICK, SLOW = ("M1", "M2", "M3"), ("M4",)
DOMAINS = {"NMT": "translation", "LM": "language modelling", "BB": "BIG-Bench"}
SAME = 2e-3  # relative: a straight line in logarithms has one optimum, which both find
COMPARED, EQUALLY = ("M2", "M3"), "points of equal weight"
APART = (
    "here every fit is at the optimum of its objective over the points that are fitted; how the reference weighs these "
    "points, and where its search stops, is its own, and what lies nearer in them need not foretell better"
)


def quick(published: Published) -> Result:
    """M1, M2 and M3 on 20 curves of language."""
    return _scored(published, QUICK)


def slow(published: Published) -> Result:
    """M4, which bends at both ends, on the same curves."""
    return _scored(published, SLOW)


def _scored(published: Published, forms: Sequence[str]) -> Result:
    from analysis.fit import fit
    from analysis.load import Runs
    from experiments.reproduce import tables
    from scaling_laws.progress import Progress

    curves, reference = tables.language_curves(published.folder), tables.language_reference(published.folder)
    ways = {form: (form, WEIGHTS[form]) for form in forms} | {
        f"{form}, {EQUALLY}": (form, "none") for form in forms if form in COMPARED
    }
    fits = {}
    with Progress(len(ways) * len(curves), "fits") as progress:
        for way, (form, weights) in ways.items():
            for k, curve in enumerate(curves):
                runs = Runs({"x": curve.x[curve.fitted], "loss": curve.loss[curve.fitted]})
                fits[way, k] = fit(runs, f"{form.lower()}(x)", objective="log_mse", weights=weights)
                progress.update(len(fits), f"{way} {curve.domain}")
    scores = {key: _score(found, curves[key[1]]) for key, found in fits.items()}
    means = {
        (domain, way): float(np.mean([scores[way, k] for k, one in enumerate(curves) if one.domain == domain]))
        for domain in DOMAINS
        for way in ways
    }
    quantities = tuple(_quantity(domain, way, here, reference) for (domain, way), here in means.items())
    return Result((_forest(curves, scores, means, reference, forms), _examples(curves, fits, forms)), quantities)


def _score(found, curve) -> float:
    """Root mean square of ln(foretold / seen) over the points that were not fitted."""
    there = found.predict(x=curve.x[~curve.fitted])
    return float(np.sqrt(np.mean(np.log(there / curve.loss[~curve.fitted]) ** 2)))


def _quantity(domain: str, way: str, here: float, reference: Mapping[tuple[str, str], float]) -> Quantity:
    form = way.partition(",")[0]
    there, one_optimum = reference[domain, form], way == "M1"
    return Quantity(f"mean score of {way}, {DOMAINS[domain]}", there, here, tolerance=SAME * there * one_optimum,
                    paper_scale="reference", why=APART, at_most=not one_optimum)  # fmt: skip


def _forest(curves, scores, means, reference, forms: Sequence[str]):
    """A panel a domain: every curve's score, their mean, and the reference's."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    panels, rows = [], {form: len(forms) - 1.0 - k for k, form in enumerate(forms)}
    for domain, said in DOMAINS.items():
        own = [k for k, one in enumerate(curves) if one.domain == domain]
        every = [(scores[form, k], rows[form]) for form in forms for k in own]
        y = np.array(list(rows.values()))
        here, there = (np.array([some[domain, form] for form in forms]) for some in (means, reference))
        layers = (
            Layer("points", "a curve", *np.array(every).T, role="muted", mark="dot"),
            Layer("points", "mean here", here, y + 0.15, role="approach1", mark="dot"),
            Layer("points", "mean of the reference", there, y - 0.15, role="law", mark="star"),
        )
        axis = Axis("", categories=tuple(reversed(forms)))
        panels.append(Panel(Axis("score: RMS of ln(foretold / seen)"), axis, layers, said))
    title = "How well forms of a law foretell (Alabdulmohsin et al. 2022)"
    return Drawing("scores", title, "Smaller is better.", tuple(panels))


def _examples(curves, fits, forms: Sequence[str]):
    """The first curve of each domain with the fitted forms; what was foretold is hollow."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    roles = dict(zip(forms, ("approach1", "approach2", "approach3"), strict=False))
    panels = []
    for domain, said in DOMAINS.items():
        k = next(i for i, one in enumerate(curves) if one.domain == domain)
        one = curves[k]
        grid = np.geomspace(one.x.min(), one.x.max(), 120)
        lines = [Layer("line", form, grid, fits[form, k].predict(x=grid), role=roles[form]) for form in forms]
        points = [
            Layer("points", name, one.x[part], one.loss[part], mark=mark)
            for name, part, mark in (("fitted", one.fitted, "dot"), ("foretold", ~one.fitted, "hollow"))
        ]
        panels.append(Panel(Axis("examples seen"), Axis("loss"), (*lines, *points), f"{said}: {one.name}"))
    return Drawing("curves", "A curve of each domain", "Only the filled points were fitted.", tuple(panels))


PAPER = Paper(
    "Alabdulmohsin et al. 2022, Revisiting neural scaling laws in language and vision (arXiv:2209.06640)",
    "Judged by what it foretells, a form that bends at both ends (M4) beats the power law and its usual corrections.",
    {
        "scores": Figure("scores of M1, M2 and M3", published=quick, files=FILES),
        "m4": Figure("scores of M4 (half a minute)", published=slow, files=FILES),
    },
)
