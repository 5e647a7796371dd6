"""Ratings: a user, an item, and the number that the one gave the other, in a CSV file or made up.

So many ratings as show every user and every item once are kept for training; the others are split by shares. So nobody
is measured on who was not trained on.
"""

import dataclasses
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig, nearest
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, targets
from scaling_laws.tasks.columns import Numbers, Words, as_bytes, numbers, row_digests
from scaling_laws.tasks.csv_file import Csv, listed, read, shown
from scaling_laws.tasks.generated import count, generator, noise
from scaling_laws.tasks.task import Task

COLUMNS = ("user", "item", "rating")
USERS, ITEMS = 500, 400
DEFAULT_RATINGS = 40_000
DEFAULT_NOISE = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """Users and items as words (n,), ratings (n,), what messages call them, and notes."""

    source: str
    users: Words
    items: Words
    values: Numbers
    notes: tuple[str, ...] = ()


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """Pairs (n, 2) int32 of a user's and an item's place among the sorted names, and ratings (n,) float32.

    Ratings are standardised by the train split with `task.standardise`; the notes tell mean and deviation. Nothing is
    kept under `cache_dir`. Raises ConfigError for a file that cannot be read, a cell that is missing, a pair that is
    rated twice, fewer than two users or items, and ratings that are all equal.
    """
    targets.check_loss(config, "squared_error")
    ratings = _read(config)
    targets.check_two(ratings.values, ratings.source)
    names, places = zip(*(_places(words) for words in (ratings.users, ratings.items)), strict=True)
    for words, found in zip((ratings.users, ratings.items), names, strict=True):
        if len(found) < 2:
            raise ConfigError(f"task.path: {ratings.source} has one {words.name} only; allowed: two or more")
    pairs = np.stack(places, axis=1).astype(np.int32)
    kept, found = _split(ratings, pairs, config)
    values, standard = targets.standard_numbers(ratings.values.values, found["train"], config, "ratings")
    parts = examples.take(found, pairs, values)
    shown_once = f"{len(kept)} ratings are in the train split so that every user and item is; the others are split"
    return Task(
        name=config.name,
        spec=Spec("pair", (2,), 1, "squared_error", sizes=(len(names[0]), len(names[1]))),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(
            as_bytes(ratings.users.values), as_bytes(ratings.items.values), ratings.values.values
        ),
        notes=(*standard, shown_once, *ratings.notes),
    )


def first_shown(pairs: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The rows of `pairs` (n, 2) that, read in this order, show a user or an item for the first time."""
    seen: tuple[set[int], set[int]] = (set(), set())
    rows = []
    for row in order.tolist():
        user, item = pairs[row].tolist()
        if user not in seen[0] or item not in seen[1]:
            rows.append(row)
        seen[0].add(user)
        seen[1].add(item)
    return np.array(rows, int)


def generated(config: TaskConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth (USERS, ITEMS) of rank task.rank, deviation about 1; pairs (n, 2) drawn without repeats; ratings (n,).

    Truth = U V^T / sqrt(rank) with normal U and V; a rating is the truth and noise of deviation task.noise (0: .1), so
    no model has a mean squared error below its square on pairs that it has not seen.
    """
    if config.rank > min(USERS, ITEMS):
        raise ConfigError(
            f"task.rank: {config.rank}; allowed: at most {min(USERS, ITEMS)} of {USERS} users x {ITEMS} items"
        )
    n = count(config, DEFAULT_RATINGS, USERS * ITEMS)
    random = generator(1907)
    users_UxR = random.standard_normal((USERS, config.rank))
    items_IxR = random.standard_normal((ITEMS, config.rank))
    terms = (np.outer(users_U, items_I) for users_U, items_I in zip(users_UxR.T, items_IxR.T, strict=True))
    # term by term: the last bits of a matrix product, and with them the hash, depend on how many threads share it
    truth_UxI = sum(terms, np.zeros((USERS, ITEMS))) / np.sqrt(config.rank)
    cells = random.permutation(USERS * ITEMS)[:n]
    pairs = np.stack(np.divmod(cells, ITEMS), axis=1)
    return truth_UxI, pairs, truth_UxI.reshape(-1)[cells] + noise(config, DEFAULT_NOISE) * random.standard_normal(n)


def _read(config: TaskConfig) -> Ratings:
    if not config.path:
        _, pairs, values = generated(config)
        users, items = (tuple(f"{place:03d}" for place in column) for column in pairs.T.tolist())
        floor = f"made-up ratings of rank {config.rank}: no mean squared error below "
        floor += f"{noise(config, DEFAULT_NOISE) ** 2:.9g}, before standardising"
        columns = (Words("user", users), Words("item", items), Numbers("rating", values))
        return Ratings("the made-up ratings", *columns, (floor,))
    csv = read(config.path)
    for name in COLUMNS:
        if name not in csv.header:
            near = nearest(name, csv.header)
            raise ConfigError(f"task.path: {csv.file} has no column `{name}`; allowed: user, item and rating{near}")
    values = numbers(csv, "rating")
    _check_rows(csv, values)
    others = [name for name in csv.header if name not in COLUMNS]
    notes = (f"columns that are not read: {listed(others)}",) if others else ()
    return Ratings(csv.file, Words("user", csv.column("user")), Words("item", csv.column("item")), values, notes)


def _check_rows(csv: Csv, values: Numbers) -> None:
    """Raises ConfigError for a user, an item or a rating that is missing, and for a pair that comes twice."""
    missing = values.missing
    first: dict[tuple[str, str], int] = {}
    for row, (user, item) in enumerate(zip(csv.column("user"), csv.column("item"), strict=True)):
        for name, word in (("user", user), ("item", item)):
            if not word:
                raise csv.fault(row, name, "empty; allowed: a name or a number in every row")
        if missing[row]:
            raise csv.fault(row, "rating", "the rating is missing; allowed: a number in every row")
        if (earlier := first.setdefault((user, item), row)) != row:
            raise csv.fault(
                row, "item", f"user {shown(user)} rated {shown(item)} on line {csv.lines[earlier]} too; allowed: once"
            )


def _places(words: Words) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.array(words.values, object), return_inverse=True)


def _split(ratings: Ratings, pairs: np.ndarray, config: TaskConfig) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The rows that show every user and item, and split -> rows, of which train has them."""
    digests = row_digests((ratings.users, ratings.items), len(pairs))
    order = np.array(sorted(range(len(pairs)), key=lambda row: digests[row].tobytes()))
    kept = first_shown(pairs, order)
    others = np.setdiff1d(np.arange(len(pairs)), kept)
    if len(others) < 3:
        raise ConfigError(
            f"task.path: {ratings.source} has {len(others)} ratings besides those that show each user and item for the "
            "first time; allowed: 3 or more, for the splits"
        )
    found = {name: others[rows] for name, rows in examples.indices(digests[others], config).items()}
    return kept, {**found, "train": np.sort(np.concatenate([kept, found["train"]]))}
