"""How fast scans are, and what they cost, while they run."""

from __future__ import annotations

import os
import threading
import time
import weakref
from types import TracebackType
from typing import Any, NamedTuple, Optional

from pwalk import _core
from pwalk.consumer import ScanStats, scan_stats_of

__all__ = ["Monitor", "MonitorStats"]

_LOOK_EVERY = 0.1  # seconds, as often as a scanner tells
_MEGA = 10**6

_monitors: weakref.WeakSet[Monitor] = weakref.WeakSet()
_own_scans: dict[int, _core.ConsumerHandle] = {}  # of this process, by the scanner's process number
_lock = threading.RLock()  # guards both; a finalizer may come while it is held by the same thread


class MonitorStats(NamedTuple):
    """What scans did and cost while they were watched.

    Attributes
    ----------
    seconds : float
        How long that was.
    entries, files, directories, errors, file_bytes : int
        What was found meanwhile: entries of any type, regular files, directories, errors, and the files' sizes in bytes.
    files_per_second : float
        Regular files.
    entries_per_second : float
        Entries of any type.
    mb_per_second : float
        Sizes of the regular files found, in 10**6 bytes per second.
    cpu_percent : float
        Time on processors of the scanners, in percent of ``seconds``: 200 is two processors.
    memory_mb : float
        Most memory that the scanners had at a time, each its own, in 10**6 bytes; their pools included.
    thread_efficiency : float
        Share of the scanners' threads' time in which they had something to read and room to publish: 1 is ideal.

    Examples
    --------
    >>> with Monitor() as monitor:
    ...     pass
    >>> monitor.stats.files
    0
    """

    seconds: float
    entries: int
    files: int
    directories: int
    errors: int
    file_bytes: int
    files_per_second: float
    entries_per_second: float
    mb_per_second: float
    cpu_percent: float
    memory_mb: float
    thread_efficiency: float


class Monitor:
    """Watches scans, from the scanners' own figures; costs them nothing.

    Parameters
    ----------
    scan : str, bytes or os.PathLike, optional
        A scan's name, or one of its roots; of any process of this user. It may appear later. None: all scans that
        this process starts, by `pwalk.scan`, `pwalk.walk` or `AsyncWalker`.

    Examples
    --------
    >>> import pwalk
    >>> monitor = Monitor()
    >>> monitor.start()
    >>> for path, directories, files in pwalk.walk(example_tree):
    ...     pass
    >>> told = monitor.stop()
    >>> told.files, told.files_per_second > 0, monitor.stats == told
    (3, True, True)
    """

    def __init__(self, scan: str | bytes | os.PathLike[str] | None = None) -> None:
        self._wanted = None if scan is None else os.fsencode(scan)
        self._began: Optional[float] = None
        self._ended: Optional[float] = None
        self._before: dict[int, ScanStats] = {}
        self._last: dict[int, ScanStats] = {}
        self._stopping = threading.Event()
        self._looking: Optional[threading.Thread] = None

    def start(self) -> None:
        """Begins to watch, or begins anew.

        Raises
        ------
        RuntimeError
            It watches already.
        """
        if self._began is not None and self._ended is None:
            raise RuntimeError("the monitor watches already")
        self._ended = None
        found = self._ask()
        with _lock:
            self._last = {}
            self._look(found)
            self._before = dict(self._last)
            self._began = time.monotonic()
            _monitors.add(self)
        if self._wanted is not None:
            self._stopping.clear()
            self._looking = threading.Thread(target=_look_until, args=(weakref.ref(self), self._stopping), daemon=True)
            self._looking.start()

    def stop(self) -> MonitorStats:
        """Ends watching; what was seen.

        Raises
        ------
        RuntimeError
            It does not watch.
        """
        if self._began is None or self._ended is not None:
            raise RuntimeError("the monitor does not watch")
        self._stopping.set()
        if self._looking is not None:
            self._looking.join()
            self._looking = None
        found = self._ask()
        with _lock:
            self._look(found)
            self._ended = time.monotonic()
            _monitors.discard(self)
        return self.stats

    @property
    def stats(self) -> MonitorStats:
        """What was seen so far; at any time and from any thread."""
        if self._began is None:
            raise RuntimeError("the monitor was not started")
        found = None if self._ended is not None else self._ask()
        with _lock:
            if self._ended is None:
                self._look(found)
            seconds = (time.monotonic() if self._ended is None else self._ended) - self._began
            return _summed(seconds, self._before, self._last)

    def _ask(self) -> Optional[tuple[Any, ...]]:
        """What the scan of that name says. Without the lock, since it may take a moment."""
        if self._wanted is None:
            return None
        try:
            status = _core.scan_status(self._wanted)
        except OSError:
            return None  # the runtime directory is not there yet, or not any more
        return None if status is None else status[1]

    def _look(self, told: Optional[tuple[Any, ...]]) -> None:
        """With the lock; `told` is of _ask()."""
        if self._wanted is not None:
            self._take(0, told)
            return
        for key, handle in list(_own_scans.items()):
            self._take(key, handle.scan_stats())

    def _take(self, key: int, told: Optional[tuple[Any, ...]]) -> None:
        stats = scan_stats_of(told)
        if stats is None:
            return
        last = self._last.get(key)
        if last is not None and stats.elapsed_seconds < last.elapsed_seconds:
            self._put_away(key)  # another scan has that name now
        self._last[key] = stats

    def _put_away(self, key: int) -> None:
        """Keeps what a scan that has ended told, under a key that no other will have."""
        spare = min(min(self._last), 0) - 1
        self._last[spare] = self._last.pop(key)
        if key in self._before:
            self._before[spare] = self._before.pop(key)

    def __enter__(self) -> Monitor:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ended is None:
            self.stop()

    def __repr__(self) -> str:
        state = "new" if self._began is None else "watching" if self._ended is None else "stopped"
        return f"<pwalk.Monitor {state}>"


def note_start(key: int, handle: _core.ConsumerHandle) -> None:
    """A scan of this process has begun; `key` is its own as long as it runs."""
    with _lock:
        _own_scans[key] = handle


def note_end(key: int) -> None:
    """It has ended, and its last figures are known."""
    with _lock:
        handle = _own_scans.pop(key, None)
        if handle is None:
            return
        told = handle.scan_stats()
        for monitor in list(_monitors):
            if monitor._wanted is None:
                monitor._take(key, told)
                if key in monitor._last:
                    monitor._put_away(key)


def _look_until(watched: weakref.ref[Monitor], stopping: threading.Event) -> None:
    while not stopping.wait(_LOOK_EVERY):
        monitor = watched()
        if monitor is None:
            return
        told = monitor._ask()
        with _lock:
            monitor._look(told)
        del monitor


def _summed(seconds: float, before: dict[int, ScanStats], after: dict[int, ScanStats]) -> MonitorStats:
    def difference(name: str) -> Any:
        return sum(getattr(stats, name) for stats in after.values()) - sum(getattr(stats, name) for stats in before.values())

    def busy(scans: dict[int, ScanStats]) -> tuple[float, float]:
        times = [(stats.threads * stats.elapsed_seconds, stats.thread_efficiency) for stats in scans.values()]
        return sum(time for time, _ in times), sum(time * share for time, share in times)

    present, working = (now - then for now, then in zip(busy(after), busy(before)))
    watched = max(seconds, 1e-9)
    return MonitorStats(
        seconds=seconds,
        entries=difference("entries"),
        files=difference("files"),
        directories=difference("directories"),
        errors=difference("errors"),
        file_bytes=difference("file_bytes"),
        files_per_second=difference("files") / watched,
        entries_per_second=difference("entries") / watched,
        mb_per_second=difference("file_bytes") / _MEGA / watched,
        cpu_percent=100 * difference("cpu_seconds") / watched,
        memory_mb=max((stats.peak_memory_bytes for stats in after.values()), default=0) / _MEGA,
        thread_efficiency=min(1.0, max(0.0, working / present)) if present > 0 else 0.0,
    )
