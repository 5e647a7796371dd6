"""A plan as lines of text: the table of `--dry_run`."""

from collections.abc import Sequence

from scaling_laws import memory
from scaling_laws.config import RunConfig
from scaling_laws.progress import duration
from scaling_laws.sweep import machine, trunks
from scaling_laws.sweep.plan import Plan
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.train import parts

HEADER = ("budget", "width", "depth", "N", "D", "C", "batch", "steps", "D/N", "epochs", "lr", "seeds", "seconds", "MiB")


def table(plan: Plan, n_workers: int) -> list[str]:
    """The runs (one line for all seeds of a shape, budget and rate), the totals, then the refusals."""
    groups: dict[tuple, list[PlannedRun]] = {}
    for planned in plan.runs:
        run = planned.run
        key = planned.budget, run.train.steps, planned.shape, run.optimizer.learning_rate
        groups.setdefault(key, []).append(planned)
    cells = [HEADER, *(_cells(group, plan.facts) for group in groups.values())]
    return [*align(cells), "", *totals(plan, n_workers), *_refusals(plan)]


def _cells(group: list[PlannedRun], facts: TaskFacts) -> tuple[str, ...]:
    first = group[0]
    return (
        "-" if first.budget is None else f"{first.budget:.3g}",
        str(first.run.model.width),
        str(first.run.model.depth),
        f"{first.counts.n_params:,}",
        f"{first.tokens:,}",
        f"{first.flops:.4g}",
        f"{first.run.train.batch_size:,}",
        f"{first.run.train.steps:,}",
        f"{first.tokens_per_param:.1f}",
        f"{first.epochs:.2f}",
        f"{first.run.optimizer.learning_rate:.3g}",
        ",".join(str(planned.run.train.seed) for planned in group),
        f"{sum(planned.expected_seconds for planned in group):.0f}",
        f"{_memory(first.run, facts) / 2**20:.0f}",
    )


def _memory(run: RunConfig, facts: TaskFacts) -> int:
    """Bytes by which a worker grows for one run alone; on an accelerator, those of the device."""
    on_cpu = not machine.accelerator()
    needed = memory_of(run, facts, on_cpu)
    return needed.resident if on_cpu else needed.total


def memory_of(run: RunConfig, facts: TaskFacts, on_cpu: bool) -> memory.Memory:
    """What one run alone takes, its batch worked through in the parts that a CPU or an accelerator gets."""
    n_parts = parts.of(run, facts.spec, on_cpu)
    chunks = parts.of_loss(run, facts.spec, n_parts)
    return memory.estimate(run, facts.spec, n_parts, data_bytes=facts.data_bytes, loss_chunks=chunks)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells as lines with right-aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def totals(plan: Plan, n_workers: int) -> list[str]:
    """Runs, programs, FLOPs and expected time in one line; what rates and batches rest on; what trunks save."""
    seconds = sum(planned.expected_seconds for planned in plan.runs)
    alone = [planned.expected_seconds for planned in plan.runs if not planned.trunk]
    longest = max([*alone, *trunks.seconds_ahead(plan.runs).values()], default=0.0)
    wall = max(seconds / n_workers, longest)
    flops = sum(planned.flops for planned in plan.runs)
    source = "measured here" if plan.pace.measured else f"at {plan.pace.default:.3g} FLOP/s a worker, to be measured"
    check = " and learning-rate checks" if plan.config.sweep.lr_check else ""
    programs = plural(len({p.program for p in plan.runs}), "program")
    return [
        f"{plural(len(plan.runs), 'run')}, {programs}, {flops:.4g} FLOPs, "
        f"about {duration(wall)} on {plural(n_workers, 'worker')} ({source}), compiling{check} on top",
        *plan.notes,
        *filter(None, [trunks.saving(plan.runs)]),
    ]


def _refusals(plan: Plan) -> list[str]:
    return [f"refused: {one.where}, width {one.width} depth {one.depth}: {one.reason}" for one in plan.refusals]


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
