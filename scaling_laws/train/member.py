"""One run of a pack, seen from the host: what it is, where it stands, its curve and its row of the runs table."""

import dataclasses
import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from scaling_laws import compute, config, hyper
from scaling_laws.config import OWN_SETTING, RunConfig
from scaling_laws.describe import describe
from scaling_laws.tasks import batches, metrics
from scaling_laws.tasks.catalog import Task
from scaling_laws.train import saved
from scaling_laws.train.checkpoint import Checkpoints
from scaling_laws.train.health import Health

Row = dict[str, Any]


class Watcher(Protocol):
    """What follows a run from outside, such as TensorBoard."""

    def at(self, step: int) -> None:
        """Hear that the run has reached a step; the first call says where it begins or goes on."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Take the values at a step."""

    def hparams(self, values: dict[str, Any], final: dict[str, Any]) -> None:
        """Take the settings of the run and what it ended at."""


@dataclasses.dataclass(frozen=True)
class Order:
    """A run to do: its settings, what the sweep says of it, and who follows it."""

    run: RunConfig
    budget: float | None = None
    purpose: str = "single"
    watch: Watcher | None = None
    lr_source: str = OWN_SETTING


@dataclasses.dataclass
class Progress:
    """What a run has behind it; everything but the device state and the step, which its pack shares."""

    recent: list[float] = dataclasses.field(default_factory=list)  # losses since the last curve point
    recent_norms: list[float] = dataclasses.field(default_factory=list)
    health: Health = dataclasses.field(default_factory=Health)
    curve: list[Row] = dataclasses.field(default_factory=list)
    resumed: int = 0
    step_seconds: float = 0.0
    eval_seconds: float = 0.0

    @classmethod
    def resumed_from(cls, extra: dict[str, Any]) -> "Progress":
        """What a checkpoint kept of it, resumed once more."""
        return cls(**{**extra, "health": Health(**extra["health"]), "resumed": extra["resumed"] + 1})

    @property
    def read(self) -> int:
        """Steps whose losses have been read; the pack may be a dispatch ahead."""
        return (self.curve[-1]["step"] if self.curve else 0) + len(self.recent)


class Member:
    """One run of a pack."""

    def __init__(self, order: Order, task: Task, folder: Path, say: Any):
        """Raises ConfigError for bad settings."""
        config.validate_run(order.run)
        self.order, self.run, self.task = order, order.run, task
        self.run_id = config.identity(order.run, task.content_hash)
        self.counts = compute.count(order.run.model, task.vocab_size, order.run.task.context)
        self.hyper = hyper.hyperparameters(order.run)
        self.checkpoints = Checkpoints(saved.folder(folder, self.run_id), say=say)
        self.progress, self.alive = Progress(), True

    def window_starts(self, first: int, count: int) -> np.ndarray:
        """(count, batch) starts of the windows of the steps from `first` on."""
        length, context, train = len(self.task.train), self.run.task.context, self.run.train
        return batches.window_starts(length, context, train.data_seed, first, count, train.batch_size)

    def take(self, losses_K: np.ndarray, norms_K: np.ndarray) -> bool:
        """Read the losses and gradient norms of a dispatch. False when the run has diverged in it."""
        bad = ~np.isfinite(losses_K) | (losses_K > self.run.train.stop_loss) | ~np.isfinite(norms_K)
        fine = len(losses_K) if not bad.any() else int(np.argmax(bad))
        losses, norms = losses_K[:fine].astype(float), norms_K[:fine].astype(float)
        self.progress.health.take(self.progress.read, losses, norms)
        self.progress.recent += losses.tolist()
        self.progress.recent_norms += norms.tolist()
        self.tell()
        self.alive = fine == len(losses_K)
        return self.alive

    def tell(self) -> None:
        """Tell the watcher where the run stands."""
        if self.order.watch:
            self.order.watch.at(self.progress.read)

    def point(self, done: int, losses: np.ndarray) -> None:
        """Add a point of the curve at step `done`, from the losses of the validation windows."""
        loss, _ = metrics.loss_and_se(losses)
        rate = float(hyper.learning_rate(self.run.optimizer.schedule, np.float32(done - 1), self.hyper, np))
        means = [float(np.mean(seen)) for seen in (self.progress.recent, self.progress.recent_norms)]
        values = {"train_loss": means[0], "grad_norm": means[1], "loss": loss, "learning_rate": rate}
        tokens = done * self.run.train.batch_size * self.run.task.context
        flops = float(self.counts.flops_per_token * tokens)
        self.progress.curve.append({"run_id": self.run_id, "step": done, "tokens": tokens, "flops": flops, **values})
        self.progress.recent, self.progress.recent_norms = [], []
        if self.order.watch:
            self.order.watch.scalars(done, values)

    def row(self, final: Row) -> Row:
        """The run's row of the runs table but for where and when it ran; `final`: status, reason, held-out loss."""
        run, task, progress = self.run, self.task, self.progress
        row = describe(
            run,
            self.counts,
            run_id=self.run_id,
            vocab_size=task.vocab_size,
            unique_tokens=task.unique_tokens,
            corpus_hash=task.content_hash,
        )
        trained = progress.read * run.train.batch_size * run.task.context
        row |= {
            "purpose": self.order.purpose,
            "budget": self.order.budget,
            "lr_source": self.order.lr_source,
            "steps_done": progress.read,
            "train_loss": progress.curve[-1]["train_loss"] if progress.curve else None,
            "loss": None,
            "loss_se": None,
            "bits_per_byte": None,
            "eval_tokens": None,
            "resumed": progress.resumed,
            "tokens_per_second": trained / progress.step_seconds if progress.step_seconds else None,
            "step_seconds": progress.step_seconds,
            "eval_seconds": progress.eval_seconds,
        }
        return row | final

    def diverged(self) -> Row:
        """What a row says of a run whose training loss left its bounds."""
        reason = f"training loss or gradient not finite, or loss above {self.run.train.stop_loss:g}"
        return {"status": "diverged", "reason": reason, **self.progress.health.diverged(self.progress.read)}

    def finished(self, losses: np.ndarray, starts: np.ndarray) -> Row:
        """What a row says of a run at its horizon, from the losses of the held-out windows at `starts`."""
        loss, error = metrics.loss_and_se(losses)
        targets = self.task.heldout[starts[:, None] + np.arange(1, self.run.task.context + 1)]
        n_bytes = int(self.task.token_bytes[targets].sum())
        health, steps = self.progress.health, self.run.train.steps
        if not math.isfinite(loss):
            return {"status": "diverged", "reason": "held-out loss not finite", **health.diverged(steps - 1)}
        bits = metrics.bits_per_byte(loss, targets.size, n_bytes)
        found = {"loss": loss, "loss_se": error, "bits_per_byte": bits, "eval_tokens": targets.size}
        status, reason = health.verdict(steps)
        return {"status": status, "reason": reason, **health.columns()} | found
