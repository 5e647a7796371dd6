"""Caballero et al. 2023, "Broken neural scaling laws": a power law that breaks foretells what a plain one cannot."""

import numpy as np

from experiments.reproduce.entry import Figure, Paper, Published, Quantity, Result

FILE = "bnsl/four_digit_addition.csv"
THEIR_ERROR, PRINTED = 0.01091574, 5e-9  # of the last three points, and half of its last digit
PLAIN = "power_floor(x)"


def addition(published: Published) -> Result:
    """Four-digit addition: the first 14 points fitted, the last three foretold."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from analysis.fit import fit
    from experiments.reproduce import tables

    runs = tables.addition(published.folder)
    seen, unseen = (runs.select(runs["split"] == name, "of the other part") for name in ("train", "test"))
    broken = fit(seen, "broken_power(x,1)", objective="log1p_mse")
    plain = fit(seen, PLAIN, objective="log_mse")
    scale = f"{len(unseen)} points beyond {len(seen)}"
    quantities = (
        Quantity("error of the last points, one break", THEIR_ERROR, _error(broken, unseen), tolerance=PRINTED,
                 paper_scale="the authors' fit", scale=scale, at_most=True,
                 why="a search that stops earlier than theirs"),
        Quantity("error of the last points, a power law above a floor", None, _error(plain, unseen), scale=scale),
        Quantity("place of the break, examples", None, broken.coefficients["d1"], scale=f"{len(seen)} points"),
    )  # fmt: skip
    grid = np.geomspace(runs["x"].min(), 1.1 * runs["x"].max(), 200)
    layers = (
        Layer("line", "one break", grid, broken.predict(x=grid), role="approach1"),
        Layer("line", "power law above a floor", grid, plain.predict(x=grid), role="muted", frames=False),
        Layer("points", "point, fitted", seen["x"], seen["loss"], mark="dot"),
        Layer("points", "point, foretold", unseen["x"], unseen["loss"], mark="hollow"),
    )
    panel = Panel(Axis("examples trained on"), Axis("test loss"), layers)
    caption = "The law with one break was fitted to the filled points alone."
    title = "Four-digit addition (Caballero et al. 2023)"
    return Result((Drawing("addition", title, caption, (panel,)),), quantities)


def _error(found, unseen) -> float:
    """Root mean square of ln(foretold / seen)."""
    return float(np.sqrt(np.mean(np.log(found.predict(x=unseen["x"]) / unseen["loss"]) ** 2)))


PAPER = Paper(
    "Caballero et al. 2023, Broken neural scaling laws (arXiv:2210.14891)",
    "A power law with smooth breaks foretells curves that bend, such as that of learning to add.",
    {"addition": Figure("four-digit addition, the last points foretold", published=addition, files=(FILE,))},
)
