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
    from analysis.figures.style import write_atomically
    from analysis.study import chosen_runs, runs_of

    values = flags.FLAGS if values is None else values
    chosen, wanted = options.from_flags(values), work.Wanted.of(values)
    files = _files(values.emit, values.emit_even)
    runs, _ = chosen_runs(runs_of(values.runs, chosen), chosen)
    found, law = work.design(runs, chosen, wanted)
    recipes = {file: emit.recipe(found, runs, file.name, even) for file, even in files.items()}
    print("\n".join(text.lines(found)))
    if values.figures:
        from analysis.figures import next_runs, static

        print(f"figure: {static.save(next_runs.build(found, runs, law), Path(values.figures))[0]}")
    for file, recipe in recipes.items():
        print(f"recipe: python -m experiments.sweep --config={write_atomically(file, recipe.encode())} --workdir=...")
    if values.out:
        summary.write_json(Path(values.out), found.to_json() | {"fit": law.to_json(samples=False)})


def _files(design: str | None, even: str | None) -> dict[Path, bool]:
    """The recipes to write, and whether each is the even grid's. Raises ConfigError."""
    files = {}
    for flag, name, is_even in (("emit", design, False), ("emit_even", even, True)):
        if name and Path(name).suffix != ".py":
            raise ConfigError(f"--{flag}: {name!r}; allowed: a path that ends in .py")
        if name and files.setdefault(Path(name), is_even) != is_even:
            raise ConfigError(f"--{flag}: {name!r}; allowed: another file than --emit")
    return files


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
    flags.DEFINE_string("emit", None, "recipe of these runs to write, NAME.py, for experiments.sweep")
    flags.DEFINE_string("emit_even", None, "recipe of the even grid of equal cost to write, NAME.py")
    flags.DEFINE_string("figures", None, "folder for the figure, with its numbers as CSV")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
