"""What the ledger keeps of a forecast: enough to grade it, and to see what it was made of."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis import laws, metric
from analysis.fitting import law_value
from analysis.forecasts.made import Made
from analysis.load import DataError, Runs, units
from analysis.load.columns import texts
from analysis.options import DEFAULTS, Options
from scaling_laws import provenance

# columns whose one value in the fitted runs a run at the target must have
SAME = ("task", "family", "technique", "strength", "corpus_hash", "vocab_size", "context", "loss_kind")
DIGITS = 12  # of an id


@dataclasses.dataclass(frozen=True)
class Record:
    """A registered forecast.

    `asked`: what was given of C, N and D; `target`: the whole point, with the width and depth that come nearest where
    the table has them. `forecast`: column, unit, value, interval, level. `naive`: best and power, and the exponent of
    C in the latter. `about`: what the fitted runs share of SAME. `law`: name, coefficients, and inputs that it holds.
    `table`: the number of fitted runs and their `fingerprint`. `options`: those that were not the default.
    """

    id: str
    made_at: str
    revision: str
    source: str
    about: dict[str, Any]
    asked: dict[str, float]
    target: dict[str, Any]
    forecast: dict[str, Any]
    naive: dict[str, float]
    extrapolation: float
    law: dict[str, Any]
    forms: dict[str, float]
    link: dict[str, Any] | None
    options: dict[str, Any]
    table: dict[str, Any]

    @property
    def column(self) -> str:
        """What is forecast: the loss, or a score."""
        return self.forecast["column"]

    @property
    def interval(self) -> tuple[float, float]:
        """Of a new run."""
        low, high = self.forecast["interval"]
        return low, high

    def ratio_at(self, n_params: float, tokens: float, flops: float) -> float:
        """The registered law at a run's own N, D and C over the same at the target."""
        here = {"n_params": n_params, "tokens": tokens, "flops": flops}
        both = [self._value(point) for point in (here, self.target)]
        return both[0] / both[1]

    def says_the_same(self, other: "Record") -> bool:
        """Whether two records differ in nothing but when and where they were made."""
        own = {"id": "", "made_at": "", "revision": "", "source": ""}
        return dataclasses.replace(self, **own) == dataclasses.replace(other, **own)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    def _value(self, point: Mapping[str, Any]) -> float:
        given = {name: point[name] for name in ("n_params", "tokens", "flops")} | self.law["held"]
        loss = law_value(self.law["name"], self.law["coefficients"], given)
        return float(metric.read_link(self.link).score(loss) if self.link else loss)


def record_of(made: Made, runs: Runs, asked: Mapping[str, float], options: Options = DEFAULTS) -> Record:
    """The record of a forecast made from `runs`. Raises DataError where it is no number, or has no interval."""
    numbers = [made.value, *(made.interval or ()), made.forecast.n_params, made.forecast.tokens]
    if made.interval is None or not np.isfinite(numbers).all():
        raise DataError("register: a forecast without an interval; allowed: one at a point, with --bootstrap=1000")
    entry = laws.get(made.law.law)
    read = dict.fromkeys(("n_params", "tokens", "flops", *entry.inputs, entry.target, made.column))
    chosen = dataclasses.asdict(options)
    point = {name: getattr(made.forecast, name) for name in ("flops", "n_params", "tokens")}
    shape = {"width": made.shape.width, "depth": made.shape.depth} if made.shape else {}
    unit = units(runs).loss if made.score is None else ""
    body = {
        "made_at": provenance.now(),
        "revision": provenance.source_revision(),
        "source": runs.source,
        "about": shared(runs),
        "asked": dict(asked),
        "target": point | shape,
        "forecast": {
            "column": made.column,
            "unit": unit,
            "value": made.value,
            "interval": list(made.interval),
            "level": made.forecast.level,
        },
        "naive": made.naive.to_json(),
        "extrapolation": made.forecast.extrapolation,
        "law": {"name": made.law.law, "coefficients": made.law.coefficients, "held": made.law.held},
        "forms": {form.fit.law: form.weight for form in made.forms.members},
        "link": made.score.link.to_json() if made.score else None,
        "options": {name: value for name, value in chosen.items() if value != getattr(DEFAULTS, name)},
        "table": {"runs": len(runs), "sha256": fingerprint(runs, [name for name in read if name in runs])},
    }
    text = json.dumps(body, sort_keys=True)
    return Record(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], **body)


def read_record(data: Mapping[str, Any], where: str) -> Record:
    """Inverse of `Record.to_json`. Raises DataError where something is missing."""
    names = [field.name for field in dataclasses.fields(Record)]
    if missing := [name for name in names if name not in data]:
        raise DataError(f"{where}: no {missing[0]!r}; allowed: what python -m analysis.predict --register writes")
    return Record(**{name: data[name] for name in names})


def fingerprint(runs: Runs, columns: Iterable[str]) -> str:
    """SHA-256 of the runs' names and of the numbers that were read, whatever the order of the rows."""
    values = [runs[name].tolist() for name in sorted(columns)]
    rows = zip(runs.names(), *values, strict=True)
    return hashlib.sha256("\n".join(sorted(json.dumps(row) for row in rows)).encode()).hexdigest()


def shared(runs: Runs) -> dict[str, Any]:
    """The columns of SAME in which all runs agree, with their value."""
    found = {}
    for name in SAME:
        if name in runs:
            values = np.unique(texts(runs[name]) if runs[name].dtype.kind not in "fiu" else runs[name])
            if len(values) == 1:
                found[name] = values[0].item()
    return found
