"""Ensembles of runs of a sweep's shapes: trained, put together, and loss over the number of members.

    python -m experiments.ensemble --config=experiments/configs/ensemble.py --workdir=runs/ensemble --members=1,2,4,8

Members are ordinary runs that keep their parameters; ensembles are rows of the runs table beside them, of purpose
`ensemble`. --kind is deep (other seeds). With --memory_split the members of each ensemble also share the parameters of
one run. Leaves ensembles.csv and a figure in the workdir. Stop it at any time: the same command goes on. Exit code 0
when done, 1 when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from absl import flags

from experiments import cli
from scaling_laws import command

_KIND = flags.DEFINE_enum("kind", "deep", ["deep"], "how members differ and are put together")
_MEMBERS = flags.DEFINE_list("members", ["1", "2", "4", "8"], "numbers of members K")
_AVERAGE = flags.DEFINE_enum("average", "logits", ["logits", "probabilities"], "what is averaged")
_SPLIT = flags.DEFINE_bool("memory_split", False, "beside whole members also those of N / K parameters")


def run() -> int:
    """Train what is missing, derive the rows, and say what came out."""
    from experiments.ensembles import report, study
    from scaling_laws.sweep.study import endings

    config, workdir = cli.config(), cli.workdir()
    sizes = cli.whole_numbers("--members", _MEMBERS.value)
    summary, found = study.ensembles(config, workdir, _KIND.value, sizes, _AVERAGE.value, _SPLIT.value)
    print("\n".join(endings(summary)), flush=True)
    if summary.interrupted:
        return command.stopped(summary.terminated)
    report.write(found, workdir)
    return 1 if summary.count("failed") else 0


if __name__ == "__main__":
    cli.main(run)
