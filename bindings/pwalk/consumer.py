"""Attaching to a scan, and reading it."""

from __future__ import annotations

import asyncio
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Literal, NamedTuple, Optional, Tuple, TypeVar

from pwalk import _core
from pwalk.batch import Batch, OnError, TextType

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ArrowStream", "Consumer", "ConsumerStats", "OperationStats", "ScanStats", "attach"]

Self = TypeVar("Self", bound="Consumer")
StartAt = Literal["first", "oldest", "now"]
_Share = Tuple[int, int, Optional[Tuple[str, ...]], bytes]  # rank, world, columns, group


class ConsumerStats(NamedTuple):
    """What a consumer has read so far.

    Attributes
    ----------
    batches, rows, directories : int
        Batches, entries, and directory records.
    file_bytes : int
        Sum of the sizes of regular files, each link counted.
    errors : int
        Entries and directory records with an errno.
    content_hash : int
        Sum, modulo 2**64, of a hash of each row. It depends neither on the order of rows
        nor on how they were cut into batches, so all readers of a scan have the same
        at its end. Recomputed from the rows with ``verify=True``, else as the scanner states it.
    missed_rows : int
        Entries that were gone, or passed over, before the first batch.
    waited_seconds : float
        Time spent asleep, waiting for batches.
    redelivered : int
        Of the batches, those that another member of the group had before.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     for batch in scan:
    ...         pass
    >>> scan.stats.rows, scan.stats.errors
    (5, 0)
    """

    batches: int
    rows: int
    file_bytes: int
    directories: int
    errors: int
    content_hash: int
    missed_rows: int
    waited_seconds: float
    redelivered: int = 0


class OperationStats(NamedTuple):
    """Latency of one kind of system call so far, in microseconds, from a sample; and how many calls there were.

    Examples
    --------
    >>> OperationStats(1.5, 12.0, 4000).p99_us
    12.0
    """

    p50_us: float
    p99_us: float
    calls: int


class ScanStats(NamedTuple):
    """How a scan is doing, as its scanner told last: about ten times a second, in shared memory.

    All figures are since the walk began, so a rate is the difference of two of them over
    that of ``elapsed_seconds``.

    Attributes
    ----------
    elapsed_seconds : float
        Since the walk began; stands still after its end.
    entries, files, directories, symlinks, others, errors, vanished, skipped : int
        As in the summary of ``pwalk-scanner --json``.
    file_bytes : int
        Sum of the sizes of regular files, each link counted.
    batches, waiting_directories, threads : int
        Batches published, directories found and not read yet, threads of the walk.
    thread_efficiency : float
        Share of the threads' time in which they had a directory to read and room to publish.
    cpu_seconds : float
        Of the scanner process, user and system.
    memory_bytes, peak_memory_bytes : int
        Its resident set, the pool included.
    backpressure_seconds : float
        The threads' time spent waiting for consumers.
    open, getdents, statx : OperationStats

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     for batch in scan:
    ...         pass
    ...     told = scan.scan_stats
    >>> told.entries, told.files, told.statx.calls >= 4
    (5, 3, True)
    """

    elapsed_seconds: float
    entries: int
    files: int
    directories: int
    symlinks: int
    others: int
    errors: int
    vanished: int
    skipped: int
    file_bytes: int
    batches: int
    waiting_directories: int
    threads: int
    thread_efficiency: float
    cpu_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    backpressure_seconds: float
    open: OperationStats
    getdents: OperationStats
    statx: OperationStats

    @property
    def entries_per_second(self) -> float:
        """Entries per second since the walk began.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.scan(example_tree) as scan:
        ...     rows = sum(map(len, scan))
        >>> scan.scan_stats.entries_per_second > 0
        True
        """
        return self.entries / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0


def scan_stats_of(told: tuple[Any, ...] | None) -> ScanStats | None:
    """What the scanner told, with names."""
    if told is None:
        return None
    return ScanStats(*told[:-3], *(OperationStats._make(each) for each in told[-3:]))


class Consumer:
    """A reader of a scan or of an image; made by `attach`.

    Iterating gives every `Batch`, each once, and ends with the scan; every consumer of a
    scan reads all of it at its own pace, and the slowest holds the scanner back. Several
    threads may iterate one consumer: each batch then goes to one of them.

    It is a context manager: leaving it detaches. Batches and arrays stay valid.

    While it waits the GIL is released, and signals are looked at ten times a second, so
    Ctrl-C ends every wait. In a forked child it raises `PwalkError`; attach again there.

    A member of a group gets a share of the batches instead, see `attach`. It is done with a
    batch when the batch and everything that points into it are gone, or when it asks for more
    at the end; keep what must survive this process before that.

    Unpickling a consumer, in a spawned worker for instance, attaches again to the scan of
    that name, or to the image file, with the same rank, columns and group: a consumer of its
    own, which reads from the first entry or joins its group.

    Batches of an image point into the mapped file. If somebody truncates the file meanwhile
    (replacing it is harmless), looking at them ends the process with SIGBUS.

    Raises
    ------
    ScannerDied
        From iterating, after the last batch that was published.
    Evicted
        From iterating, when the scan went on without this consumer.
    ProtocolError
        From iterating, when a batch or the end of the stream fails its check.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree, name="example-consumer") as scan:
    ...     rows = sum(len(batch) for batch in scan)
    >>> rows, scan.complete, scan.name
    (5, True, 'example-consumer')
    >>> with pwalk.attach(example_image) as image:
    ...     batch = image.read(timeout=60)
    ...     image.from_image, image.in_pool(batch["size"]), image.stats.rows == len(batch)
    (True, True, True)
    >>> image.closed
    True
    >>> image.close()  # once more does no harm
    >>> scan.scan_stats.entries
    5
    """

    _handle: _core.ConsumerHandle

    def __init__(self, handle: _core.ConsumerHandle, verify: bool = False, share: _Share = (0, 1, None, b"")) -> None:
        self._handle = handle
        self._verify = verify
        self._share = share

    def __reduce__(self) -> tuple[Callable[..., Consumer], tuple[str | bytes, bool, _Share]]:
        return _attach_again, (os.path.abspath(self._handle.image) if self.from_image else self.name, self._verify, self._share)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = self.read()
        if batch is None:
            raise StopIteration
        return batch

    def read(self, timeout: float | None = None) -> Batch | None:
        """The next batch.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits as long as it takes.

        Returns
        -------
        Batch or None
            None when the stream has ended; `complete` says how.

        Raises
        ------
        TimeoutError
            Nothing came in time.
        ScannerDied, Evicted, ProtocolError
            See `Consumer`.
        ValueError
            The consumer was closed.
        """
        handle = self._handle.next(timeout)
        return None if handle is None else Batch(handle)

    def fileno(self) -> int:
        """A file descriptor that is readable when `read` would not wait, for `select` and event loops.

        From the first call on the consumer reads one batch ahead, in a thread of its own; `stats`
        counts that batch too. The descriptor is the consumer's: do not close it.

        Examples
        --------
        >>> import pwalk, select
        >>> with pwalk.scan(example_tree) as scan:
        ...     ready, _, _ = select.select([scan], [], [], 60)
        ...     batch = scan.read(timeout=0)
        >>> len(ready)
        1
        """
        return self._handle.fileno()

    def __aiter__(self: Self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        """The next batch, without blocking the event loop meanwhile; cancelling loses nothing."""
        descriptor = self.fileno()
        while True:
            try:
                batch = self.read(timeout=0)
            except TimeoutError:
                await _readable(descriptor)
                continue
            if batch is None:
                raise StopAsyncIteration
            return batch

    def close(self) -> None:
        """Detaches from the scan. May be called again, and from another thread, whose wait it ends."""
        self._handle.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle.closed

    @property
    def complete(self) -> bool:
        """Whether everything was read and the walk went through. False before the end, and after a scan that was cut short."""
        return self._handle.complete

    @property
    def name(self) -> str:
        """The scan's name."""
        return self._handle.name

    @property
    def from_image(self) -> bool:
        """Whether an image is read, and not a scan that runs."""
        return bool(self._handle.image)

    @property
    def stats(self) -> ConsumerStats:
        """What was read so far."""
        return ConsumerStats._make(self._handle.stats())

    @property
    def scan_stats(self) -> ScanStats | None:
        """How the scan itself is doing, without asking it; None before the walk has begun.

        May be read at any time and from any thread, also after the end.
        """
        return scan_stats_of(self._handle.scan_stats())

    def __arrow_c_stream__(
        self, requested_schema: object = None, *, text: TextType = "binary", on_error: OnError = "replace"
    ) -> object:
        """What is left of the scan as an Arrow stream: an ``arrow_array_stream`` capsule.

        Takes the batches as iterating does, one array each; see `Batch.__arrow_c_array__`
        for the parameters and for what is in them. A scanner that died ends the stream with
        an error, after everything that was published.
        """
        return _core.arrow_stream(self._handle, requested_schema, text, on_error)

    def arrow(self, *, text: TextType = "binary", on_error: OnError = "replace") -> ArrowStream:
        """The same for a library that asks for the stream itself.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.scan(example_tree) as scan:
        ...     stream = scan.arrow(text="utf8")
        ...     capsule = stream.__arrow_c_stream__()  # a library would do this
        >>> "arrow_array_stream" in repr(capsule)
        True
        """
        return ArrowStream(self, text, on_error)

    def in_pool(self, array: npt.NDArray[Any]) -> bool:
        """Whether an array's memory is the scan's shared memory, or the mapped image: that is, no copy."""
        return self._handle.in_pool(array.__array_interface__["data"][0])

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "ended" if self._handle.ended else "reading"
        return f"<pwalk.{type(self).__name__} {self.name!r} {state}, {self.stats.rows} rows>"


async def _readable(descriptor: int) -> None:
    """Until a descriptor can be read. Any number of tasks may wait for one."""
    loop = asyncio.get_running_loop()
    own = os.dup(descriptor)  # an event loop has one reader per descriptor
    ready = asyncio.Event()
    loop.add_reader(own, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(own)
        os.close(own)


class ArrowStream:
    """A consumer as a source of Arrow data, with its text as it was asked for; made by `Consumer.arrow`.

    Libraries take it wherever they take an object with ``__arrow_c_stream__``. It can be
    read once.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     isinstance(scan.arrow(), ArrowStream)
    True
    """

    def __init__(self, consumer: Consumer, text: TextType, on_error: OnError) -> None:
        self._consumer = consumer
        self._text = text
        self._on_error = on_error

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """An ``arrow_array_stream`` capsule, see `Consumer.__arrow_c_stream__`."""
        return self._consumer.__arrow_c_stream__(requested_schema, text=self._text, on_error=self._on_error)


def attach(
    scan: str | bytes | os.PathLike[str] | None = None,
    *,
    timeout: float | None = None,
    start: StartAt = "first",
    verify: bool = False,
    label: str | None = None,
    group: str | bytes | None = None,
    rank: int = 0,
    world: int = 1,
    columns: Iterable[str] | None = None,
) -> Consumer:
    """Attaches to a scan, or opens an image as if it were one.

    Parameters
    ----------
    scan : str, bytes or os.PathLike, optional
        The scan's name, ``USER/NAME`` for another user's, or the absolute path of one of
        its roots. None: the only scan there is. If no such scan runs: an image file, or what
        names a kept image, of which an unfinished one is read as it grows.
    timeout : float, optional
        Seconds to wait for the scan to appear. None: it must be there.
    start : {"first", "oldest", "now"}
        Where to begin: at the scan's first entry; at the oldest that is still there; or
        with what is published from now on.
    verify : bool
        Recompute the content hash from the rows that were read, and compare it with the
        scanner's at the end: about 20 ns a row. Without it only the structure of each batch
        is checked, and the scanner's own hashes are added up.
    label : str, optional
        What people are shown who ask who holds the scan back. Default: the program's name.
    group : str or bytes, optional
        Share the scan with the other consumers of this group: each batch goes to one of them.
        What a member had when it died, or kept for longer than the scanner's ``--group-lease``
        without asking for more, goes to another one and is marked `Batch.redelivered`; nothing
        else is given out twice. The stream ends when all of it is done. Several groups and
        consumers without one can read a scan at the same time. At most 63 bytes.
    rank, world : int
        Share number `rank` of `world`, 0 to ``world - 1``: together they give each entry
        once. Whole batches are dealt out in turn, of a running scan by ``lane + sequence``.
        Nobody takes over from a reader that dies, and how a running scan cuts its batches
        differs from run to run; an image's are always the same.
    columns : iterable of str, optional
        The columns that batches show; `directory` and `name`, and so paths, are always there.
        Nothing is read less for it.

    Returns
    -------
    Consumer

    Raises
    ------
    FileNotFoundError
        There is no such scan; the message names those there are.
    TimeoutError
        It did not appear in time.
    MissedEntries
        The first entries are gone, and ``start`` is "first".
    PermissionError
        It is another user's.
    ValueError
        There are several scans and none was named, or an argument cannot be.
    ProtocolError
        The image is damaged.

    Examples
    --------
    >>> import pwalk
    >>> pwalk.attach("no-such-scan")
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """
    wanted = b"" if scan is None else os.fsencode(scan)
    if scan is not None and not wanted:
        raise ValueError("scan '': allowed are a name, USER/NAME or the absolute path of a root")
    shown = label if label is not None else os.path.basename(sys.argv[0] if sys.argv else "") or "python"
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of world {world}: allowed are 0 to world - 1")
    if isinstance(columns, str):
        raise ValueError("columns: a list of names, not one string")
    share = (rank, world, None if columns is None else tuple(columns), b"" if group is None else os.fsencode(group))
    if group is not None and not share[-1]:
        raise ValueError("group '': allowed are names of 1 to 63 bytes")
    handle = _core.attach(wanted, 0.0 if timeout is None else timeout, start, verify, shown, *share)
    return Consumer(handle, verify, share)


def _attach_again(name: str | bytes, verify: bool, share: _Share) -> Consumer:
    rank, world, columns, group = share
    return attach(name, verify=verify, rank=rank, world=world, columns=columns, group=group or None)
