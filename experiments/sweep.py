"""Train a family of models over width and depth at fixed compute budgets.

    python -m experiments.sweep --config=experiments/configs/demo.py --workdir=runs/demo [--dry_run]

The same command again goes on where an interrupted one ended; what is finished is never done twice. Exit code 0 when
all runs are settled, 1 when one failed (its row says why), 130 after Ctrl-C, 75 after SIGTERM, when checkpoints have
been written within `sweep.stop_seconds` (for a scheduler that starts it again), 2 for bad input. Registered forecasts
(`python -m analysis.predict --register`) that the runs answer are graded at the end.
"""

from absl import flags

from experiments import cli, landed
from scaling_laws import command

_DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the planned runs, their cost and the refusals, and train nothing")


def run() -> int:
    """Plan, then train or, with --dry_run, print the plan."""
    from scaling_laws.sweep import machine, show, study

    config = cli.config()
    if _DRY_RUN.value:
        planned = study.plan_sweep(config, cli.workdir() if flags.FLAGS.workdir else None)
        print("\n".join(show.table(planned, machine.worker_count(config.sweep.workers))))
        return 0
    workdir = cli.workdir()
    forecasts = landed.ledger_for(workdir)
    done = study.run_sweep(config, workdir)
    if done.summary.interrupted:
        return command.stopped(done.summary.terminated)
    landed.tell(forecasts, workdir)
    return 1 if done.summary.count("failed") else 0


if __name__ == "__main__":
    cli.main(run)
