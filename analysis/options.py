"""What one chooses about a fit: the rows, the law, the objective, the intervals. Each choice is a flag of the binaries.

Options() needs no command line; absl is imported only to define the flags, and neither needs NumPy.
"""

import dataclasses
from typing import Any

from analysis import choices
from scaling_laws.config import ConfigError

RUNS_HELP = "workdir of a sweep, or a .parquet, .csv or .jsonl table of runs"


def _flag(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


def _number(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, "kind": int})


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of analysis.fit, analysis.predict and analysis.report but the table and the output."""

    columns: str | None = _flag(None, "ours=theirs pairs, as n_params=N,tokens=D,loss=loss")
    where: str | None = _flag(None, "keep rows for which this holds, as \"family == 'transformer'\"")
    params_convention: str = _flag("n_params", f"which count is N: {', '.join(choices.PARAMS)}")
    flops_convention: str = _flag("flops", f"which count is C: {', '.join(choices.FLOPS)}")
    law: str = _flag("chinchilla", f"law of approach 3: {', '.join(choices.LAWS)}")
    terms: str | None = _flag(None, "columns of a law over columns, as width,depth,tokens for power_sum")
    breaks: int | None = _number(None, "breaks of broken_power")
    fixed: str | None = _flag(None, "coefficients held at a value, as alpha=0.35,E=1.7")
    objective: str = _flag("huber", f"what is minimised: {', '.join(choices.OBJECTIVES)}")
    delta: float = _flag(1e-3, "corner of the Huber loss, in ln loss")
    weights: str = _flag("none", f"of the runs: {choices.WEIGHTS}")
    bootstrap: int = _flag(0, "resamples behind the intervals; 0: none")
    interval: str = _flag("bootstrap", f"kind of interval: {', '.join(choices.INTERVALS)}")
    level: float = _flag(0.9, "share of the intervals")
    holdout: str | None = _flag(None, "leave out and score: 4 (above a quarter of the largest budget), or budgets=2")
    include_forecasts: bool = _flag(False, "fit runs of purpose forecast too")
    seed: int = _flag(0, "seed of the resampling")

    @property
    def law_name(self) -> str:
        """The law with its terms: `power_sum(width,depth)`."""
        from analysis import laws

        return laws.with_terms(self.law, self.terms, self.breaks)

    @property
    def held(self) -> dict[str, float]:
        """`fixed` as numbers. Raises ConfigError."""
        return parse_numbers("fixed", self.fixed or "")


def parse_numbers(flag: str, text: str) -> dict[str, float]:
    """`alpha=0.35,E=1.7` -> its numbers. Raises ConfigError."""
    numbers = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            numbers[name] = float(value)
        except ValueError:
            raise ConfigError(f"{flag}: {part!r}; allowed: name=number pairs separated by commas") from None
    return numbers


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
        kind = field.metadata.get("kind", type(field.default))
        kinds.get(kind, flags.DEFINE_string)(field.name, field.default, field.metadata["help"])
    flags.DEFINE_string("out", None, "JSON file to write")
