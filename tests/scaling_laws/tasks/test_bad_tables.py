"""Files that are no table, or none that can be learnt from: each refused in one line, with nothing written."""

import dataclasses

import pytest

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import labelled_text, ratings, series, table

LOADS = {"table": table.load, "labelled_text": labelled_text.load, "series": series.load, "ratings": ratings.load}


@dataclasses.dataclass
class Bad:
    """A file's name and content, the task and settings that read it, and the whole message, @ for its path."""

    id: str
    content: bytes | None
    message: str
    task: str = "table"
    settings: dict = dataclasses.field(default_factory=lambda: {"target": "y"})
    name: str = "bad.csv"


ROWS = b"".join(b"%d,%d\n" % (k, k % 2) for k in range(30))
FREE = ",".join(f"t{k}" for k in range(10)).encode()
FREE_ROWS = b"".join(b"some words %d," % k * 10 + b"%d\n" % (k % 2) for k in range(30))
LEVELS = b"".join(b"w%d,%d\n" % (k % 1001, k % 2) for k in range(2002))
SERIES = b"".join(b"%d\n" % k for k in range(400))
NUMBER = "allowed: a finite number, or empty, NA, N/A, nan, null or ? where it is missing"
TEXT, RATED, FORECAST = {"context": 8}, {}, {"context": 8}
SHIPPED = "breast_cancer, wine, iris, diabetes, houses, fraud, toy_classes, toy_line, a CSV file"

BAD = [
    # what is no file
    Bad("no file", None, f"@ does not exist; allowed: {SHIPPED}"),
    Bad("nearly a name", None, f"iri does not exist; allowed: {SHIPPED}; did you mean iris?", settings={"path": "iri"}),
    Bad("a folder", None, f"@ is a folder; allowed: {SHIPPED}", name=""),
    Bad("a device", None, f"/dev/zero cannot be read (Neither a file nor a folder); allowed: {SHIPPED}",
        settings={"path": "/dev/zero"}),
    Bad("a name too long", None, f"{'x' * 300} cannot be read (File name too long); allowed: {SHIPPED}",
        settings={"path": "x" * 300}),
    # what is no table
    Bad("empty", b"", "@ is empty; allowed: a CSV file with a header and rows"),
    Bad("only a mark", b"\xef\xbb\xbf\n\n", "@ is empty; allowed: a CSV file with a header and rows"),
    Bad("header only", b"x,y\n", "@ has a header and no rows; allowed: one row or more below it"),
    Bad("header twice", b"x,y,x\n1,2,3\n", "@ line 1: columns 1 and 3 are both called 'x'; allowed: each name once"),
    Bad("no name", b",y\n0,1\n", "@ line 1: column 1 has no name; allowed: a name for each column"),
    Bad("a comma at the end", b"x,y,\n0,1,\n", "@ line 1: column 3 has no name; allowed: a name for each column"),
    Bad("no header", b"1.5,2\n3,4\n", "@ line 1: numbers where names should be, '1.5', '2'; allowed: a header"),
    Bad("semicolons", b"x;y\n1;2\n", "@ line 1: one column, 'x;y'; allowed: commas between the cells"),
    Bad("short row", b"x,y\n1,2\n\n3\n", "@ line 4: cells: 1; allowed: 2, as the header has"),
    Bad("long row", b'x,y\n"1\n1",2\n3,4,5\n', "@ line 4: cells: 3; allowed: 2, as the header has"),
    Bad("decimal commas", b"x,y\n1,5,2\n", "@ line 2: cells: 3; allowed: 2, as the header has"),
    Bad("endless quote", b'x,y\n1,2\n3,"4\n5,6\n', "@ line 3: a quote that never ends; allowed: quotes in pairs"),
    Bad("long endless quote", b'x,y\n1,"' + b"2,2\n" * 50_000,
        "@ line 2: a quote that never ends, or a cell of more than 131072 characters; allowed: less"),
    Bad("text after a quote", b'x,y\n"1"2,3\n',
        "@ line 2: text after a closing quote; allowed: a comma, or the end of the line"),
    Bad("the byte 0", b"x,y\n1,2\n3,\x004\n", "@ line 3: the byte 0; allowed: UTF-8 text"),
    Bad("UTF-16", "x,y\n1,2\n".encode("utf-16"), "@ line 1: the byte 0; allowed: UTF-8 text"),
    Bad("Latin 1", "x,y\r1,é\r".encode("latin-1"), "@ line 2: not UTF-8 (byte 6); allowed: UTF-8"),
    # tables that cannot be learnt from
    Bad("no target", b"x,y\n1,2\n", "task.target: empty; allowed: the column of @ to predict, 'x', 'y'", settings={}),
    Bad("target misspelt", b"x,price\n1,2\n",
        "task.target: 'prize' is no column of @; allowed: 'x', 'price'; did you mean price?",
        settings={"target": "prize"}),
    Bad("ignored misspelt", b"x,y\n1,2\n", "task.ignore: 'X' is no column of @; allowed: 'x', 'y'",
        settings={"target": "y", "ignore": "X"}),
    Bad("target ignored", b"x,y\n1,2\n", "task.ignore: 'y' is task.target; allowed: other columns",
        settings={"target": "y", "ignore": "y"}),
    Bad("one column", b"y\n1\n2\n", "@ has no column left to predict 'y' from; allowed: another column besides it"),
    Bad("all ignored", b"x,y\n1,2\n",
        "@ has no column left to predict 'y' from; allowed: another column besides it, less task.ignore",
        settings={"target": "y", "ignore": "x"}),
    Bad("bad cell", b"x,y\n1,2\n1.5,2\ntwo,3\n",
        f"@ line 4, column 'x': 'two' is not a number, as 2 of the column's 3 cells are; {NUMBER}"),
    Bad("infinite", b"x,y\n1,2\n1.5,2\ninf,3\n",
        f"@ line 4, column 'x': 'inf' is not a number, as 2 of the column's 3 cells are; {NUMBER}"),
    Bad("beyond float32", b"x,y\n1,2\n1.5,2\n1e39,3\n",
        f"@ line 4, column 'x': '1e39' is not a number, as 2 of the column's 3 cells are; {NUMBER}"),
    Bad("thousands", b'x,y\n1,2\n999,2\n"1,000",3\n',
        f"@ line 4, column 'x': '1,000' is not a number, as 2 of the column's 3 cells are; {NUMBER}"),
    Bad("a long cell of two lines", b'x,y\n1,2\n"' + b"a\n" * 100 + b'",3\n',
        "@ line 3, column 'x': " + repr(("a\n" * 19)[:37] + "...")
        + f" is not a number, as 1 of the column's 2 cells are; {NUMBER}"),
    Bad("no values", b"x,z,y\n" + b"".join(b"NA,%d,%d\n" % (k, k % 2) for k in range(30)),
        "@: column 'x' has no values; allowed: one at least, or task.ignore=x"),
    Bad("target missing", b"x,y\n1,2\n2,\n3,?\n",
        "@ line 3, column 'y': the target is missing, in 2 of 3 rows; allowed: a target in every row"),
    Bad("one class", b"x,y\n1,a\n2,a\n", "task.target: column 'y' of @ has one value only, 'a'; allowed: two or more"),
    Bad("constant target", b"x,y\n1,0.5\n2,.5\n",
        "task.target: column 'y' of @ has one value only, 0.5; allowed: two or more"),
    Bad("a class a row", b"x,y\n" + b"".join(b"%d,c%d\n" % (k, k) for k in range(30)),
        "task.target: column 'y' of @ has 30 different values as classes, none twice; allowed: 1000 at most, some of "
        "them twice, or task.loss=squared_error for numbers"),
    Bad("words as numbers", b"x,y\n" + b"".join(b"%d,c%d\n" % (k, k % 2) for k in range(30)),
        "task.loss: squared_error; allowed: auto, cross_entropy, for column 'y' of @ holds words, such as 'c0'",
        settings={"target": "y", "loss": "squared_error"}),
    Bad("numbers balanced", b"x,y\n" + b"".join(b"%d,%d.5\n" % (k, k) for k in range(30)),
        "task.balance: true; allowed: false where a number is predicted, not a class",
        settings={"target": "y", "balance": True}),
    Bad("free text", FREE + b",y\n" + FREE_ROWS,
        "@: columns 't0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9' hold more than 1000 different words, or "
        "none twice, as free text or an identifier does; allowed: task.ignore=t0,t1,t2,t3,t4,t5,t6,t7,t8,t9 to leave "
        "out, or fewer words; task.name=labelled_text reads a column of text"),
    Bad("too many levels", b"w,y\n" + LEVELS,
        "@: column 'w' holds more than 1000 different words, or none twice, as free text or an identifier does; "
        "allowed: task.ignore=w to leave out, or fewer words; task.name=labelled_text reads a column of text"),
    Bad("missing refused", b"x,y\n" + ROWS + b"?,1\n",
        "task.impute: refuse; allowed: median, mean, zero, or a table without missing cells: column 'x' has 1",
        settings={"target": "y", "impute": "refuse"}),
    Bad("two rows", b"x,y\n1,0\n2,1\n",
        "2 examples leave none for the train split; allowed: more of them, or other shares (task.valid_fraction, "
        "task.heldout_fraction)", settings={"target": "y", "loss": "squared_error"}),
    # texts
    Bad("no label", b"text,kind\na,b\n", "task.target: 'label' is no column of @; allowed: 'text', 'kind'",
        "labelled_text", TEXT),
    Bad("only labels", b"label\na\n", "@ has no column besides 'label'; allowed: one of text too",
        "labelled_text", TEXT),
    Bad("which text", b"a,b,label\n1,2,3\n",
        "@: which column is the text? 'a', 'b'; allowed: one called `text`, or a single column besides 'label'",
        "labelled_text", TEXT),
    Bad("no text", b"text,label\na,x\n  ,y\n", "@ line 3, column 'text': no text; allowed: one character or more",
        "labelled_text", TEXT),
    Bad("label missing", b"text,label\na,x\nb,NA\n",
        "@ line 3, column 'label': the label is missing; allowed: a label in every row", "labelled_text", TEXT),
    Bad("one label", b"text,label\na,x\nb,x\n",
        "task.target: column 'label' of @ has one value only, 'x'; allowed: two or more", "labelled_text", TEXT),
    Bad("text as numbers", b"text,label\na,x\n",
        "task.loss: squared_error; allowed: auto, cross_entropy with task.name=labelled_text", "labelled_text",
        {"loss": "squared_error"}),
    # series
    Bad("word in a series", b"x\n1\n2\nthree\n", f"@ line 4, column 'x': 'three' is not a number; {NUMBER}", "series",
        FORECAST),
    Bad("constant series", b"x\n" + b"5\n" * 400,
        "task.target: column 'x' of @ has fewer than two different values in its train part; allowed: two or more",
        "series", FORECAST),
    Bad("series of nothing", b"x,t\n" + b"NA,1\n" * 400,
        "task.target: column 'x' of @ has fewer than two different values in its train part; allowed: two or more",
        "series", {"target": "x", "context": 8}),
    Bad("short series", b"x\n" + SERIES,
        "the valid part of this series has 20 of its 400 values; allowed: task.context + 1 = 65 or more, by a longer "
        "series, a shorter context or a larger share", "series", {"context": 64}),
    Bad("series of three", b"x\n1\n2\n3\n",
        "the valid part of this series has 0 of its 3 values; allowed: task.context + 1 = 9 or more, by a longer "
        "series, a shorter context or a larger share", "series", FORECAST),
    Bad("series in folds", b"x\n" + SERIES, "task.folds: 5; allowed: 0 with task.name=series, which splits by time",
        "series", {"folds": 5}),
    # ratings
    Bad("no users", b"usr,item,rating\na,b,1\n",
        "@ has no column `user`; allowed: user, item and rating; did you mean usr?", "ratings", RATED),
    Bad("user missing", b"user,item,rating\na,b,1\n,c,2\n",
        "@ line 3, column 'user': empty; allowed: a name or a number in every row", "ratings", RATED),
    Bad("rating missing", b"user,item,rating\na,b,1\na,c,NA\n",
        "@ line 3, column 'rating': the rating is missing; allowed: a number in every row", "ratings", RATED),
    Bad("rating in words", b"user,item,rating\na,b,good\n",
        f"@ line 2, column 'rating': 'good' is not a number; {NUMBER}", "ratings", RATED),
    Bad("rated twice", b"user,item,rating\na,b,1\nb,b,1\na,b,2\n",
        "@ line 4, column 'item': user 'a' rated 'b' on line 2 too; allowed: once", "ratings", RATED),
    Bad("one user", b"user,item,rating\na,b,1\na,c,2\n", "@ has one user only; allowed: two or more", "ratings", RATED),
    Bad("all alike", b"user,item,rating\na,b,1\nb,c,1\n",
        "task.target: column 'rating' of @ has one value only, 1; allowed: two or more", "ratings", RATED),
    Bad("few ratings", b"user,item,rating\na,b,1\nb,c,2\nb,b,2\n",
        "@ has 1 ratings besides those that show each user and item for the first time; allowed: 3 or more, for the "
        "splits", "ratings", RATED),
    Bad("rating classes", b"user,item,rating\na,b,1\n",
        "task.loss: cross_entropy; allowed: auto, squared_error with task.name=ratings", "ratings",
        {"loss": "cross_entropy"}),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.id)
def test_each_is_refused_in_one_line_and_nothing_is_written(tmp_path, bad, monkeypatch):
    folder, cache = tmp_path / "data", tmp_path / "cache"
    folder.mkdir()
    cache.mkdir()
    monkeypatch.chdir(tmp_path)
    place = folder / bad.name if bad.name else folder
    if bad.content is not None:
        place.write_bytes(bad.content)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigError) as error:
        LOADS[bad.task](TaskConfig(name=bad.task, **{"path": str(place), **bad.settings}), cache)
    expected = bad.message if bad.message.startswith("task.") else f"task.path: {bad.message}"
    assert str(error.value) == expected.replace("@", str(place))
    assert "\n" not in str(error.value)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_there_are_many_and_each_is_another():
    assert len(BAD) >= 25
    assert len({bad.message for bad in BAD}) > 45
