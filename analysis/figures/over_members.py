"""Loss over the number of members of an ensemble."""

from collections.abc import Mapping

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel
from analysis.over_members import OverMembers
from scaling_laws.units import TEXT, Units

NAME = "over_members"
ROLES = ("ink", "approach1", "approach2", "approach3")
POINTS = 60  # of a fitted curve


def losses_over_members(
    arms: Mapping[str, tuple[np.ndarray, np.ndarray]], laws: Mapping[str, OverMembers], units: Units = TEXT
) -> Drawing:
    """Of each arm its sizes (K,) and losses (S, K): mean over seeds with two standard errors, and c + b / K."""
    if not arms:
        raise NothingToDraw("no ensemble has finished")
    layers = []
    for place, (name, (members_K, losses_SxK)) in enumerate(arms.items()):
        role, means = ROLES[place % len(ROLES)], losses_SxK.mean(axis=0)
        spread = losses_SxK.std(axis=0, ddof=1) if len(losses_SxK) > 1 else np.zeros(len(members_K))
        reach = 2 * spread / len(losses_SxK) ** 0.5
        sizes = members_K.astype(float)
        layers.append(Layer("points", name, sizes, means, means - reach, means + reach, role=role, mark="dot"))
        if name in laws:
            x = np.geomspace(sizes.min(), sizes.max(), POINTS)
            fitted = laws[name].c + laws[name].b / x
            layers.append(Layer("line", f"{name}: c + b / K", x, fitted, role=role, mark="thin", legend=False))
    panel = Panel(Axis("members K"), Axis(f"held-out loss ({units.loss})", log=False), tuple(layers))
    caption = "Mean over seeds, bars of two standard errors; the line is c + b / K by least squares."
    return Drawing(NAME, "Loss over the members of an ensemble", caption, (panel,))
