"""Loss over the tokens of the fine-tuning, from scratch and from a source."""

from collections.abc import Sequence

import numpy as np

from analysis.figures.chart import JOINT, Axis, Drawing, Layer, NothingToDraw, Panel
from analysis.transferred import SCRATCH, Arm
from scaling_laws.units import TEXT, Units

NAME = "fine_tuning"
ROLES = ("ink", "approach1", "approach2", "approach3")


def losses_over_tokens(found: Sequence[Arm], units: Units = TEXT) -> Drawing:
    """A panel a shape, a line a way of training, its points at the best rate with two standard errors either way."""
    shapes = sorted({(arm.width, arm.depth) for arm in found})
    if not shapes:
        raise NothingToDraw("no run has finished")
    names = list(dict.fromkeys(arm.arm for arm in found))
    panels = []
    for width, depth in shapes:
        own = [arm for arm in found if (arm.width, arm.depth) == (width, depth)]
        layers = [
            layer
            for place, name in enumerate(names)
            for layer in _layers(name, [arm for arm in own if arm.arm == name], ROLES[place % len(ROLES)])
        ]
        x, y = Axis(f"{units.data} of the fine-tuning", si=True), Axis(f"held-out loss ({units.loss})", log=False)
        panels.append(Panel(x, y, tuple(layers), f"width {width}, depth {depth}"))
    caption = "At the best rate of each number of tokens; mean over seeds, bars of two standard errors."
    return Drawing(NAME, "From scratch and from a source", caption, tuple(panels))


def _layers(name: str, own: Sequence[Arm], role: str) -> list[Layer]:
    """The points and the line through them; nothing where a shape was not trained that way."""
    if not own:
        return []
    tokens, losses, errors = (np.array([getattr(arm, key) for arm in own]) for key in ("tokens", "loss", "loss_se"))
    reach, ids = 2 * np.nan_to_num(errors.astype(float)), tuple(JOINT.join(arm.run_ids) for arm in own)
    said = name if name == SCRATCH else f"fine-tuned, {name}"
    return [
        Layer("line", said, tokens, losses, role=role, mark="thin", legend=False),
        Layer("points", said, tokens, losses, losses - reach, losses + reach, role=role, mark="dot", run_ids=ids),
    ]
