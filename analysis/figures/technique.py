"""What techniques are worth: all of them beside each other, and each over compute."""

import functools
from collections.abc import Sequence

import numpy as np

from analysis.figures.chart import JOINT, Axis, ColourScale, Drawing, Layer, NothingToDraw, Panel
from analysis.technique.result import Arm, Estimate, Worth

FOREST, OVER_COMPUTE = "technique_forest", "technique_{}_over_compute"
QUANTITIES = {"m_n": "m_N", "ceg": "CEG", "ceg_sunk": "CEG, sunk costs counted"}
ROLES = {"m_n": "approach1", "ceg": "approach2", "ceg_sunk": "approach3"}
LONG = {"m_n": "multiplier of parameters m_N", "ceg": "compute-equivalent gain CEG"}
APART = 0.22  # of a row: between its quantities
SAME = 1e-3  # ln C: cells nearer than this share a place
BESIDE = 1.6  # times the one C of an arm: where its strength stands, and how far the line at 1 goes
RANK = "strength: 0 least, 1 most tried"


def forest(found: Worth) -> Drawing:
    """A row a technique at its best strength: m_N and the gains of compute, pooled over cells. Raises NothingToDraw."""
    best = [arm for arm in found.best().values() if any(not arm.pooled[name].reason for name in QUANTITIES)]
    if not best:
        raise NothingToDraw("no technique has a multiplier inside what the baseline measured")
    best = best[::-1]  # the first row on top
    layers = [_neutral(np.ones(2), np.array([-0.5, len(best) - 0.5]))]
    for place, (name, said) in enumerate(QUANTITIES.items()):
        rows = [(i, arm.pooled[name]) for i, arm in enumerate(best) if not arm.pooled[name].reason]
        y = np.array([i for i, _ in rows]) + APART * (1 - place)
        layers.append(Layer("spans", said, *_values([one for _, one in rows], y), role=ROLES[name], mark="dot"))
    several = any(len(arms) > 1 for arms in found.strengths().values())
    chosen = " Each technique at the strength with the largest m_N." if several else ""
    caption = f"Geometric means over cells with {found.level:.0%} intervals.{chosen} Line: no effect."
    rows = Axis("", categories=tuple(arm.name for arm in best))
    panel = Panel(Axis("worth of one parameter, or FLOP, in those of the baseline"), rows, tuple(layers))
    return Drawing(FOREST, f"What techniques are worth ({found.level:.0%} intervals)", caption, (panel,))


def over_compute(name: str, found: Worth) -> Drawing:
    """A panel a technique: the cells of each strength over their C, and the power of C through them.

    `name`: m_n or ceg. Raises NothingToDraw.
    """
    panels, several = [], any(len(arms) > 1 for arms in found.strengths().values())
    for technique, arms in found.strengths().items():
        layers = [layer for k, arm in enumerate(arms) for layer in _cells(arm, name, k, len(arms), several)]
        if layers:
            places = np.concatenate([layer.x for layer in layers])
            room = BESIDE if np.ptp(np.log(places)) < SAME else 1.0
            layers.append(_neutral(np.array([places.min() / room, places.max() * room]), np.ones(2)))
            title = technique if len(arms) > 1 else next(iter(arms)).name
            panels.append(Panel(Axis("compute C (FLOPs)"), Axis(QUANTITIES[name]), tuple(layers), title))
    if not panels:
        raise NothingToDraw(f"no cell has a {LONG[name]} inside what the baseline measured")
    caption = f"Cells with {found.level:.0%} intervals, and the power of C through them. Dashed: no effect."
    title = f"The {LONG[name]} over compute ({found.level:.0%} intervals)"
    colours = ColourScale(RANK, 0.0, 1.0, log=False) if several else None
    return Drawing(OVER_COMPUTE.format(name), title, caption, tuple(panels), colours)


BUILDERS = (forest, functools.partial(over_compute, "m_n"), functools.partial(over_compute, "ceg"))


def _values(estimates: Sequence[Estimate], y: np.ndarray) -> tuple[np.ndarray, ...]:
    """x, y and the ends of the bars along x."""
    return np.array([one.value for one in estimates]), y, *_ends(estimates)


def _ends(estimates: Sequence[Estimate]) -> tuple[np.ndarray, np.ndarray]:
    low, high = (np.array([one.interval[k] for one in estimates]) for k in (0, 1))
    return low, high


def _neutral(x: np.ndarray, y: np.ndarray) -> Layer:
    return Layer("line", "no effect", x, y, role="muted", mark="dashed", legend=False)


def _cells(arm: Arm, name: str, rank: int, count: int, coloured: bool) -> list[Layer]:
    """The cells that are not refused, and the line through them with the strength on it; nothing without a cell."""
    cells = [cell for cell in arm.cells if not cell.worth[name].reason]
    if not cells:
        return []
    worth, x = [cell.worth[name] for cell in cells], np.array([cell.flops for cell in cells])
    value = rank / (count - 1) if count > 1 else 0.5
    along, label = _along(x, rank, labelled=count > 1)
    slope, y = arm.slopes[name], np.array([one.value for one in worth])
    line = np.full(len(along), np.exp(np.log(y).mean()))
    if not slope.estimate.reason:
        line = arm.pooled[name].value * (along / slope.flops) ** slope.estimate.value
    labels = [f"{arm.strength:g}" if k == label and count > 1 else "" for k in range(len(along))]
    colour = {"role": ROLES[name], "legend": False}
    shades = [np.full(len(part), value) if coloured else None for part in (along, x)]
    ids = tuple(JOINT.join(cell.run_ids) for cell in cells)
    return [
        Layer("line", arm.name, along, line, value=shades[0], mark="thin", labels=tuple(labels), **colour),
        Layer("points", arm.name, x, y, *_ends(worth), value=shades[1], mark="dot", run_ids=ids, **colour),
    ]


def _along(flops: np.ndarray, rank: int, labelled: bool) -> tuple[np.ndarray, int]:
    """C along a line, ascending, and the number of the place of its label: between two cells, each rank its own."""
    logs = np.sort(np.log(flops))
    logs = logs[np.append(True, np.diff(logs) > SAME)]
    if len(logs) == 1:
        return np.exp(logs[0]) * np.array([1, BESIDE] if labelled else [1]), 1
    places = np.sort(np.concatenate([logs, (logs[1:] + logs[:-1]) / 2]))
    return np.exp(places), 2 * (rank % (len(logs) - 1)) + 1
