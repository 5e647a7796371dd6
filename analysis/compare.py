"""Choose between laws by what they foretell: fit the smaller budgets, predict the largest, rank by the error.

    python -m analysis.compare --runs=runs.csv --columns=n_params=N,tokens=D --holdout=4 --bootstrap=500 \
        --laws="chinchilla, kaplan, power_sum(width,depth,tokens)"

The error is the root mean square of ln(predicted / observed) over the held-out runs: .01 is one percent of the loss.
Two naive guesses stand beside the laws: the lowest loss so far, and a power of C without an irreducible loss.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import forecasting, laws, select
from analysis.fitting import Fit
from analysis.load import DataError, Runs
from analysis.options import DEFAULTS, Options
from analysis.study import fit_of
from scaling_laws.config import ConfigError

ALWAYS = ("chinchilla", "kaplan", "gadre", "power_floor", "power")
HOLDOUT = "4"


@dataclasses.dataclass(frozen=True)
class Contender:
    """A law's fit of the smaller budgets and how it foretold the largest; a naive guess has no fit."""

    name: str
    rms_log_error: float
    mean_log_error: float
    parameters: int
    coverage: float | None = None  # share of the held-out runs inside their intervals
    fit: Fit | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the fit's resamples."""
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return found | {"fit": None if self.fit is None else self.fit.to_json(samples=False)}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Contenders, the best first; `absent`: laws that could not be fitted, with the reason."""

    contenders: tuple[Contender, ...]
    absent: dict[str, str]
    fitted: Runs
    held_out: Runs
    level: float

    @property
    def best(self) -> Contender:
        """The contender with the smallest error."""
        return self.contenders[0]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        ranked = [contender.to_json() for contender in self.contenders]
        sizes = {"fitted": len(self.fitted), "held_out": len(self.held_out), "level": self.level}
        return {"ranking": ranked, "absent": self.absent, **sizes, "source": self.fitted.source}


def compare(runs: Runs, names: Sequence[str] = (), options: Options = DEFAULTS) -> Comparison:
    """Laws ranked by the error of what they foretell of the held-out budgets (`options.holdout`, 4 by default).

    Without names: those of ALWAYS, and the data-constrained law where tokens were repeated. Raises ConfigError for a
    law that does not exist or a bad holdout, DataError where no law can be fitted.
    """
    fitted, held_out = select.split_holdout(runs, options.holdout or HOLDOUT)
    found, absent = _naive(fitted, held_out), {}
    for name in names or default_laws(runs):
        if laws.get(name).target != "loss":
            raise ConfigError(f"laws: {name!r} is a law of {laws.get(name).target}; allowed: laws of loss")
        try:
            found.append(_contender(fit_of(fitted, dataclasses.replace(options, law=name, terms=None)), held_out))
        except DataError as reason:
            absent[name] = str(reason)
    if all(contender.fit is None for contender in found):
        raise DataError(f"{runs.source}: no law could be fitted; {next(iter(absent.values()), 'none was named')}")
    ranked = tuple(sorted(found, key=lambda contender: contender.rms_log_error))
    return Comparison(ranked, absent, fitted, held_out, options.level)


def default_laws(runs: Runs) -> tuple[str, ...]:
    """The laws that are tried when none is named."""
    repeated = "unique_tokens" in runs and (runs.numbers("unique_tokens") < runs["tokens"]).any()
    return ALWAYS + ("data_constrained",) * bool(repeated)


def parse_laws(text: str) -> tuple[str, ...]:
    """`chinchilla, power_sum(width,depth)` -> its names: commas outside parentheses part them."""
    return tuple(part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip())


def _contender(law: Fit, held_out: Runs) -> Contender:
    score = forecasting.score(law, held_out)
    errors = {name: score[name] for name in ("rms_log_error", "mean_log_error")}
    count = len(laws.get(law.law).parameters)
    return Contender(law.law, parameters=count, coverage=score.get("coverage"), fit=law, **errors)


def _naive(fitted: Runs, held_out: Runs) -> list[Contender]:
    guesses = [forecasting.naive(fitted, float(flops)) for flops in held_out["flops"]]
    found = []
    for name, values in (
        ("best loss so far", [guess.best_loss for guess in guesses]),
        ("power of C through the best losses", [guess.power_law for guess in guesses]),
    ):
        error = np.log(np.array(values) / held_out["loss"])
        found.append(Contender(name, float(np.sqrt((error**2).mean())), float(error.mean()), 0))
    return found


def lines(result: Comparison) -> list[str]:
    """The printed ranking."""
    limit = f"{result.fitted['flops'].max():.4g}"
    head = f"{len(result.fitted)} runs up to C {limit} fitted, {len(result.held_out)} above it foretold"
    text = [head, f"  {'law':<44}{'error':<10}{'bias':<10}{'inside':<9}parameters"]
    for one in result.contenders:
        inside = "-" if one.coverage is None else f"{one.coverage:.0%}"
        numbers = f"{one.rms_log_error:<10.3%}{one.mean_log_error:<+10.3%}{inside:<9}"
        text.append(f"  {one.name:<44}{numbers}{one.parameters or 'none: a naive guess'}")
    if any(one.coverage is not None for one in result.contenders):
        text.append(f"  inside: share of the held-out runs within their {result.level:.0%} intervals")
    return [*text, *(f"not fitted: {name}: {reason}" for name, reason in result.absent.items())]


def run(values: Any = None) -> None:
    """Reads the flags, compares, prints the ranking and writes `--out`."""
    from absl import flags

    from analysis import options, summary
    from analysis.study import chosen_runs, runs_of

    values = flags.FLAGS if values is None else values
    chosen = options.from_flags(values)
    runs, _ = chosen_runs(runs_of(values.runs, chosen), dataclasses.replace(chosen, holdout=None))
    result = compare(runs, parse_laws(values.laws or ""), chosen)
    print("\n".join(lines(result)))
    if values.out:
        summary.write_json(Path(values.out), result.to_json())


def define_flags() -> None:
    """The flags of analysis.fit, and the laws."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.DEFINE_string("laws", None, "laws to compare, separated by commas; default: those that the columns allow")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
