"""What `python -m analysis.technique` prints, and the cells as rows of a CSV."""

import math
from collections.abc import Iterator
from typing import Any

from analysis import laws
from analysis.technique.result import QUANTITIES, Arm, ArmCell, Estimate, Shift, Worth

WIDTH, POOLED = 26, 31  # of an estimate with its interval, and with the number of its cells
CELL_COLUMNS = ("technique", "strength", "cell", "n_params", "tokens", "flops", "sunk_flops", "learning_rate", "edge",
                "seeds", "pairs", "loss", "gap", *(f"{name}{end}" for name in QUANTITIES
                                                  for end in ("", "_low", "_high", "_refused")))  # fmt: skip


def lines(found: Worth) -> list[str]:
    """The printed table."""
    text = [*_baseline(found), "", *_pooled(found), ""]
    for arm in found.arms:
        text += [*_arm(arm, found.unit), ""]
    return [*text[:-1], *(f"note: {note}" for note in found.notes)]


def _baseline(found: Worth) -> list[str]:
    base = found.baseline
    fitted = ", ".join(f"{name} {value:.5g}" for name, value in base.fit.coefficients.items())
    runs = sum(len(cell.seeds) for cell in base.cells)
    return [
        f"baseline: {len(base.cells)} cells of {runs} runs; {laws.get(base.fit.law).formula}: {fitted}",
        f"  {base.compute.note}; {_noise(found)}",
    ]


def _noise(found: Worth) -> str:
    noise = found.baseline.noise
    said = []
    if noise.dof:
        low, high = (noise.seed * end for end in (noise.shape_K.min(), noise.shape_K.max()))
        span = f"{low:.2g}" if high < 1.01 * low else f"{low:.2g} to {high:.2g}"
        said.append(f"between seeds ln loss varies by {span} ({noise.dof} degrees of freedom)")
    if noise.spare:
        law = f"the law misses cells by {noise.misfit:.2g}"
        said.append(f"{law} beyond that" if noise.dof else law)
    return "; ".join(said) or "no measure of noise"


def _pooled(found: Worth) -> list[str]:
    widest = max(len("pooled over cells"), *(len(arm.name) for arm in found.arms)) + 2
    head = "".join(f"{f'{name} (cells)':<{POOLED}}" for name in QUANTITIES.values())
    text = [f"{'pooled over cells':<{widest}}{'cells':<7}{head}m_N is"]
    for arm in found.arms:
        values = "".join(f"{_of_cells(arm.pooled[name]):<{POOLED}}" for name in QUANTITIES)
        text.append(f"{arm.name:<{widest}}{len(arm.cells) + len(arm.left_out):<7}{values}{arm.verdict}")
    return [*text, *_read(found)]


def _of_cells(one: Estimate) -> str:
    return written(one) + (f" ({one.cells})" if not one.reason else "")


def _read(found: Worth) -> Iterator[str]:
    """How to read the numbers above, and the best strengths."""
    if found.resamples:
        yield f"{found.level:.0%} intervals: {found.resamples} joint redraws of baseline and arm"
    if any(one.outside for arm in found.arms for one in arm.pooled.values()):
        yield "~ rests on cells outside of what the baseline measured, by less than their intervals"
    yield "CEG: C of the baseline's frontier for the same loss over C spent, beside what its own run at the place gets"
    for technique, best in found.best().items():
        tried = len(found.strengths()[technique])
        if tried > 1:
            yield f"best strength of {technique}: {best.strength:g} of {tried}, chosen by pooled m_N"


def _arm(arm: Arm, unit: str) -> list[str]:
    paired = sum(cell.pairs > 0 for cell in arm.cells)
    text = [f"{arm.name}: {paired} of {len(arm.cells)} cells by paired seeds"]
    widest = max((len(cell.said) for cell in arm.cells), default=0) + 2
    for cell in arm.cells:
        values = "".join(f"{QUANTITIES[name]} {written(cell.worth[name]):<{WIDTH}}" for name in _shown(arm))
        text.append(f"  {cell.said:<{widest}}{values}".rstrip())
    text += [f"  {place}: left out: {reason}" for place, reason in arm.left_out.items()]
    text += [f"  {line}" for cell in arm.cells for line in _refusals(cell)]
    for name, slope in arm.slopes.items():
        said = slope.estimate.reason or _with_interval(slope.estimate, "+.3f")
        text.append(f"  slope of ln {QUANTITIES[name]} over ln C: {slope.verdict} ({said})")
    return [*text, f"  {_shift(arm.shift, unit)}"]


def _shown(arm: Arm) -> tuple[str, ...]:
    """Without sunk costs where there are none."""
    return tuple(name for name in QUANTITIES if name != "ceg_sunk" or any(cell.sunk for cell in arm.cells))


def _refusals(cell: ArmCell) -> Iterator[str]:
    reasons = {}
    for name, one in cell.worth.items():
        if one.reason:
            reasons.setdefault(one.reason, []).append(QUANTITIES[name])
    for reason, names in reasons.items():
        yield f"{cell.said}: {', '.join(names)} refused: {reason}"


def _shift(shift: Shift, unit: str) -> str:
    if shift.d_e.reason:
        return f"shift of E: not identified: {shift.reason}"
    m_n = f"beside m_N {written(shift.m_n)}"
    if shift.reason:
        return f"shift of E: not identified: {shift.reason} (dE {_with_interval(shift.d_e, '+.4g')} {m_n})"
    return f"shift of E: {_with_interval(shift.d_e, '+.4g')} {unit} {m_n}"


def written(one: Estimate) -> str:
    """`1.234 [1.1, 1.4]`, with ~ before a number that lies outside what was measured; `refused`."""
    return "refused" if one.reason else f"{'~' * one.outside}{_with_interval(one, '#.4g')}"


def _with_interval(one: Estimate, form: str) -> str:
    low, high = one.interval
    return f"{one.value:{form}}" + ("" if math.isnan(low) else f" [{low:{form}}, {high:{form}}]")


def cell_rows(found: Worth) -> Iterator[dict[str, Any]]:
    """Every cell of every arm, with CELL_COLUMNS as keys; what is refused is empty, with the reason."""
    for arm in found.arms:
        for cell in arm.cells:
            about = {name: getattr(cell, name) for name in ("n_params", "tokens", "flops", "learning_rate", "edge",
                                                            "seeds", "pairs", "loss", "gap")}  # fmt: skip
            row = {"technique": arm.technique, "strength": arm.strength, "cell": cell.said, "sunk_flops": cell.sunk}
            for name, one in cell.worth.items():
                row |= {f"{name}_refused": one.reason}
                if not one.reason:
                    row |= {name: one.value, f"{name}_low": one.interval[0], f"{name}_high": one.interval[1]}
            yield row | about
