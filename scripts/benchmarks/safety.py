"""What it costs that nothing is lost: the share of a demo's run that checks, checksums and checkpoints take.

    scripts/bench safety            about two minutes

A run of the demo, its largest budget at its middle shape, is trained in this process as a worker trains it, and written
as a sweep writes it, with checkpoints six times as often as by default. What serves safety alone is timed inside: the
watch over losses and gradients, checkpoints, the journal, the sealed tables. The exit code is 0 whatever was measured.
"""

import contextlib
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysis import cli
from experiments.configs import demo
from scaling_laws import config, table
from scaling_laws.sweep import machine, plan
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.tasks import catalog
from scripts.benchmarks.report import Row, lines, progress

OFTEN = 5.0  # seconds between two checkpoints
BAR = 0.02


def run() -> None:
    """Prints the table."""
    from scaling_laws.table import packed
    from scaling_laws.train import loop
    from scaling_laws.train.checkpoint import Checkpoints
    from scaling_laws.train.health import Health

    chosen, task = _run_of_the_demo()
    progress(f"width {chosen.model.width}, depth {chosen.model.depth}, {chosen.train.steps} steps")
    spent: dict[str, float] = {}
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for what, owner, name in (
            ("watching", Health, "take"),
            ("checkpoints", Checkpoints, "save"),
            ("journal", table.Journal, "append"),
            ("sealed tables", packed, "write"),
        ):
            stack.enter_context(_timed(spent, what, owner, name))
        began = time.perf_counter()
        row, curve = loop.train(chosen, task, workdir=Path(folder))
        with table.Journal(folder) as journal:
            journal.append(row, curve)
        table.compact(folder)
        whole = time.perf_counter() - began
    share = sum(spent.values()) / whole
    parts = ", ".join(f"{what} {1e3 * seconds:.0f} ms" for what, seconds in spent.items())
    measured = f"{share:.2%} of {whole:.0f} s: {parts}"
    print("\n".join(lines([Row("safety, of the run", f"{BAR:.0%}", measured, share < BAR)])))


def _run_of_the_demo() -> tuple[config.RunConfig, Any]:
    """A shape in the middle of the demo's largest budget, and its task."""
    recipe = demo.get_config()
    task = catalog.load(recipe.task, machine.task_cache_folder())
    facts = TaskFacts.of(task)
    largest = max(recipe.sweep.budgets)
    runs = sorted(
        (planned for planned in plan.plan(recipe, facts).runs if planned.budget == largest),
        key=lambda planned: planned.counts.n_params,
    )
    return config.replace(runs[len(runs) // 2].run, {"train.checkpoint_seconds": OFTEN}), task


@contextlib.contextmanager
def _timed(spent: dict[str, float], what: str, owner: Any, name: str) -> Iterator[None]:
    """Add the seconds of every call of a function to `spent[what]` for a while."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[what] = spent.get(what, 0.0) + time.perf_counter() - began

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, function)


if __name__ == "__main__":
    cli.main(run)
