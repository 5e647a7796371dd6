"""Workers of a sweep in simulated time: they say what real ones say, as often, die, and are started again.

The driver's own work is real. While it works the clock goes on by what that took; while it waits the clock jumps to
what is heard next; what simulating costs is left out. So a driver that is too slow shows as workers that stand still.
"""

import dataclasses
import heapq
import itertools
import math
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from scaling_laws.sweep.execute import Limits
from scaling_laws.sweep.messages import At, Died, Done, Failed, Ready, Stopped, Tried
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.slot import Slot, job_of

POINTS = 20  # of a curve, as many as `train.curve_points` has by default


@dataclasses.dataclass(frozen=True)
class Habits:
    """Seconds of simulated time, and shares of the runs."""

    start: float = 10.0  # until a worker is ready
    tell: float = 0.5  # between two steps that are told (`train.watch.TELL_EVERY`)
    life: float = 86_400.0  # mean, of a worker
    spread: float = 0.2  # standard deviation of ln(seconds taken / seconds expected)
    raises: float = 0.005  # of the runs raise whenever they are tried
    diverge: float = 0.01
    deadly: float = 0.001  # kill their worker whenever they are tried: out of memory


class Clock:
    """Simulated time. `driver`: seconds of it that the driver worked, waiting for the disk and for its turn on the core
    included; `cpu`: its CPU-seconds."""

    def __init__(self) -> None:
        self.driver = self.cpu = self._jumped = self._since = self._cpu_since = 0.0
        self._goes = False

    def __call__(self) -> float:
        """Seconds since the beginning."""
        return self.driver + self._jumped + (time.perf_counter() - self._since if self._goes else 0.0)

    def jump(self, to: float) -> None:
        """Nothing is heard until then."""
        self._jumped += max(0.0, to - self())

    def stop(self) -> None:
        """What follows is the simulation's own."""
        if self._goes:
            self.driver += time.perf_counter() - self._since
            self.cpu += time.thread_time() - self._cpu_since
        self._goes = False

    def go(self) -> None:
        """What follows is the driver's."""
        self._since, self._cpu_since, self._goes = time.perf_counter(), time.thread_time(), True


class Fate:
    """How a run ends and how long it takes: by its id alone, whenever it is tried."""

    def __init__(self, habits: Habits, facts: TaskFacts):
        self.habits, self.facts = habits, facts

    def of(self, planned: PlannedRun) -> str:
        """`finished`, `diverged`, `raises` or `deadly`."""
        draw, habits = random.Random(planned.run_id).random(), self.habits
        for name, share in (("raises", habits.raises), ("diverged", habits.diverge), ("deadly", habits.deadly)):
            if draw < share:
                return name
            draw -= share
        return "finished"

    def seconds(self, planned: PlannedRun) -> float:
        """By the clock of its worker."""
        draw = random.Random(f"seconds of {planned.run_id}")
        share = 1.0 if self.of(planned) in ("finished", "deadly") else draw.random()
        return share * planned.expected_seconds * draw.lognormvariate(0.0, self.habits.spread)

    def loss(self, planned: PlannedRun) -> float:
        """Chinchilla's law, best at its own rate, with the noise of a seed."""
        n, d, rate = planned.counts.n_params, planned.tokens, planned.run.optimizer.learning_rate
        noise = random.Random(f"loss of {planned.run_id}").gauss(0.0, 0.005)
        return 1.8 + 480 / n**0.35 + 2100 / d**0.37 + 0.05 * math.log2(rate / 3e-3) ** 2 + noise

    def outcome(self, planned: PlannedRun, worker: str) -> Done | Failed | Died:
        """What is heard of it in the end."""
        end = self.of(planned)
        if end == "raises":
            return Failed("ValueError: simulated")
        if end == "deadly":
            return Died(-9)
        row = self.facts.described(planned.run, planned.counts, planned.run_id)
        steps, loss = planned.run.train.steps, self.loss(planned) if end == "finished" else None
        found = {"status": end, "reason": "" if end == "finished" else "simulated", "loss": loss, "steps_done": steps}
        found |= {"loss_se": 0.0123456789, "bits_per_byte": loss and loss / math.log(2), "eval_tokens": 131072}
        seconds = self.seconds(planned)
        found |= {"wall_seconds": seconds, "step_seconds": 0.9 * seconds, "compile_seconds": 0.0, "eval_seconds": 1.0}
        found |= {"init_seconds": 0.1, "own_steps": steps, "train_loss": loss, "worker": worker, "device": "simulated"}
        found |= {"purpose": planned.purpose, "budget": planned.budget, "lr_source": planned.lr_source}
        return Done(planned.run_id, row | found, self._curve(planned))

    def _curve(self, planned: PlannedRun) -> list[dict[str, Any]]:
        steps, depth = planned.run.train.steps, planned.run.model.depth
        at = sorted({max(1, round(steps ** (i / POINTS))) for i in range(1, POINTS + 1)})
        draw = random.Random(planned.run_id)

        def several(count: int) -> list[float]:
            return [draw.random() for _ in range(count)]

        return [
            {
                "step": step,
                "tokens": step * (planned.tokens // steps),
                "flops": planned.flops * step / steps,
                "learning_rate": draw.random(),
                "train_loss": draw.random(),
                "grad_norm": draw.random(),
                "loss": draw.random(),
                "logit_mean": draw.random(),
                "attention_logits": several(depth),
                "layer_grad_norms": several(depth + 2),
                "layer_update_ratios": several(depth + 2),
            }
            for step in at
        ]


class SimulatedWorker(Slot):
    """A worker that is started and ended by the clock."""

    up = False

    @property
    def alive(self) -> bool:
        """Whether it is started."""
        return self.up


class SimulatedPool:
    """A `sweep.crew.Launcher` on a clock. `busy`: seconds that workers had a run; `still`: that ready ones waited.

    Messages go through a pipe, as those of processes do; the driver pays its side of it.
    """

    exhausted = False

    def __init__(self, n_workers: int, fate: Fate, clock: Clock):
        self.fate, self.clock, self.habits = fate, clock, fate.habits
        self.workers = [SimulatedWorker(f"worker-{i}") for i in range(n_workers)]
        self.at_once = n_workers
        self.busy = self.still = 0.0
        self.deaths = self.messages = 0
        self._place = {each.name: each for each in self.workers}
        self.killed: Counter[str] = Counter()  # workers that died under a run
        self._doing: dict[str, tuple[PlannedRun, float]] = {}  # since when
        self._idle_since: dict[str, float] = {}
        self._due: list[tuple[float, int, str, int, Any]] = []  # when, a number, who, which life, what
        self._life = dict.fromkeys(self._place, 0)
        self._down = set(self._place)
        self._numbers, self._draw = itertools.count(), random.Random(0)
        self._driver, self._worker = multiprocessing.Pipe()

    def start(self, count: int) -> None:
        """Have at least `count` workers running."""
        self.clock.stop()
        for name in sorted(self._down)[: max(0, count - (len(self.workers) - len(self._down)))]:
            self._down.discard(name)
            self._place[name].up = True
            self._place[name].begin(self.clock())
            self._later(self._place[name], self.habits.start, Ready(self.habits.start))
            self._later(self._place[name], self._draw.expovariate(1 / self.habits.life), Died(-9))
        self.clock.go()

    def try_out(self, each: SimulatedWorker, planned: PlannedRun, options: tuple[Packing, ...]) -> None:
        """A trial finds runs alone as fast as packs."""
        self.clock.stop()
        each.trial = (planned, options)
        each.begin(self.clock())
        each.compiled.add(planned.program)
        self._later(each, 60.0, Tried((1.0,) * len(options)))
        self.clock.go()

    def assign(
        self, each: SimulatedWorker, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str] = ()
    ) -> None:
        """Hand a run to an idle worker, as `Slot.take` does by another clock."""
        each.jobs = list(pack)
        each.begin(self.clock())
        each.compiled.add(pack[0].program)
        self._driver.send(job_of(pack, packing, awaited))
        self.clock.stop()
        self._worker.recv()
        (planned,) = pack
        now = self.clock()
        self._doing[each.name] = (planned, now)
        self.still += now - self._idle_since.pop(each.name)
        self._later(each, self.fate.seconds(planned), planned)
        self._later(each, self.habits.tell, (planned, now))
        self.clock.go()

    def end_of(self, planned: PlannedRun) -> str:
        """The status that its row must have."""
        end = self.fate.of(planned)
        return "failed" if end in ("raises", "deadly") or self.killed[planned.run_id] >= Limits().attempts else end

    def ask_to_stop(self) -> None:
        """Every run stops at once."""
        self.clock.stop()
        for name in self._doing:
            self._later(self._place[name], 0.0, Stopped())
        self.clock.go()

    def events(self, timeout: float) -> Iterator[tuple[SimulatedWorker, Any]]:
        """What is heard by now; where that is nothing, what is heard next within `timeout`."""
        self.clock.stop()
        now = self.clock()
        while self._due and self._stale(self._due[0]):
            heapq.heappop(self._due)
        if not self._due or self._due[0][0] > now:
            self.clock.jump(min(now + timeout, self._due[0][0] if self._due else math.inf))
        now = self.clock()
        while self._due and self._due[0][0] <= now:
            _, _, name, life, what = heapq.heappop(self._due)
            heard = self._heard(name, what) if life == self._life[name] else None
            if heard is not None:
                each = self._place[name]
                self._worker.send(heard)
                self.messages += 1
                self.clock.go()
                message = self._driver.recv()
                each.hear(message, now)
                if isinstance(message, Ready):
                    each.ready, each.deaths = True, 0
                yield each, message
                self.clock.stop()
        self.clock.go()

    def _heard(self, name: str, what: Any) -> Any:
        """The message that an entry stands for; what follows from it in the worker."""
        each, now = self._place[name], self.clock()
        if isinstance(what, tuple):
            planned, begun = what
            if self._doing.get(name, (None, None))[1] != begun:
                return None
            self._later(each, self.habits.tell, what)
            done = min(1.0, (now - begun) / planned.expected_seconds)
            return At(planned.run_id, round(done * planned.run.train.steps))
        message = self.fate.outcome(what, name) if isinstance(what, PlannedRun) else what
        if isinstance(what, PlannedRun) and not isinstance(message, Died):
            self._end(name, now)
            self._idle_since[name] = now
        if isinstance(message, Ready | Tried):
            self._idle_since[name] = now
        if isinstance(message, Stopped):
            self._end(name, now)
        if isinstance(message, Died):
            self.killed.update([self._doing[name][0].run_id] if name in self._doing else [])
            self._end(name, now)
            self._idle_since.pop(name, None)
            self.deaths += 1
            self._life[name] += 1
            self._down.add(name)
            each.up, each.ready, each.compiled = False, False, set()
        return message

    def _end(self, name: str, now: float) -> None:
        if name in self._doing:
            self.busy += now - self._doing.pop(name)[1]

    def _stale(self, entry: tuple[float, int, str, int, Any]) -> bool:
        return entry[3] != self._life[entry[2]]

    def _later(self, each: SimulatedWorker, seconds: float, what: Any) -> None:
        life = self._life[each.name]
        heapq.heappush(self._due, (self.clock() + seconds, next(self._numbers), each.name, life, what))
