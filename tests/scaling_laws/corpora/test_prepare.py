"""Sources in, shards out: what is in them, whoever made them and however often they were interrupted."""

import errno
import gzip
import hashlib
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scaling_laws.config import ConfigError
from scaling_laws.corpora import duplicates, pool, prepare, shards, sources, unit
from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import Order, Recipe
from scaling_laws.tasks import manifest, tokenizer
from scaling_laws.tasks.task import SPLITS


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_every_text_is_there_once_in_the_split_of_its_hash(tmp_path, texts, lines, made, documents):
    wanted = texts(300)
    folder = made(lines(tmp_path / "a.jsonl", wanted))
    found = documents(folder)
    assert sorted(text for part in found.values() for text in part) == sorted(wanted)
    for name, part in found.items():
        for text in part:
            digest = hashlib.sha256(text.encode()).hexdigest()
            place = int(hashlib.sha256(f"0:{digest}".encode()).hexdigest()[:16], 16) / 2**64
            assert name == ("heldout" if place < 0.2 else "valid" if place >= 0.8 else "train")
    assert not (folder / ".work").exists()


def test_shares_are_those_asked_for(tmp_path, texts, lines, made, documents):
    found = documents(made(lines(tmp_path / "a.jsonl", texts(3000)), valid_fraction=0.05, heldout_fraction=0.1))
    sizes = [len(found[name]) / 3000 for name in SPLITS]
    assert sizes == pytest.approx([0.85, 0.05, 0.1], abs=4 * np.sqrt(0.1 / 3000))


def test_a_process_of_several_threads_is_not_copied():
    code = "from scaling_laws.corpora import pool; import threading; print(pool._may_fork()); "
    code += "threading.Thread(target=threading.Event().wait, daemon=True).start(); print(pool._may_fork())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(sys.platform == "linux"), "False"]


@pytest.mark.parametrize("anew", [True, False])
def test_processes_change_nothing(anew, tmp_path, texts, lines, made, monkeypatch):
    """Started anew, or copies of this one where it has one thread."""
    if anew:
        monkeypatch.setattr(pool, "_may_fork", lambda: False)
    source = lines(tmp_path / "a.jsonl", texts(500))
    one, two = (contents(made(source, out, workers)) for out, workers in (("one", 1), ("two", 2)))
    assert one == two
    assert len(one) > 20


def test_the_order_of_the_sources_changes_no_split(tmp_path, texts, lines, made, documents):
    paths = [lines(tmp_path / f"{k}.jsonl", texts(100, k)) for k in range(3)]
    found = [documents(made(order, f"out{k}")) for k, order in enumerate((paths, paths[::-1]))]
    for name in SPLITS:
        assert sorted(found[0][name]) == sorted(found[1][name])


def test_the_index_says_where_documents_end_and_what_they_are(tmp_path, texts, lines, made, indices):
    folder = made(lines(tmp_path / "a.jsonl", texts(300)), tokenizer="bpe", vocab_size=300)
    codec, seen = tokenizer.BytePairs((folder / "tokenizer.json").read_text()), 0
    for shard, tokens, index in indices(folder):
        assert (len(index), len(tokens), int(index[-1, 0])) == (shard.documents, shard.tokens, shard.tokens)
        for begin, (end, *words) in zip([0, *index[:-1, 0].tolist()], index.tolist(), strict=True):
            (raw,) = codec.decode(tokens[begin:end])
            assert hashlib.sha256(raw).digest() == b"".join(word.to_bytes(8, "big") for word in words)
            seen += 1
    assert seen == 300


def test_two_passes_and_one_leave_the_same(tmp_path, texts, lines, made, monkeypatch):
    """Copies within a unit and across, a split of a unit that is nothing but copies, units without any."""
    unlike = texts(400)
    source = lines(tmp_path / "a.jsonl", [*unlike, *unlike[390:], *unlike[:3], *texts(100, seed=5), *unlike[7:200:3]])
    one = contents(made(source, "one", unit_bytes=3000))
    monkeypatch.setattr(prepare.drafts, "draft", prepare.scan.scan)
    monkeypatch.setattr(prepare, "_settled", lambda works, *_: [shards.tokenise(work) for work in works])
    assert contents(made(source, "two", unit_bytes=3000)) == one


@pytest.mark.parametrize("at_once", [2_000_000, 7])
def test_copies_are_kept_once_wherever_they_are(at_once, tmp_path, texts, lines, made, documents, monkeypatch):
    monkeypatch.setattr(duplicates.find, "__defaults__", (at_once, print))
    unlike = texts(200)
    twice = lines(tmp_path / "in/a.jsonl", [*unlike, *unlike[50:], "", "  "])
    (tmp_path / "in/b.txt").write_text(unlike[0])
    folder = made(twice.parent, unit_bytes=3000)
    found = documents(folder)
    assert sorted(text for part in found.values() for text in part) == sorted([*unlike, "  "])
    assert (manifest.read(folder).duplicates, manifest.read(folder).empty) == (151, 1)


def test_every_form_gives_the_same_documents(tmp_path, texts, lines, made, documents):
    wanted = texts(120)
    plain = lines(tmp_path / "a.jsonl", wanted)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    pq.write_table(pa.table({"id": range(120), "text": wanted}), tmp_path / "c.parquet", row_group_size=13)
    (tmp_path / "folder").mkdir()
    for k, text in enumerate(wanted):
        (tmp_path / f"folder/{k:03d}.txt").write_text(text)
    url = f"file://{tmp_path / 'a.jsonl'}"
    forms = [plain, tmp_path / "b.jsonl.gz", tmp_path / "c.parquet", tmp_path / "folder", url]
    found = [documents(made(source, f"out{k}", unit_bytes=2000)) for k, source in enumerate(forms)]
    assert all(each == found[0] for each in found[1:])
    assert sum(len(part) for part in found[0].values()) == 120


def test_a_text_file_is_cut_as_the_text_task_cuts_it(tmp_path, texts, made, documents):
    from scaling_laws.tasks import corpus

    (tmp_path / "a.txt").write_text("\n\n".join(texts(3000)))
    wanted = {document.raw.decode() for document in corpus.read(str(tmp_path / "a.txt")).documents}
    assert {text for part in documents(made(tmp_path / "a.txt", unit_bytes=10**9)).values() for text in part} == wanted
    cut = documents(made(tmp_path / "a.txt", "cut", unit_bytes=200_000))
    assert sum(len(text) for part in cut.values() for text in part) == len((tmp_path / "a.txt").read_text())


def test_a_zip_is_read_by_its_url(tmp_path, texts, lines, made, documents):
    import shutil

    plain = lines(tmp_path / "in/a.jsonl", texts(150))
    shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "in")
    assert documents(made(f"zip://::file://{tmp_path / 'all.zip'}", "zipped")) == documents(made(plain, "plain"))


class Cut(BaseException):
    """As a power cut."""


BOTH = pytest.mark.parametrize("codec", [{}, {"tokenizer": "bpe", "vocab_size": 300}], ids=["bytes", "bpe"])


@BOTH
@pytest.mark.parametrize("passes, after", [(0, 3), (1, 1), (2, 4)])
def test_what_is_finished_is_never_done_again(codec, passes, after, tmp_path, texts, lines, made, monkeypatch):
    """Bytes are hashed and tokenised in one pass; before byte pairs are, there is a pass for hashes, one to learn."""
    if passes and not codec:
        return
    source = lines(tmp_path / "a.jsonl", texts(500))
    wanted = contents(made(source, "undisturbed", **codec))
    calls, read = [], prepare.shards.readers.documents

    def counted(unit, column):
        calls.append(unit.start)
        yield from read(unit, column)
        if len(calls) == stop_at:
            raise Cut

    monkeypatch.setattr(prepare.shards.readers, "documents", counted)
    units = len(sources.units([str(source)], "text", 20_000))
    stop_at = passes * units + after
    with pytest.raises(Cut):
        made(source, **codec)
    calls, stop_at = [], -1
    assert contents(made(source, **codec)) == wanted
    done = passes * units + (after - 1 if passes != 1 else 0)  # the vocabulary is learnt from the whole sample
    assert len(calls) == (3 if codec else 1) * units - done


@BOTH
@pytest.mark.parametrize("copies", [0, 100])
def test_a_torn_shard_is_done_again(codec, copies, tmp_path, texts, lines, made, monkeypatch):
    source = lines(tmp_path / "a.jsonl", [*texts(500), *texts(copies)])
    wanted = contents(made(source, "undisturbed", **codec))
    monkeypatch.setattr(prepare.manifest, "write", lambda *_: (_ for _ in ()).throw(Cut()))
    with pytest.raises(Cut):
        made(source, **codec)
    monkeypatch.undo()
    torn, flipped = tmp_path / "out/train-00001.tokens", tmp_path / "out/valid-00002.index.npy"
    torn.write_bytes(torn.read_bytes()[:-100])
    raw = bytearray(flipped.read_bytes())
    raw[-1] ^= 1
    flipped.write_bytes(raw)
    for number in (3, 8) if copies else (3,):  # all documents of unit 8 are copies
        (tmp_path / f"out/.work/{'shards' if codec else 'drafts'}/{number:05d}.json").write_bytes(b'{"sha256":"00')
    again, done = [], shards._Writer.finish
    monkeypatch.setattr(shards._Writer, "finish", lambda self: again.append(self.path.name) or done(self))
    assert contents(made(source, **codec)) == wanted
    drafted = {"00008"} if copies and not codec else set()
    assert {name[-12:-7] for name in again} == {"00001", "00002", "00003"} | drafted


def test_stopped_it_goes_on(tmp_path, texts, lines, made):
    source = lines(tmp_path / "a.jsonl", texts(300))
    wanted, asked = contents(made(source, "undisturbed")), iter([False] * 3 + [True])
    with pytest.raises(pool.Stopped):
        made(source, stop=lambda: next(asked))
    assert (tmp_path / "out").exists()
    assert contents(made(source)) == wanted
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    made(source)
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_other_sources_do_not_go_on_with_it(tmp_path, texts, lines, made):
    source = lines(tmp_path / "a.jsonl", texts(100))
    made(source)
    with pytest.raises(ConfigError, match=r"--corpus: .*out is of other sources or settings; allowed: another folder"):
        made(source, split_seed=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match=r"--corpus: .*mine holds letter.txt; allowed: an empty folder"):
        made(source, "mine")


def test_merges_are_learnt_from_training_documents_in_any_order(tmp_path, texts, lines, made, documents):
    source = lines(tmp_path / "a.jsonl", texts(300))
    folder = made(source, "bpe", tokenizer="bpe", vocab_size=300)
    training = {text.encode() for text in documents(made(source, "bytes"))["train"]}
    drawn = sorted((hashlib.sha256(raw).digest(), raw) for raw in training)
    wanted = tokenizer.train_byte_pairs([raw for _, raw in drawn], 300).definition
    assert (folder / "tokenizer.json").read_text() == wanted
    turned = lines(tmp_path / "b.jsonl", texts(300)[::-1])
    assert (made(turned, "turned", tokenizer="bpe", vocab_size=300) / "tokenizer.json").read_text() == wanted
    few = made(source, "few", tokenizer="bpe", vocab_size=300, sample_bytes=20_000)
    assert (few / "tokenizer.json").read_text() != wanted


def refused(made, tmp_path, source, message, **options):
    with pytest.raises(ConfigError if "task." in message else SourceError, match=message) as caught:
        made(source, "refused", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_lines_are_named(workers, tmp_path, texts, lines, made):
    good = [json.dumps({"text": text}) for text in texts(200)]
    bad = {
        "{": r"a.jsonl, line 151 is no JSON \(.*\); allowed: an object a line",
        '["a"]': "line 151 is a list; allowed: an object a line",
        '{"txt": "a"}': r"--column: 'text' is not in .*a.jsonl, line 151; allowed: txt; did you mean txt\?",
        '{"text": 3}': "line 151 holds a int; allowed: text",
        r'{"text": "a\u0000b"}': "line 151 holds the byte 0 at byte 1; allowed: text",
        r'{"text": "a\ud800b"}': "line 151 is no Unicode at character 1",
    }
    for line, message in list(bad.items())[: 6 if workers == 1 else 1]:
        (tmp_path / "a.jsonl").write_text("\n".join([*good[:150], line, *good[150:]]))
        refused(made, tmp_path, tmp_path / "a.jsonl", message, workers=workers)


def test_a_document_that_memory_has_no_room_for_is_named(tmp_path, texts, lines, made, monkeypatch):
    source = lines(tmp_path / "a.jsonl", [*texts(150), "x" * 1001, *texts(50, seed=1)])
    pq.write_table(pa.table({"text": [*texts(150), "x" * 1001]}), tmp_path / "b.parquet", row_group_size=13)
    monkeypatch.setattr(unit, "MOST_DOCUMENT", 1000)
    refused(made, tmp_path, source, "a.jsonl, line 151 has 1001 bytes; allowed: 1000 at most a document")
    refused(made, tmp_path, tmp_path / "b.parquet", "b.parquet, row .* has 1001 bytes; allowed: 1000 at most")
    monkeypatch.setattr(prepare.scan.readers, "LONGEST_LINE", 2002)
    endless = lines(tmp_path / "c.jsonl", [*texts(150), "x" * 5000])
    refused(made, tmp_path, endless, "c.jsonl, line 151 has 1001 bytes; allowed: 1000 at most a document")


def test_bad_sources_are_named(tmp_path, texts, lines, made):
    refused(made, tmp_path, tmp_path / "none.txt", r"--source: .*none.txt does not exist; allowed: a file, a folder")
    refused(made, tmp_path, f"file://{tmp_path}/none", r"--source: file://.*none does not exist")
    refused(made, tmp_path, "nosuch://place/x", r"--source: nosuch://place/x cannot be read \(ValueError: .*nosuch")
    (tmp_path / "empty.txt").write_text("")
    refused(made, tmp_path, tmp_path / "empty.txt", "--source: .*empty.txt is empty; allowed: files with text")
    (tmp_path / "folder").mkdir()
    refused(made, tmp_path, tmp_path / "folder", "--source: .*folder holds no text; allowed: files with text that end")
    (tmp_path / "folder/a.txt").write_bytes(b"fine \xff")
    refused(made, tmp_path, tmp_path / "folder", "a.txt is not UTF-8 at byte 5; allowed: UTF-8 text")
    paragraphs = "\n\n".join(texts(2000)).encode()
    (tmp_path / "cut.txt").write_bytes(paragraphs + b"\xff")  # its place is that in the file, not in the unit
    refused(made, tmp_path, tmp_path / "cut.txt", f"cut.txt is not UTF-8 at byte {len(paragraphs)}; allowed: UTF-8")
    (tmp_path / "cut.txt").write_bytes(paragraphs + b"\0")
    refused(made, tmp_path, tmp_path / "cut.txt", f"cut.txt holds the byte 0 at byte {len(paragraphs)}; allowed: text")
    (tmp_path / "folder/b.txt").symlink_to(tmp_path / "nothing")
    refused(made, tmp_path, tmp_path / "folder", r"folder/b.txt cannot be read \(No such file")
    (tmp_path / "folder/b.txt").unlink()
    (tmp_path / "folder/a.txt").write_text("only one")
    refused(made, tmp_path, tmp_path / "folder", "of 1 documents none is in the split")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 nothing")
    refused(made, tmp_path, tmp_path / "c.parquet", r"c.parquet cannot be read \(Arrow")
    pq.write_table(pa.table({"id": [1], "txt": ["a"], "n": [2]}), tmp_path / "d.parquet")
    refused(made, tmp_path, tmp_path / "d.parquet", r"--column: 'text' is not in .*; allowed: id, txt, n; did you")
    refused(made, tmp_path, tmp_path / "d.parquet", "n of .*parquet holds int64; allowed: a column of text", column="n")
    few = lines(tmp_path / "few.jsonl", texts(30))
    refused(made, tmp_path, few, "task.vocab_size: 60000; allowed: at most", tokenizer="bpe", vocab_size=60000)


@BOTH
def test_on_a_full_disk_what_is_finished_stays(codec, tmp_path, texts, lines, made, monkeypatch):
    source, room = lines(tmp_path / "a.jsonl", texts(500)), iter(range(10))
    wanted = contents(made(source, "undisturbed", **codec))
    encode = shards._Writer._encode

    def full(self):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        encode(self)

    monkeypatch.setattr(shards._Writer, "_encode", full)
    with pytest.raises(ConfigError, match=r"--corpus: .*/out: No space left on device; with more room the"):
        made(source, **codec)
    assert not list((tmp_path / "out").glob("*.partial-*"))
    assert len(list((tmp_path / "out").glob("*.tokens"))) >= 9
    monkeypatch.undo()
    assert contents(made(source, **codec)) == wanted


def test_two_do_not_make_the_same_corpus(tmp_path, texts, lines, made):
    source, refused = lines(tmp_path / "a.jsonl", texts(200)), []

    def another():
        with pytest.raises(ConfigError, match=r"--corpus: .*/out is being made by another process; allowed: another"):
            made(source)
        refused.append(True)
        return False

    made(source, stop=another)
    assert refused
    made(source)


@BOTH
def test_a_source_that_changes_is_noticed(codec, tmp_path, texts, lines, made, monkeypatch):
    source, (module, name) = lines(tmp_path / "a.jsonl", texts(200)), ("scan", "scan") if codec else ("drafts", "draft")
    read = getattr(getattr(prepare, module), name)

    def changed(work):
        found = read(work)
        if work.number == 3:
            lines(source, texts(200, seed=7))
        return found

    monkeypatch.setattr(getattr(prepare, module), name, changed)
    refused(made, tmp_path, source, "has changed while it was read; allowed: text that stays", **codec)


def test_licences_come_with_a_folder(tmp_path, texts, lines):
    source = lines(tmp_path / "in/a.jsonl", texts(100)).parent
    (source / "licences.json").write_text(json.dumps({"a": "public domain"}))
    order = Order(sources.units([str(source)], "text"), Recipe(), licences=sources.licences([str(source)]))
    assert prepare.prepare(order, tmp_path / "out", say=lambda _: None).licences == {"a": "public domain"}
    (source / "licences.json").write_text("[]")
    with pytest.raises(SourceError, match=r"licences.json is no table of texts"):
        sources.licences([str(source)])
