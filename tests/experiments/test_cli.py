"""The command line: overrides, config files, and one line for whatever is wrong."""

import os
import subprocess
import sys
import time

import pytest
from absl import flags
from hypothesis import example, given
from hypothesis import strategies as st

from experiments import cli, overrides
from scaling_laws import command
from scaling_laws import config as c

DEFAULT = c.ExperimentConfig()
TYPES = c.field_types(DEFAULT)
HEADER = "from scaling_laws.config import *\n"


def parsed(*words):
    return overrides.parse(["program", *words])[0]


def refused(*words):
    with pytest.raises(c.ConfigError) as error:
        parsed(*words)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def config_file(tmp_path):
    def write(text, name="recipe.py"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_no_arguments_give_the_defaults():
    assert parsed() == DEFAULT
    with pytest.raises(AttributeError):
        parsed().model.width = 3  # pyright: ignore


def spelled(value):
    if isinstance(value, tuple):
        return ",".join(map(spelled, value))
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


@pytest.mark.parametrize("path, field, value", [pytest.param(*leaf, id=leaf[0]) for leaf in c.leaves(DEFAULT)])
def test_every_setting_can_be_overridden(path, field, value):
    kind, rule = TYPES[path], field.metadata
    if rule["choices"]:
        wanted = rule["choices"][-1]
    elif kind is bool:
        wanted = not value
    elif kind is str:
        wanted = "a=b c"
    elif kind in (int, float):
        wanted = kind(rule["high"])
    elif kind.__args__[0] is str:
        wanted = ("16x2x300x0", "8x1x300x1")
    else:
        wanted = (kind.__args__[0](rule["low"]), kind.__args__[0](rule["high"]))
    assert parsed(f"--config.{path}={spelled(wanted)}") == c.replace(DEFAULT, {path: wanted})


@given(st.sampled_from(list(TYPES)), st.text(max_size=12))
@example("model.width", "0x10")
@example("model.width", "9" * 400)
@example("optimizer.learning_rate", "1e999")
@example("sweep.widths", "((16))")
@example("sweep.budgets", "1e11,,2e11")
@example("model.qk_norm", "")
@example("train.steps", "--config.model.width=8")
def test_any_text_gives_a_valid_configuration_or_one_line(path, text):
    try:
        config = parsed(f"--config.{path}={text}")
    except c.ConfigError as error:
        said = str(error)
        assert said.startswith(path)
        assert "allowed:" in said
    else:
        c.check_fields(config)
        assert [p for p, _, _ in c.leaves(config)] == list(TYPES)
        changed = {p: value for p, _, value in c.leaves(config) if p != path}
        assert changed == {p: value for p, _, value in c.leaves(DEFAULT) if p != path}


@pytest.mark.parametrize("text", ["16,32", "(16,32)", "(16, 32,)", "[16, 32]", " 16 , 32 "])
def test_spellings_of_a_tuple(text):
    assert parsed(f"--config.sweep.widths={text}").sweep.widths == (16, 32)


def test_tuples_are_typed():
    budgets = parsed("--config.sweep.budgets=1e11,200000000000").sweep.budgets
    assert budgets == (1e11, 2e11)
    assert all(type(budget) is float for budget in budgets)
    assert parsed("--config.sweep.extra_seeds=").sweep.extra_seeds == ()
    assert parsed("--config.sweep.seeds=5").sweep.seeds == (5,)
    assert refused("--config.sweep.widths=16,x").startswith("sweep.widths: '16,x'; allowed: values separated by commas")
    assert refused("--config.sweep.widths=1e2").startswith("sweep.widths: '1e2'")


def test_two_words_single_dashes_and_negated_switches():
    config = parsed("--config.model.width", "48", "-config.model.depth=3", "--config.model.remat")
    assert (config.model.width, config.model.depth, config.model.remat) == (48, 3, True)
    assert parsed("--config.model.remat", "--noconfig.model.remat").model.remat is False


def test_what_is_not_about_the_configuration_is_handed_on():
    words = ["program", "--workdir", "runs", "--config.model.width=8", "--dry_run"]
    assert overrides.parse(words)[1] == ["program", "--workdir", "runs", "--dry_run"]


def test_wrong_overrides():
    assert refused("--config.model.widht=3") == "model.widht: no such field; did you mean model.width?"
    assert refused("--config.model.width=abc") == "model.width: 'abc'; allowed: whole number, 0 to 65536"
    assert refused("--config.model.width=-1") == "model.width: -1; allowed: whole number, 0 to 65536"
    assert refused("--config.model.norm=Rms").startswith("model.norm: 'Rms'; allowed: rms, layer")
    assert refused("--config.model.width") == "model.width: no value; allowed: whole number, 0 to 65536"
    assert refused("--config.model=3").startswith("model: a group of settings; allowed: model.family, ")
    assert refused("--config.sweep.widths[0]=3") == "sweep.widths[0]: no such field; did you mean sweep.widths?"
    assert refused("--config=") == "--config: no file; allowed: a Python file with get_config()"


def test_a_config_file_and_overrides_in_any_order(config_file):
    path = config_file(HEADER + "def get_config():\n    return replace(ExperimentConfig(), {'model.width': 32})\n")
    assert parsed(f"--config={path}").model.width == 32
    assert parsed("--config.model.depth=5", "--config", path).model == c.ModelConfig(width=32, depth=5)
    assert parsed(f"--config={path}", "--config.model.width=8").model.width == 8
    assert refused(f"--config={path}", f"--config={path}").startswith("--config: given twice")


@pytest.mark.parametrize(
    "text, message",
    [
        ("x = 1\n\ndef get_config():\n    return {}['key']\n", "{}:4: KeyError: 'key'"),
        (
            "def half(n):\n    return n / 0\ndef get_config():\n    half(1)\n",
            "{}:2: ZeroDivisionError: division by zero",
        ),
        ("import nowhere_to_be_found\n", "{}:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("x = (\n", "{}:1: SyntaxError: '(' was never closed"),
        ("x = 1\n", "{}: no function get_config(); allowed: one that returns an ExperimentConfig"),
        ("def get_config():\n    return 3\n", "{}: get_config() gave int; allowed: an ExperimentConfig"),
        (
            HEADER + "def get_config():\n    return replace(ExperimentConfig(), {'model.widht': 1})\n",
            "{}:3: model.widht: no such field; did you mean model.width?",
        ),
        (
            HEADER + "def get_config():\n    return ExperimentConfig(model=ModelConfig(width=10**5000))\n",
            "model.width: a number of thousands of digits; allowed: whole number, 0 to 65536",
        ),
        (
            HEADER + "def get_config():\n    return ExperimentConfig(model=ModelConfig(width='8'))\n",
            "model.width: '8' is a str; allowed: whole number, 0 to 65536",
        ),
    ],
)
def test_a_bad_config_file_is_named_with_its_line(config_file, text, message):
    path = config_file(text)
    assert refused(f"--config={path}") == message.format(path)


def test_a_config_file_may_hold_any_bytes(tmp_path):
    path = tmp_path / "binary.py"
    path.write_bytes(b"\x00\xff\xfe")
    assert refused(f"--config={path}").startswith(str(path))


@given(st.lists(st.integers(1, 100), unique=True, max_size=3).map(tuple), st.floats(0, 1), st.booleans())
def test_freezing_what_was_thawed_changes_nothing(widths, rate, switch):
    config = c.replace(DEFAULT, {"sweep.widths": widths, "optimizer.learning_rate": rate, "model.remat": switch})
    twin = overrides.thaw(config)
    assert overrides.freeze(twin, config) == config
    twin.model.width = 77
    assert overrides.freeze(twin, config) == c.replace(config, {"model.width": 77})
    assert config.model.width == DEFAULT.model.width


def called(run, *words, capsys):
    code = cli.call(run, ["program", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_binary_sees_its_configuration_and_workdir(capsys, tmp_path):
    def run():
        print(cli.config().model.width, cli.workdir())

    code, out, err = called(run, "--config.model.width=24", f"--workdir={tmp_path}", capsys=capsys)
    assert (code, out, err) == (0, f"24 {tmp_path}\n", "")


def bug():
    raise ValueError("a shape is wrong")


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    "run, words, line",
    [
        (cli.workdir, ["--workdir="], "error: --workdir: missing; folder that holds"),
        (cli.workdir, [f"--workdir={__file__}"], f"error: --workdir: {__file__} is a file; allowed: a folder"),
        (cli.workdir, ["--wrkdir=x"], "error: --wrkdir: no such flag; did you mean --workdir?"),
        (cli.workdir, ["stray"], "error: 'stray': not a flag; allowed: --name=value"),
        (cli.workdir, ["--config.model.widht=3"], "error: model.widht: no such field; did you mean model.width?"),
        (cli.workdir, ["--config=absent.py"], "error: absent.py: no such file or directory"),
        (raising(c.ConfigError("a: 1;\nallowed: 2")), [], "error: a: 1; allowed: 2"),
        (raising(PermissionError(13, "Permission denied", "here")), [], "error: here: permission denied"),
    ],
)
def test_bad_input_ends_in_one_line_and_code_2(run, words, line, capsys):
    code, out, err = called(run, *words, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith(line)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words, line",
    [
        (["--flagfile=/dev/zero"], "error: --flagfile: no such flag; allowed: every flag on the command line itself"),
        (["--nowhere=1"], "error: --nowhere: no such flag"),
        (["--noconfig.model.remat=true"], "error: --noconfig.model.remat=true does not take an argument; allowed: "),
        (["--config=/dev/zero"], "error: /dev/zero: neither a file nor a folder"),
        (["--config=/proc/self/mem"], "error: /proc/self/mem: input/output error"),
        (["--config.model.remat", "-" + "9" * 5000], "error: -9999"),
        (["--" + "x" * 5000 + "=3"], "error: --xxxx"),
        (["--config.model.norm=\x1b[2J\x07"], r"error: model.norm: '\x1b[2J\x07'; allowed: rms, layer"),
        (["--config.\x1b\x00=1"], r"error: \x1b\x00: no such field"),
        (["--config.model.width=" + "9" * 4000], "error: model.width: 9999"),
        (["--config.sweep.widths", "1," * 100_000], "error: sweep.widths: 100000 values; allowed: at most 10000"),
        (
            ["--config.sweep.widths=" + "1," * 100_000],
            "error: sweep.widths: more than 10000 commas; allowed: at most 10000 values",
        ),
    ],
)
def test_no_line_is_long_obeyed_by_a_terminal_or_late(words, line, capsys):
    code, _, err = called(cli.workdir, *words, capsys=capsys)
    assert code == 2
    assert err.startswith(line)
    assert err[:-1].isprintable()
    assert len(err) < 1100


def test_text_that_no_encoding_writes_is_spelt_out(tmp_path):
    ended = binary(tmp_path, "def run():\n    print('a\\ud800b')")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a\\ud800b\n", "")


@pytest.mark.parametrize("run", [bug, raising(KeyError("k")), raising(OSError("odd")), raising(AssertionError())])
def test_a_bug_keeps_its_traceback(run):
    with pytest.raises((ValueError, KeyError, OSError, AssertionError)):
        cli.call(run, ["program"])


def test_ctrl_c_ends_quietly(capsys):
    assert called(raising(KeyboardInterrupt()), capsys=capsys) == (130, "", "interrupted\n")


def own_flags():
    values = flags.FlagValues()
    flags.DEFINE_enum("law", None, ["chinchilla", "kaplan"], "the law", flag_values=values)
    flags.DEFINE_integer("count", 3, "how many", lower_bound=1, flag_values=values)
    flags.DEFINE_string("runs", None, "a runs table", flag_values=values)
    flags.mark_flag_as_required("runs", flag_values=values)
    return values


@pytest.mark.parametrize(
    "words, message",
    [
        (["--runs=a", "--law=kaplann"], "--law: 'kaplann'; allowed: chinchilla, kaplan; did you mean kaplan?"),
        (["--runs=a", "--count=x"], "--count: 'x'; allowed: a positive integer"),
        (["--runs=a", "--count=0"], "--count: '0'; allowed: a positive integer"),
        (["--count=2"], "--runs: missing; a runs table"),
        (["--runs"], "--runs: no value; a runs table"),
        (["--rums=a"], "--rums: no such flag; did you mean --runs?"),
    ],
)
def test_flags_of_a_binary(words, message):
    with pytest.raises(c.ConfigError) as error:
        command.parse_flags(["program", *words], own_flags())
    assert str(error.value) == message


def binary(tmp_path, body, *words, header="from experiments import cli\n"):
    path = tmp_path / "binary.py"
    path.write_text(f'"""A binary for a test."""\n{header}{body}\nif __name__ == "__main__":\n    cli.main(run)\n')
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.run([sys.executable, str(path), *words], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("room", ["experiments", "analysis"])
def test_exit_codes_of_a_process(tmp_path, room):
    header = f"from {room} import cli\n"
    body = "class Odd(ValueError): pass\ndef run():\n    raise Odd('three')"
    ended = binary(tmp_path, body, header=header)
    assert (ended.returncode, ended.stderr) == (2, "error: three\n")
    ended = binary(tmp_path, "def run():\n    return 3", header=header)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")
    ended = binary(tmp_path, "def run():\n    return [][0]", header=header)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


def test_a_closed_pipe_is_no_error(tmp_path):
    body = "def run():\n    for i in range(100000): print(i)"
    ended = binary(tmp_path, body, "--workdir=x")
    assert ended.returncode == 0
    script = f"{sys.executable} {tmp_path / 'binary.py'} | head -n 1"
    piped = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    assert (piped.stdout, piped.stderr) == ("0\n", "")


def test_help_lists_flags_and_settings_without_jax(tmp_path):
    body = "import sys\ndef run(): pass\nimport atexit; atexit.register(lambda: print('jax' in sys.modules))"
    before = time.process_time() + sum(os.times()[2:4])
    shown = binary(tmp_path, body, "--help")
    spent = time.process_time() + sum(os.times()[2:4]) - before
    assert shown.returncode == 0
    assert shown.stdout.startswith("A binary for a test.\n")
    assert shown.stdout.endswith("False\n")
    assert "--workdir" in shown.stdout
    assert all(path in shown.stdout for path in TYPES)
    assert spent < 0.7
