"""The gradient noise scale at points of a run's curve: the run is trained, and measured where it passes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling_laws import config
from scaling_laws.config import RunConfig
from scaling_laws.tasks.task import Task
from scaling_laws.train import loop
from scaling_laws.train.drawing import Drawing
from scaling_laws.train.noise_probe import NoiseProbe, as_row
from scaling_laws.train.noise_rows import NoiseRows
from scaling_laws.train.state import State
from scaling_laws.units import loss_text


def noise_along(
    run: RunConfig,
    task: Task,
    drawing: Drawing,
    workdir: Path,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """Rows by step: step, tokens, validation loss, and the noise scale in windows and tokens with its interval.

    Kept in the workdir as they are measured; nothing is trained where all are there. Raises StopRequested as `train`.
    """
    wanted = drawing.steps(loop.curve_steps(run.train.steps, run.train.curve_points))
    kept, run_id = NoiseRows(workdir), config.identity(run, task.content_hash)

    def there() -> set[int]:
        return {row["step"] for row in kept.of(run_id, drawing.name)} & wanted

    if there() == wanted:
        return kept.of(run_id, drawing.name)
    probe = NoiseProbe(run, task, drawing.windows, drawing.batches, drawing.group)

    def measured(point: loop.Row, parameters: Callable[[], State]) -> None:
        if point["step"] not in wanted - there():
            return
        found = as_row(probe.at(parameters()), task.spec.targets)
        place = {"run_id": run_id, "step": point["step"], "drawn": drawing.name, "loss": point["loss"]}
        kept.add(place | {"trained_tokens": point["tokens"]} | found)
        windows = "lost in the noise" if found["windows"] is None else f"{found['windows']:.4g} windows"
        say(f"step {point['step']}: loss {loss_text(point['loss'])}, noise scale {windows}")

    loop.train(run, task, workdir=workdir, say=say, stop=stop, probe=measured)
    return kept.of(run_id, drawing.name)
