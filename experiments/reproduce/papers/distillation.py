"""Busbridge et al. 2025, "Distillation scaling laws": a student beside its teacher and beside itself without one.

The law of the paper, a broken power of the teacher's loss, is not fitted here: a grid of small networks has too few
teachers for its coefficients. What it says can be looked at: that a teacher which is there anyway helps, that one which
has to be trained first does not pay, and that a better teacher does not always make a better student.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Layer, Panel
    from analysis.load import Runs
    from analysis.technique.cells import Cell
    from analysis.technique.result import Worth

TECHNIQUE = "distill"
TABLES = {"pictures": "images", "text": "text"}
FILES = tuple(f"{name}/runs.parquet" for name in TABLES.values())
OWN = "own runs"
ASIDE = 1.1  # by which lines reach beyond the points
PAPER_SCALE = "N 1.43e8 to 1.26e10"
COSTS = {"ceg": ("teacher there anyway", "approach1"), "ceg_sunk": ("teacher trained for it", "warning")}
WEAK = "a teacher no better than what the student learns from the data alone has nothing to give at this weight"
PASSES = (
    "C counts the teacher's forward passes, of a network up to four times as wide as the student; where they are not "
    "counted, m_N says what is gained"
)
CHEAP = "the teacher's training was cheap beside what it gave"


@dataclasses.dataclass(frozen=True)
class Taught:
    """A student's cell under one teacher: its runs and those without, seeds in the same order (S,), and the teacher's
    own losses."""

    weight: float
    cell: "Cell"
    losses_S: np.ndarray
    alone_S: np.ndarray
    teacher: str
    teacher_S: np.ndarray

    @property
    def said(self) -> str:
        """The student in words."""
        return f"width {self.cell.place[0]:g}, D {self.cell.tokens:.3g}"


def worth(data: Own | Published) -> Result:
    """Students beside their baseline and their teacher, and what they are worth in compute."""
    from analysis.figures.chart import Drawing

    quantities: list[Quantity] = []
    panels: list[Panel] = []
    for name, runs in _tables(data).items():
        taught, found = _taught(runs), _worth(runs, data.bootstrap)
        quantities += [*_beside(name, taught), *_pooled(name, found)]
        panels += [_losses(name, taught), _compute(name, found)]
    caption = (
        "Left: means over seeds, bars of two standard errors; N and D of the students grow together. Right: compute of "
        "the baseline's frontier for the same loss, over that spent."
    )
    title = "What a teacher is worth (Busbridge et al. 2025)"
    return Result((Drawing("worth_of_a_teacher", title, caption, tuple(panels)),), tuple(quantities))


def teachers(own: Own) -> Result:
    """The student's loss over its teacher's."""
    from analysis.figures.chart import Drawing
    from analysis.load import DataError
    from analysis.technique import load_runs

    workdir = own.workdirs["teachers"]
    runs = load_runs(workdir)
    taught = [one for teacher in _teachers(runs) for one in _taught(_of_teacher(runs, teacher))]
    by_student: dict[str, list[Taught]] = {}
    for one in taught:
        by_student.setdefault(one.said, []).append(one)
    several = {name: sorted(of, key=_teachers_loss) for name, of in by_student.items() if len(of) > 1}
    if not several:
        raise DataError(f"{workdir}: no student has two teachers; allowed: runs of {TECHNIQUE} under several")
    quantities = [one for of in several.values() for one in _over_teachers(of)]
    caption = "Means over seeds, bars of two standard errors. Dashed: as good as the teacher."
    title = "The student's loss over its teacher's (Busbridge et al. 2025)"
    panels = tuple(_over_loss(name, of) for name, of in several.items())
    notes = tuple(_gap(of) for of in several.values())
    return Result((Drawing("students_over_teachers", title, caption, panels),), tuple(quantities), notes)


def _tables(data: Own | Published) -> "Mapping[str, Runs]":
    """The tables by what they are called: kept ones, or one's own, of its best teacher. Raises DataError where none has
    a teacher."""
    from analysis.load import DataError
    from analysis.technique import load_runs
    from experiments.reproduce import tables

    if isinstance(data, Published):
        return {name: tables.compared(data.folder / folder, TECHNIQUE) for name, folder in TABLES.items()}
    runs = load_runs(data.workdirs["teachers"])
    known = _teachers(runs)
    if not known:
        raise DataError(f"{runs.source}: no run has a teacher; allowed: runs of {TECHNIQUE} beside a baseline")
    best = min(known, key=lambda name: known[name].mean())
    return {OWN if len(known) == 1 else f"{OWN}, best of {len(known)} teachers": _of_teacher(runs, best)}


def _teachers(runs: "Runs") -> dict[str, np.ndarray]:
    """Teacher's shape and tokens -> its losses over seeds."""
    ids = set(runs["teacher_run"][runs["technique"] == TECHNIQUE].astype(str).tolist())
    found: dict[str, list[float]] = {}
    for row in np.flatnonzero(np.isin(runs["run_id"].astype(str), sorted(ids))).tolist():
        found.setdefault(_named(runs, row), []).append(float(runs["loss"][row]))
    return {name: np.array(losses) for name, losses in found.items()}


def _named(runs: "Runs", row: int) -> str:
    return f"N {runs['n_params'][row]:.3g}, D {runs['tokens'][row]:.3g}"


def _of_teacher(runs: "Runs", name: str) -> "Runs":
    """The baseline and the students of one teacher."""
    known = {str(run_id): _named(runs, row) for row, run_id in enumerate(runs["run_id"].tolist())}
    theirs = np.array([known.get(str(one)) == name for one in runs["teacher_run"].tolist()])
    kept = (runs["technique"] == "none") | ((runs["technique"] == TECHNIQUE) & theirs)
    return runs.select(kept, "another technique or teacher")


def _taught(runs: "Runs") -> list[Taught]:
    """Every student with a cell of the baseline beside it, at the best rate of each, by the seeds that both have."""
    from analysis.technique.cells import cells

    found, known = cells(runs), _teachers(runs)
    teacher = next(iter(known))
    alone = {cell.place: cell for cell in found if cell.technique == "none" and not cell.reason}
    taught = []
    for cell in found:
        base = alone.get(cell.place)
        if cell.technique == TECHNIQUE and not cell.reason and base is not None:
            both = [seed for seed in cell.seeds if seed in base.seeds]
            losses, without = (_by_seed(one, both) for one in (cell, base))
            taught.append(Taught(cell.strength, cell, losses, without, teacher, known[teacher]))
    return sorted(taught, key=lambda one: (one.weight, one.cell.n_params, one.cell.tokens))


def _by_seed(cell: "Cell", seeds: Sequence) -> np.ndarray:
    return np.exp([cell.log_losses_S[cell.seeds.index(seed)] for seed in seeds])


def _worth(runs: "Runs", bootstrap: int) -> "Worth":
    from analysis.technique import worth as compare
    from analysis.technique.comparison import DEFAULTS

    return compare(runs, dataclasses.replace(DEFAULTS, bootstrap=bootstrap))


def _beside(name: str, taught: Sequence[Taught]) -> Iterator[Quantity]:
    """Each student's loss less that without a teacher."""
    for one in taught:
        off, ends = _difference(one)
        said = f"loss with a teacher less without, {name}, weight {one.weight:g}, {one.said}"
        yield Quantity(said, 0.0, off, ends, None, PAPER_SCALE, f"N {one.cell.n_params:.3g}", WEAK, at_most=True)


def _pooled(name: str, found: "Worth") -> Iterator[Quantity]:
    """What students are worth over all cells: m_N, and the gain in compute without and with the teacher's training."""
    for arm in found.arms:
        scale = f"{name}, weight {arm.strength:g}"
        one = arm.pooled["m_n"]
        if not one.reason:
            cells = f"{one.cells} cells"
            yield Quantity(f"m_N with a teacher, {scale}", None, one.value, one.interval, scale=cells)
        one = arm.pooled["ceg"]
        if not one.reason:
            (low, high), said = one.interval, f"C over that without a teacher for the same loss, {scale}"
            yield Quantity(said, 1.0, 1 / one.value, (1 / high, 1 / low), None, PAPER_SCALE, f"{one.cells} cells",
                           PASSES, at_most=True)  # fmt: skip
        one = arm.pooled["ceg_sunk"]
        if not one.reason:
            yield Quantity(f"gain in compute, teacher trained for it, {scale}", 1.0, one.value, one.interval, None,
                           PAPER_SCALE, f"{one.cells} cells", CHEAP, at_most=True)  # fmt: skip


def _losses(name: str, taught: Sequence[Taught]) -> "Panel":
    """Students, the same without a teacher, and the teacher, over N."""
    from analysis.figures.chart import Axis, Layer, Panel

    first = taught[0]
    own = [one for one in taught if one.weight == first.weight]
    layers = [_means("without a teacher", [(one.cell.n_params, one.alone_S) for one in own], "muted", "hollow")]
    for weight, role in zip(
        dict.fromkeys(one.weight for one in taught), ("law", "approach1", "approach2"), strict=False
    ):
        students = [(one.cell.n_params, one.losses_S) for one in taught if one.weight == weight]
        layers.append(_means(f"with a teacher, weight {weight:g}", students, role, "dot"))
    ends = _ends([one.cell.n_params for one in taught])
    teacher = np.full(2, first.teacher_S.mean())
    layers.append(Layer("line", "the teacher", ends, teacher, role="ink", mark="dashed"))
    return Panel(Axis("parameters N", si=True), Axis("held-out loss", log=False), tuple(layers), name)


def _compute(name: str, found: "Worth") -> "Panel":
    """The gain in compute of every cell, without and with the teacher's training, at the weight of the largest gain."""
    from analysis.figures.chart import Axis, Layer, Panel

    arm, layers = found.best()[TECHNIQUE], []
    for key, (said, role) in COSTS.items():
        cells = [cell for cell in arm.cells if not cell.worth[key].reason]
        if cells:
            x, y = np.array([(cell.flops, cell.worth[key].value) for cell in cells]).T
            low, high = np.array([cell.worth[key].interval for cell in cells]).T
            layers.append(Layer("points", said, x, y, low, high, role=role, mark="dot"))
    ends = _ends([cell.flops for cell in arm.cells])
    layers.append(Layer("line", "neither gain nor loss", ends, np.ones(2), role="muted", mark="dashed"))
    title = f"{name}, weight {arm.strength:g}"
    return Panel(Axis("compute C of the student (FLOPs)"), Axis("gain in compute"), tuple(layers), title)


def _ends(x: Sequence[float]) -> np.ndarray:
    """From a little below the smallest to a little above the largest, which may be the same."""
    return np.array([min(x) / ASIDE, max(x) * ASIDE])


def _over_teachers(taught: Sequence[Taught]) -> Iterator[Quantity]:
    """The student under its weakest, its best and its most useful teacher, less the student alone."""
    useful = min(taught, key=lambda one: one.losses_S.mean())
    for said, one in (("the weakest", taught[-1]), ("the best", taught[0]), ("the most useful", useful)):
        off, ends = _difference(one)
        paper = None if said == "the weakest" else 0.0
        yield Quantity(f"loss under {said} teacher less without, {one.said}", paper, off, ends, None, PAPER_SCALE,
                       f"teacher {one.teacher}", WEAK, at_most=True)  # fmt: skip


def _gap(taught: Sequence[Taught]) -> str:
    """Whether the best teacher makes the best student, beyond what seeds tell."""
    from experiments.reproduce import own_study

    best, useful = taught[0], min(taught, key=lambda one: one.losses_S.mean())
    if useful is best:
        return f"{best.said}: the best teacher ({best.teacher}) makes the best student; no gap of capacity is seen"
    both = min(len(best.losses_S), len(useful.losses_S))
    off, (low, _) = own_study.mean(best.losses_S[:both] - useful.losses_S[:both])
    told = "beyond" if low > 0 else "within"
    return (
        f"{best.said}: a worse teacher ({useful.teacher}) makes a better student than the best ({best.teacher}), by "
        f"{off:.3g}, {told} what seeds tell"
    )


def _over_loss(name: str, taught: Sequence[Taught]) -> "Panel":
    from analysis.figures.chart import Axis, Layer, Panel

    x = np.array([_teachers_loss(one) for one in taught])
    ends = np.array([x.min(), x.max()])
    alone = taught[0].alone_S.mean()
    layers = (
        _means("student", [(_teachers_loss(one), one.losses_S) for one in taught], "law", "dot"),
        Layer("line", "the same student alone", ends, np.full(2, alone), role="muted"),
        Layer("line", "the teacher", ends, ends, mark="dashed", frames=False),
    )
    y = Axis("student's held-out loss", log=False)
    return Panel(Axis("teacher's held-out loss", log=False), y, layers, name)


def _teachers_loss(one: Taught) -> float:
    return float(one.teacher_S.mean())


def _means(name: str, points: Sequence[tuple[float, np.ndarray]], role: str, mark: str) -> "Layer":
    """Means over seeds at places x, with two standard errors either way."""
    from analysis.figures.chart import Layer

    x, means = np.array([(x, losses.mean()) for x, losses in points]).T
    reach = np.array([2 * losses.std(ddof=1) / len(losses) ** 0.5 if len(losses) > 1 else 0.0 for _, losses in points])
    return Layer("points", name, x, means, means - reach, means + reach, role=role, mark=mark)


def _difference(one: Taught) -> tuple[float, tuple[float, float]]:
    from experiments.reproduce import own_study

    return own_study.mean(one.losses_S - one.alone_S)


PAPER = Paper(
    "Busbridge et al. 2025, Distillation scaling laws (arXiv:2502.08606)",
    "A teacher that is there anyway makes a better student, up to a compute that grows with its size; one trained for "
    "a single student does not pay; and a better teacher can make a worse student.",
    {
        "worth": Figure("students beside their teacher and beside themselves without one", own=worth,
                        sweeps=("teachers",), published=worth, files=FILES),
        "teachers": Figure("the student's loss over its teacher's", own=teachers, sweeps=("teachers",)),
    },
)  # fmt: skip
