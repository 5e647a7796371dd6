"""From nothing to a scaling law with error bars, and a bet on it: sweep, fit, forecast, train the forecast, report.

    python -m experiments.demo --config=experiments/configs/demo.py --workdir=runs/demo

The forecast of the held-out budget is written to `forecast.json` before a run there exists, then graded. Stop it at any
time; the same command goes on. Products in the workdir: runs.parquet, curves.parquet, fit.json, forecast.json,
report.html and its folder of figures (PNG, SVG, CSV). Exit code 0 when all is done, 1 when a run failed, 130 after
Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

import json
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import cli, resamples
from scaling_laws import command, provenance
from scaling_laws.config import TaskConfig
from scaling_laws.progress import duration
from scaling_laws.units import TEXT, loss_text, reached

if TYPE_CHECKING:
    from analysis.fit import Fit
    from analysis.load import Runs
    from scaling_laws.sweep.plan import Plan
    from scaling_laws.sweep.planned import PlannedRun
    from scaling_laws.sweep.summary import Summary


def run() -> int:
    """The whole demonstration; the exit code."""
    from scaling_laws.sweep import forecast, study

    config, workdir, began = cli.config(), cli.workdir(), time.monotonic()
    title("1. Train the family at fixed compute budgets")
    grid = study.plan_sweep(config, workdir)
    if config.sweep.forecast_factor and grid.runs:
        forecast.heldout_plan(grid)  # what cannot be trained there is refused now, not after the sweep
    parts = [study.run_grid(grid, workdir).summary]
    if parts[0].interrupted:
        return command.stopped(parts[0].terminated)
    with ThreadPoolExecutor(1) as beside:
        compressed = beside.submit(compressors, config.task)  # of a text; xz takes as long as fits and report together
        if config.sweep.forecast_factor:
            title("2. Fit the law, and forecast a larger budget before training it")
            parts.append(bet(grid, workdir))
            if parts[-1].interrupted:
                return command.stopped(parts[-1].terminated)
        title("3. Report")
        report(workdir)
        print(best_run(workdir, compressed.result()))
    print(f"done in {duration(time.monotonic() - began)}; open {workdir / 'report.html'}")
    return 1 if any(part.count("failed") for part in parts) else 0


def title(text: str) -> None:
    """A heading between the parts."""
    print(f"\n== {text}", flush=True)


def bet(grid: "Plan", workdir: Path) -> "Summary":
    """Forecast the held-out budget, write that down, train there and, unless interrupted, grade."""
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
    if not trained.summary.interrupted:
        grade(workdir, written, {planned.run_id for planned in chosen})
    return trained.summary


def fitted_runs(workdir: Path) -> "Runs":
    """The rows that enter the fits: forecasts apart, the best learning rate of each shape, budget and seed."""
    from analysis import load, select

    fitted, _ = select.split_forecasts(load.load(workdir))
    return load.best_rate(fitted)


def fit_law(fitted: "Runs") -> "Fit":
    """The Chinchilla law (Hoffmann et al. 2022, approach 3) with resampled intervals."""
    from analysis.fit import fit

    return fit(fitted, bootstrap=resamples.count())


def write_forecast(workdir: Path, law: "Fit", fitted: "Runs", planned: "PlannedRun") -> dict[str, Any]:
    """The forecast at the planned shape, kept in `forecast.json`; one made from the same runs before stands.

    `before_training` is false where the runs changed later: the table then held the answer already.
    """
    from analysis.load import units
    from analysis.predict import naive, predict
    from analysis.summary import write_json
    from scaling_laws import table

    path, based_on = workdir / "forecast.json", sorted(fitted["run_id"].tolist())
    if path.exists():
        before = json.loads(path.read_text())
        if before["based_on"] == based_on and before["run_id"] == planned.run_id:
            return before
    known = [row["run_id"] for row in table.read_runs(workdir).to_pylist() if row["loss"] is not None]
    made = predict(law, flops=planned.flops, n_params=planned.counts.n_params)
    exact = predict(law, n_params=planned.counts.n_params, tokens=planned.tokens)
    forecast = {
        "made_at": provenance.now(),
        "before_training": planned.run_id not in known,
        "run_id": planned.run_id,
        "width": planned.run.model.width,
        "depth": planned.run.model.depth,
        **exact.to_json(),
        "unit": units(fitted).loss,
        "flops": planned.flops,
        "extrapolation": made.extrapolation,
        "naive": naive(fitted, planned.flops).to_json(),
        "based_on": based_on,
    }
    write_json(path, forecast)
    return forecast


def describe_forecast(forecast: dict[str, Any]) -> list[str]:
    """The forecast in words."""
    loss, (low, high) = loss_text(forecast["loss"]), map(loss_text, forecast["loss_interval"])
    unit = forecast.get("unit", TEXT.loss)  # of a forecast written before there were others
    when = "before the run" if forecast.get("before_training", True) else "AFTER the run was in the table"
    return [
        f"forecast, made {forecast['made_at']} {when}: C {forecast['flops']:.3g} FLOPs "
        f"({forecast['extrapolation']:.1f} x the largest fitted), width {forecast['width']} depth {forecast['depth']}, "
        f"N {forecast['n_params']:.4g}, D {forecast['tokens']:.4g}",
        f"  loss {loss} {unit}, {forecast['level']:.0%} interval {low} to {high}",
    ]


def grade(workdir: Path, forecast: dict[str, Any], run_ids: Collection[str]) -> None:
    """Print the forecast's error on these runs beside two naive guesses, and add it to `forecast.json`."""
    from analysis.summary import write_json
    from scaling_laws import table

    rows = [row for row in table.read_runs(workdir).to_pylist() if row["run_id"] in run_ids]
    rows = [row for row in rows if row["loss"] is not None]
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
    print(f"trained there: loss {', '.join(map(loss_text, losses))} (mean {loss_text(mean)})")
    for name, guess in guesses.items():
        print(f"  {name:<30} {loss_text(guess)}   error {100 * (guess / mean - 1):+.2f} %")
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
    from analysis import summary
    from analysis.options import Options
    from analysis.report import write_report
    from analysis.study import study_of

    study = study_of(workdir, Options(bootstrap=resamples.count()))
    for line in summary.lines(study):
        print(line)
    summary.write_json(workdir / "fit.json", summary.to_json(study))
    written = write_report(study, workdir / "report.html")
    print(f"{written[0]} and {len(written) - 1} files of figures in {written[-1].parent}")


def compressors(task: TaskConfig) -> dict[str, float]:
    """Bits per byte of the whole text by general compressors; nothing for another task."""
    from scaling_laws.tasks import metrics, text

    if task.name != "text":
        return {}
    return metrics.compressor_bits_per_byte(text.raw_bytes(task))


def best_run(workdir: Path, compressed: dict[str, float]) -> str:
    """The best run of the sweep in words; on a text by its bits per byte, beside what compressors reach on it."""
    from scaling_laws import table

    rows = [row for row in table.read_runs(workdir).to_pylist() if row["loss"] is not None]
    told = [row for row in rows if row["bits_per_byte"] is not None]
    best = min(told, key=lambda row: row["bits_per_byte"]) if told else min(rows, key=lambda row: row["loss"])
    shape = f"width {best['width']}, depth {best['depth']}, C {best['flops']:.3g}"
    if not told:
        return f"best run: {reached(best)} held out ({shape})"
    others = ", ".join(f"{name} {bits:.3f}" for name, bits in compressed.items())
    return f"best run: {best['bits_per_byte']:.3f} bits per byte held out ({shape}); {others} on the whole text"


if __name__ == "__main__":
    cli.main(run)
