"""From nothing to a scaling law with error bars, and a bet on it: sweep, fit, forecast, train the forecast, report.

    python -m experiments.demo --config=experiments/configs/demo.py --workdir=runs/demo

The forecast of the held-out budget is written to `forecast.json` before a run there exists, then graded. Stop it at any
time; the same command goes on. Products in the workdir: runs.parquet, curves.parquet, fit.json, forecast.json,
report.html and its folder of figures (PNG, SVG, CSV).
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments import cli
from scaling_laws import provenance
from scaling_laws.command import INTERRUPTED

if TYPE_CHECKING:
    from analysis.fit import Fit
    from analysis.load import Runs
    from scaling_laws.sweep.plan import Plan
    from scaling_laws.sweep.planned import PlannedRun

_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 1000, "resamples behind intervals and bands", lower_bound=10)


def run() -> int:
    """The whole demonstration; 0 when done, 130 after Ctrl-C."""
    from scaling_laws.sweep import study

    config, workdir, began = cli.config(), cli.workdir(), time.monotonic()
    title("1. Train the family at fixed compute budgets")
    swept = study.run_sweep(config, workdir)
    if swept.summary.interrupted:
        return INTERRUPTED
    if config.sweep.forecast_factor:
        title("2. Fit the law, and forecast a larger budget before training it")
        if not bet(swept.plan, workdir):
            return INTERRUPTED
    title("3. Report")
    report(workdir)
    compare_with_compressors(workdir, config.task.path)
    print(f"done in {(time.monotonic() - began) / 60:.1f} minutes; open {workdir / 'report.html'}")
    return 0


def title(text: str) -> None:
    """A heading between the parts."""
    print(f"\n== {text}", flush=True)


def bet(grid: "Plan", workdir: Path) -> bool:
    """Forecast the held-out budget, write that down, train there, grade. False after Ctrl-C."""
    from scaling_laws.sweep import forecast, machine, study

    fitted = fitted_runs(workdir)
    law = fit_law(fitted)
    assert law.frontier is not None
    budget = forecast.heldout_budget(grid)
    chosen = forecast.forecast_runs(grid, float(law.frontier.n_opt(budget)))
    written = write_forecast(workdir, law, fitted, chosen[0])
    for line in describe_forecast(written):
        print(line, flush=True)
    trained = study.run_plan(grid, chosen, workdir, machine.worker_count(grid.config.sweep.workers))
    if trained.summary.interrupted:
        return False
    grade(workdir, written)
    return True


def fitted_runs(workdir: Path) -> "Runs":
    """The rows that enter the fits: forecasts apart, the best learning rate of each shape, budget and seed."""
    from analysis import load, select

    fitted, _ = select.split_forecasts(load.load(workdir))
    return load.best_rate(fitted)


def fit_law(fitted: "Runs") -> "Fit":
    """The Chinchilla law (Hoffmann et al. 2022, approach 3) with resampled intervals."""
    from analysis.fit import fit

    return fit(fitted, bootstrap=_BOOTSTRAP.value)


def write_forecast(workdir: Path, law: "Fit", fitted: "Runs", planned: "PlannedRun") -> dict[str, Any]:
    """The forecast at the planned shape, kept in `forecast.json`; one made from the same runs before stands."""
    from analysis.predict import naive, predict
    from analysis.summary import write_json

    path, based_on = workdir / "forecast.json", sorted(fitted["run_id"].tolist())
    if path.exists():
        before = json.loads(path.read_text())
        if before["based_on"] == based_on and before["run_id"] == planned.run_id:
            return before
    made = predict(law, flops=planned.flops, n_params=planned.counts.n_params)
    exact = predict(law, n_params=planned.counts.n_params, tokens=planned.tokens)
    forecast = {
        "made_at": provenance.now(),
        "run_id": planned.run_id,
        "width": planned.run.model.width,
        "depth": planned.run.model.depth,
        **exact.to_json(),
        "flops": planned.flops,
        "extrapolation": made.extrapolation,
        "naive": naive(fitted, planned.flops).to_json(),
        "based_on": based_on,
    }
    write_json(path, forecast)
    return forecast


def describe_forecast(forecast: dict[str, Any]) -> list[str]:
    """The forecast in words, before its run exists."""
    low, high = forecast["loss_interval"]
    return [
        f"forecast, made {forecast['made_at']} before the run: C {forecast['flops']:.3g} FLOPs "
        f"({forecast['extrapolation']:.1f} x the largest fitted), width {forecast['width']} depth {forecast['depth']}, "
        f"N {forecast['n_params']:.4g}, D {forecast['tokens']:.4g}",
        f"  loss {forecast['loss']:.4f} nats/token, {forecast['level']:.0%} interval {low:.4f} to {high:.4f}",
    ]


def grade(workdir: Path, forecast: dict[str, Any]) -> None:
    """Print the forecast's error beside two naive guesses, and add it to `forecast.json`."""
    from analysis.summary import write_json
    from scaling_laws import table

    rows = [row for row in table.read_runs(workdir).to_pylist() if row["purpose"] == "forecast" and row["loss"]]
    if not rows:
        print("no forecast run finished: nothing to grade")
        return
    losses = [row["loss"] for row in rows]
    mean, (low, high) = sum(losses) / len(losses), forecast["loss_interval"]
    inside = sum(low <= loss <= high for loss in losses)
    guesses = {
        "forecast": forecast["loss"],
        "naive: the best loss so far": forecast["naive"]["best_loss"],
        "naive: a power law without E": forecast["naive"]["power_law"],
    }
    print(f"trained there: loss {', '.join(f'{loss:.4f}' for loss in losses)} (mean {mean:.4f})")
    for name, guess in guesses.items():
        print(f"  {name:<30} {guess:.4f}   error {100 * (guess / mean - 1):+.2f} %")
    print(f"  inside the {forecast['level']:.0%} interval: {inside} of {len(losses)} runs")
    grading = {
        "losses": losses,
        "mean": mean,
        "inside": inside,
        "errors": {k: g / mean - 1 for k, g in guesses.items()},
    }
    write_json(workdir / "forecast.json", forecast | {"grading": grading})


def report(workdir: Path) -> None:
    """fit.json, report.html and the figures, and the three approaches side by side on the terminal."""
    from analysis import load, summary
    from analysis import report as page

    found = summary.summarise(workdir, summary.Options(bootstrap=_BOOTSTRAP.value))
    for line in found.lines():
        print(line)
    summary.write_json(workdir / "fit.json", found.to_json())
    options = page.Options(bootstrap=_BOOTSTRAP.value)
    study = page.make_study(load.load(workdir), page.read_curves(workdir), options)
    written = page.write_report(study, workdir / "report.html")
    print(f"{written[0]} and {len(written) - 1} files of figures in {written[-1].parent}")


def compare_with_compressors(workdir: Path, path: str) -> None:
    """The best bits per byte of the sweep beside what gzip and xz reach on the whole text."""
    from scaling_laws import table
    from scaling_laws.tasks import corpus, metrics

    raw = b"".join(document.raw for document in corpus.read(path).documents)
    rows = [row for row in table.read_runs(workdir).to_pylist() if row["bits_per_byte"]]
    best = min(rows, key=lambda row: row["bits_per_byte"])
    print(
        f"best run: {best['bits_per_byte']:.3f} bits per byte held out (width {best['width']}, depth {best['depth']}, "
        f"C {best['flops']:.3g}); "
        + ", ".join(f"{name} {bits:.3f}" for name, bits in metrics.compressor_bits_per_byte(raw).items())
        + " on the whole text"
    )


if __name__ == "__main__":
    cli.main(run)
