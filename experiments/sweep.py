"""Train a family of models over width and depth at fixed compute budgets.

    python -m experiments.sweep --config=experiments/configs/demo.py --workdir=runs/demo [--dry_run]
    python -m experiments.sweep --config=experiments/configs/gpu_text.py --dry_run --device=h100,count=8,price=2.5

The same command again goes on where an interrupted one ended; what is finished is never done twice. Exit code 0 when
all runs are settled, 1 when one failed (its row says why), 130 after Ctrl-C, 75 after SIGTERM, when checkpoints have
been written within `sweep.stop_seconds` (for a scheduler that starts it again), 2 for bad input. Registered forecasts
(`python -m analysis.predict --register`) that the runs answer are graded at the end.

With --device the plan is priced on devices that need not be at hand: device-hours, cost, time by the clock, room for
checkpoints and logs, and what does not fit their memory.
"""

from absl import flags

from experiments import cli, landed
from scaling_laws import command
from scaling_laws.config import ConfigError

_DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the planned runs, their cost and the refusals, and train nothing")
_DEVICE = flags.DEFINE_string(
    "device",
    None,
    "with --dry_run, price the plan on NAME,count=,price=,utilization= (a100, h100, h200, tpu_v4, tpu_v5e, tpu_v5p, "
    "tpu_v6e), or on peak=FLOP/s,memory=BYTES,..; price of an hour of one device, in any currency",
)


def run() -> int:
    """Plan, then train or, with --dry_run, print the plan."""
    from scaling_laws.sweep import device, launch, price, show, study

    config = cli.config()
    named = device.parse(_DEVICE.value) if _DEVICE.value is not None else None
    if named and not _DRY_RUN.value:
        raise ConfigError("--device: given; allowed: with --dry_run, which trains nothing")
    if _DRY_RUN.value:
        planned = study.plan_sweep(config, cli.workdir() if flags.FLAGS.workdir else None)
        print("\n".join(show.table(planned, launch.worker_count(config))))
        if named:
            print("\n".join(["", *price.lines(price.price(planned, named), config.model.dtype)]))
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
