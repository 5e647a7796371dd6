"""Forecast the loss at a compute budget, or at a given shape, with the interval of a new run, from fits.

    python -m analysis.predict --runs=runs.csv --at=flops=1e14 --out=forecast.json
    python -m analysis.predict --runs=WORKDIR --at=flops=1e14 --metric=accuracy --register=forecasts.jsonl

The forecast is the middle, its interval the ends, of the redraws of several forms of the law, pooled by how they
foretell the largest budgets from the smaller ones (analysis/forms.py; --forms= leaves the law alone), with the noise
of a run. --register appends the forecast to a ledger that shows any later change; `python -m analysis.forecasts`
grades it when a run has landed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.forecasting import Forecast, Naive, naive, predict
from scaling_laws.config import ConfigError, nearest
from scaling_laws.units import loss_text

if TYPE_CHECKING:
    from analysis.forecasts.made import Made
    from analysis.study import Study

__all__ = ["Forecast", "Naive", "naive", "predict", "run"]

AT = ("flops", "n_params", "tokens")


def parse_at(text: str) -> dict[str, float]:
    """`n_params=1e9,tokens=2e10` -> its numbers. Raises ConfigError."""
    point = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            point[name] = float(value)
        except ValueError:
            raise ConfigError(f"at: {part!r}; allowed: name=number, as flops=1e14") from None
        if name not in AT:
            raise ConfigError(f"at: {name!r}; allowed: {', '.join(AT)}{nearest(name, AT)}")
    return point


def run(values: Any = None) -> None:
    """Reads the flags, fits, forecasts, prints the forecast beside the naive guesses, writes `--out`, registers."""
    from absl import flags

    from analysis import compare, options, summary
    from analysis.forecasts.made import make
    from analysis.study import study_of

    values = flags.FLAGS if values is None else values
    point, chosen = parse_at(values.at), options.from_flags(values)
    names = None if values.forms is None else compare.parse_laws(values.forms)
    study = study_of(values.runs, chosen)
    made = make(study.runs, study.require_fit(), point, names, values.metric or "", chosen)
    print("\n".join(lines(made, study.units.loss, study.units.data)))
    if values.out:
        summary.write_json(Path(values.out), made.to_json() | summary.to_json(study))
    if values.register:
        print(register(values.register, values.runs, made, study, point, chosen))


def register(name: str, table: str, made: "Made", study: "Study", point: dict[str, float], options: Any) -> str:
    """Appends the forecast to the ledger and says so. Raises DataError where the table holds such a run already."""
    from analysis.forecasts import landing, ledger
    from analysis.forecasts.record import record_of

    path, record = ledger.path_of(name), record_of(made, study.runs, point, options)
    landing.refuse_known(record, table)
    standing = ledger.add(path, record)
    how = "registered" if standing is record else f"stands since {standing.made_at}"
    return f"{how}: {standing.id} in {path}, whose head is {ledger.head(path)}"


def lines(made: "Made", unit: str, data: str = "tokens") -> list[str]:
    """The forecast in words; `unit` of the losses, `data` of D."""
    forecast, guess = made.forecast, made.naive
    loss = f"  loss            {loss_text(forecast.loss)}"
    if forecast.loss_interval is not None:
        loss += f" {_ends(forecast.loss_interval)}  {forecast.level:.0%}; a run varies by {forecast.noise_sd:.2%}"
        loss += f" ({forecast.noise_source})"
    place = f"C {forecast.flops:.4g}, N {forecast.n_params:.4g}, D {forecast.tokens:.4g}"
    head = f"at {place}: {forecast.extrapolation:.3g} times the largest C fitted; losses in {unit}"
    text = [head, *_shape(made, data), loss, *_forms(made)]
    if made.score:
        ends = f" {_ends(made.score.interval)}  through the loss" if made.score.interval else ""
        text.append(f"  {made.column:<15} {loss_text(made.value)}{ends}")
    text.append(f"  best so far     {loss_text(guess.best_loss)}")
    what = f"error of {made.column}" if made.score else "loss"
    through = f"(C^-{guess.exponent:.3f} through each budget's best {what})"
    return [*text, f"  power, no floor {loss_text(guess.power_law)}  {through}"]


def _shape(made: "Made", data: str) -> Sequence[str]:
    shape = made.shape
    if shape is None:
        return ()
    how = "" if shape.exact else ", by the table's own shapes"
    steps = f"; {shape.steps} steps of {shape.batch_tokens:.6g} {data}" if shape.steps else ""
    return (f"  shape           width {shape.width}, depth {shape.depth}: N {shape.n_params:.4g}{how}{steps}",)


def _forms(made: "Made") -> list[str]:
    """The law by itself, the weights of the forms, and a warning where the law lies outside the interval."""
    forms, text = made.forms, []
    if len(forms.members) > 1:
        text.append(f"  law alone       {loss_text(made.law_loss)}  {made.law.law}")
        shares = ", ".join(f"{one.fit.law} {one.weight:.0%} (error {one.error:.2%})" for one in forms.members)
        text.append(f"  forms           {shares}; weights by {forms.held_out} held-out runs")
        low, high = made.forecast.loss_interval or (0.0, 0.0)
        if not low <= made.law_loss <= high:
            best = max(forms.members, key=lambda one: one.weight).fit.law
            text.append(f"  warning: the law alone lies outside the interval; --law={best} foretold better")
    return text + [f"  without {name}: {reason}" for name, reason in forms.absent.items()]


def _ends(interval: tuple[float, float]) -> str:
    return f"[{loss_text(interval[0])}, {loss_text(interval[1])}]"


def _define_flags() -> None:
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.DEFINE_string("at", None, "where: flops=1e14, or n_params=1e9,tokens=2e10", required=True)
    flags.DEFINE_string("forms", None, "laws that the forecast pools; default: chinchilla, kaplan, gadre; empty: none")
    flags.DEFINE_string("metric", None, "column to forecast through the loss, as accuracy")
    flags.DEFINE_string("register", None, "ledger to append the forecast to, or a workdir for one in it")
    flags.FLAGS.set_default("bootstrap", 1000)


if __name__ == "__main__":
    from analysis import cli

    _define_flags()
    cli.main(run)
