"""What one chooses about a fit: the rows, the law, the objective, the intervals. Each choice is a flag of the binaries.

Options() needs no command line; absl is imported only to define the flags.
"""

import dataclasses
from typing import Any

from analysis import laws, solver, uncertainty

RUNS_HELP = "workdir of a sweep, or a .parquet, .csv or .jsonl table of runs"


def _flag(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of analysis.fit, analysis.predict and analysis.report but the table and the output."""

    columns: str | None = _flag(None, "ours=theirs pairs, as n_params=N,tokens=D,loss=loss")
    where: str | None = _flag(None, "keep rows for which this holds, as \"family == 'transformer'\"")
    law: str = _flag("chinchilla", f"law of approach 3: {', '.join(laws.LAWS)}")
    objective: str = _flag("huber", f"what is minimised: {', '.join(solver.OBJECTIVES)}")
    delta: float = _flag(1e-3, "corner of the Huber loss, in ln loss")
    bootstrap: int = _flag(0, "resamples behind the intervals; 0: none")
    interval: str = _flag("bootstrap", f"kind of interval: {', '.join(uncertainty.INTERVALS)}")
    level: float = _flag(0.9, "share of the intervals")
    holdout: str | None = _flag(None, "leave out and score: 4 (above a quarter of the largest budget), or budgets=2")
    include_forecasts: bool = _flag(False, "fit runs of purpose forecast too")
    seed: int = _flag(0, "seed of the resampling")


DEFAULTS = Options()


def from_flags(values: Any) -> Options:
    """Options from parsed flags."""
    return Options(**{field.name: getattr(values, field.name) for field in dataclasses.fields(Options)})


def define_flags() -> None:
    """--runs, one flag for each of the Options, and --out."""
    from absl import flags

    kinds = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    flags.DEFINE_string("runs", None, RUNS_HELP, required=True)
    for field in dataclasses.fields(Options):
        kinds.get(type(field.default), flags.DEFINE_string)(field.name, field.default, field.metadata["help"])
    flags.DEFINE_string("out", None, "JSON file to write")
