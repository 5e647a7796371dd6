"""The programs that are fuzzed, called as their users call them, within a forked child."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from scripts.faults.cases import Case

IMPORTED = (
    "experiments.sweep", "experiments.train", "analysis.fit", "analysis.cli", "analysis.options", "analysis.study",
    "analysis.summary", "analysis.load.own_runs", "analysis.load.tensorboard", "scaling_laws.sweep.study",
    "scaling_laws.sweep.show", "scaling_laws.table", "scaling_laws.tasks.catalog", "pyarrow.parquet", "pyarrow.csv",
    "pyarrow.json", "tensorboard.backend.event_processing.event_file_loader", "tensorboard.util.tensor_util",
    "tensorboard.plugins.hparams.plugin_data_pb2", "tokenizers",
)  # fmt: skip


def warm() -> None:
    """Imports what the programs import, so that no child has to."""
    for name in IMPORTED:
        importlib.import_module(name)


def call(case: Case, folder: Path) -> int:
    """The exit code of a case's program, run in `folder`."""
    os.chdir(folder)
    os.environ.update(HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"), TMPDIR=str(folder), JAX_PLATFORMS="cpu")
    return {"sweep": _sweep, "train": _train, "fit": _fit}[case.program](case.words)


def _sweep(words: Sequence[str]) -> int:
    from experiments import cli, sweep

    _keep_flags("experiments.")
    return cli.call(sweep.run, ["sweep", *words])


def _train(words: Sequence[str]) -> int:
    """experiments.train up to the first step: settings, task and identity, as far as it goes without JAX."""
    from experiments import cli, train
    from scaling_laws import config
    from scaling_laws.hosts.team import Team
    from scaling_laws.sweep import machine
    from scaling_laws.tasks import catalog

    def begun(run: config.RunConfig, workdir: Path, _team: Team) -> None:
        task = catalog.load(run.task, machine.task_cache_folder())
        print(config.identity(run, task.content_hash), "would be trained in", workdir)
        raise SystemExit(0)

    _keep_flags("experiments.")
    train.train_once = begun
    return cli.call(train.run, ["train", *words])


def _fit(words: Sequence[str]) -> int:
    from analysis import cli, fit, options

    _keep_flags("analysis.")
    options.define_flags()
    return cli.call(fit.run, ["fit", *words])


def _keep_flags(package: str) -> None:
    """Forgets the flags that no module of a package defined: those of the program that this child was forked from."""
    defined = {module: [flag.name for flag in found] for module, found in flags.FLAGS.flags_by_module_dict().items()}
    for module, names in defined.items():
        for name in [] if module.startswith(package) else names:
            delattr(flags.FLAGS, name)


def seen(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Path -> kind, size and time of the last change of everything below a folder."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            facts = os.lstat(path)
            is_folder = name in folders
            found[path] = (facts.st_mode, 0 if is_folder else facts.st_size, 0 if is_folder else facts.st_mtime_ns)
    return found


def left_behind(case: Case, code: int, folder: Path, before: dict, after: dict) -> str:
    """What a case changed or left that it must not; nothing where there is nothing."""
    changed = sorted(path for path in before if after.get(path) != before[path])
    if changed:
        return f"{changed[0]} was changed"
    new = [Path(os.path.relpath(path, folder)) for path in sorted(set(after) - set(before))]
    for path in new:
        if path.name.startswith(".") or "partial" in path.name:
            return f"{path} was left half-written"
        whole = path == Path("out.json") and case.program == "fit" and code == 0
        if not whole and path.parts[0] != "cache":
            return f"{path} was written"
    if case.program == "fit" and code == 0 and Path("out.json") not in new:
        return "out.json was not written"
    return ""
