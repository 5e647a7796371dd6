"""A whole search: asks for trials, trains their runs on the sweep's workers, tells what came out, writes search.json.

One trial a worker is open at a time. Runs go to the runs table of the work directory like any others, with purpose
`search`; one that is there already is told from its row.
"""

import dataclasses
import os
import statistics
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_laws import config, families, table
from scaling_laws.config import ConfigError, ExperimentConfig, TaskConfig
from scaling_laws.search import result
from scaling_laws.search.settings import Search
from scaling_laws.search.space import changed
from scaling_laws.search.trials import Trial, Trials
from scaling_laws.sweep import launch
from scaling_laws.sweep.execute import execute
from scaling_laws.sweep.pace import measured_pace
from scaling_laws.sweep.planned import PlannedRun, TaskFacts, as_planned
from scaling_laws.sweep.study import Say, facts_of, say_now
from scaling_laws.sweep.summary import Row, Summary
from scaling_laws.tasks import unchanged
from scaling_laws.units import loss_text

STORAGE = "search.journal"
OWNER = "search.owner"


@dataclasses.dataclass(frozen=True)
class Found:
    """What `run_search` leaves: what this start did, and the search as search.json holds it."""

    summary: Summary
    search: Mapping[str, Any]


def run_search(
    experiment: ExperimentConfig, search: Search, workdir: Path, storage: Path | None = None, say: Say = say_now
) -> Found:
    """Do what is left of a search in `workdir`; of `experiment` only the sweep's workers and patience count.

    `storage`: the file of trials, which processes with other work directories may share; by default in `workdir`.
    Raises ConfigError for bad settings, a task that cannot be loaded or a storage of another search, TableError when
    another process uses the work directory.
    """
    search.check()
    tasks = _Tasks(experiment, say)
    n_workers = launch.worker_count(experiment)
    first = config.replace(search.base, next(search.arms())).task
    facts = tasks.facts(first)
    with (
        table.Journal(workdir, say) as journal,
        launch.launcher(experiment, first, workdir, facts.corpus_hash, n_workers) as pool,
    ):
        unchanged.check(journal.rows(), first, facts.corpus_hash, workdir)
        trials = Trials(storage or workdir / STORAGE, search, _owner(workdir), workdir)
        asking = _Asking(search, trials, tasks, n_workers, journal.rows(), say)
        summary = execute(
            asking.opened_before(),
            facts,
            pool,
            journal,
            say=say,
            more=asking.more,
            choices=launch.choices(experiment),
            limits=launch.limits(experiment),
            others=tasks.known,
        )
        table.compact(workdir)
        found = result.described(trials.all(), search, search.unit(facts.spec))
        result.write(found, workdir)
    for line in [*result.lines(found), *_left(trials.all(), workdir), summary.line()]:
        say(line)
    return Found(summary, found)


class _Tasks:
    """The facts of every task that a trial or a fold needs, each loaded once."""

    def __init__(self, experiment: ExperimentConfig, say: Say):
        self._experiment, self._say = experiment, say
        self.known: dict[TaskConfig, TaskFacts] = {}

    def facts(self, task: TaskConfig) -> TaskFacts:
        """The facts of a task. Raises ConfigError where it cannot be loaded."""
        if task not in self.known:
            self.known[task] = facts_of(dataclasses.replace(self._experiment, task=task), self._say)
        return self.known[task]


class _Asking:
    """What `execute` asks after each row: tell the trials that have all their rows, open others in their place."""

    def __init__(self, search: Search, trials: Trials, tasks: _Tasks, n_open: int, rows: list[Row], say: Say):
        self._search, self._trials, self._tasks, self._n_open, self._say = search, trials, tasks, n_open, say
        self._pace = measured_pace(rows)
        self._open: dict[int, tuple[Trial, list[PlannedRun]]] = {}
        self._best: Trial | None = None

    def opened_before(self) -> list[PlannedRun]:
        """The runs of the trials that an earlier start of this work directory left open."""
        return [planned for trial in self._trials.mine() for planned in self._begin(trial)]

    def more(self, rows: list[Row]) -> list[PlannedRun]:
        """The runs of further trials, as many as are to be open at once."""
        by_id, wanted = {row["run_id"]: row for row in rows}, []
        self._close_ended(by_id)
        while len(self._open) < self._n_open and (trial := self._trials.next()):
            wanted += self._begin(trial)
            self._close_ended(by_id)
        return wanted

    def _begin(self, trial: Trial) -> list[PlannedRun]:
        try:
            runs = [self._planned(trial, arm) for arm in self._search.arms()]
        except ConfigError as error:
            self._trials.refuse(trial, str(error))
            self._say(f"trial {trial.number}: refused: {error}")
            return []
        self._open[trial.number] = (trial, runs)
        return runs

    def _planned(self, trial: Trial, arm: Mapping[str, Any]) -> PlannedRun:
        run = changed(self._search.base, {**trial.changes, **self._search.horizon(trial.rung), **arm})
        facts = self._tasks.facts(run.task)
        counts = families.count_run(run, facts.spec)
        return as_planned(run, counts, facts, self._pace, None, "search", "search")

    def _close_ended(self, by_id: Mapping[str, Row]) -> None:
        for number, (trial, runs) in list(self._open.items()):
            rows = [by_id[planned.run_id] for planned in runs if planned.run_id in by_id]
            if len(rows) == len(runs):
                del self._open[number]
                # a trial with a run that failed stays open in the file: the next start tries that run again
                if all(row["status"] in table.SETTLED for row in rows):
                    self._tell(trial, rows)

    def _tell(self, trial: Trial, rows: list[Row]) -> None:
        seen = [run["value"] for before in self._trials.all() for run in before.runs]
        values = [self._search.objective(row, seen) for row in rows]
        runs = [result.run_facts(row, value) for row, value in zip(rows, values, strict=True)]
        self._trials.tell(trial, statistics.fmean(values), runs)
        best = result.best_of(self._trials.all(), self._search)
        rung = f" at {self._search.steps(trial.rung)} steps" if self._search.rungs > 1 else ""
        ahead = f" (best {loss_text(best.value)}, trial {best.number})" if best and best.value is not None else ""
        told = f"{self._search.column} {loss_text(statistics.fmean(values))}{rung}{ahead}"
        self._say(f"trial {trial.number}: {_spelt(trial.changes)}: {told}")


def _spelt(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in changes.items())


def _owner(workdir: Path) -> str:
    """The mark of a work directory, made once; the journal's lock keeps other processes away."""
    path = workdir / OWNER
    if not path.exists() or not path.read_text().strip():
        path.write_text(uuid.uuid4().hex)
        with path.open() as file:
            os.fsync(file.fileno())
    return path.read_text().strip()


def _left(trials: list[Trial], workdir: Path) -> list[str]:
    """Where trials are still open, and what closes them."""
    places = sorted({trial.workdir for trial in trials if trial.state == "open"})
    return [f"trials are open in {place}; the same command there goes on with them" for place in places]
