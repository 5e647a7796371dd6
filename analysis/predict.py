"""Forecast the loss at a compute budget, or at a given shape, with its interval, from a fit.

python -m analysis.predict --runs=runs.csv --at=flops=1e14 --out=forecast.json
"""

from pathlib import Path
from typing import Any

from analysis.forecasting import Forecast, Naive, naive, predict
from scaling_laws.config import ConfigError, nearest
from scaling_laws.units import loss_text

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
    """Reads the flags, fits, forecasts, prints the forecast beside the naive guesses and writes `--out`."""
    from absl import flags

    from analysis import options, summary
    from analysis.study import study_of

    values = flags.FLAGS if values is None else values
    point = parse_at(values.at)
    study = study_of(values.runs, options.from_flags(values))
    forecast = predict(study.require_fit(), point.get("flops"), point.get("n_params"), point.get("tokens"))
    guess = naive(study.runs, forecast.flops)
    print("\n".join(lines(forecast, guess, study.units.loss)))
    if values.out:
        both = {"forecast": forecast.to_json(), "naive": guess.to_json()}
        summary.write_json(Path(values.out), both | summary.to_json(study))


def lines(forecast: Forecast, guess: Naive, unit: str) -> list[str]:
    """The forecast in words; `unit` of the losses."""
    law = f"  law             {loss_text(forecast.loss)}"
    if forecast.loss_interval is not None:
        low, high = map(loss_text, forecast.loss_interval)
        law += f" [{low}, {high}]  {forecast.level:.0%}; a run varies by {forecast.noise_sd:.2%}"
        law += f" ({forecast.noise_source})"
    shape = f"C {forecast.flops:.4g}, N {forecast.n_params:.4g}, D {forecast.tokens:.4g}"
    return [
        f"at {shape}: {forecast.extrapolation:.3g} times the largest C fitted; losses in {unit}",
        law,
        f"  best so far     {loss_text(guess.best_loss)}",
        f"  power, no floor {loss_text(guess.power_law)}  (C^-{guess.exponent:.3f} through each budget's best loss)",
    ]


def _define_flags() -> None:
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.DEFINE_string("at", None, "where: flops=1e14, or n_params=1e9,tokens=2e10", required=True)
    flags.FLAGS.set_default("bootstrap", 1000)


if __name__ == "__main__":
    from analysis import cli

    _define_flags()
    cli.main(run)
