"""The trials of a search: asked, told, and kept in Optuna's journal, a file that several processes may share.

Every process has a work directory of its own and leaves a mark in each trial that it opens. When it starts again, the
open trials with its mark are its own: it goes on with them, so that none is lost and none is done twice.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from scaling_laws.config import ConfigError
from scaling_laws.search import samplers
from scaling_laws.search.settings import Search

NAME = "search"
OPEN, TOLD, REFUSED = "open", "told", "refused"
STATES = {TrialState.RUNNING: OPEN, TrialState.COMPLETE: TOLD, TrialState.FAIL: REFUSED}


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial: settings at a rung. `first` is the trial of the first rung that it goes on from, or itself."""

    number: int
    state: str
    rung: int
    first: int
    owner: str
    workdir: str
    changes: Mapping[str, Any]
    value: float | None = None
    runs: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""


class FileLock(JournalFileOpenLock):
    """A lock on a file beside the journal that ends with the process, however that ends; Optuna's own outlive it."""

    def __init__(self, path: Path):
        self._path, self._file = path, -1

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While it is held."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


class Trials:
    """The trials in the file at `path`, for the process that marks its own with `owner` and works in `workdir`.

    Raises ConfigError where the file holds another search, or is damaged.
    """

    def __init__(self, path: Path, search: Search, owner: str, workdir: Path):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search, self._marks = search, {"owner": owner, "workdir": str(workdir)}
        self._asking = FileLock(path.with_name(f"{path.name}.asking"))
        with self._asking.held():
            lock = FileLock(path.with_name(f"{path.name}.lock"))
            with lock.held():
                _repair(path)
            self._storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                sampler=samplers.sampler(search.sampler, search.space, search.seed, search.trials),
                load_if_exists=True,
            )
            self._check_signature(path)

    def _check_signature(self, path: Path) -> None:
        ours = json.loads(json.dumps(self._search.signature()))
        theirs = self._study.user_attrs.get("search")
        if theirs is None:
            self._study.set_user_attr("search", ours)
        elif theirs != ours:
            unlike = [name for name in ours if theirs.get(name) != ours[name]] or ["trials"]
            raise ConfigError(
                f"--storage: {path} holds a search with another {', '.join(unlike)}; allowed: that one, or another file"
            )

    def all(self) -> list[Trial]:
        """Every trial of every process, by number."""
        return [self._trial(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def mine(self) -> list[Trial]:
        """The open trials of this work directory, each with all its settings."""
        opened = [trial for trial in self.all() if trial.state == OPEN and trial.owner == self._marks["owner"]]
        return [self._filled(trial.number) for trial in opened]

    def next(self) -> Trial | None:
        """Another trial, opened for this process; None where there is none, or none yet."""
        with self._asking.held():
            trials = self.all()
            if sum(trial.rung == 0 for trial in trials) < self._search.width:
                return self._create(rung=0)
            for rung in range(1, self._search.rungs):
                for first in promoted(trials, rung - 1, self._search.places(rung)):
                    if not any(trial.rung == rung and trial.first == first for trial in trials):
                        return self._create(rung, first)
        return None

    def tell(self, trial: Trial, value: float, runs: Sequence[Mapping[str, Any]]) -> None:
        """Close a trial with what its runs came to."""
        self._opened(trial.number).set_user_attr("runs", list(runs))
        self._study.tell(trial.number, value)

    def refuse(self, trial: Trial, reason: str) -> None:
        """Close a trial whose settings do not go together."""
        self._opened(trial.number).set_user_attr("reason", reason)
        self._study.tell(trial.number, state=TrialState.FAIL)

    def _create(self, rung: int, first: int | None = None) -> Trial:
        marks = {**self._marks, "rung": rung, "first": first}
        old = None if first is None else self._frozen(first)
        template = create_trial(
            state=TrialState.RUNNING,
            params=old and old.params,
            distributions=old and old.distributions,
            user_attrs=marks,
        )
        created = self._storage.create_new_trial(self._storage.get_study_id_from_name(NAME), template)
        return self._filled(self._storage.get_trial_number_from_id(created))

    def _filled(self, number: int) -> Trial:
        """A trial whose settings are all drawn; those that were drawn before stay."""
        opened = self._opened(number)
        for axis in self._search.space.axes:
            if axis.points and axis.ordered:
                opened.suggest_int(axis.field, 0, len(axis.points) - 1)
            elif axis.points:
                opened.suggest_categorical(axis.field, axis.points)
            else:
                opened.suggest_float(axis.field, axis.low, axis.high, log=axis.log)
        return self._trial(self._frozen(number))

    def _opened(self, number: int) -> optuna.Trial:
        study_id = self._storage.get_study_id_from_name(NAME)
        return optuna.Trial(self._study, self._storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _trial(self, frozen: FrozenTrial) -> Trial:
        marks, drawn = frozen.user_attrs, len(frozen.params) == len(self._search.space.axes)
        return Trial(
            number=frozen.number,
            state=STATES[frozen.state],
            rung=marks["rung"],
            first=frozen.number if marks["first"] is None else marks["first"],
            owner=marks["owner"],
            workdir=marks["workdir"],
            changes=samplers.changes(self._search.space, frozen.params) if drawn else {},
            value=frozen.value,
            runs=tuple(marks.get("runs", ())),
            reason=marks.get("reason", ""),
        )


def promoted(trials: Sequence[Trial], rung: int, kept: int) -> list[int]:
    """What goes on from a rung, as trials of the first one: the best `kept`, best first; none while one is open."""
    members = [trial for trial in trials if trial.rung == rung]
    if any(trial.state == OPEN for trial in members):
        return []
    told = sorted((trial.value, trial.first) for trial in members if trial.value is not None)
    return [first for _, first in told[:kept]]


def _repair(path: Path) -> None:
    """Cut off the last line where a kill tore it; what it said is asked or told again.

    Raises ConfigError for a line before it that is no JSON.
    """
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            json.loads(line)
        except ValueError:
            raise ConfigError(f"--storage: {path} is damaged in line {number}; allowed: a search's own file") from None
    if len(whole) < len(data):
        os.truncate(path, len(whole))
