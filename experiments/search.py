"""Search over any settings of a run: grid, random, TPE, Gaussian process; seeds, folds, successive halving.

    python -m experiments.search --config=experiments/configs/demo.py --workdir=runs/search --config.model.width=32 \
        --config.model.depth=2 --config.train.steps=300 --sampler=gp --trials=16 --seeds=0,1 \
        --space="optimizer.learning_rate=log:3e-3:1e-1,optimizer.weight_decay=log:0.03:3,model.norm=rms|layer"

Each trial is a run of the configuration with the space's settings in place, a row of the runs table with purpose
`search`. Values of --space: log:LOW:HIGH, linear:LOW:HIGH (each with :COUNT for so many points, as a grid needs),
int:LOW:HIGH, int:LOW:HIGH:STEP, or A|B|C. The same command goes on after a stop or a kill. Processes with other work
directories, on other machines too, share a search by the same --storage. Exit code 0 when the search is done, 1 when a
run failed (its row says why), 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

import importlib.util
from pathlib import Path

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, run_part
from scaling_laws.search.settings import SAMPLERS, Search
from scaling_laws.search.space import parse

_SPACE = flags.DEFINE_string("space", "", "what is varied: FIELD=VALUES,FIELD=VALUES")
_SAMPLER = flags.DEFINE_enum("sampler", "gp", SAMPLERS, "who proposes the trials: grid, random, tpe, gp")
_TRIALS = flags.DEFINE_integer("trials", 16, "trials that are drawn; of a grid, at most")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds of every trial; its value is the mean")
_FOLDS = flags.DEFINE_integer("folds", 0, "cross-validation over so many folds; 0: the task's own split")
_HALVING = flags.DEFINE_integer("halving", 0, "successive halving: the best 1 in so many goes on, that much longer")
_RUNGS = flags.DEFINE_integer("rungs", 1, "horizons of successive halving; train.steps is the last")
_SEED = flags.DEFINE_integer("search_seed", 0, "seed of the sampler", lower_bound=0, upper_bound=2**31 - 1)
_STORAGE = flags.DEFINE_string("storage", None, "file of trials that several processes share; default: in the workdir")


def run() -> int:
    """Search, print the best trial and the whole compute, draw the figures."""
    config, workdir = cli.config(), cli.workdir()
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("--sampler: optuna is not installed; allowed: after scripts/setup --extra search")
    from analysis.figures.searches import draw_search
    from scaling_laws.search.driver import run_search

    base = run_part(config)
    search = Search(
        base=base,
        space=parse(_SPACE.value, base),
        sampler=_SAMPLER.value,
        trials=_TRIALS.value,
        seeds=_whole_numbers(_SEEDS.value),
        folds=_FOLDS.value,
        eta=_HALVING.value,
        rungs=_RUNGS.value,
        seed=_SEED.value,
    )
    found = run_search(config, search, workdir, Path(_STORAGE.value) if _STORAGE.value else None)
    if found.summary.interrupted:
        return command.stopped(found.summary.terminated)
    for path in draw_search(found.search, workdir / "search_figures"):
        print(path)
    return 1 if found.summary.count("failed") else 0


def _whole_numbers(words: list[str]) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words)
    except ValueError:
        raise ConfigError(f"--seeds: {','.join(words)!r}; allowed: whole numbers separated by commas") from None


if __name__ == "__main__":
    cli.main(run)
