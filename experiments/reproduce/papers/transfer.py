"""Hernandez et al. 2021, "Scaling laws for transfer": what a source on English text is worth to a model of Python."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing, Layer
    from analysis.transferred import Arm, Transferred

LAW = "transfer"
EXPONENTS = {"alpha": "of the data of the fine-tuning", "beta": "of N"}
SMALL = (
    "their sources read billions of characters, so that what they know lasts for any fine-tuning; these read a million "
    "or two, and what a source stands for grows almost with the data until both are as many"
)
SIZE = "sizes within a factor of ten and of ten thousand to a hundred thousand parameters, most of them embedding"
SAME = "the source is worth as much at every size or less: sources so short teach a larger model no more"
LEVEL = 0.9
FEWEST = 2  # sizes, and numbers of tokens, through which an exponent goes
PAPER_SCALE = "N to 1e9, text to Python"


def worth(own: Own) -> Result:
    """D_T over D_F at each size, and k D_F^alpha N^beta through it."""
    from analysis import transferred
    from analysis.figures import fine_tuning
    from analysis.load import DataError
    from analysis.published import HERNANDEZ_2021
    from experiments.reproduce import own_study

    workdir = own.workdirs["transfer"]
    arms = [one for one in transferred.arms(_rows(workdir)) if not one.frozen_params]
    found = transferred.transferred(arms)
    told = _told(found)
    sizes, tokens = ({getattr(one.arm, name) for one in told} for name in ("n_params", "unique_tokens"))
    if len(tokens) < FEWEST:
        raise DataError(f"{workdir}: what a source is worth is known for {len(tokens)} numbers of tokens; allowed: two")
    beta = None if len(sizes) >= FEWEST else HERNANDEZ_2021.coefficients["beta"]  # of one size N tells nothing
    law, redrawn = _law(told, beta), _redrawn(arms, beta, own.bootstrap)
    losses = own_study.named(fine_tuning.losses_over_tokens(arms), "From scratch and from a source")
    notes, edges = [], [one for one in arms if one.edge]
    if len(told) < len(found):
        notes.append(f"{len(found) - len(told)} of {len(found)} cells left out: no run from scratch has their loss")
    if edges:
        notes.append(f"the best rate is at the edge of those tried in {len(edges)} of {len(arms)} cells")
    quantities = (*_exponents(law, redrawn, len(told), len(sizes)), *_shares(told))
    return Result((_over_tokens(told, arms, law, redrawn), losses), quantities, tuple(notes))


def _rows(workdir: Path) -> list[dict]:
    """The runs on the data of the fine-tuning: those with a source, and others on the same data. Raises DataError where
    none has a source."""
    from analysis.load import DataError
    from experiments.reproduce import own_study

    rows = own_study.rows(workdir)
    data = {row["corpus_hash"] for row in rows if row["source_run"]}
    if not data:
        raise DataError(f"{workdir}: no run has a source; allowed: runs of experiments.fine_tuning")
    return [row for row in rows if row["corpus_hash"] in data]


def _law(told: "Sequence[Transferred]", beta: float | None) -> np.ndarray:
    """ln k, alpha and beta by least squares of ln D_T; NaN where the cells do not carry them. `beta`: not fitted."""
    x = np.log([(np.e, one.arm.unique_tokens, one.arm.n_params) for one in told])
    y = np.log([one.transferred_tokens for one in told])
    count = len(x[0]) - (beta is not None) if len(x) else 0
    if len(x) < 2 or np.linalg.matrix_rank(x[:, :count]) < count:
        return np.full(3, math.nan)
    found = np.linalg.lstsq(x[:, :count], y if beta is None else y - beta * x[:, 2], rcond=None)[0]
    return found if beta is None else np.append(found, beta)


def _redrawn(arms: "Sequence[Arm]", beta: float | None, count: int) -> np.ndarray:
    """(R, 3) of the same with mean losses redrawn: seeds differ alike in ln loss everywhere, as pooled over cells; no
    rows where no cell has two seeds."""
    from analysis import transferred

    pooled = [(one.seeds, one.loss_se / one.loss) for one in arms if one.seeds > 1]
    if not pooled:
        return np.zeros((0, 3))
    variance = sum((n - 1) * n * error**2 for n, error in pooled) / sum(n - 1 for n, _ in pooled)
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        off = rng.normal(size=len(arms)) * np.sqrt([variance / one.seeds for one in arms])
        drawn = [dataclasses.replace(one, loss=one.loss * math.exp(by)) for one, by in zip(arms, off, strict=True)]
        found.append(_law(_told(transferred.transferred(drawn)), beta))
    return np.array(found)


def _told(found: "Sequence[Transferred]") -> "list[Transferred]":
    """Those where all layers learn and D_T is known and above 0."""
    from analysis.transferred import FREE

    return [one for one in found if one.arm.arm == FREE and one.transferred_tokens > 0]


def _exponents(law: np.ndarray, redrawn: np.ndarray, cells: int, sizes: int) -> list[Quantity]:
    from analysis.published import HERNANDEZ_2021
    from experiments.reproduce import own_study

    said = []
    for place, (name, what) in enumerate(EXPONENTS.items(), 1):
        if name == "alpha" or sizes >= FEWEST:
            why = SMALL if name == "alpha" else f"{SIZE}; {SAME}"
            ends = own_study.interval(redrawn[:, place], LEVEL)
            said.append(Quantity(f"{name}: exponent {what}", HERNANDEZ_2021.coefficients[name], float(law[place]), ends,
                                 None, PAPER_SCALE, f"{cells} cells of {sizes} sizes", why))  # fmt: skip
    return said


def _shares(told: "Sequence[Transferred]") -> list[Quantity]:
    """D_T over D_F of the smallest and the largest size."""
    said, sizes = [], sorted(one.arm.n_params for one in told)
    for n in dict.fromkeys((sizes[0], sizes[-1])):
        own = {one.arm.unique_tokens: one.transferred_tokens for one in told if one.arm.n_params == n}
        for place in dict.fromkeys((min(own), max(own))):
            said.append(Quantity(f"D_T / D_F at {place:,} tokens, N {n:,}", None, own[place] / place))
    return said


def _over_tokens(
    told: "Sequence[Transferred]", arms: "Sequence[Arm]", law: np.ndarray, redrawn: np.ndarray
) -> "Drawing":
    from analysis.figures.chart import Axis, Drawing, Panel, scale_of

    tokens = np.array([one.arm.unique_tokens for one in told], dtype=float)
    grid = np.geomspace(tokens.min(), tokens.max(), 30)
    sizes = sorted({one.arm.n_params for one in told})
    layers = [layer for n in sizes for layer in _of_size(n, told, arms, (law, redrawn), grid, n == sizes[0])]
    x, y = Axis("tokens of the fine-tuning D_F", si=True), Axis("tokens that the source stands for, D_T", si=True)
    caption = (
        "Points: what a model from scratch needs beyond D_F for the same loss; bars by two standard errors of it. "
        "Solid: k D_F^alpha N^beta, with its band. Dashed: as published."
    )
    colours = scale_of("parameters N", np.array(sizes, dtype=float), si=True)
    title = "What a source is worth (Hernandez et al. 2021)"
    return Drawing("transferred", title, caption, (Panel(x, y, tuple(layers)),), colours)


def _of_size(
    n: int,
    told: "Sequence[Transferred]",
    arms: "Sequence[Arm]",
    fitted: tuple[np.ndarray, np.ndarray],
    grid: np.ndarray,
    legend: bool,
) -> "list[Layer]":
    from analysis import laws
    from analysis.figures.chart import JOINT, Layer
    from analysis.published import HERNANDEZ_2021
    from analysis.uncertainty import band

    own = [one for one in told if one.arm.n_params == n]
    x = np.array([one.arm.unique_tokens for one in own], dtype=float)
    y = np.array([one.transferred_tokens for one in own])
    low, high = np.array([_ends(one, arms) for one in own]).T
    at = {"n_params": np.full(len(grid), float(n)), "finetune_tokens": grid}
    published = laws.value(laws.get(LAW), HERNANDEZ_2021.coefficients, at)
    shade = {"value": at["n_params"], "legend": legend}
    layers = [Layer("line", "Hernandez et al. 2021, text to Python", grid, published, mark="dashed", **shade)]
    law, redrawn = fitted
    line = _value(law, n, grid)
    if np.isfinite(redrawn).any():
        layers.append(Layer("band", "interval", grid, line, *band(_value(redrawn, n, grid), LEVEL), **shade))
    layers.append(Layer("line", "fitted here", grid, line, **shade))
    ids = tuple(JOINT.join(one.arm.run_ids) for one in own)
    shade = {"value": np.full(len(x), float(n)), "legend": legend}
    return [*layers, Layer("points", "own runs", x, y, low, high, mark="dot", run_ids=ids, **shade)]


def _value(law: np.ndarray, n: float, tokens: np.ndarray) -> np.ndarray:
    """(..., T) D_T at so many tokens, of laws (..., 3)."""
    return np.exp(law[..., :1] + law[..., 1:2] * np.log(tokens) + law[..., 2:] * math.log(n))


def _ends(one: "Transferred", arms: "Sequence[Arm]") -> tuple[float, float]:
    """D_T at two standard errors of the loss either way; without an end where runs from scratch do not reach so far."""
    from analysis.transferred import SCRATCH, equivalent

    arm = one.arm
    curve = [each for each in arms if each.arm == SCRATCH and (each.width, each.depth) == (arm.width, arm.depth)]
    about = [each.unique_tokens for each in curve], [each.loss for each in curve]
    reach = 2 * (0.0 if math.isnan(arm.loss_se) else arm.loss_se)
    low, high = (equivalent(arm.loss + off, *about) - arm.unique_tokens for off in (reach, -reach))
    return (low if low > 0 else 0.0), (math.inf if math.isnan(high) else high)


PAPER = Paper(
    "Hernandez et al. 2021, Scaling laws for transfer (arXiv:2102.01293)",
    "A source stands for D_T = k D_F^alpha N^beta tokens of the data of the fine-tuning; text to Python .18 and .38.",
    {"worth": Figure("what a source on English is worth to models of Python", own=worth, sweeps=("transfer",))},
)
