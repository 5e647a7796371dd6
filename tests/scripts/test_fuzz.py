"""The harness that fuzzes the programs: that it finds what misbehaves, and that nothing does.

What it forks is forked from processes of their own here: the threads of other tests must not come along.
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MISBEHAVING = {
    "lambda: 1 / 0": "a traceback",
    "lambda: bytearray(1 << 40)": "a traceback",
    "lambda: [0 for _ in iter(int, 1)]": "still running after 0.5 s of the processor",
    "lambda: signal.pause()": "still waiting after 2 s",
    "lambda: os.kill(os.getpid(), signal.SIGSEGV)": "exit code -11",
    "lambda: 1": "exit code 1",
    "lambda: sys.exit(3)": "exit code 3",
    "lambda: refuse('error: a', 'b')": "2 lines on standard error instead of one that begins with 'error: '",
    "lambda: refuse()": "1 lines on standard error instead of one that begins with 'error: '",
    "lambda: refuse('error: ' + 'x' * 3000)": "a line of 3008 characters, or one that a terminal would obey",
    "lambda: refuse('error: \\x1b[2J')": "a line of 12 characters, or one that a terminal would obey",
    "lambda: print('x.py:1: RuntimeWarning: y', file=sys.stderr)": "a warning of Python",
    "lambda: Path('work').mkdir()": "work was written",
    "lambda: Path('cache').mkdir() or Path('cache/.x.tmp').touch()": "cache/.x.tmp was left half-written",
    "lambda: Path('../inputs/csv/runs.csv').touch()": "csv/runs.csv was changed",
    "lambda: Path('../inputs/csv/new').touch()": "../inputs/csv/new was written",
}
BEHAVING = ("lambda: print('done')", "lambda: refuse('error: no such file')")
PROGRAM = """
import os, signal, sys, tempfile
from pathlib import Path
from scripts.faults import forked, fuzz, programs

def refuse(*lines):
    print(*lines, sep="\\n", file=sys.stderr)
    return 2

def tally(planted, kind):
    programs.call = lambda case, folder: (os.chdir(folder), planted())[1] or 0
    found = kind(1, 0, Path(place))
    return found.worked, found.refused, found.bad

forked.SECONDS = 0.5
programs.warm = lambda: None
with tempfile.TemporaryDirectory() as place:
    print([tally(eval(planted), fuzz.configs) for planted in {planted}] + [tally(lambda: 0, fuzz.files)])
"""


def run(*words):
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_what_misbehaves_is_found_and_what_behaves_is_counted():
    planted = [*BEHAVING, *MISBEHAVING]
    ended = run("-c", PROGRAM.format(planted=planted))
    assert ended.returncode == 0, ended.stderr
    worked, refused, *bad = ast.literal_eval(ended.stdout)
    assert (worked, refused) == ((1, 0, []), (0, 1, []))
    wanted = [*MISBEHAVING.values(), "out.json was not written"]
    for (fine, told, (case,)), fault in zip(bad, wanted, strict=True):
        assert (fine, told) == (0, 0)
        assert case.startswith("case 0: ")
        assert f"{fault}: " in case


def test_configurations_and_files_work_or_are_refused_in_one_line():
    ended = run("-m", "scripts.faults", "--configs=100", "--files=24", "--seed=7")
    assert ended.returncode == 0, ended.stdout
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == ["100 configurations", "24 data files"]
