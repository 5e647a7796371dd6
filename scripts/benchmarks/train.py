"""Speed of the training step on one core of a CPU, each figure beside its bar.

    scripts/bench train                                   all of it, half an hour
    scripts/bench train --only=peers --shapes=tiny,micro  some of: peers, ablation, linear; of: small, tiny, micro
    scripts/bench train --torch_python=PATH               PyTorch from another environment
    scripts/bench train --rounds=2                        a look

CPU-seconds of one thread, the sides in alternation. The exit code is 0 whatever was measured: a slow machine is no
error.
"""

import os
from collections.abc import Callable
from pathlib import Path

from absl import flags

from analysis import cli
from scaling_laws.config import ConfigError, nearest
from scripts.benchmarks import ablation, peers, scaling
from scripts.benchmarks.report import Row, lines, write
from scripts.benchmarks.shapes import REFERENCES


def run() -> None:
    """Runs the sections and prints their table. Raises ConfigError for bad input."""
    os.environ["JAX_PLATFORMS"] = "cpu"  # of the workers: an accelerator is another benchmark's
    shapes = chosen("shapes", flags.FLAGS.shapes, REFERENCES)
    sections: dict[str, Callable[[], list[Row]]] = {
        "peers": lambda: peers.rows(shapes, flags.FLAGS.rounds, flags.FLAGS.torch_python),
        "ablation": lambda: ablation.rows(flags.FLAGS.rounds, _folder()),
        "linear": lambda: scaling.rows(flags.FLAGS.rounds, _folder()),
    }
    rows = [row for name in chosen("only", flags.FLAGS.only, sections) for row in sections[name]()]
    print("\n".join(lines(rows)))
    if flags.FLAGS.out:
        write(rows, Path(flags.FLAGS.out))


def chosen(flag: str, words: str | None, allowed) -> list[str]:
    """The names in a flag, all that are allowed where it is not given. Raises ConfigError."""
    names = words.split(",") if words else list(allowed)
    for name in names:
        if name not in allowed:
            raise ConfigError(f"--{flag}: {name!r}; allowed: {', '.join(allowed)}{nearest(name, allowed)}")
    return names


def _folder() -> Path:
    return Path(flags.FLAGS.out_folder)


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("only", None, "sections to run, separated by commas; default: all")
    flags.DEFINE_string("shapes", None, "shapes of the section `peers`, separated by commas; default: all")
    flags.DEFINE_integer("rounds", 7, "timed rounds of each side", lower_bound=1)
    flags.DEFINE_string("torch_python", None, "interpreter that imports torch; default: this one")
    flags.DEFINE_string("out_folder", "runs/bench", "folder for tables (CSV) and figures")
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
