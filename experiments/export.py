"""Writes a trained run as one file: its forward pass and its parameters in StableHLO, rounded weights in their bits.

    python -m experiments.export --workdir=runs/one --run=RUN_ID --out=model.stablehlo
    python -m experiments.export --workdir=runs/one --run=RUN_ID --out=model.stablehlo --check

The run must have kept its parameters (train.keep_parameters). Whoever has the file needs JAX alone:
`jax.export.deserialize(bytearray(file)).call(inputs)`, with any number of examples as the task has them, before it
standardises them. With --check the file that is there, or is written now, is loaded again, its outputs on held-out
examples compared bit for bit with the model's own, and both are timed in turns: a table, and the same as JSON in
OUT.json. Exit code 0 when done, 1 where outputs differ, 2 for bad input, a damaged file too.
"""

from pathlib import Path

from absl import flags

from experiments import cli

_RUN = flags.DEFINE_string("run", "", "run_id of a finished run of the workdir that has kept its parameters")
_OUT = flags.DEFINE_string("out", "model.stablehlo", "the file")
_CHECK = flags.DEFINE_bool("check", False, "load the file, compare its outputs with the model's own, and time both")
_EXAMPLES = flags.DEFINE_integer("examples", 64, "held-out examples that --check compares and times", lower_bound=1)
_CALLS = flags.DEFINE_integer("calls", 300, "calls of a single example that --check times", lower_bound=10)


def run() -> int:
    """Write the file, and check it where that is asked for."""
    from experiments import exported

    workdir, path = cli.workdir(), Path(_OUT.value)
    row, model = exported.model_of(workdir, _RUN.value)
    if not (_CHECK.value and path.exists()):
        exported.write(model, path)
    if not _CHECK.value:
        return 0
    return 0 if exported.check(row, model, path, _EXAMPLES.value, _CALLS.value) else 1


if __name__ == "__main__":
    cli.main(run)
