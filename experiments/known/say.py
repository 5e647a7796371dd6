"""The comparison of theory and measurement in words, as CSV, and as lines for the figure."""

from collections.abc import Sequence
from pathlib import Path

from analysis.figures import known_exponents, static, style
from analysis.figures.known_exponents import PowerLine
from experiments.known.cases import Case, Ridge
from experiments.known.measure import LEVEL, Measured
from scaling_laws.sweep import show
from scaling_laws.sweep.study import say_now as now

__all__ = ["deviations", "now", "planned", "quantities", "report", "table", "write"]

HEAD = ("case", "exponent of", "theory", "measured", f"{LEVEL:.0%} interval", "bar", "verdict", "from")
PHASES = ("Ia", "II", "III")
COLUMNS = ("case", "quantity", "theory", "measured", "low", "high", "bar", "verdict", "from")


def planned(wanted: Sequence[Case]) -> list[str]:
    """A line a case: its name, what it is, and how much there is to do."""
    return show.align([("case", "about", "to do"), *((one.name, one.title, _size(one)) for one in wanted)])


def _size(case: Case) -> str:
    from scaling_laws.sweep import study

    if isinstance(case.work, Ridge):
        work = case.work
        return show.plural(len(work.sizes) * len(work.examples) * work.seeds * work.data_seeds, "fit")
    return show.plural(len(study.plan_sweep(case.work, say=lambda _: None).runs), "run")


def quantities(found: Sequence[Measured]) -> list[str]:
    """A line each, while the cases run."""
    return [
        f"{one.quantity.name}: exponent {one.exponent:.3f} [{one.interval[0]:.3f}, {one.interval[1]:.3f}], theory "
        f"{one.quantity.theory:.3f} ({one.kept})"
        for one in found
    ]


def deviations(found: Sequence[tuple[int, int, int, float]]) -> list[str]:
    """Runs against the oracle, a line a shape."""
    return [
        f"width {width}, {steps} steps: the mean of {count} runs lies {off:+.2f} standard errors from its expectation"
        for width, steps, count, off in found
    ]


def table(found: Sequence[Measured]) -> list[str]:
    """The comparison, and whether the phases of the power-law features come in theory's order."""
    lines = show.align([HEAD, *map(_cells, found)])
    losses = {one.case.title.rpartition(" ")[2]: one.exponent for one in found if one.quantity.name == "L(C)"}
    if set(losses) == set(PHASES):
        ordered = losses["Ia"] < losses["II"] < losses["III"]
        said = " < ".join(f"{phase} {losses[phase]:.3f}" for phase in PHASES)
        lines.append(f"order of the phases: {said}" if ordered else f"order of the phases WRONG: {losses}")
    return lines


def _cells(one: Measured) -> tuple[str, ...]:
    bar = "-" if one.quantity.bar is None else f"{one.quantity.bar:.2f}"
    low, high = one.interval
    numbers = f"{one.quantity.theory:.3f}", f"{one.exponent:.3f}", f"[{low:.3f}, {high:.3f}]"
    return one.case.name, one.quantity.name, *numbers, bar, one.verdict, one.kept


def report(found: Sequence[Measured], workdir: Path) -> list[str]:
    """Write the comparison as CSV and as a figure: the table, and where they lie."""
    path = write(found, workdir / "known_exponents.csv")
    drawn = static.save(known_exponents.build([line(one) for one in found]), workdir / "figures")
    return [*table(found), f"table: {path}", f"figure: {drawn[0]}"]


def write(found: Sequence[Measured], path: Path) -> Path:
    """The comparison as CSV."""
    return style.write_atomically(path, style.csv_bytes(map(_row, found), COLUMNS))


def _row(one: Measured) -> dict[str, object]:
    bar = "" if one.quantity.bar is None else one.quantity.bar
    numbers = one.quantity.theory, one.exponent, *one.interval, bar
    return dict(zip(COLUMNS, (one.case.name, one.quantity.name, *numbers, one.verdict, one.kept), strict=True))


def line(one: Measured) -> PowerLine:
    """For the figure."""
    return PowerLine(one.case.group, one.quantity.name, one.x, one.y, one.slope, one.quantity.theory)
