"""Entries as torch's tensors: a data set over a scan that runs, or over an image.

Single columns become tensors by themselves:

>>> import pwalk
>>> with pwalk.attach(example_image) as image:
...     sizes = [batch["size"].to_torch() for batch in image]
>>> sizes[0].dtype, max(size.max().item() for size in sizes) >= 5000
(torch.int64, True)
"""

from __future__ import annotations

import heapq
import importlib
import os
from typing import Any, Iterator, Literal, Optional, Sequence

import numpy as np

from pwalk.batch import Batch
from pwalk.consumer import Consumer, attach

torch: Any = importlib.import_module("torch")
_data: Any = importlib.import_module("torch.utils.data")

__all__ = ["EntryDataset"]

Balance = Literal["rows", "bytes"]

_TEXTS = ("path", "name", "directory")  # lists of bytes in what is yielded; everything else is a tensor


class EntryDataset(_data.IterableDataset):  # type: ignore[misc]  # torch has types or not, by version
    """Batches of entries as dicts of tensors, for ``torch.utils.data.DataLoader(dataset, batch_size=None)``.

    Each worker of the loader, forked or spawned, attaches for itself when it is first asked, and together they give
    each entry once. An image is dealt out by rank and worker, and can be read again: it has epochs. A scan that
    runs is shared through a group of consumers, and is read once.

    Parameters
    ----------
    scan : str, bytes or os.PathLike
        A scan or an image file, as for `pwalk.attach`.
    columns : sequence of str
        What of each entry: columns, and ``"path"``, ``"name"``, ``"directory"`` as lists of bytes.
    group : str, optional
        Of a scan that runs: the group through which workers, and others under the same name, share it. It has to be
        given if there is more than one worker.
    rank, world : int
        Of an image: share number `rank` of `world`, for several loaders.
    seed : int
        Of the shuffling; the same seed, epoch and shares give the same order.
    shuffle_window : int
        Entries are shuffled among so many neighbours; 0: the image's order. It is also what memory is bounded by.
    balance : {"rows", "bytes"}
        How an image's batches are dealt out: in turn, or so that shares have files of about the same size
        together, for loaders that go on to read the files. Finding that out reads the image once in each worker.
    timeout : float, optional
        Seconds to wait for the scan to appear.

    Raises
    ------
    ValueError
        Workers were to share a scan that runs, and no group was given; or an argument cannot be.
    Others
        While it is iterated: those of `pwalk.attach` and `pwalk.Consumer`.

    Examples
    --------
    >>> from torch.utils.data import DataLoader
    >>> dataset = EntryDataset(example_image, columns=["size", "path"], shuffle_window=100)
    >>> sizes = [size for batch in DataLoader(dataset, batch_size=None) for size in batch["size"].tolist()]
    >>> max(sizes) >= 5000, len(sizes)
    (True, 5)
    >>> dataset.set_epoch(1)
    >>> sum(len(batch["path"]) for batch in dataset)
    5
    """

    def __init__(
        self,
        scan: str | bytes | os.PathLike[str],
        columns: Sequence[str] = ("path", "size"),
        *,
        group: Optional[str] = None,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        shuffle_window: int = 0,
        balance: Balance = "rows",
        timeout: Optional[float] = None,
    ) -> None:
        super().__init__()
        if isinstance(columns, str) or not columns:
            raise ValueError("columns: allowed is a list of names that is not empty")
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of world {world}: allowed are 0 to world - 1")
        if balance not in ("rows", "bytes"):
            raise ValueError(f"balance {balance!r}: allowed are rows, bytes")
        if shuffle_window < 0:
            raise ValueError(f"shuffle_window {shuffle_window}: allowed are numbers from 0")
        self._scan = os.fspath(scan)
        self._columns = tuple(columns)
        self._group = group
        self._share = (rank, world)
        self._seed = seed
        self._window = shuffle_window
        self._balance = balance
        self._timeout = timeout
        # Shared with workers that live longer than an epoch.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Shuffles differently from now on, in this process's workers too. Of an image."""
        self._epoch[0] = epoch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = _data.get_worker_info()
        rank, world = self._share
        if worker is not None:
            rank, world = rank * worker.num_workers + worker.id, world * worker.num_workers
        with self._attach(rank, world) as consumer:
            rows = (self._taken(batch) for batch in self._batches(consumer, rank, world))
            yield from map(_as_tensors, self._shuffled(rows, rank) if self._window else rows)

    def _attach(self, rank: int, world: int) -> Consumer:
        if self._group is not None:
            together: dict[str, Any] = {"group": self._group}
            return attach(self._scan, timeout=self._timeout, label="torch", **together)
        consumer = attach(self._scan, timeout=self._timeout, label="torch")
        if not consumer.from_image and world > 1:
            consumer.close()
            raise ValueError("a scan that runs is shared through a group: EntryDataset(..., group=NAME)")
        if consumer.from_image and self._balance == "rows" and world > 1:
            consumer.close()
            return attach(self._scan, rank=rank, world=world)
        return consumer

    def _batches(self, consumer: Consumer, rank: int, world: int) -> Iterator[Batch]:
        if self._balance == "rows" or world == 1 or not consumer.from_image:
            yield from consumer
            return
        with attach(self._scan) as looking:
            mine = _lightest([_file_bytes(batch) for batch in looking], rank, world)
        for batch, wanted in zip(consumer, mine):
            if wanted:
                yield batch

    def _taken(self, batch: Batch) -> dict[str, Any]:
        """Copies, so that nothing is withheld from a scan."""
        return {name: batch.paths() if name == "path" else _exact(batch, name) for name in self._columns}

    def _shuffled(self, rows: Iterator[dict[str, Any]], rank: int) -> Iterator[dict[str, Any]]:
        random = np.random.default_rng([self._seed, int(self._epoch[0]), rank])
        window: list[dict[str, Any]] = []
        held = 0
        for part in rows:
            window.append(part)
            held += len(part[self._columns[0]])
            if held >= self._window:
                yield _in_random_order(window, random)
                window, held = [], 0
        if window:
            yield _in_random_order(window, random)


def _exact(batch: Batch, name: str) -> Any:
    if name in _TEXTS:
        return batch[name].tolist()
    column = np.array(batch[name])
    return column.astype(np.int64) if column.dtype == np.uint32 else column.view(np.int64) if column.dtype == np.uint64 else column


def _as_tensors(part: dict[str, Any]) -> dict[str, Any]:
    return {name: values if name in _TEXTS else torch.from_numpy(values) for name, values in part.items()}


def _in_random_order(window: list[dict[str, Any]], random: np.random.Generator) -> dict[str, Any]:
    names = window[0].keys()
    order = random.permutation(sum(len(part[next(iter(names))]) for part in window))
    together: dict[str, Any] = {}
    for name in names:
        if name in _TEXTS:
            texts = [text for part in window for text in part[name]]
            together[name] = [texts[row] for row in order]
        else:
            together[name] = np.concatenate([part[name] for part in window])[order]
    return together


def _file_bytes(batch: Batch) -> int:
    if "size" not in batch:
        return len(batch)
    return int(batch["size"][batch.where(type="f")].sum(dtype=np.float64))


def _lightest(weights: Sequence[int], rank: int, world: int) -> list[bool]:
    """Which of these are `rank`'s when each, the heaviest first, goes to whom has least. The same in every process."""
    loads = [(0, 0, share) for share in range(world)]  # weight, batches, whose
    mine = [False] * len(weights)
    for number in sorted(range(len(weights)), key=lambda number: (-weights[number], number)):
        weight, batches, share = heapq.heappop(loads)
        heapq.heappush(loads, (weight + weights[number], batches + 1, share))
        mine[number] = share == rank
    return mine
