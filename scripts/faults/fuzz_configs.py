"""Random command lines of experiments.sweep --dry_run and experiments.train: mostly wrong, each in a way of its own."""

import math
import os
import random
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling_laws import config
from scripts.faults.cases import Case

DEFAULT = config.ExperimentConfig()
FIELDS = {path: field for path, field, _ in config.leaves(DEFAULT)}
KINDS = config.field_types(DEFAULT)
SMALL = {
    "model.width": "0", "model.depth": "0", "model.head_dim": "8", "task.context": "16", "train.batch_size": "4",
    "sweep.widths": "8,16", "sweep.depths": "1", "sweep.budgets": "2e8,4e8",
}  # fmt: skip
SMALL_RUN = SMALL | {"model.width": "16", "model.depth": "1"}
NASTY = (
    "", " ", "nan", "inf", "-inf", "1e400", "-1e400", "1e-400", "5e-324", "-0", "0", "1", "-1", "0x10", "1_000", "1.5",
    "1e3", "9" * 400, "9" * 5000, "-" + "9" * 5000, "true", "True", "maybe", "None", "null", "[]", "()", "(((", "[1,2",
    "1,,2", ",", ",,,", "1,1", "1,2,1", "nan,nan", "٣", "½", "e\u0301", "\u202e\u2066", "\u2028", "\u0085", "\x1b[2J",
    "\x07\x08", "\udc80\udcff", "a b", "'", '"', "`id`$(id)", "{}{0}{x!r}", "%s%n%d", "--config.model.width=8", "=",
    "=:=", "\n", "a\r\nerror: b", "</script>", "../../etc/passwd", "~", "~nobody/x", "-", "--", "x" * 100_000,
    "sotu/", "😀" * 1000,
)  # fmt: skip
LITERALS = (
    "None", "float('nan')", "float('-inf')", "10**5000", "-10**400", "10**400 * 1.0", "'a\\0b'", "'\\ud800'",
    "b'\\xff'",
    "object()", "{}", "[]", "()", "(1, 1)", "(1, 'a')", "(None,)", "(float('nan'),)", "tuple(range(1, 10**6))", "set()",
    "True", "1.0", "2**63", "1j", "'x' * 10**6", "(10**5000,)", "((1,),)", "range(3)", "lambda: 1", "'../' * 5000",
)  # fmt: skip
RECIPES = (
    "", "x = (\n", "get_config = 3\n", "def get_config():\n    return 3\n", "def get_config():\n    return 1 / 0\n",
    "def get_config(a):\n    return a\n", "import nowhere\n", "raise ValueError('two\\nlines')\n", "\0", "\t\t x",
    "(" * 100_000, "def get_config():\n    return get_config()\n", "# -*- coding: klingon -*-\n", "\ufeff",
    "é = '\ud800'",
    "def get_config():\n    raise OSError(2, 'gone', 'x')\n",
)  # fmt: skip
AXES: dict[str, Callable[[int], str]] = {
    "widths": lambda i: str(8 * i),
    "depths": str,
    "seeds": str,
    "extra_seeds": str,
    "forecast_seeds": str,
    "budgets": lambda i: f"{1e6 * i:.17g}",
    "lr_multipliers": lambda i: f"{1e-6 * i:.17g}",
}


def case(number: int, rng: random.Random, inputs: Path, folder: Path) -> Case:
    """A program, its words, and a recipe where one belongs to it."""
    program = rng.choice(("sweep", "sweep", "train"))
    base = (SMALL if program == "sweep" else SMALL_RUN) | {"task.path": str(inputs / "corpus")}
    words = [f"--config.{name}={value}" for name, value in base.items()]
    words += ["--dry_run"] if program == "sweep" else ["--workdir=work"]
    files: dict[str, bytes] = {}
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        words += rng.choices(WAYS, WEIGHTS)[0](rng, inputs, files)
    if rng.random() < 0.3:
        rng.shuffle(words)
    return Case(program, tuple(words), files)


def _valid(rng: random.Random, kind: Any, rule: Any) -> str:
    """A value within the range of a setting."""
    if rule["choices"]:
        return rng.choice(rule["choices"])
    if kind is bool:
        return rng.choice(("true", "false", "True", "0"))
    if kind is str:
        return rng.choice(NASTY)
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return ",".join(_valid(rng, item, rule) for _ in range(rng.choice((0, 1, 2, 3, 5, 20))))
    low, high = rule["low"], rule["high"]
    smallest = max(low, 1e-9 if kind is float else 1)
    value = math.exp(rng.uniform(math.log(smallest), math.log(max(high, smallest))))
    return str(max(low, min(high, round(value)))) if kind is int else repr(max(low, min(high, value)))


def _edge(rng: random.Random, kind: Any, rule: Any) -> str:
    """A value at the end of the range of a setting, or just past it."""
    if rule["low"] is None or rule["high"] is None:
        return rng.choice(NASTY)
    ends = (rule["low"], rule["high"], rule["low"] - 1, rule["high"] + 1, -rule["high"], rule["high"] * 10)
    return str(rng.choice(ends))


def _setting(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    name = rng.choice(list(FIELDS))
    how: Callable[..., str] = rng.choice((_valid, _valid, _edge, lambda rng, *_: rng.choice(NASTY)))
    value = how(rng, KINDS[name], FIELDS[name].metadata)
    if name == "task.path" and value in ("", "sotu"):
        return []
    sign = "--" if rng.random() < 0.95 else "-"
    return rng.choice(([f"{sign}config.{name}={value}"],) * 4 + ([f"{sign}config.{name}", value],))


def _misspelt(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    name = rng.choice(list(FIELDS))
    at = rng.randrange(len(name))
    wrong = rng.choice((
        name[:at] + name[at + 1 :], name[:at] + rng.choice("xé. [\n\x1b") + name[at:], name.split(".")[0], "", ".",
        name + ".x",
        name.upper(), "..", "__class__", "model.__dict__", "x" * 50_000,
    ))  # fmt: skip
    return [f"--config.{wrong}={rng.choice(NASTY[:20])}"]


def _repeated(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    return _setting(rng, inputs, files) * rng.choice((2, 3, 200))


def _no_value(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    name = rng.choice(list(FIELDS))
    return [rng.choice((f"--config.{name}", f"--noconfig.{name}", f"--noconfig.{name}=true"))]


def _grid(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    """Axes so long that their product is a plan of up to 10^15 runs."""
    longest = rng.choices((10, 100, 1000, 100_000, 1_000_000), (10, 10, 10, 5, 1))[0]
    chosen = rng.sample(list(AXES), rng.randint(1, 4))
    return [f"--config.sweep.{name}={','.join(map(AXES[name], range(1, longest + 1)))}" for name in chosen]


def _path(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    """A path that is no corpus, no recipe or no work directory."""
    strange = [str(inputs / "strange" / name) for name in os.listdir(inputs / "strange")]
    place = rng.choice([
        *strange, "/dev/null", "/dev/zero", "/dev/stdin", "/dev/full", "/proc/self/mem", "/proc/self/environ", "..",
        "../../../../../../etc/passwd", "/etc/shadow", "x" * 5000, "a/" * 3000, "/nowhere/at/all", "corpus\n", "\udcff",
        f"{inputs}/corpus/../corpus", f"{inputs}/./corpus//", f"{inputs}/corpus.txt/..", f"{inputs}/corpus.txt",
    ])  # fmt: skip
    name = rng.choice(("config.task.path", "config.task.path", "config", "workdir", "flagfile"))
    return [f"--{name}={place}"]


def _flag(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    return [rng.choice((
        "--dry_run=maybe", "--nodry_run=1", "--dryrun", "--workdir", "--workdir=", "--workdir=x=y", "--undefok=x",
        "--help",
        "--flagfile", "stray", "-", "--", "---x", "--=", "--x=\x1b[31m", "--config", "--config=", "--configs=3", "-c",
        "--noconfig", "--config.=", "\u2028", "--workdir=" + "x" * 300, "--only_check_args", "--flagfile=",
    ))]  # fmt: skip


def _recipe(rng: random.Random, inputs: Path, files: dict[str, bytes]) -> list[str]:
    """A Python file: a broken one, or one that sets something to any object of Python."""
    name = rng.choice(("recipe.py", "recipe", "a b.txt", "é.py"))
    text = rng.choice(RECIPES)
    if rng.random() < 0.7:
        change = {rng.choice([*FIELDS, "model", "nothing"]): rng.choice(LITERALS) for _ in range(rng.randint(1, 3))}
        pairs = ", ".join(f"{path!r}: {literal}" for path, literal in change.items())
        head = "from scaling_laws import config\n\n\ndef get_config():\n"
        text = f"{head}    return config.replace(config.ExperimentConfig(), {{{pairs}}})\n"
    files[name] = text.encode("utf-8", "surrogatepass")
    return [f"--config={name}"]


WAYS = (_setting, _misspelt, _repeated, _no_value, _grid, _path, _flag, _recipe)
WEIGHTS = (50, 6, 4, 4, 8, 10, 6, 12)
