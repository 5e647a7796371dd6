"""Czech et al. 2026, "Problems with Chinchilla approach 2": IsoFLOP parabolas miss N* though nothing be noisy.

On Hoffmann et al.'s printed surface (alpha .34, beta .28), 15 sizes evenly spaced in ln N about N* at each budget.
"""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing
    from analysis.frontier import Frontier

SHIFTS = {2: 0.00142, 4: 0.00569, 8: 0.01279, 16: 0.02273}  # half-width -> log10 N* too high
LOGARITHMIC = 0.02183  # with ln loss, half-width 16, C 1e20
ROUNDED = 6e-6
SIZES, WIDEST, FLOPS = 15, 16.0, 1e20
BUDGETS, CENTRES = np.geomspace(1e18, 1e24, 25), np.geomspace(1 / 3, 3, 25)
PAPER_SCALE = "noiseless, at any C"
RANGE = "C 1e18 to 1e24"


def shift(own: Own) -> Result:
    """How far the parabola's minimum lies from N*: over the width of the grid, over C, over its centre."""
    from analysis.lines import frontier_line

    front = printed_surface()
    over_c = [shifted(front, c) for c in BUDGETS]
    drifting = [shifted(front, c, centre=centre) for c, centre in zip(BUDGETS, CENTRES, strict=True)]
    exact = front.n_opt(BUDGETS)
    slope, drifted = (frontier_line(BUDGETS, exact * 10.0 ** np.array(off))[1] for off in (over_c, drifting))
    equal = dataclasses.replace(front, coefficients=front.coefficients | {"beta": front.coefficients["alpha"]})
    quantities = (
        *(Quantity(f"log10 N* too high, half-width {width}", value, shifted(front, FLOPS, width), None, ROUNDED,
                   PAPER_SCALE)
          for width, value in SHIFTS.items()),
        Quantity("log10 N* too high, ln loss, half-width 16", LOGARITHMIC, shifted(front, FLOPS, logarithmic=True),
                 None, ROUNDED, f"C {FLOPS:g}"),
        Quantity("spread over C of the shift at half-width 16", 0.0, float(np.ptp(over_c)), None, 1e-9,
                 PAPER_SCALE, RANGE),
        Quantity("a less beta / (alpha + beta), grids centred alike", 0.0, slope - front.a, None, 1e-9,
                 PAPER_SCALE, RANGE),
        Quantity("a less beta / (alpha + beta), centres from N*/3 to 3 N*", None, drifted - front.a, scale=RANGE),
        Quantity("log10 N* too high where alpha = beta", 0.0, shifted(equal, FLOPS), None, 1e-9, PAPER_SCALE),
    )  # fmt: skip
    notes = ("with ln loss the shift grows with C, as the loss nears E: there the slope is biased too",)
    return Result((_drawn(front),), quantities, notes)


def _drawn(front: "Frontier") -> "Drawing":
    """The shift over the width of the grid, over C, and over its centre; published numbers hollow."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    def line(x: np.ndarray, shifts: Iterable[float], logarithmic: bool = False) -> Layer:
        name, role = ("parabola of ln loss", "approach1") if logarithmic else ("parabola of the loss", "law")
        return Layer("line", name, x, np.array([*shifts]), role=role)

    def published(x: Iterable[float], shifts: Iterable[float]) -> Layer:
        return Layer("points", "published", np.array([*x], float), np.array([*shifts]), mark="hollow")

    height, widths = Axis("log10 N* too high", log=False), np.geomspace(1.3, 32, 40)
    over_widths = [line(widths, (shifted(front, FLOPS, x, logarithmic=ln) for x in widths), ln) for ln in (False, True)]
    over_c = [line(BUDGETS, (shifted(front, c, logarithmic=ln) for c in BUDGETS), ln) for ln in (False, True)]
    over_centres = line(CENTRES, (shifted(front, FLOPS, centre=x) for x in CENTRES))
    panels = (
        Panel(Axis("half-width of the grid, a factor in N"), height, (*over_widths, published(SHIFTS, SHIFTS.values())),
              f"C = {FLOPS:g} FLOPs"),
        Panel(Axis("training compute C (FLOPs)"), height, (*over_c, published([FLOPS], [LOGARITHMIC])),
              f"half-width {WIDEST:g}"),
        Panel(Axis("centre of the grid / N*"), height, (over_centres,), f"half-width {WIDEST:g}"),
    )  # fmt: skip
    caption = "Noiseless losses of a law with alpha .34 and beta .28: the valley is steeper on one side."
    return Drawing("shift", "What a parabola makes of a noiseless valley (Czech et al. 2026)", caption, panels)


def runs(own: Own) -> Result:
    """The same on one's own budgets: the shift on the fitted surface at exactly the sizes that were trained."""
    from analysis.figures import isoflop_curves
    from analysis.load import DataError
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    flat, scale = study.isoflop, own_study.scale_of(study)
    if flat is None:
        raise DataError(study.why("isoflop"))
    drawing = own_study.named(isoflop_curves.build(study), "Own budgets, their parabolas, and N* of the fitted law")
    quantities = [Quantity(f"log10 N* too high at {group.budget:.3g} FLOPs", None, group.bias_log10_n, scale=scale)
                  for group in flat.groups if group.fitted and not group.edge]  # fmt: skip
    inside = flat.a_interval and (flat.a_interval[0] - flat.a, flat.a_interval[1] - flat.a)
    quantities.append(Quantity("a too high, centres as they are", None, flat.a_bias, scale=scale))
    notes = [
        f"a shift is as good as the law that it is computed on, which leaves {flat.law_residual_sd:.1%} of the loss"
    ]
    if inside is not None:
        notes.append(f"for comparison: resampled runs move a by {inside[0]:+.3f} to {inside[1]:+.3f}")
    return Result((drawing,), tuple(quantities), tuple(notes))


def printed_surface() -> "Frontier":
    """Hoffmann et al.'s printed law and its frontier, C = 6 N D."""
    from analysis.frontier import SIX_N_D, Frontier
    from analysis.published import HOFFMANN_2022

    return Frontier({**HOFFMANN_2022.coefficients, "outer": 1.0}, SIX_N_D)


def shifted(
    front: "Frontier", flops: float, half_width: float = WIDEST, centre: float = 1.0, logarithmic: bool = False
) -> float:
    """log10 of (N* by a parabola / N* of the law) at C: sizes within a factor `half_width` of `centre` times N*."""
    from analysis.isoflop import bias, parabola

    sizes = float(front.n_opt(flops)) * centre * np.geomspace(1 / half_width, half_width, SIZES)
    return bias.shift_log10(front, flops, sizes, parabola.place_of_log if logarithmic else parabola.place)


PAPER = Paper(
    "Czech et al. 2026, Problems with Chinchilla approach 2 (arXiv:2603.22339)",
    "Where alpha and beta differ, a parabola through noiseless losses misses N*, by as much at every C.",
    {
        "shift": Figure("the shift over the width of the grid, over C and over its centre", own=shift),
        "runs": Figure("the shift at one's own budgets and sizes", own=runs, sweeps=("text",)),
    },
)
