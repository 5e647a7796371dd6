"""A Hugging Face data set, streamed: nothing of it is kept, so it is read once where tokens are bytes; else once for
its hashes and once for its tokens (and a third time where a vocabulary is learnt from it)."""

from collections.abc import Iterator
from typing import Any

from scaling_laws.corpora import storage
from scaling_laws.corpora.unit import SourceError, check_column


def n_shards(dataset: str, configuration: str, split: str, column: str) -> int:
    """Files that a data set is stored in. Raises SourceError where it cannot be had or has no such column."""
    with _told(dataset):
        stream = _stream(dataset, configuration, split)
        first = next(iter(stream), None)
        count = stream.num_shards
    if first is None:
        raise SourceError(f"--dataset: {dataset} has nothing in its split {split}; allowed: a split with rows")
    check_column(column, first, dataset)
    return count


def rows(dataset: str, configuration: str, split: str, index: int, count: int, column: str) -> Iterator[Any]:
    """The texts of share `index` of `count`. Raises SourceError."""
    with _told(dataset):
        stream = _stream(dataset, configuration, split).select_columns([column])
        for row in stream.shard(count, index):
            yield row[column]


def _stream(dataset: str, configuration: str, split: str) -> Any:
    try:
        import datasets  # pyright: ignore[reportMissingImports]  # of the group `data`
    except ImportError:
        raise SourceError("--dataset: needs the package datasets; allowed: scripts/setup --extra data") from None
    datasets.disable_progress_bars()
    return datasets.load_dataset(dataset, configuration or None, split=split, streaming=True)


def _told(dataset: str) -> Any:
    return storage.told(f"data set {dataset}")
