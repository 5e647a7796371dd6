"""Approach 2: the size with the lowest loss at each compute budget, and the power of C that these sizes follow.

    python -m analysis.isoflop --runs=runs.csv --columns=n_params=N,tokens=D --method=akima --bootstrap=1000

The minima of --method are listed; the lines of all methods stand side by side. From Python: `isoflop(load(path))`.
"""

import dataclasses
from pathlib import Path
from typing import Any

from analysis.isoflop import METHODS, Isoflop, isoflop, table
from analysis.isoflop.approach import WEIGHTS, check
from analysis.load import DataError

FIGURES = ("isoflop_curves", "frontier_scaling")


def run(values: Any = None) -> None:
    """Reads the flags, finds the minima by every method, prints them, writes `--out` and the figures."""
    from absl import flags

    from analysis import options, summary
    from analysis.study import study_of

    values = flags.FLAGS if values is None else values
    check(values.method, values.line_weights, values.bootstrap, values.level, values.seed_noise)
    study = study_of(values.runs, options.from_flags(values))
    results, missing = by_every_method(study, values)
    print("\n".join(table.lines(results, values.method, missing)))
    left_out = [f"left out: {count} x {reason}" for reason, count in study.runs.excluded_counts().items()]
    print("\n".join([*left_out, *(f"note: {note}" for note in study.runs.notes)]), end="\n" if left_out else "")
    if values.out:
        methods = {name: result.to_json() for name, result in results.items()}
        found = results[values.method].to_json() | {"methods": methods, "missing": missing, "source": study.runs.source}
        summary.write_json(Path(values.out), found | {"left_out": study.runs.excluded_counts()})
    if values.figures:
        _draw(dataclasses.replace(study, isoflop=results[values.method]), Path(values.figures))


def by_every_method(study: Any, values: Any) -> tuple[dict[str, Isoflop], dict[str, str]]:
    """Each method's result, and name -> reason of those without one. Raises DataError where --method has none."""
    results, missing = {}, {}
    law = study.fit if study.fit is not None and study.fit.frontier is not None else None
    for method in METHODS:
        if method == "surface" and law is None:
            missing[method] = study.why("fit") if study.fit is None else "this law has no frontier over N and D"
            continue
        results[method] = isoflop(
            study.runs,
            method,
            bootstrap=values.bootstrap,
            seed=values.seed,
            level=values.level,
            noise=values.seed_noise if method == "akima" else None,
            weights=values.line_weights,
            fitted=law,
        )
    if values.method in missing:
        raise DataError(f"{study.runs.source}: {missing[values.method]}")
    return results, missing


def _draw(study: Any, folder: Path) -> None:
    from analysis.figures import NothingToDraw, draw

    for name in FIGURES:
        try:
            print(f"figure: {draw(name, study, folder)[0]}")
        except NothingToDraw as reason:
            print(f"not drawn: {name}: {reason}")


def define_flags() -> None:
    """The flags of analysis.fit, and those of approach 2 alone."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.DEFINE_string("method", "parabola", f"whose minima are listed: {', '.join(METHODS)}")
    flags.DEFINE_float("seed_noise", None, "akima: sd of ln loss added in each resample; default: as measured")
    flags.DEFINE_string("line_weights", None, f"of the budgets in the line: {', '.join(WEIGHTS)}")
    flags.DEFINE_string("figures", None, "folder of the figures to draw")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
