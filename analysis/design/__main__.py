"""The next experiment: the runs that shrink the interval of a target most per FLOP, from the law fitted so far.

    python -m analysis.design --runs=runs/demo --budget=2e13 --target=loss --at=flops=1e14 --emit=next.py
    python -m analysis.design --runs=my.csv --columns=n_params=N,tokens=D --budget=1e20 --target=exponent
    python -m analysis.design --runs=runs/demo --budget=2e13 --target=choice --laws=chinchilla,kaplan

Printed beside an even grid of equal cost. python -m analysis.design.simulate says how well such designs do.
"""

from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError


def run(values: Any = None) -> None:
    """Reads the flags, fits, designs, prints, and writes the recipes, the figure and the JSON."""
    from absl import flags

    from analysis import options, summary
    from analysis.design import emit, text, work
    from analysis.study import chosen_runs, runs_of

    values = flags.FLAGS if values is None else values
    chosen, wanted = options.from_flags(values), work.Wanted.of(values)
    if values.emit and Path(values.emit).suffix != ".py":
        raise ConfigError(f"--emit: {values.emit!r}; allowed: a path that ends in .py")
    runs, _ = chosen_runs(runs_of(values.runs, chosen), chosen)
    found, law = work.design(runs, chosen, wanted)
    files = emit.recipes(found, runs, Path(values.emit).stem) if values.emit else {}
    print("\n".join(text.lines(found)))
    if values.figures:
        from analysis.figures import next_runs, static

        print(f"figure: {static.save(next_runs.build(found, runs, law), Path(values.figures))[0]}")
    if files:
        written = emit.write(files, Path(values.emit).parent)
        print(f"recipes: {', '.join(map(str, written))}; each: python -m experiments.sweep --config=... --workdir=...")
    if values.out:
        summary.write_json(Path(values.out), found.to_json() | {"fit": law.to_json(samples=False)})


def define_flags() -> None:
    """The flags of analysis.fit with resamples by default, and those of the design."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.FLAGS.set_default("bootstrap", 64)
    flags.DEFINE_float("budget", None, "FLOPs for all further runs together, above 0", required=True)
    flags.DEFINE_enum("target", "loss", ["loss", "exponent", "choice"], "what is to be known better")
    flags.DEFINE_string("at", None, "of a loss: flops=1e14 (compute-optimal), or n_params=1e9,tokens=2e10")
    flags.DEFINE_string("laws", None, "of a choice: the two laws, as chinchilla,kaplan")
    flags.DEFINE_float("max_flops", None, "largest C of a run; default: a tenth of the budget", lower_bound=0)
    flags.DEFINE_integer("max_runs", 100, "most further runs", lower_bound=1, upper_bound=1000)
    flags.DEFINE_integer("max_seeds", 8, "most seeds of one shape and number of tokens", lower_bound=1, upper_bound=100)
    flags.DEFINE_bool("trunks", False, "runs of a shape and seed are cooldown branches of their longest, and cost so")
    flags.DEFINE_float("cooldown", None, "share of a branch that is its own; default: the table's, else .2")
    flags.DEFINE_float("trunk_correlation", 0.5, "of the seed noise of branches of one trunk", 0, 0.99)
    flags.DEFINE_float("misfit", None, "sd of ln loss by which the law misses; default: of the fit, beyond seed noise")
    flags.DEFINE_string("emit", None, "recipe to write, NAME.py; a further one, NAME_2.py, a grid")
    flags.DEFINE_string("figures", None, "folder for the figure, with its numbers as CSV")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
