"""A search as a whole: what is varied, how often, on which seeds and folds, over which horizons."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scaling_laws import config, validation
from scaling_laws.config import TEXTS, ConfigError, RunConfig
from scaling_laws.search.space import Space
from scaling_laws.spec import Spec
from scaling_laws.units import units_of

SAMPLERS = ("grid", "random", "tpe", "gp")
LANGUAGE = ("task.tokenizer", "task.vocab_size")  # where these vary, a nat a token is not one unit
MOST_TRIALS = 5000
BYTE_BITS = 8.0
MEAN_ALONE = 1.0  # squared error of predicting the mean of standardised targets


@dataclasses.dataclass(frozen=True)
class Search:
    """Trials of `space` around `base`; `trials` is how many are drawn, in a grid at most.

    With `rungs` above 1, successive halving (Jamieson and Talwalkar 2016): a trial is first trained for
    train.steps / eta^(rungs - 1) steps, and the best 1/eta of a rung go on to eta times as many, from their beginning
    and with a schedule for that horizon.
    """

    base: RunConfig
    space: Space
    sampler: str = "gp"
    trials: int = 16
    seeds: tuple[int, ...] = (0,)
    folds: int = 0
    eta: int = 0
    rungs: int = 1
    seed: int = 0

    @property
    def width(self) -> int:
        """How many trials are drawn: those of the first rung."""
        return min(self.trials, int(self.space.size)) if self.sampler == "grid" else self.trials

    @property
    def column(self) -> str:
        """The column of the runs table that is made small."""
        varied = {axis.field for axis in self.space.axes}
        return "bits_per_byte" if self.base.task.name in TEXTS and varied & set(LANGUAGE) else "loss"

    def unit(self, spec: Spec) -> str:
        """The unit of that column for a task of this form."""
        return "bits/byte" if self.column == "bits_per_byte" else units_of(spec.loss, spec.targets).loss

    def check(self) -> None:
        """Raises ConfigError in one line for what does not make a search."""
        if not 1 <= self.trials <= MOST_TRIALS:
            raise ConfigError(f"--trials: {self.trials}; allowed: 1 to {MOST_TRIALS}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError("--seeds: none, or one twice; allowed: different whole numbers separated by commas")
        for changes in self.arms():
            config.check_fields(config.replace(self.base, changes))
        validation.validate_folds(dataclasses.replace(self.base.task, folds=self.folds))
        if self.sampler == "grid":
            next(self.space.grid())
        if (self.eta, self.rungs) != (0, 1) and min(self.eta, self.rungs) < 2:
            raise ConfigError("--halving: without --rungs or the other way round; allowed: both 2 or more, or neither")
        if self.rungs > 1 and any(axis.field == "train.steps" for axis in self.space.axes):
            raise ConfigError("--space: train.steps: --halving decides it; allowed: other fields")
        if self.rungs > 1 and self.steps(0) < 2:
            raise ConfigError(f"--rungs: {self.rungs}; allowed: so many that train.steps is 2 or more in the first one")

    def arms(self) -> Iterator[dict[str, Any]]:
        """What the runs of one trial differ in: seeds (of initialisation and data both) and folds."""
        for fold in range(max(1, self.folds)):
            for seed in self.seeds:
                yield {"train.seed": seed, "train.data_seed": seed, "task.folds": self.folds, "task.fold": fold}

    def horizon(self, rung: int) -> dict[str, Any]:
        """What the runs of a rung share."""
        return {"train.steps": self.steps(rung)} if self.rungs > 1 else {}

    def steps(self, rung: int) -> int:
        """Optimiser steps of a rung: the nearest whole number."""
        return round(self.base.train.steps / self.eta ** (self.rungs - 1 - rung)) if self.eta else self.base.train.steps

    def places(self, rung: int) -> int:
        """How many trials a rung has: 1/eta of the one below, at least one."""
        return max(1, self.width // max(1, self.eta) ** rung)

    def objective(self, row: Mapping[str, Any], seen: Iterable[float] = ()) -> float:
        """What a run's row counts as: its loss, or, where it is worse or did not finish, that of guessing.

        A run that diverged tells that its settings are bad, so a sampler must hear of it; no worse than guessing, for
        an infinite or enormous value would hide all other differences from a model of the values. To guess costs
        ln(vocab_size) nats, a class or a token alike. What it costs in squared error depends on the held-out targets,
        which a row does not hold: there a finished run counts as its loss, and another as 1, the error of the mean of
        standardised targets, or as the worst value `seen` in the search before where that is more. Where targets are
        left as they came (`task.standardise`), its own losses count too, as far as it has any: they tell the scale.
        """
        value = row[self.column] if row["status"] == "finished" else None
        if row.get("loss_kind") == "squared_error":
            scale = () if self.base.task.standardise else ("loss", "good_loss")
            own = [row[name] for name in scale if row.get(name) is not None]
            return max([MEAN_ALONE, *own, *seen]) if value is None else value
        guess = math.log(row["vocab_size"]) if self.column == "loss" else BYTE_BITS
        return guess if value is None else min(value, guess)

    def signature(self) -> dict[str, Any]:
        """What two commands must share to be one search; without halving, one may ask for more trials than before."""
        facts = {
            "config": config.non_defaults(self.base),
            "space": [dataclasses.asdict(axis) | {"points": list(axis.points)} for axis in self.space.axes],
            "sampler": self.sampler,
            "seeds": list(self.seeds),
            "folds": self.folds,
            "halving": [self.eta, self.rungs],
            "search_seed": self.seed,
        }
        return facts | ({"trials": self.trials} if self.rungs > 1 else {})
