"""The one training loop: a run in, a row of the runs table and its curve out.

A dispatch is never waited for before the next one is queued; the loss of dispatch t is read while t + 1 computes.
A resumed run is bit for bit the undisturbed one on a CPU: the data are a function of (data_seed, step), and a
checkpoint holds the state, the losses since the last curve point and the curve so far.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from scaling_laws import compute, config, optim, provenance
from scaling_laws.config import RunConfig
from scaling_laws.describe import describe
from scaling_laws.tasks import batches, metrics
from scaling_laws.tasks.catalog import Task
from scaling_laws.train import step
from scaling_laws.train.checkpoint import Checkpoints

Row = dict[str, Any]


class Watcher(Protocol):
    """What follows a run from outside, such as TensorBoard."""

    def at(self, step: int) -> None:
        """Hear that the run has reached a step; the first call says where it begins or goes on."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Take the values at a step."""

    def hparams(self, values: dict[str, Any], final: dict[str, float]) -> None:
        """Take the settings of the run and what it ended at."""


class StopRequested(Exception):
    """Raised inside `train` when its caller asked it to stop; a checkpoint has been written."""


def curve_steps(steps: int, points: int) -> list[int]:
    """Log-spaced step counts at which the curve is read, the last one being `steps`."""
    spaced = np.geomspace(max(1, steps / 1000), steps, points)
    return sorted({round(s) for s in spaced.tolist()} | {steps})


@dataclasses.dataclass
class _Progress:
    """Where a run stands; everything but the device state."""

    done: int = 0
    recent: list[float] = dataclasses.field(default_factory=list)  # losses since the last curve point
    curve: list[Row] = dataclasses.field(default_factory=list)
    resumed: int = 0
    step_seconds: float = 0.0
    eval_seconds: float = 0.0

    @property
    def read(self) -> int:
        """Steps whose losses have been read; `done` may be a dispatch ahead."""
        return (self.curve[-1]["step"] if self.curve else 0) + len(self.recent)


class _Run:
    def __init__(self, run: RunConfig, task: Task, folder: Path, watch: Watcher | None, say: Callable[[str], None]):
        config.validate_run(run)
        self.run, self.task, self.watch, self.say = run, task, watch, say
        self.run_id = config.identity(run, task.content_hash)
        self.counts = compute.count(run.model, task.vocab_size, run.task.context)
        self.step_tokens = run.train.batch_size * run.task.context
        # one text for both evaluations, so that one program serves both
        evaluated = np.concatenate([task.valid, task.heldout])
        shape = step.Shape.of(run, task.vocab_size)
        self.programs = step.programs(shape, len(task.train), len(evaluated), str(task.train.dtype))
        self.hyper = optim.hyperparameters(run)
        self.checkpoints = Checkpoints(folder / "checkpoints" / self.run_id, say=say)
        self.train_T, self.eval_T = jax.device_put(task.train), jax.device_put(evaluated)
        self.state, self.progress = self._restored() or (self.programs.initial_state(run.train.seed), _Progress())
        self.points = curve_steps(run.train.steps, run.train.curve_points)
        self.saved_at, self.mark = time.monotonic(), time.perf_counter()

    def _restored(self) -> tuple[step.State, _Progress] | None:
        if not self.checkpoints.any():
            return None
        found = self.checkpoints.restore(self.programs.initial_state(self.run.train.seed))
        if found is None:
            return None
        done, state, extra = found
        self.say(f"{self.run_id}: resumed at step {done} of {self.run.train.steps}")
        return state, _Progress(done=done, **{**extra, "resumed": extra["resumed"] + 1})

    def advance_to(self, target: int, stop: Callable[[], bool]) -> bool:
        """Train to step `target`. False when the run diverged on the way. Raises StopRequested."""
        pending: tuple[int, Any] | None = None
        self.mark = time.perf_counter()
        while self.progress.done < target:
            count = min(self.run.train.steps_per_dispatch, target - self.progress.done)
            self.state, losses_K = self.programs.advance(
                self.state, self.hyper, self.train_T, self._starts(count), np.int32(count)
            )
            self.progress.done += count
            if pending and not self._take(*pending):
                return False
            pending = (count, losses_K)
            stopping = stop() and self.progress.done < self.run.train.steps  # at the end the row is a moment away
            if stopping or self._checkpoint_due():
                if not self._take(*pending):
                    return False
                pending = None
                self._save()
                self.mark = time.perf_counter()
                if stopping:
                    raise StopRequested(f"{self.run_id}: stopped at step {self.progress.done}, checkpoint written")
        return pending is None or self._take(*pending)

    def _starts(self, count: int) -> np.ndarray:
        shape = self.programs.shape
        starts_KxB = np.zeros((shape.steps_per_dispatch, shape.batch_size), np.int32)
        starts_KxB[:count] = batches.window_starts(
            len(self.task.train), shape.context, self.run.train.data_seed, self.progress.done, count, shape.batch_size
        )
        return starts_KxB

    def _take(self, count: int, losses_K: Any) -> bool:
        losses = np.asarray(losses_K)[:count].astype(float)
        now = time.perf_counter()
        self.progress.step_seconds += now - self.mark
        self.mark = now
        bad = ~np.isfinite(losses) | (losses > self.run.train.stop_loss)
        fine = count if not bad.any() else int(np.argmax(bad))
        self.progress.recent.extend(losses[:fine].tolist())
        if self.watch:
            self.watch.at(self.progress.read)
        return fine == count

    def _checkpoint_due(self) -> bool:
        every = self.run.train.checkpoint_seconds
        return every > 0 and time.monotonic() - self.saved_at > every

    def _save(self) -> None:
        if self.progress.done == self.run.train.steps:
            return  # the end is a moment away, and a finished run keeps no checkpoint
        extra = {k: v for k, v in dataclasses.asdict(self.progress).items() if k != "done"}
        self.checkpoints.save(self.progress.done, jax.device_get(self.state), extra)
        self.saved_at = time.monotonic()

    def evaluate(self, split: str, n_tokens: int) -> tuple[float, float, np.ndarray]:
        """(mean loss, standard error, window starts in the split) on `n_tokens` of `valid` or `heldout`."""
        began = time.perf_counter()
        size, tokens = self.run.train.batch_size, self.task.split(split)
        starts = batches.eval_starts(len(tokens), self.run.task.context, n_tokens)
        place = starts + (len(self.task.valid) if split == "heldout" else 0)
        padded = np.concatenate([place, np.zeros(-len(starts) % size, np.int32)]).reshape(-1, size)
        queued = [self.programs.losses_B(self.state["params"], self.eval_T, batch) for batch in padded]
        losses = np.concatenate([np.asarray(losses_B) for losses_B in queued])[: len(starts)].astype(float)
        mean, error = metrics.loss_and_se(losses)
        self.progress.eval_seconds += time.perf_counter() - began
        return mean, error, starts

    def point(self) -> None:
        """Read the curve at the present step."""
        done, recent = self.progress.done, self.progress.recent
        loss, _, _ = self.evaluate("valid", self.run.train.curve_eval_tokens)
        rate = float(optim.learning_rate(self.run.optimizer.schedule, np.float32(done - 1), self.hyper))
        values = {"train_loss": float(np.mean(recent)), "loss": loss, "learning_rate": rate}
        tokens = done * self.step_tokens
        flops = float(self.counts.flops_per_token * tokens)
        self.progress.curve.append({"run_id": self.run_id, "step": done, "tokens": tokens, "flops": flops, **values})
        self.progress.recent = []
        if self.watch:
            self.watch.scalars(done, values)


def train(
    run: RunConfig,
    task: Task,
    *,
    workdir: Path,
    budget: float | None = None,
    purpose: str = "single",
    worker: str = "",
    say: Callable[[str], None] = print,
    watch: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Row, list[Row]]:
    """Train one run to its horizon, or go on from its checkpoint under `workdir/checkpoints/<run_id>`.

    Returns its row of the runs table (status `finished`, or `diverged` with the reason) and its curve.
    Raises ConfigError for bad settings, StopRequested after `stop()` answered True.
    """
    began, started_at = time.perf_counter(), provenance.now()
    this = _Run(run, task, workdir, watch, say)
    prepared, reason = time.perf_counter() - began, ""
    if watch:
        watch.at(this.progress.done)
    for target in this.points:
        if target <= this.progress.done and this.progress.curve and this.progress.curve[-1]["step"] >= target:
            continue
        if not this.advance_to(target, stop):
            reason = f"training loss not finite or above {run.train.stop_loss:g}"
            break
        this.point()
    row = _row(this, budget, purpose, reason)
    row |= provenance.environment() | {"worker": worker, "started_at": started_at, "compile_seconds": prepared}
    row["wall_seconds"] = time.perf_counter() - began
    this.checkpoints.clear()
    if watch:
        final = {name: row[name] for name in ("loss", "bits_per_byte") if row[name] is not None}
        watch.hparams({path: value for path, _, value in config.leaves(run)}, final)
    return row, this.progress.curve


def _row(this: _Run, budget: float | None, purpose: str, reason: str) -> Row:
    run, task, progress = this.run, this.task, this.progress
    last = progress.curve[-1] if progress.curve else None
    row = describe(
        run,
        this.counts,
        run_id=this.run_id,
        vocab_size=task.vocab_size,
        unique_tokens=task.unique_tokens,
        corpus_hash=task.content_hash,
    )
    row |= {
        "status": "diverged" if reason else "finished",
        "reason": reason,
        "purpose": purpose,
        "budget": budget,
        "steps_done": progress.read,
        "train_loss": last["train_loss"] if last else None,
        "loss": None,
        "loss_se": None,
        "bits_per_byte": None,
        "eval_tokens": None,
        "resumed": progress.resumed,
    }
    if not reason:
        row |= _final_loss(this)
    per_step = this.programs.xla_flops_per_step
    row["xla_flops"] = per_step and per_step * run.train.steps
    trained = row["steps_done"] * this.step_tokens
    row["tokens_per_second"] = trained / progress.step_seconds if progress.step_seconds else None
    return row | {"step_seconds": progress.step_seconds, "eval_seconds": progress.eval_seconds}


def _final_loss(this: _Run) -> Row:
    loss, error, starts = this.evaluate("heldout", this.run.train.eval_tokens)
    context = this.run.task.context
    targets = this.task.heldout[starts[:, None] + np.arange(1, context + 1)]
    n_bytes = int(this.task.token_bytes[targets].sum())
    if not math.isfinite(loss):
        return {"status": "diverged", "reason": "held-out loss not finite"}
    bits = metrics.bits_per_byte(loss, targets.size, n_bytes)
    return {"loss": loss, "loss_se": error, "bits_per_byte": bits, "eval_tokens": targets.size}
