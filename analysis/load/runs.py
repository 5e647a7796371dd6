"""The runs of a table as columns, and by name what was left out of them on the way."""

import dataclasses
from collections import Counter

import numpy as np

from analysis.load.columns import number
from scaling_laws.config import nearest

SHOWN = 10  # stretches of rows that a message lists before it counts the rest


class DataError(ValueError):
    """A table that cannot be used, said in one line: which file, which column or row, what is allowed."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))  # names of columns may hold line breaks


def row_list(rows: np.ndarray, shown: int = SHOWN) -> str:
    """`row 3`, or `rows 3, 17-19 and 22 more`: ascending row numbers, at most `shown` stretches of them."""
    spans = row_spans(rows)
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:shown]]
    rest = len(rows) - sum(last - first + 1 for first, last in spans[:shown])
    return f"row{'s' * (len(rows) != 1)} {', '.join(words)}" + (f" and {rest} more" if rest else "")


def row_spans(rows: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of every stretch of consecutive numbers."""
    ordered = np.unique(rows)
    if not len(ordered):
        return []
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    first, last = ordered[np.append(0, breaks + 1)], ordered[np.append(breaks, len(ordered) - 1)]
    return list(zip(first.tolist(), last.tolist(), strict=True))


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """Rows left out together: why, their numbers (k,) in the source from 1, and their names where it has names."""

    reason: str
    rows: np.ndarray
    run_ids: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def names(self, most: int | None = None) -> list[str]:
        """What the rows are called, the first `most` of them."""
        if self.run_ids is not None:
            return [str(name) for name in self.run_ids[:most]]
        return [f"row {row}" for row in self.rows[:most]]


@dataclasses.dataclass(frozen=True)
class Runs:
    """Columns of equal length, where they came from, and what was left out on the way.

    The column `row`, where there is one, numbers the rows of the source from 1.
    """

    columns: dict[str, np.ndarray]
    source: str = "memory"
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise DataError(f"{self.source}: {self.lacks(name)}; map it with --columns={name}=...")
        return self.columns[name]

    def lacks(self, name: str) -> str:
        """That there is no column `name`, the nearest right name, and the columns that there are."""
        names = [ours for ours in self.columns if ours != "row"]
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"no column {name!r}{nearest(name, names)}; it has {', '.join(names[:20])}{more}"

    def numbers(self, name: str) -> np.ndarray:
        """Column `name` as floats (n,); NaN throughout where the table lacks it or holds text."""
        if name not in self or self[name].dtype.kind not in "fiu":
            return np.full(len(self), np.nan)
        return self[name].astype(float)

    def only_numbers(self, name: str) -> np.ndarray:
        """Column `name` as numbers (n,), NaN where missing. Raises DataError at the first row that is text."""
        values = self[name]
        if values.dtype.kind in "fiu":
            return values
        found = np.empty(len(values))
        for i, value in enumerate(values.tolist()):
            try:
                found[i] = number(value)
            except ValueError as error:
                raise DataError(
                    f"{self.source}: column {name!r} holds text: row {self.rows[i]} is {value!r}; "
                    "allowed: numbers, and nothing or NA where one is missing"
                ) from error
        return found

    def select(self, mask: np.ndarray, reason: str | np.ndarray) -> "Runs":
        """Rows where `mask` holds; the others join `excluded` under `reason` (a text, or one text a row)."""
        mask = np.asarray(mask, dtype=bool)
        if mask.all():
            return self
        parts = [(reason, ~mask)] if isinstance(reason, str) else _parts(reason, ~mask)
        dropped = [Exclusion(why, self.rows[part], self._ids(part)) for why, part in parts]
        kept = {name: values[mask] for name, values in self.columns.items()}
        return dataclasses.replace(self, columns=kept, excluded=(*self.excluded, *dropped))

    def with_columns(self, **columns: np.ndarray) -> "Runs":
        """A copy with columns added or replaced."""
        return dataclasses.replace(self, columns={**self.columns, **columns})

    def noted(self, *notes: str) -> "Runs":
        """A copy with notes added."""
        return dataclasses.replace(self, notes=(*self.notes, *notes))

    @property
    def rows(self) -> np.ndarray:
        """(n,) numbers of the rows in the source, from 1."""
        return self.columns["row"].astype(int) if "row" in self.columns else np.arange(1, len(self) + 1)

    @property
    def n_excluded(self) -> int:
        """How many rows were left out."""
        return sum(map(len, self.excluded))

    def run_id(self, i: int) -> str:
        """Name of row i; `row 7` in tables without a run_id."""
        return str(self.columns["run_id"][i]) if "run_id" in self.columns else f"row {self.rows[i]}"

    def names(self) -> tuple[str, ...]:
        """`run_id` of every row."""
        return tuple(Exclusion("", self.rows, self._ids(slice(None))).names())

    def _ids(self, part: np.ndarray | slice) -> np.ndarray | None:
        return self.columns["run_id"][part] if "run_id" in self.columns else None

    def excluded_counts(self) -> dict[str, int]:
        """Reason -> number of rows left out for it."""
        counts: Counter[str] = Counter()
        for item in self.excluded:
            counts[item.reason] += len(item)
        return dict(counts)


def _parts(reasons: np.ndarray, dropped: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(str(why), dropped & (reasons == why)) for why in np.unique(reasons[dropped])]
