"""Loss over tokens by schedule, how far apart schedules end, and what the token axis costs with a trunk."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.fitting import Fit
from analysis.schedules import BRANCH, CONSTANT, COSINE, NEAR, Apart, Cost, Point, apart
from analysis.uncertainty import band

LOSSES, COST = "loss_by_schedule", "cost_of_tokens"
ROLES = {COSINE: ("ink", "cosine to each horizon"), BRANCH: ("law", "cooldown branches of one trunk")}
ALONE = (("constant rate", "loss", "muted"), ("its average", "averaged_loss", "approach1"))
GRID = 60  # points of a fitted law


def losses(seen: Sequence[Point], laws: Mapping[str, Fit], unit: str = "nats/token") -> Drawing:
    """Loss over tokens with the powers fitted to cosine runs and branches (`laws`), and how far apart both end."""
    layers: list[Layer] = []
    for name, field, role in ALONE:
        x, y, _ = _columns(seen, CONSTANT, field)
        layers.append(Layer("points", name, x, y, role=role, mark="hollow"))
    for schedule, (role, name) in ROLES.items():
        x, y, std = _columns(seen, schedule, "loss")
        layers += _fitted(laws[schedule], name, x, role)
        layers.append(Layer("points", name, x, y, y - std, y + std, role=role, mark="dot"))
    panel = Panel(Axis("tokens", si=True), Axis(f"held-out loss ({unit})"), tuple(layers), "loss over tokens")
    caption = (
        "Means over seeds; bars: one run's standard deviation over seeds, on the right 90 % intervals; "
        "bands: 90 % of the fitted powers. Dashed: the distance within which branches count as level with cosine runs."
    )
    return Drawing(LOSSES, "Cooldown branches beside separate cosine runs", caption, (panel, _apart(apart(seen))))


def cost(found: Cost) -> Drawing:
    """FLOPs of all runs up to a token budget, separate and of one trunk."""
    layers = [
        Layer("line", "(1 - c) max + c sum", found.tokens_K, found.foretold_K, role="law", mark="dashed"),
        Layer("points", "branches of one trunk", found.tokens_K, found.branches_K, role="law", mark="dot"),
        Layer("line", "separate runs", found.tokens_K, found.separate_K, role="ink", mark="thin", legend=False),
        Layer("points", "separate runs", found.tokens_K, found.separate_K, role="ink", mark="dot"),
    ]
    axes = Axis("tokens of the longest run", si=True), Axis("FLOPs a seed", log=False)
    caption = "Training FLOPs of all runs up to a token budget. Dashed: the published cost of branches with cooldown c."
    return Drawing(COST, "What the token axis costs", caption, (Panel(*axes, tuple(layers)),))


def _columns(seen: Sequence[Point], schedule: str, field: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens (n,), the field, and the spread of a run, of one schedule."""
    own = [point for point in seen if point.schedule == schedule]
    x, y, std = (np.array([getattr(point, name) for point in own], float) for name in ("tokens", field, "std"))
    return x, y, std


def _fitted(law: Fit, name: str, tokens: np.ndarray, role: str) -> Iterator[Layer]:
    x = np.geomspace(tokens.min(), tokens.max(), GRID)
    line = law.predict(tokens=x)
    if law.samples:
        ends = band(law.predict_samples(tokens=x), law.level)
        yield Layer("band", name, x, line, *ends, role=role, legend=False)
    yield Layer("line", name, x, line, role=role, mark="thin", legend=False)


def _apart(found: Sequence[Apart]) -> Panel:
    x, y = np.array([(one.tokens, one.value) for one in found], float).T
    low, high = np.array([one.interval for one in found]).T
    layers = [Layer("points", "branch less cosine", x, y, low, high, role="law", mark="dot", legend=False)]
    for limit in (-NEAR, NEAR):
        layers.append(Layer("line", "level", x, np.full(len(x), limit), role="muted", mark="dashed", legend=False))
    axis = Axis("standard deviations of a run", log=False)
    return Panel(Axis("tokens", si=True), axis, tuple(layers), "branch less cosine")
