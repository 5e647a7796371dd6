"""What a source is worth: runs of a task from scratch, and fine-tuned from runs of another text, over data sizes.

    python -m experiments.fine_tuning --config=experiments/configs/fine_tuning.py --workdir=runs/fine_tuning

The configuration's task is that of the fine-tuning; --source_path names the text of the sources, one of each shape and
seed, whose parameters are kept. Every arm is trained for each number of steps at each of `sweep.lr_multipliers`, from
the source of its own seed. Leaves transferred.csv and a figure in the workdir; over several widths the file is a table
for `python -m analysis.fit --law=transfer`. Stop it at any time: the same command goes on. Exit code 0 when done, 1
when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from pathlib import Path
from typing import Any

from absl import flags

from experiments import cli
from experiments.fine_tuned import Asked, train
from scaling_laws import command
from scaling_laws.units import loss_text

_PATH = flags.DEFINE_string("source_path", "", "text of the sources; empty: the packaged corpus")
_SOURCE_STEPS = flags.DEFINE_integer("source_steps", 2000, "optimiser steps of a source", lower_bound=2)
_STEPS = flags.DEFINE_list("steps", ["16", "64", "256"], "optimiser steps of the fine-tuning")
_SCRATCH = flags.DEFINE_list("scratch_steps", ["16", "64", "256", "1024"], "optimiser steps from scratch")
_FROZEN = flags.DEFINE_list("frozen", ["none", "embedding", "body"], "what rests in the arms: transfer.frozen")
FILE = "transferred.csv"


def run() -> int:
    """Pre-train, fine-tune, and say what the sources were worth."""
    config, workdir = cli.config(), cli.workdir()
    steps = cli.whole_numbers("--steps", _STEPS.value)
    scratch = cli.whole_numbers("--scratch_steps", _SCRATCH.value)
    asked = Asked(_PATH.value, _SOURCE_STEPS.value, tuple(steps), tuple(scratch), tuple(_FROZEN.value))
    done = []
    for summary, rows in train(config, workdir, asked):
        if summary.interrupted:
            return command.stopped(summary.terminated)
        done.append((summary, rows))
    write(done[-1][1], workdir)
    return int(any(summary.count("failed") for summary, _ in done))


def write(rows: list[dict[str, Any]], workdir: Path) -> None:
    """transferred.csv, a line of it each, and the figure."""
    from analysis import transferred
    from analysis.figures import fine_tuning, static, style

    found = transferred.arms(rows)
    worth = [each.to_row() for each in transferred.transferred(found)]
    style.write_atomically(workdir / FILE, style.csv_bytes(worth, transferred.ROW))
    for arm in found:
        edge = ", at the edge of the rates" if arm.edge else ""
        print(f"{arm.arm}, {arm.tokens:,} tokens: {loss_text(arm.loss)} at {arm.learning_rate:g}{edge}")
    for row in worth:
        worth_of = row["transferred_tokens"]
        what = "what no run from scratch measures" if worth_of == "" else f"{worth_of:,.0f} tokens"
        print(f"{row['arm']}, {row['finetune_tokens']:,} tokens: the source was worth {what}")
    print(f"figure: {static.save(fine_tuning.losses_over_tokens(found), workdir / 'figures')[0]}")


if __name__ == "__main__":
    cli.main(run)
