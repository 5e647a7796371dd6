"""The one training loop: a pack of runs in (often a single one), rows of the runs table and curves out.

A dispatch is never waited for before the next one is queued; the losses of dispatch t are read while t + 1 computes.
A resumed run is bit for bit the undisturbed one on a CPU: the data are a function of (data_seed, step), and a
checkpoint holds the state, the losses since the last curve point and the curve so far.

Several processes that train one model run this loop each, in step: whatever would depend on a clock or on a signal they
settle together (`hosts.team`), and the first one writes.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scaling_laws import config, provenance
from scaling_laws.config import RunConfig
from scaling_laws.hosts.team import ALONE, Team
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.techniques import stored
from scaling_laws.train import kept, teacher
from scaling_laws.train import state as states
from scaling_laws.train.feed import Arrays, Feed, data_of
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.member import Member, Order, Row, Watcher
from scaling_laws.train.programs import Programs, programs, stack
from scaling_laws.train.shape import Shape
from scaling_laws.train.state import State, params

DISPATCH = 5.0  # seconds that one may take, so that a request to stop is heard soon
SLOWEST = 5e9  # FLOP/s: what a step is expected to run at until one is measured
Ended = tuple[Row, list[Row]]  # a row of the runs table and its curve
Probe = Callable[[Row, Callable[[], State]], None]  # a point of the first run's curve, and what fetches its parameters


class StopRequested(Exception):
    """Raised inside `train` when its caller asked it to stop; checkpoints have been written."""


def curve_steps(steps: int, points: int, absolute: bool = False) -> list[int]:
    """Log-spaced step counts at which the curve is read, the last one being `steps`.

    `points` of them over three decades; `absolute`: from the first step on, whatever the horizon.
    """
    if absolute:
        ratio = 1000 ** (1 / (points - 1))
        count = math.floor(math.log(steps) / math.log(ratio)) + 1
        return sorted({steps, *(round(ratio**k) for k in range(count))})
    spaced = np.geomspace(max(1, steps / 1000), steps, points)
    return sorted({round(s) for s in spaced.tolist()} | {steps})


def programs_of(
    run: RunConfig, task: Task, layout: Layout, workdir: Path = Path(), arrays: Arrays | None = None
) -> Programs:
    """The programs that train such runs, of `workdir`, on a task, built once in this process. `arrays`: those of
    `data_of`, where they are there already."""
    taught_by = teacher.of(run, workdir, task.spec, task.content_hash)
    shape = Shape.of(run, task.spec, taught_by and taught_by.form)
    return programs(shape, layout, DataForms.of(*(arrays or data_of(run, task, workdir, layout.members))))


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Losses (M, n) of examples and their places (n,) in the split; over a sample of them the largest attention logit
    of each block (M, depth), and the mean of the output logits (M,); `outputs` (M, n, O) where an example has one
    target."""

    losses: np.ndarray
    places: np.ndarray
    attention_logits: np.ndarray
    logit_means: np.ndarray
    outputs: np.ndarray | None


class _Pack:
    def __init__(
        self,
        orders: Sequence[Order],
        task: Task,
        folder: Path,
        layout: Layout,
        say: Callable[[str], None],
        team: Team = ALONE,
    ):
        self.members = [Member(order, task, folder, say, team) for order in orders]
        self.train, self.task, self.folder, self.say = orders[0].run.train, task, folder, say
        self.team = team
        began = time.perf_counter()
        arrays = data_of(orders[0].run, task, folder, len(orders))
        self.programs = programs_of(orders[0].run, task, layout, folder, arrays)
        self.compile_seconds = time.perf_counter() - began
        self.feed = Feed(task, self.programs, arrays)
        self.hyper = stack([member.hyper for member in self.members])
        self.done, restored = self._restored()
        self.state = self.programs.place_states(restored)
        self.branches = {member.branches_at for member in self.members}
        self.prunings = {step for member in self.members for step in member.pruner.steps}
        self._prune()
        self.saved_at, self.mark = time.monotonic(), time.perf_counter()
        first = self.members[0]  # as all of them
        tokens = len(self.members) * self.train.batch_size * task.spec.targets
        self.step_seconds = max(1.0, float(first.counts.flops_per_token * tokens)) / SLOWEST  # of the whole pack

    @property
    def alive(self) -> list[Member]:
        """The members that still train."""
        return [member for member in self.members if member.alive]

    def _restored(self) -> tuple[int, list[State]]:
        """The latest step of which every member has a sound checkpoint, and the states there; else the beginning."""
        template = self.programs.template
        fresh = [self.programs.initial_state(member.run.train.seed, member.begun(template)) for member in self.members]
        common = set.intersection(*(member.beginnings() for member in self.members))
        for done in sorted(common, reverse=True):
            tried = [member.restore(state, at=done) for member, state in zip(self.members, fresh, strict=True)]
            found = [each for each in tried if each]
            if len(found) == len(tried):
                for member, (_, progress, line) in zip(self.members, found, strict=True):
                    member.progress = progress
                    self.say(line)
                return done, [state for state, _, _ in found]
        return 0, fresh

    def advance_to(self, target: int, stop: Callable[[], bool]) -> Iterator[Member]:
        """Train to step `target`, yielding members that diverge on the way. Raises StopRequested."""
        pending: tuple[int, Any] | None = None
        self.mark = time.perf_counter()
        pace = max(self.team.meet(self.step_seconds))
        while self.done < target and self.alive:
            ends = self.branches | self.prunings
            until = min((step for step in ends if self.done < step < target), default=target)
            count = min(self.train.steps_per_dispatch, until - self.done, max(1, int(DISPATCH / pace)))
            alive_M = np.array([member.alive for member in self.members])
            data, starts = self.feed.dispatch(self._places(count), count)
            self.state, *seen = self.programs.advance(self.state, self.hyper, data, starts, count, alive_M)
            self.done += count
            if pending:
                yield from self._take(*pending)
            pending = (count, seen)
            asked, due, pace = self._settled(stop())
            stopping = asked and self.done < self.train.steps  # at the end the rows are a moment away
            if stopping or self.done in ends or due:
                yield from self._take(*pending)
                pending = None
                self._prune()
                if self.done in self.branches:
                    self._save_trunks()
                if stopping or due:
                    self._save()
                self.mark = time.perf_counter()
                if stopping and self.alive:
                    raise StopRequested(f"{self._name()}: stopped at step {self.done}, checkpoint written")
        if pending:
            yield from self._take(*pending)

    def tell(self) -> None:
        """Tell the watchers where their runs stand."""
        for member in self.alive:
            member.tell()

    def replay(self) -> None:
        """Show the watchers what their runs have of their trunks."""
        for member in self.members:
            member.replay()

    def _name(self) -> str:
        return " ".join(member.run_id for member in self.alive)

    def _places(self, count: int) -> np.ndarray:
        """(M, K, B) int64: the places in the train split that the next `count` steps read."""
        shape = self.programs.shape
        places_MxKxB = np.zeros((len(self.members), shape.steps_per_dispatch, shape.batch_size), np.int64)
        for member, places_KxB in zip(self.members, places_MxKxB, strict=True):
            if member.alive:
                places_KxB[:count] = member.places(self.done, count)
        return places_MxKxB

    def _take(self, count: int, seen: Any) -> Iterator[Member]:
        """Read a dispatch's losses and gradient norms; yields the members that diverged in it."""
        losses, norms = (np.asarray(each_MxK)[:, :count] for each_MxK in seen[:2])
        layers_Mx2xG = np.asarray(seen[2])
        now = time.perf_counter()
        self.step_seconds = max(1e-9, (now - self.mark) / count)
        share, self.mark = (now - self.mark) / len(self.alive or self.members), now
        for member, losses_K, norms_K, layers_2xG in zip(self.members, losses, norms, layers_Mx2xG, strict=True):
            if member.alive:
                member.progress.step_seconds += share
                member.progress.layers = layers_2xG.tolist()
                if not member.take(losses_K, norms_K):
                    yield member

    def _settled(self, asked: bool) -> tuple[bool, bool, float]:
        """Whether a process is asked to stop, whether a checkpoint is due at one, and the seconds that a step takes
        the slowest: the same at all."""
        every = self.train.checkpoint_seconds
        due = every > 0 and time.monotonic() - self.saved_at > every
        of_any = [max(each) for each in zip(*self.team.meet([asked, due, self.step_seconds]), strict=True)]
        return bool(of_any[0]), bool(of_any[1]), of_any[2]

    def _save(self) -> None:
        if self.done == self.train.steps:
            return  # the end is a moment away, and a finished run keeps no checkpoint
        for member, state in zip(self.members, self.programs.kept_states(self.state), strict=True):
            if member.alive:
                member.save(self.done, state)
        self.saved_at = time.monotonic()

    def _prune(self) -> None:
        """Prune the members that are to be at this step, and keep what they will go back to."""
        pruned = [member for member in self.alive if self.done in member.pruner.steps]
        if pruned:
            now = zip(self.members, self.programs.fetch_states(self.state), strict=True)
            states = [m.prune(self.done, state) if m in pruned else state for m, state in now]
            self.state = self.programs.place_states([dict(state) for state in states])

    def _save_trunks(self) -> None:
        """Keep the states of the members that others begin from at this step."""
        for member, state in zip(self.members, self.programs.kept_states(self.state), strict=True):
            if member.alive and member.branches_at == self.done:
                member.save_trunk(self.done, state)

    def evaluate(self, split: str, n_tokens: int, state: Any = None) -> Evaluated:
        """Examples with `n_tokens` targets of `valid` or `heldout` under the present parameters or those in `state`."""
        began = time.perf_counter()
        places = order.evaluated(self.task, split, n_tokens)
        batches = self.feed.evaluation(split, places)
        queued = [self.programs.losses_MxB(state or self.state, self.hyper, *batch) for batch in batches]
        found = []
        for batch in queued:
            found.append(jax.device_get(batch))
            self.tell()
        losses = np.concatenate([losses_MxB for losses_MxB, _ in found], axis=1)[:, : len(places)]
        logits = np.max([seen["attention_logit"] for _, seen in found], axis=0)
        means = np.mean([seen["logit_mean"] for _, seen in found], axis=0)
        given = [seen["outputs"] for _, seen in found if "outputs" in seen]
        outputs = np.concatenate(given, axis=1)[:, : len(places)] if given else None
        spent = (time.perf_counter() - began) / max(1, len(self.alive))
        for member in self.alive:
            member.progress.eval_seconds += spent
        return Evaluated(losses.astype(float), places, logits, means, outputs)

    @property
    def looks(self) -> set[int]:
        """Steps at which members look whether to end early."""
        return {step for member in self.alive for step in member.looks}

    def look(self) -> Iterator[Member]:
        """Early stopping at the present step, where members have not looked yet; yields those that end."""
        looking = [m for m in self.alive if self.done in m.looks and m.progress.looked < self.done]
        if not looking:
            return
        seen = self.evaluate("valid", self.train.eval_tokens)
        now = self.programs.fetch_states(params(self.state))
        for member, losses, own in zip(self.members, seen.losses, now, strict=True):
            if member in looking and not member.look(self.done, losses, own):
                yield member

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of one member's parameters by name, such as `block_0/mlp/up`."""
        return {name.removeprefix(states.PARAMS): leaf.shape for name, leaf in params(self.programs.template).items()}

    def _final_state(self) -> Any:
        """The state whose parameters count: those at the end, of members that may end early the best ones."""
        if not any(member.best for member in self.members):
            return self.state
        last = self.programs.fetch_states(params(self.state))
        return self.programs.place_states([dict(m.best or own) for m, own in zip(self.members, last, strict=True)])

    def _averaged_losses(self) -> Sequence[np.ndarray | None]:
        """The members' losses (n,) of the held-out windows under the averages of their parameters, where kept."""
        average = states.averaged(self.state)
        if not average:
            return [None] * len(self.members)
        return list(self.evaluate("heldout", self.train.eval_tokens, average).losses)

    def point(self) -> None:
        """Read the curves at the present step."""
        seen = self.evaluate("valid", self.train.curve_eval_tokens)
        for index, member in enumerate(self.members):
            if member.alive:
                logits, mean = seen.attention_logits[index].tolist(), float(seen.logit_means[index])
                member.point(self.done, seen.losses[index], {"attention_logits": logits, "logit_mean": mean})

    def parameters(self) -> State:
        """The first member's parameters by name, on the host."""
        return params(self.programs.fetch_states(self.state)[0])

    def finished(self, members: Sequence[Member]) -> Iterator[tuple[Member, Row]]:
        """Members that are at their end, and what their rows say of it; their parameters are kept where they are to
        be."""
        if not members:
            return
        state = self._final_state()
        seen = self.evaluate("heldout", self.train.eval_tokens, state)
        averages = self._averaged_losses()
        keeps, sparse = self.train.keep_parameters, bool(self.prunings)
        last = self.programs.fetch_states(params(state)) if keeps or sparse else []
        for index, member in enumerate(self.members):
            if member in members:
                outputs = None if seen.outputs is None else seen.outputs[index]
                final = member.finished(seen.losses[index], seen.places, averages[index], outputs)
                if sparse:
                    final |= member.sparse(last[index])
                final["model_bytes"] = stored.model_bytes(member.run.quantize, self._shapes)
                if keeps and final["status"] == "finished" and self.team.first:
                    kept.write(self.folder, member.run_id, self.done, last[index])
                yield member, final

    def behind(self, target: int) -> bool:
        """Whether there is something left to do at the step `target`: a point of a curve, a look."""
        return any(
            not m.progress.curve
            or m.progress.curve[-1]["step"] < target
            or (target in m.looks and m.progress.looked < target)
            for m in self.alive
        )


def train_pack(
    orders: Sequence[Order],
    task: Task,
    *,
    workdir: Path,
    strategy: str = "map",
    pack_devices: int = 1,
    worker: str = "",
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
    probe: Probe | None = None,
    team: Team = ALONE,
) -> Iterator[Ended]:
    """Train runs of one form (`config.form`) together, each to its horizon, or go on from their checkpoints.

    Yields the row and the curve of each as it ends: status `finished`, `dead`, `spiked`, or `diverged` with the reason,
    which hurts no other. Seconds of a pack are shared out equally. `probe` is called at every point of the curve, again
    at one that a run is resumed before. With `team` every process calls this with the same orders and a task of the
    same content, the first one with watchers and words, and gets the same rows. Raises ConfigError for bad settings,
    StopRequested after `stop()` answered True, in a team that of any process.
    """
    if len({config.form(order.run) for order in orders}) > 1:
        raise ValueError("orders: runs of unlike forms; allowed: runs that differ in seeds and optimiser numbers alone")
    began, started_at = time.perf_counter(), provenance.now()
    layout = Layout.of(orders[0].run, len(orders), strategy, pack_devices)
    pack = _Pack(orders, task, workdir, layout, say, team)
    prepared = time.perf_counter() - began
    facts = provenance.environment() | {"worker": worker, "started_at": started_at}
    facts |= {"compile_seconds": pack.compile_seconds / len(orders)}
    facts["init_seconds"] = (prepared - pack.compile_seconds) / len(orders)
    per_step = pack.programs.xla_flops_per_step

    def ended(member: Member, final: Row) -> Ended:
        row = member.row(final) | facts | {"xla_flops": per_step and per_step * member.run.train.steps}
        row["wall_seconds"] = (time.perf_counter() - began) / len(orders)
        member.settled(row)
        return row, member.progress.curve

    pack.tell()
    pack.replay()
    points = curve_steps(pack.train.steps, pack.train.curve_points, config.on_trunk(orders[0].run))
    for target in sorted({*points, *pack.looks}):
        if target <= pack.done and not pack.behind(target):
            continue
        for member in pack.advance_to(target, stop):
            yield ended(member, member.diverged())
        if not pack.alive:
            return
        if target in points:
            pack.point()
            if probe:
                probe(pack.members[0].progress.curve[-1], pack.parameters)
        for member, final in pack.finished(list(pack.look())):
            yield ended(member, final)
        if not pack.alive:
            return
    for member, final in pack.finished(pack.alive):
        yield ended(member, final)


def train(
    run: RunConfig,
    task: Task,
    *,
    workdir: Path,
    budget: float | None = None,
    purpose: str = "single",
    watch: Watcher | None = None,
    **options: Any,
) -> Ended:
    """Train one run to its horizon, or go on from its checkpoint under `workdir/checkpoints/<run_id>`.

    Returns its row and its curve. `options` and errors as for `train_pack`.
    """
    (ended,) = train_pack([Order(run, budget, purpose, watch)], task, workdir=workdir, **options)
    return ended
