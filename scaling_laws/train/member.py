"""One run of a pack, seen from the host: what it is, where it stands, its curve and its row of the runs table."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from scaling_laws import config, families, hyper, spec, validation
from scaling_laws.config import OWN_SETTING, RunConfig
from scaling_laws.describe import describe
from scaling_laws.hosts.team import ALONE, Team
from scaling_laws.tasks import measured, metrics, samples
from scaling_laws.tasks import order as reading_order
from scaling_laws.tasks.task import Task
from scaling_laws.techniques import pruning
from scaling_laws.train import boosting, saved, source, stopping, takeover, teacher
from scaling_laws.train.checkpoint import Checkpoints
from scaling_laws.train.health import Health
from scaling_laws.train.pruning import Pruner
from scaling_laws.train.stability import layer_names
from scaling_laws.train.state import State

Row = dict[str, Any]
CURVE_VALUES = ("train_loss", "grad_norm", "loss", "learning_rate", "logit_mean")
LAYER_VALUES = ("layer_grad_norms", "layer_update_ratios")  # a number a layer, from the step
BLOCK_VALUES = ("attention_logits",)  # a number a block, from the evaluation


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
    keep_trunk: bool = False  # for a longer run, which then begins where this one's cooldown does
    arm: tuple[str, float] | None = None  # technique and strength, where its settings do not say them


@dataclasses.dataclass
class Progress:
    """What a run has behind it; everything but the device state and the step, which its pack shares."""

    recent: list[float] = dataclasses.field(default_factory=list)  # losses since the last curve point
    recent_norms: list[float] = dataclasses.field(default_factory=list)
    layers: list[list[float]] = dataclasses.field(default_factory=list)  # of the last step (stability)
    health: Health = dataclasses.field(default_factory=Health)
    curve: list[Row] = dataclasses.field(default_factory=list)
    resumed: int = 0
    branched_at: int = 0  # steps that were its trunk's; the seconds are those of its own steps
    looked: int = 0  # step of early stopping's last look
    lowest: float | None = None  # validation loss at one
    misses: int = 0  # looks since
    step_seconds: float = 0.0
    eval_seconds: float = 0.0

    @classmethod
    def resumed_from(cls, extra: dict[str, Any]) -> "Progress":
        """What a checkpoint kept of it, resumed once more."""
        return cls._kept({**extra, "resumed": extra["resumed"] + 1})

    @classmethod
    def branched_from(cls, extra: dict[str, Any], run_id: str, step: int) -> "Progress":
        """What its trunk has behind it at a step, as the beginning of another run."""
        curve = [{**point, "run_id": run_id} for point in extra["curve"]]
        own = {"curve": curve, "resumed": 0, "branched_at": step, "step_seconds": 0.0, "eval_seconds": 0.0}
        return cls._kept(extra | own)

    @classmethod
    def _kept(cls, extra: dict[str, Any]) -> "Progress":
        return cls(**{**extra, "health": Health(**extra["health"])})

    @property
    def read(self) -> int:
        """Steps whose losses have been read; the pack may be a dispatch ahead."""
        return (self.curve[-1]["step"] if self.curve else 0) + len(self.recent)


class Member:
    """One run of a pack."""

    def __init__(self, order: Order, task: Task, folder: Path, say: Any, team: Team = ALONE):
        """Raises ConfigError for bad settings, and where a run that it begins or learns from is not there or
        does not fit."""
        validation.validate_run(order.run)
        validation.check_task(order.run, task.spec)
        samples.check(order.run, task.spec, task.unique_tokens)
        self.folder, self.source = folder, source.of(order.run, folder)
        self.stages = boosting.stages(order.run, folder, task.content_hash)
        self.teacher = teacher.of(order.run, folder, task.spec, task.content_hash)
        self.order, self.run, self.task = order, order.run, task
        self.run_id = config.identity(order.run, task.content_hash)
        self.counts = families.count_run(order.run, task.spec)
        self.step_tokens = order.run.train.batch_size * task.spec.targets
        self.hyper = hyper.hyperparameters(order.run)
        self.checkpoints = Checkpoints(saved.folder(folder, self.run_id), say=say, team=team)
        self.trunk = config.trunk_identity(order.run, task.content_hash)
        trunk = saved.folder(folder, self.trunk)
        self.trunk_checkpoints = Checkpoints(trunk, say=say, team=team) if self.trunk else None
        self.looks = stopping.looks(order.run.train.steps, order.run.regularise.patience)
        self.pruner = Pruner(order.run)
        self.best: State = {}  # parameters at the lowest look, on the host
        self.progress, self.alive = Progress(), True

    @property
    def branches_at(self) -> int:
        """The step at which others want this run's state; 0: none."""
        return config.trunk_steps(self.run) if self.trunk and self.order.keep_trunk else 0

    def begun(self, template: State) -> Mapping[str, np.ndarray]:
        """The parameters that the run takes from its source, in the state `template`; none where it has no source.

        Raises ConfigError or KeptError.
        """
        if self.source is None:
            return {}
        return takeover.parameters(self.run, self.folder, template, source.model(self.source, self.run))

    def beginnings(self) -> set[int]:
        """Steps of checkpoints, sound or not, from which it may go on: its own, and its trunk's before its cooldown."""
        return {*self.checkpoints.steps(), *self._trunk_steps()}

    def restore(self, template: State, at: int) -> tuple[State, Progress, str] | None:
        """State and progress at a step with a sound checkpoint, and a line on where they are from; None without."""
        steps = self.run.train.steps
        if found := self.checkpoints.restore(self._with_own(template), at=at):
            state, self.best = stopping.parted(self.pruner.parted(found[1]))
            return state, Progress.resumed_from(found[2]), f"{self.run_id}: resumed at step {at} of {steps}"
        trunk = self.trunk_checkpoints if at in self._trunk_steps() else None
        if trunk and (found := trunk.restore(template, at=at)):
            line = f"{self.run_id}: branches off its trunk at step {at} of {steps}"
            return found[1], Progress.branched_from(found[2], self.run_id, at), line
        return None

    def save(self, step: int, state: State) -> None:
        """Write a checkpoint."""
        self.checkpoints.save(step, self._with_own(state), dataclasses.asdict(self.progress))

    def _with_own(self, state: State) -> State:
        """A state, and what the run keeps beside it."""
        best = stopping.as_best(self.best or state) if self.looks else {}
        return {**state, **best, **self.pruner.beside(state)}

    def save_trunk(self, step: int, state: State) -> None:
        """Keep the state for longer runs of the trunk, unless one is kept there that serves them as well."""
        assert self.trunk_checkpoints is not None
        if step > max(self.trunk_checkpoints.steps(), default=0):
            self.trunk_checkpoints.save(step, state, dataclasses.asdict(self.progress))

    def _trunk_steps(self) -> list[int]:
        if self.trunk_checkpoints is None:
            return []
        return [step for step in self.trunk_checkpoints.steps() if step <= config.trunk_steps(self.run)]

    def places(self, first: int, count: int) -> np.ndarray:
        """(count, batch) places of the examples of the steps from `first` on."""
        train = self.run.train
        sample = samples.of(self.run)
        return reading_order.places(self.task, train.data_seed, first, count, train.batch_size, sample)

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

    def point(self, done: int, losses: np.ndarray, signs: dict[str, Any]) -> None:
        """Add a point of the curve at step `done`, from the losses of the validation windows and the `attention_logits`
        and `logit_mean` seen there."""
        loss, _ = metrics.loss_and_se(losses)
        update = pruning.update(self.run.prune, self.run.train.steps, done - 1)
        rate = float(hyper.learning_rate(self.run.optimizer.schedule, np.float32(update), self.hyper, np))
        means = [float(np.mean(seen)) for seen in (self.progress.recent, self.progress.recent_norms)]
        values = {"train_loss": means[0], "grad_norm": means[1], "loss": loss, "learning_rate": rate, **signs}
        values |= dict(zip(LAYER_VALUES, self.progress.layers, strict=True))
        tokens = done * self.step_tokens
        flops = float(self.counts.flops_per_token * tokens)
        self.progress.curve.append({"run_id": self.run_id, "step": done, "tokens": tokens, "flops": flops, **values})
        self.progress.recent, self.progress.recent_norms = [], []
        if self.order.watch:
            self.order.watch.scalars(done, self._scalars(values))

    def look(self, done: int, losses: np.ndarray, parameters: State) -> bool:
        """Take the losses of the validation examples at a look of early stopping, with its parameters. False
        when the run has looked too often in vain, and so ends with its best ones."""
        loss, _ = metrics.loss_and_se(losses)
        self.progress.looked = done
        if self.progress.lowest is None or loss < self.progress.lowest:
            self.progress.lowest, self.progress.misses, self.best = loss, 0, parameters
        else:
            self.progress.misses += 1
        self.alive = self.progress.misses < self.run.regularise.patience
        return self.alive

    def prune(self, done: int, state: State) -> State:
        """The state with which the run goes on after step `done`, of which there is something to prune or to keep."""
        if done in self.pruner.events:
            self.progress.health.anew()
        return self.pruner.at(done, state)

    def sparse(self, parameters: State) -> Row:
        """What a row says of the last parameters of a run that prunes."""
        return {"nonzero_params": self.counts.n_params - self.pruner.n_pruned(parameters)}

    def _scalars(self, point: Row) -> dict[str, float]:
        """The values of a point under names for plots: `grad_norm`, `layer_grad_norms/block_0`."""
        names = layer_names(families.of(self.run.model).blocks(self.run.model))
        found = {name: point[name] for name in CURVE_VALUES}
        for quantities, layers in ((LAYER_VALUES, names), (BLOCK_VALUES, names[1:-1])):
            for quantity in quantities:
                values = point[quantity]  # of blocks without attention there are none
                found |= {f"{quantity}/{layer}": one for layer, one in zip(layers, values, strict=bool(values))}
        return found

    def replay(self) -> None:
        """Show the watcher the trunk's part of the curve, when the run has just branched off."""
        if self.order.watch and self.progress.branched_at and not self.progress.resumed:
            for point in self.progress.curve:
                self.order.watch.scalars(point["step"], self._scalars(point))

    def row(self, final: Row) -> Row:
        """The run's row of the runs table but for where and when it ran; `final`: status, reason, held-out loss."""
        run, task, progress = self.run, self.task, self.progress
        row = describe(
            run,
            self.counts,
            run_id=self.run_id,
            spec=task.spec,
            unique_tokens=task.unique_tokens,
            sampled_tokens=samples.size(task, samples.of(run)),
            corpus_hash=task.content_hash,
            steps=progress.read if progress.misses and progress.misses >= run.regularise.patience else None,
        )
        if self.order.arm:
            row["technique"], row["strength"] = self.order.arm
        own_steps = progress.read - progress.branched_at
        trained = own_steps * self.step_tokens
        row |= {
            "purpose": self.order.purpose,
            "budget": self.order.budget,
            "lr_source": self.order.lr_source,
            "steps_done": progress.read,
            "own_steps": own_steps,
            "train_loss": progress.curve[-1]["train_loss"] if progress.curve else None,
            "loss": None,
            "loss_se": None,
            "bits_per_byte": None,
            "eval_tokens": None,
            "averaged_loss": None,
            "averaged_loss_se": None,
            "nonzero_params": None,
            "pretrain_flops": source.flops(self.source, self.teacher and self.teacher.row, *self.stages[-1:]),
            "extra_flops": self._extra_flops(row["tokens"]),
            "resumed": progress.resumed,
            "tokens_per_second": trained / progress.step_seconds if progress.step_seconds else None,
            "step_seconds": progress.step_seconds,
            "eval_seconds": progress.eval_seconds,
        }
        return row | final

    def _extra_flops(self, tokens: int) -> float | None:
        """What the forward passes of a teacher, and of the stages before, take; None without either."""
        taught = float(self.teacher.counts.forward * tokens) if self.teacher else 0.0
        return taught + (boosting.forward_flops(self.stages, self.task) or 0.0) or None

    def settled(self, row: Row) -> None:
        """Drop the checkpoints, and tell the watcher settings and what the run ended at."""
        self.checkpoints.clear()
        if self.order.watch:
            reached = {name: row[name] for name in ("loss", "bits_per_byte") if row[name] is not None}
            settings = {path: value for path, _, value in config.leaves(self.run)}
            self.order.watch.hparams(settings | spec.as_settings(self.task.spec), reached)

    def diverged(self) -> Row:
        """What a row says of a run whose training loss left its bounds."""
        reason = f"training loss or gradient not finite, or loss above {self.run.train.stop_loss:g}"
        return {"status": "diverged", "reason": reason, **self.progress.health.diverged(self.progress.read)}

    def finished(
        self,
        losses: np.ndarray,
        places: np.ndarray,
        averaged: np.ndarray | None = None,
        outputs: np.ndarray | None = None,
    ) -> Row:
        """What a row says of a run at its horizon, from the losses of the held-out examples at `places`: those of its
        parameters, and of their average where one is kept; and from its `outputs` where examples have one target."""
        health, steps = self.progress.health, self.progress.read
        if not np.isfinite(losses).all():
            return {"status": "diverged", "reason": "held-out loss not finite", **health.diverged(steps - 1)}
        found = measured.columns(self.task, losses, places, outputs)
        if averaged is not None:
            found["averaged_loss"], found["averaged_loss_se"] = metrics.loss_and_se(averaged)
        status, reason = health.verdict(steps, not self.task.spec.is_classification or bool(self.stages))
        return {"status": status, "reason": reason, **health.columns()} | found
