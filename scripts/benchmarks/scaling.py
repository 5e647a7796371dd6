"""How a step's time grows with depth, tokens and width, compiling with depth; and memory beside its estimate."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel
from scaling_laws import families, spec
from scripts.benchmarks.measure import spread
from scripts.benchmarks.report import Row, progress
from scripts.benchmarks.shapes import REFERENCES, changes, run_config
from scripts.benchmarks.turns import Partner, our_worker

STRAIGHT = 0.1  # the share by which a measurement may miss a straight line
FLAT = 1.25  # greatest over least, up to which compiling counts as flat
WITHIN = 0.15  # of the estimate of memory
VOCAB = 256
ROUND_FLOPS = 4e10  # of one timed dispatch, about a second
BASE = {
    "model.width": 128,
    "model.depth": 4,
    "model.head_dim": 32,
    "model.layers": "unrolled",
    "task.context": 128,
    "train.batch_size": 8,
}
DEEP = {"model.width": 64, "task.context": 64, "train.batch_size": 4, "model.layers": "auto"}
COMPILED = (12, 16, 24, 32, 48)
WIDE = {"task.context": 256, "train.batch_size": 16, "train.steps_per_dispatch": 1}
MEMORY = {
    "small": changes(REFERENCES["small"]),
    "small, 12 layers": changes(REFERENCES["small"]) | {"model.depth": 12},
    "tiny": changes(REFERENCES["tiny"]),
    "width 256, 12 layers": WIDE | {"model.width": 256, "model.depth": 12, "model.n_heads": 4},
    "width 512, 8 layers": WIDE | {"model.width": 512, "model.depth": 8, "model.n_heads": 8},
}

Rounds = list[list[float]]  # milliseconds a step: values, then rounds


@dataclasses.dataclass(frozen=True)
class Direction:
    """A size that grows while everything else stays: the setting, its values, and the axis that time is linear in."""

    name: str
    setting: str
    values: tuple[int, ...]
    power: int = 1
    scale: int = 1  # of the axis, a unit of the setting

    def axis(self) -> np.ndarray:
        """The places of the values on the axis."""
        return self.scale * np.array(self.values, float) ** self.power

    def jobs(self) -> list[dict[str, Any]]:
        """What the worker is asked for, a value each, with about the same work a dispatch."""
        return [_job({self.setting: value}) for value in self.values]


DIRECTIONS = (
    Direction("depth", "model.depth", (2, 4, 6, 8, 11)),
    Direction("tokens a step", "train.batch_size", (4, 8, 16, 32, 64), scale=128),
    Direction("width squared", "model.width", (64, 128, 192, 256, 384), power=2),
)


def _job(changed: dict[str, Any]) -> dict[str, Any]:
    settings = BASE | changed
    run = run_config(settings)
    tokens = run.train.batch_size * run.task.context
    flops = families.count(run.model, spec.text(VOCAB, run.task.context)).flops_per_token * tokens
    steps = max(2, min(400, round(ROUND_FLOPS / flops)))
    return {"changes": settings | {"train.steps_per_dispatch": steps}, "vocab_size": VOCAB}


def rows(rounds: int, folder: Path) -> list[Row]:
    """A row a direction, one for compiling, one a shape for memory; the figure and its CSV go into `folder`."""
    from analysis.figures import static  # matplotlib: only where a figure is drawn

    with our_worker() as worker:
        steps = {each.name: (each.axis(), _milliseconds(worker, each, rounds)) for each in DIRECTIONS}
    compiling = _compiling(rounds)
    static.save(drawing(steps, compiling), folder)
    found = [step_row(name, *measured) for name, measured in steps.items()]
    return [*found, compile_row(compiling), *(_memory(name) for name in MEMORY)]


def _milliseconds(worker: Partner, direction: Direction, rounds: int) -> Rounds:
    """Milliseconds a step, a list of rounds a value; the values take turns."""
    progress(f"step over {direction.name}: {', '.join(map(str, direction.values))}")
    jobs = direction.jobs()
    for job in jobs:
        worker.ask(do="time", **job)
    taken = [[1e3 * worker.ask(do="time", **job)["seconds"] for job in jobs] for _ in range(rounds)]
    return [list(column) for column in zip(*taken, strict=True)]


def _compiling(rounds: int) -> Rounds:
    """CPU-seconds of tracing and compiling, a list of rounds a depth, in one process; the depths take turns."""
    jobs = [{"changes": BASE | DEEP | {"model.depth": depth}, "vocab_size": VOCAB} for depth in COMPILED]
    with our_worker() as worker:
        worker.ask(do="compile", **jobs[0])  # the first compilation of a process also loads the compiler
        taken = []
        for index in range(rounds):
            progress(f"compiling at depth {', '.join(map(str, COMPILED))}: round {index + 1} of {rounds}")
            taken.append([worker.ask(do="compile", **job)["seconds"] for job in jobs])
    return [list(column) for column in zip(*taken, strict=True)]


def line(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """(intercept, slope) of the straight line whose relative misses of `y` have the least sum of squares."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    columns = np.column_stack([1 / y, x / y])
    intercept, slope = np.linalg.lstsq(columns, np.ones(len(y)), rcond=None)[0]
    return float(intercept), float(slope)


def misses(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """The greatest share by which a measurement misses that line."""
    intercept, slope = line(x, y)
    return float(np.abs((intercept + slope * np.asarray(x)) / np.asarray(y) - 1).max())


def step_row(name: str, x: np.ndarray, milliseconds: Rounds) -> Row:
    """Whether the medians lie on a straight line."""
    middle = [statistics.median(each) for each in milliseconds]
    off = misses(x, middle)
    each = ", ".join(f"{size:,.0f} {value:.4g} ms" for size, value in zip(x, middle, strict=True))
    values = {"x": x.tolist(), "milliseconds": milliseconds, "line": line(x, middle), "misses": off}
    bar = f"a straight line, within {STRAIGHT:.0%}"
    return Row(f"step over {name}", bar, f"within {off:.1%}: {each}", off <= STRAIGHT, values)


def compile_row(seconds: Rounds) -> Row:
    """Whether the median time to compile is flat in depth."""
    middle = [statistics.median(each) for each in seconds]
    ratio = max(middle) / min(middle)
    each = ", ".join(f"{depth} {value:.2f} s" for depth, value in zip(COMPILED, middle, strict=True))
    values = {"depth": COMPILED, "cpu": seconds, "ratio": ratio}
    bar = f"flat, greatest / least <= {FLAT:g}"
    return Row("compiling over depth, CPU-seconds", bar, f"{ratio:.2f}: {each}", ratio <= FLAT, values)


def _memory(name: str) -> Row:
    """In a process of its own, so that nothing else has left memory behind."""
    progress(f"memory: {name}")
    with our_worker() as worker:
        return memory_row(name, worker.ask(do="memory", changes=MEMORY[name], vocab_size=VOCAB))


def memory_row(name: str, answer: Mapping[str, Sequence[int] | None]) -> Row:
    """Bytes measured beside those estimated: the compiler's account, and how the resident set grew where it is told."""
    off, said = [], []
    for kind, sizes in answer.items():
        if sizes:
            measured, estimated = sizes
            off.append(measured / estimated - 1)
            said.append(f"{kind} {measured / 2**20:.1f} of {estimated / 2**20:.1f} MiB ({off[-1]:+.1%})")
    met = max(map(abs, off)) <= WITHIN
    bar = f"within {WITHIN:.0%} of the estimate"
    return Row(f"peak memory of training, {name}", bar, ", ".join(said), met, dict(answer))


def drawing(steps: Mapping[str, tuple[np.ndarray, Rounds]], compiling: Rounds) -> Drawing:
    """A panel a direction with the line through its points, and one for compiling."""
    panels = [_panel(name, x, milliseconds) for name, (x, milliseconds) in steps.items()]
    points, depth = _points(np.array(COMPILED, float), compiling), np.array(COMPILED, float)
    level = Layer("line", "their mean", depth, np.full(len(depth), points.y.mean()), role="muted", mark="dashed")
    title = f"compiling: greatest over least {points.y.max() / points.y.min():.2f}"
    zero = Layer("line", "zero", depth, np.zeros(len(depth)), role="muted", mark="thin", legend=False)
    across, up = Axis("depth, layers scanned", log=False), Axis("CPU-s to compile", log=False)
    panels.append(Panel(across, up, (zero, level, points), title))
    caption = "CPU-seconds of one thread. Points: median, least and greatest of the rounds. Dashed: the straight line."
    return Drawing("step_scaling", "A training step over depth, tokens and width", caption, tuple(panels))


def _panel(name: str, x: np.ndarray, milliseconds: Rounds) -> Panel:
    points = _points(x, milliseconds)
    intercept, slope = line(x, points.y)
    ends = np.array([0.0, x.max()])
    straight = Layer("line", "straight line", ends, intercept + slope * ends, role="muted", mark="dashed")
    title = f"{name}: within {misses(x, points.y):.1%} of a line"
    return Panel(Axis(name, log=False, si=True), Axis("ms a step", log=False), (straight, points), title)


def _points(x: np.ndarray, rounds: Rounds) -> Layer:
    middle, low, high = (np.array(values) for values in zip(*map(spread, rounds), strict=True))
    return Layer("points", "measured", x, middle, low, high, role="law", mark="dot")
