"""Sums of three and four powers: our fit against the best of 2000 SciPy starts, table by table.

    scripts/bench power_sums --data=FOLDER              made-up tables and the published ones in FOLDER; an hour or two
    scripts/bench power_sums --starts=30 --only=four    a look

A row is written as soon as its table is done, and the same command goes on with the next; where only our sources
changed, our side alone is measured again. SciPy gets the analytic
gradient, centred inputs, no bounds and tolerances at the limit of double precision: it is slow, not handicapped.

Dimension letters: N points, K columns. Parameters are (ln E, ln A (K), exponents (K)) for centred inputs.
"""

import csv
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags
from scipy import optimize

from analysis import cli, solver
from analysis.figures.style import csv_bytes, write_atomically
from scaling_laws.config import ConfigError, nearest
from scripts.benchmarks import ours, power_tables
from scripts.benchmarks.measure import cpu
from scripts.benchmarks.power_tables import PowerTable
from scripts.benchmarks.report import progress

TOLERANCE = 1e-9  # of the objective, relative
CHEAPER = 50
STOPPING = {"ftol": 1e-15, "gtol": 1e-11, "maxiter": 5000, "maxfun": 20_000, "maxcor": 20}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One table: both objectives, both costs in CPU-seconds. `difference` is ours less SciPy's, over SciPy's."""

    name: str
    points: int
    terms: int
    delta: float
    ours: float
    scipy: float
    difference: float
    our_cpu: float
    scipy_cpu: float
    ratio: float
    starts: int
    scipy_agreeing: float  # share of SciPy's starts within 1e-6 of its best
    our_agreeing: float
    at_bound: str
    version: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a finished row the one that is wanted."""
        return self.name, repr(float(self.delta)), str(self.starts), self.version


FIELDS = tuple(field.name for field in dataclasses.fields(Outcome))


@dataclasses.dataclass(frozen=True)
class SciPys:
    """Where SciPy's starts ended: the best objective, the CPU-seconds, the share within 1e-6 of the best."""

    best: float
    cpu: float
    agreeing: float


def measured(table: PowerTable, delta: float, starts: int) -> SciPys:
    """SciPy's side of a row."""
    ends, seconds = cpu(lambda: scipy_fits(table, delta, starts))
    return SciPys(float(ends.min()), seconds, float(np.mean(ends <= ends.min() * (1 + 1e-6))))


def compare(table: PowerTable, delta: float, starts: int, theirs: SciPys | None = None) -> Outcome:
    """Our fit and SciPy's best of `starts`, on the same sum of Huber losses; `theirs` where it was measured before."""
    found, our_cpu = cpu(lambda: our_fit(table, delta))
    theirs = theirs or measured(table, delta, starts)
    best, scipy_cpu = theirs.best, theirs.cpu
    return Outcome(
        name=table.name,
        points=len(table.loss),
        terms=len(table.columns),
        delta=delta,
        ours=found.value,
        scipy=best,
        difference=found.value / best - 1,
        our_cpu=round(our_cpu, 3),
        scipy_cpu=round(scipy_cpu, 1),
        ratio=round(scipy_cpu / our_cpu, 1),
        starts=starts,
        scipy_agreeing=theirs.agreeing,
        our_agreeing=found.agreeing_fraction,
        at_bound=" ".join(found.at_bound),
        version=ours.version(),
    )


def our_fit(table: PowerTable, delta: float) -> solver.Solution:
    """The global optimum by this project's solver."""
    law = f"power_sum({','.join(table.columns)})"
    return solver.solve(ours.problem(law, table.columns, table.loss, delta))


def scipy_fits(table: PowerTable, delta: float, starts: int, seed: int = 0) -> np.ndarray:
    """(starts,) objectives where L-BFGS-B ends from random starts."""
    rng, y = np.random.default_rng(seed), np.log(table.loss)
    logs_KxN = np.array([np.log(x) - np.log(x).mean() for x in table.columns.values()])
    value = objective(logs_KxN, y, delta)
    columns = len(logs_KxN)
    ends = []
    for _ in range(starts):
        floor = rng.uniform(y.min() - 4, y.min(), 1)
        coefficients, exponents = rng.uniform(y.min() - 4, y.max(), columns), rng.uniform(-0.5, 2, columns)
        start = np.concatenate([floor, coefficients, exponents])
        ends.append(optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=STOPPING).fun * delta)
    return np.array(ends)


def objective(logs_KxN: np.ndarray, y_N: np.ndarray, delta: float) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Sum of Huber losses of ln loss over delta, and its gradient; the division keeps SciPy's tolerances relative."""
    columns = len(logs_KxN)

    def value(theta: np.ndarray) -> tuple[float, np.ndarray]:
        floor = np.full((1, len(y_N)), theta[0])
        z = np.concatenate([floor, theta[1 : columns + 1, None] - theta[columns + 1 :, None] * logs_KxN])
        top = z.max(axis=0)
        shares = np.exp(z - top)
        total = shares.sum(axis=0)
        shares /= total
        residual = top + np.log(total) - y_N
        psi = np.clip(residual, -delta, delta)
        slopes = np.concatenate([shares @ psi, -(shares[1:] * logs_KxN) @ psi])
        return float((psi * (residual - 0.5 * psi)).sum()) / delta, slopes / delta

    return value


def run() -> None:
    """Compares table by table; prints the summary. Raises ConfigError for a table or a folder that does not exist."""
    path = Path(flags.FLAGS.out)
    before = _rows(path)
    done = {key: row for key, row in before.items() if key[2:] == (str(flags.FLAGS.starts), ours.version())}
    known = {key[:3]: _theirs(row) for key, row in before.items()}
    wanted = in_turn(_tables(), power_tables.DELTAS)
    rows = []
    for table, delta in wanted:
        key = (table.name, repr(float(delta)), str(flags.FLAGS.starts), ours.version())
        if key not in done:
            outcome = compare(table, delta, flags.FLAGS.starts, known.get(key[:3]))
            done[key] = {name: str(getattr(outcome, name)) for name in FIELDS}
            write_atomically(path, csv_bytes(done.values(), FIELDS))
        rows.append(done[key])
        progress(_line(done[key]))
    print("\n".join(summary(rows)))


def in_turn(tables: Sequence[PowerTable], deltas: Sequence[float]) -> list[tuple[PowerTable, float]]:
    """Every table at every delta; each table comes once before one comes twice, for the whole takes hours."""
    turns = range(len(deltas))
    return [(table, deltas[(turn + k) % len(deltas)]) for turn in turns for k, table in enumerate(tables)]


def _tables() -> list[PowerTable]:
    tables = {table.name: table for table in power_tables.synthetic()}
    if flags.FLAGS.data:
        if not Path(flags.FLAGS.data).is_dir():
            raise ConfigError(f"--data: {flags.FLAGS.data!r}: no such folder; allowed: a folder of published tables")
        tables |= {table.name: table for table in power_tables.published(Path(flags.FLAGS.data))}
    names = flags.FLAGS.only.split(",") if flags.FLAGS.only else list(tables)
    for name in names:
        if name not in tables:
            raise ConfigError(f"--only: {name!r}; allowed: {', '.join(tables)}{nearest(name, tables)}")
    return [tables[name] for name in names]


def _rows(path: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows measured before, by table, delta, starts and version of our sources."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if set(row) == set(FIELDS)]
    return {(row["name"], row["delta"], row["starts"], row["version"]): row for row in rows}


def _theirs(row: dict[str, str]) -> SciPys:
    """SciPy's side does not depend on our sources: it is measured once for a table, a delta and a number of starts."""
    return SciPys(float(row["scipy"]), float(row["scipy_cpu"]), float(row["scipy_agreeing"]))


def _line(row: dict[str, str]) -> str:
    worse = " WORSE" if float(row["difference"]) > TOLERANCE else ""
    return (
        f"{row['name']:<20} delta {float(row['delta']):.0e}  ours {float(row['ours']):.10e}  "
        f"difference {float(row['difference']):+.1e}  {float(row['our_cpu']):.2f} against "
        f"{float(row['scipy_cpu']):.0f} CPU-s, ratio {float(row['ratio']):.0f}{worse}"
    )


def summary(rows: list[dict[str, str]]) -> Iterator[str]:
    """The two bars over all rows."""
    worse = [f"{row['name']} {row['delta']}" for row in rows if float(row["difference"]) > TOLERANCE]
    slow = [f"{row['name']} {row['delta']}" for row in rows if float(row["ratio"]) < CHEAPER]
    yield f"{len(rows)} rows over {len({row['name'] for row in rows})} tables"
    yield f"worse than SciPy by more than {TOLERANCE:g}: {', '.join(worse) or 'none'}"
    yield f"dearer than 1/{CHEAPER} of SciPy's CPU time: {', '.join(slow) or 'none'}"


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("data", None, "folder of published tables; default: made-up tables alone")
    flags.DEFINE_integer("starts", 2000, "SciPy starts a table", lower_bound=1)
    flags.DEFINE_string("only", None, "names of tables, separated by commas; default: all")
    flags.DEFINE_string("out", "docs/results/power_sums.csv", "CSV to write, and to go on from")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
