"""Haegele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations"."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.fitting import Fit

POINTS = 0.03  # of the cost
ONE_RATE = (
    "the branches share the rate that is best for the middle budget, while cosine runs have the best rate of each, and "
    "in a few hundred steps what counts is how much is learnt at all: at the shortest budget a branch, which stays "
    "longer at a high rate, is ahead, at the longest behind"
)
SHORT = "an average over the last fifth of a run that still learns fast reaches back to worse parameters"
WHOLE = "whole steps, and branches that did not finish"


def schedules(own: Own) -> Result:
    """Loss over tokens of cosine runs and branches, and what the token axis costs with a trunk."""
    from analysis import schedules as measured
    from analysis.figures import schedules as pictures
    from analysis.load import load
    from analysis.load import units as units_of

    runs = load(own.workdirs["schedules"], needs=measured.NEEDS)
    seen = measured.points(runs)
    apart, cost = measured.apart(seen), measured.cost(runs)
    laws = measured.laws(runs, own.bootstrap)
    seeds = min(point.seeds for point in seen if point.schedule in laws)
    scale = f"N {runs['n_params'].min():.3g}, D {runs['tokens'].min():.3g} to {runs['tokens'].max():.3g}, {seeds} seeds"
    quantities = [
        Quantity(f"branch less cosine over one run's spread, {one.tokens:,} tokens", 0.0, one.value, one.interval,
                 measured.NEAR, scale=scale, why=ONE_RATE)
        for one in apart
    ]  # fmt: skip
    quantities += _slopes(laws, scale)
    said = "steps of the branches over those of separate runs"
    quantities.append(Quantity(said, cost.formula, cost.share, None, POINTS, "(1 - c) max + c sum", scale, WHOLE))
    quantities += [
        Quantity(f"average less last parameters, constant rate, {one.tokens:,} tokens", 0.0, one.value, one.interval,
                 scale=f"{one.seeds} seeds", why=SHORT, at_most=True)
        for one in measured.averaging(runs)
    ]  # fmt: skip
    drawings = pictures.losses(seen, laws, units_of(runs).loss), pictures.cost(cost)
    return Result(drawings, tuple(quantities))


def _slopes(laws: Mapping[str, "Fit"], scale: str) -> Iterator[Quantity]:
    """The exponents of the tokens by schedule, and that of the branches over that of the cosine runs."""
    from analysis.schedules import BRANCH, COSINE, LEVEL
    from experiments.reproduce.own_study import interval

    cosine, branch = laws[COSINE], laws[BRANCH]
    for said, law in (("cosine runs", cosine), ("branches", branch)):
        yield Quantity(f"L ~ D^-b, {said}", None, law.coefficients["gamma"], law.intervals.get("gamma"), scale=scale)
    value = branch.coefficients["gamma"] / cosine.coefficients["gamma"]
    samples = branch.samples["gamma"] / cosine.samples["gamma"]
    about = (interval(samples, LEVEL), None, "the same law", scale, ONE_RATE)
    yield Quantity("b of branches over b of cosine runs", 1.0, value, *about)


PAPER = Paper(
    "Haegele et al. 2024, Scaling laws and compute-optimal training beyond fixed training durations (arXiv:2405.18392)",
    "A constant rate with a cooldown ends where a cosine schedule of the same length ends: one trunk gives every token "
    "budget of a law at a fraction of the compute. Averages of the weights go part of the way for nothing.",
    {"schedules": Figure("loss over tokens, and what the token axis costs", own=schedules, sweeps=("schedules",))},
)
