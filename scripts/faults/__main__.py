"""Does to a small sweep what machines do, and says what became of it.

    scripts/chaos --kills=200                        signal 9 at random moments
    scripts/chaos --flips=1000 --truncations=200     bits and lengths of tables and checkpoints
    scripts/chaos --configs=10000 --files=2000       random command lines, spoilt data files
    scripts/chaos --full_disk                        a disk that is full at every write in turn

Exit code 1 when anything was lost, doubled, changed, or wrong without a word.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from absl import flags

from analysis import cli
from scaling_laws.config import ConfigError
from scaling_laws.progress import Progress
from scripts.faults import damage, full_disk, fuzz, kills

Verdict = tuple[list[str], bool]  # lines, and whether all is well
DISKS = 100  # about as many as there are


def run() -> int:
    """Prints what was found; 1 when something was."""
    if sys.platform != "linux":
        raise ConfigError("scripts/chaos: reads /proc; allowed: Linux")
    found = []
    for lines, sound in _asked_for():
        print("\n".join(lines), flush=True)
        found.append(sound)
    if not found:
        raise ConfigError("scripts/chaos: nothing to do; allowed: --kills=200, --flips=1000, --full_disk and others")
    return 0 if all(found) else 1


def _asked_for() -> Iterator[Verdict]:
    given = flags.FLAGS
    harms = {"flips": given.flips, "truncations": given.truncations}
    if given.kills:
        with tempfile.TemporaryDirectory() as place, Progress(given.kills, "kills") as bar:
            tally = kills.chaos(given.kills, given.seed, given.workers, Path(place), bar.update)
        yield tally.lines(), tally.sound
    if sum(harms.values()):
        with tempfile.TemporaryDirectory() as place, Progress(sum(harms.values()), "harms") as bar:
            harmed = damage.damage(harms, given.seed, Path(place), bar.update)
        yield harmed.lines(), harmed.sound
    with tempfile.TemporaryDirectory() as place:
        for cases, count in ((fuzz.configs, given.configs), (fuzz.files, given.files)):
            if count:
                spoilt = cases(count, given.seed, Path(place), given.first, print if given.show else None)
                yield spoilt.lines(), not spoilt.bad
    if given.full_disk:
        with tempfile.TemporaryDirectory() as place, Progress(DISKS, "disks") as bar:
            trials = full_disk.full_disk(Path(place), bar.update)
        yield full_disk.lines(trials), not any(trial.fault for trial in trials)


def define_flags() -> None:
    """The flags of this program."""
    flags.DEFINE_integer("kills", 0, "how often to kill", lower_bound=0)
    flags.DEFINE_integer("workers", 2, "of the sweeps that are killed", lower_bound=1)
    flags.DEFINE_integer("flips", 0, "how many bits to turn over, one at a time", lower_bound=0)
    flags.DEFINE_integer("truncations", 0, "how many files to cut short, one at a time", lower_bound=0)
    flags.DEFINE_integer("configs", 0, "how many random command lines to try", lower_bound=0)
    flags.DEFINE_integer("files", 0, "how many spoilt data files to read", lower_bound=0)
    flags.DEFINE_integer("first", 0, "number of the first of these cases", lower_bound=0)
    flags.DEFINE_bool("show", False, "print every one of them, with what was said")
    flags.DEFINE_bool("full_disk", False, "fill the disk at every write of a sweep in turn")
    flags.DEFINE_integer("seed", 0, "of moments, targets, places", lower_bound=0)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
