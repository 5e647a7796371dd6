"""Exponents that theory predicts, measured through the whole pipeline: power-law features (Paquette et al. 2024), the
Zipf memoriser (Hutter 2021), ridge features (Maloney et al. 2022; Bahri et al. 2021), manifolds (Sharma and Kaplan
2020)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing
    from experiments.known.measure import Measured

TABLE = "runs.parquet"
ASYMPTOTE = "as N, D and C grow without end"
FINITE = (
    "theory's exponent holds for N, D and C without end; of so few and so small ones the local slope is another, and "
    "the interval knows of the noise of the runs alone"
)
MANIFOLD = (
    "4/d is where a piecewise linear student ends up; of up to 7,921 parameters it is not there yet where d is large, "
    "and its loss falls faster"
)
ROLES = ("law", "approach1", "approach2", "frontier")
SHARES = ("L(N)", "L(D)")  # whose exponents the two sides of Bahri et al.'s duality are
DUALITY = 0.12  # twice the bar of one of them


def exponents(own: Own) -> Result:
    """Each exponent beside theory's, and the powers that they were read from."""
    from analysis.figures import known_exponents
    from experiments.known import say

    found = _measured(own.workdirs["theory"], own.bootstrap)
    powers = known_exponents.build([say.line(one) for one in found])
    quantities = [_quantity(one) for one in found] + _duality(found)
    return Result((_beside(found), powers), tuple(quantities), _notes(found))


def _measured(workdir: Path, bootstrap: int) -> "list[Measured]":
    """Every exponent of the cases that `workdir` has a folder of. Raises DataError without any."""
    from analysis.load import DataError
    from experiments.known.cases import cases
    from experiments.known.measure import measure

    every = cases()
    there = [case for case in every if (workdir / case.name / TABLE).exists()]
    if not there:
        names = ", ".join(case.name for case in every)
        raise DataError(f"{workdir}: no folder of a known exponent; allowed: folders with runs, of {names}")
    return [one for case in there for one in measure(case, workdir / case.name, bootstrap)]


def _quantity(one: "Measured") -> Quantity:
    why = MANIFOLD if one.case.group == "manifold" else FINITE
    return Quantity(f"{one.quantity.name}: {one.case.title}", one.quantity.theory, one.exponent, one.interval,
                    one.quantity.bar, ASYMPTOTE, one.kept, why)  # fmt: skip


def _duality(found: "Sequence[Measured]") -> list[Quantity]:
    """Bahri et al. 2021: in linear models the loss has one exponent over features and over examples. The intervals of
    the two sides, measured apart, add in quadrature."""
    from experiments.known.cases import Ridge

    ridge = [(one.case.work, one) for one in found]
    sides = {(work.alpha, one.quantity.name): one for work, one in ridge if isinstance(work, Ridge)}
    said = []
    for alpha in dict.fromkeys(alpha for alpha, _ in sides):
        pair = [sides[alpha, name] for name in SHARES if (alpha, name) in sides]
        if len(pair) == len(SHARES):
            n, d = pair
            off = n.exponent - d.exponent
            low = off - np.hypot(n.exponent - n.interval[0], d.interval[1] - d.exponent)
            high = off + np.hypot(n.interval[1] - n.exponent, d.exponent - d.interval[0])
            name = f"exponent over features less over examples, ridge features, a = {alpha:g}"
            said.append(Quantity(name, 0.0, off, (float(low), float(high)), DUALITY, ASYMPTOTE, why=FINITE))
    return said


def _beside(found: "Sequence[Measured]") -> "Drawing":
    """Measured over predicted exponents, with the line on which they are the same."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    theory = np.array([one.quantity.theory for one in found])
    ends = np.array([theory.min(), theory.max()])
    layers = [Layer("line", "as theory has it", ends, ends, role="muted", mark="dashed", frames=False)]
    groups = list(dict.fromkeys(one.case.group for one in found))
    for place, group in enumerate(groups):
        own = [one for one in found if one.case.group == group]
        x, y = (np.array(values) for values in zip(*((one.quantity.theory, one.exponent) for one in own), strict=True))
        low, high = np.array([one.interval for one in own]).T
        labels = tuple(f"{one.quantity.name}, {one.case.title}" for one in own)
        layers.append(Layer("points", group, x, y, low, high, role=ROLES[place % len(ROLES)], labels=labels,
                            mark="dot"))  # fmt: skip
    panel = Panel(Axis("exponent by theory", log=False), Axis("exponent measured", log=False), tuple(layers))
    caption = "Bars: 90 % intervals over resampled runs; they know of noise, not of the finite range."
    return Drawing("theory_and_measurement", "Exponents that theory knows", caption, (panel,))


def _notes(found: "Sequence[Measured]") -> tuple[str, ...]:
    losses = {one.case.title.rpartition(" ")[2]: one.exponent for one in found if one.quantity.name == "L(C)"}
    if len(losses) < 2:
        return ()
    return ("exponents of the phases: " + ", ".join(f"{name} {value:.3f}" for name, value in losses.items()),)


PAPER = Paper(
    "Paquette et al. 2024 (arXiv:2405.15074), Hutter 2021 (arXiv:2102.04074), Maloney et al. 2022 (arXiv:2210.16859), "
    "Bahri et al. 2021 (arXiv:2102.06701), Sharma and Kaplan 2020 (arXiv:2004.10802)",
    "The data say the exponent: the decay of a spectrum, of frequencies, or the dimension of a manifold (4/d).",
    {"exponents": Figure("predicted beside measured exponents", own=exponents, sweeps=("theory",))},
)
