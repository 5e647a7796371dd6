"""The joint region of a law's two exponents: profile likelihood, ellipse, resamples, and published values."""

from collections.abc import Iterator

import numpy as np

from analysis import published
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel
from analysis.fitting import Fit, default_pair
from analysis.load import DataError
from analysis.study import Study
from scaling_laws.config import ConfigError
from scaling_laws.units import TEXT

NAME = "regions"
CLOUD = 500  # resamples drawn at most
# of language models: no other task's exponents are near them
PUBLISHED = {"approach1": published.HOFFMANN_2022, "approach2": published.BESIROGLU_2024, "ink": published.KAPLAN_2020}


def build(study: Study) -> Drawing:
    """The drawing; raises NothingToDraw without a fit whose two exponents vary apart."""
    if study.fit is None:
        raise NothingToDraw(study.why("fit"))
    try:
        pair = default_pair(study.fit)
        # a profile is a grid of fits: seconds, which only those who ask for profiles want to wait
        kinds = ("profile", "ellipse") if study.fit.interval == "profile" else ("ellipse",)
        outlines = {kind: study.fit.region(study.runs, pair, kind=kind) for kind in kinds}
    except (ConfigError, DataError) as reason:
        raise NothingToDraw(str(reason)) from reason
    layers = (*_cloud(study.fit, pair), *_outlines(outlines), *_points(study, study.fit, pair))
    panel = Panel(Axis(pair[0], log=False), Axis(pair[1], log=False), layers)
    title = f"Joint {study.fit.level:.0%} region of {pair[0]} and {pair[1]}"
    return Drawing(NAME, title, _caption(study.fit), (panel,))


def _caption(result: Fit) -> str:
    drawn = "draws from the sandwich covariance" if result.interval == "delta" else "resamples of the runs"
    cloud = f" Dots: {drawn}." if result.samples else ""
    profile = "Solid: where the objective, minimised over the other coefficients, rises by less than the level allows. "
    return f"{profile if result.interval == 'profile' else ''}Dashed: the ellipse of the sandwich covariance.{cloud}"


def _cloud(result: Fit, pair: tuple[str, str]) -> Iterator[Layer]:
    if not result.samples:
        return
    x, y = (result.samples[name][:CLOUD] for name in pair)
    sound, name = np.isfinite(x) & np.isfinite(y), "draw" if result.interval == "delta" else "resample"
    yield Layer("points", name, x[sound], y[sound], role="muted", mark="dot", frames=False)


def _outlines(outlines: dict[str, np.ndarray]) -> Iterator[Layer]:
    if "profile" in outlines:
        yield Layer("line", "profile", *outlines["profile"].T, role="law")
    yield Layer("line", "ellipse", *outlines["ellipse"].T, role="ink", mark="dashed")


def _points(study: Study, result: Fit, pair: tuple[str, str]) -> Iterator[Layer]:
    place = (np.array([result.coefficients[name]]) for name in pair)
    yield Layer("points", "fit", *place, role="law", mark="star")
    for role, known in PUBLISHED.items() if study.units == TEXT else ():
        if known.law == result.law:
            place = (np.array([known.coefficients[name]]) for name in pair)
            yield Layer("points", known.source.split(",")[0], *place, role=role, mark="hollow")
