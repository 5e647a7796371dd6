"""Ensembles of runs of a sweep's shapes: trained, put together, and loss over the number of members.

    python -m experiments.ensemble --config=experiments/configs/ensemble.py --workdir=runs/ensemble --members=1,2,4,8

Members are ordinary runs that keep their parameters; ensembles are rows of the runs table beside them, of purpose
`ensemble`. --kind is deep (other seeds), bagging (and each on a bootstrap sample of the train split) or boosting (each
after the first on what the sum of those before misses), with --members of each; or stacking: of each seed a model of
the predictions of all shapes (and --families), learnt out of fold. With --memory_split, deep and bagged members also
share the parameters of one run. Leaves ensembles.csv and a figure in the workdir. Stop it at any time: the same command
goes on. Exit code 0 when done, 1 when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from absl import flags

from experiments import cli
from scaling_laws import command

_KIND = flags.DEFINE_enum(
    "kind", "deep", ["deep", "bagging", "boosting", "stacking"], "how members differ and are put together"
)
_MEMBERS = flags.DEFINE_list("members", ["1", "2", "4", "8"], "numbers of members K")
_AVERAGE = flags.DEFINE_enum("average", "logits", ["logits", "probabilities"], "what is averaged")
_FOLDS = flags.DEFINE_integer("stacking_folds", 5, "stacking: parts of the train split", lower_bound=2)
_FAMILIES = flags.DEFINE_list("families", [], "stacking: families of the sweep's widths and depths; none: model.family")
_RATE = flags.DEFINE_float("boosting_rate", 0.5, "boosting: share of each later stage", lower_bound=0, upper_bound=1)
_SPLIT = flags.DEFINE_bool("memory_split", False, "beside whole members also those of N / K parameters")


def run() -> int:
    """Train what is missing, derive the rows, and say what came out."""
    from experiments.ensembles import report, study
    from scaling_laws.sweep.study import endings

    config, workdir = cli.config(), cli.workdir()
    sizes = cli.whole_numbers("--members", _MEMBERS.value)
    families = tuple(_FAMILIES.value)
    asked = study.Asked(_KIND.value, sizes, _AVERAGE.value, _SPLIT.value, _FOLDS.value, families, _RATE.value)
    summaries, found = study.ensembles(config, workdir, asked)
    print("\n".join(line for summary in summaries for line in endings(summary)), flush=True)
    if summaries[-1].interrupted:
        return command.stopped(summaries[-1].terminated)
    report.write(found, workdir)
    return 1 if any(summary.count("failed") for summary in summaries) else 0


if __name__ == "__main__":
    cli.main(run)
