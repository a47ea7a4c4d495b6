"""Scans of one's own: a scanner that lives as long as the object that reads it."""

from __future__ import annotations

import itertools
import os
import time
import weakref
from types import TracebackType
from typing import Any, Callable, Optional, Sequence, TypeVar, Union

from pwalk import _core
from pwalk.batch import Batch
from pwalk.config import Config
from pwalk.consumer import Consumer, ConsumerStats
from pwalk.errors import ScannerError
from pwalk.monitor import note_end, note_start
from pwalk.scanner_process import ScannerProcess

__all__ = ["Scan", "scan"]

Progress = Callable[[ConsumerStats], object]
Root = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Self = TypeVar("Self", bound="Scan")

_serial = itertools.count(1)

_ATTACH_SLICE = 0.1  # seconds between looks at a scanner that does not appear
_REPORT_EVERY = 0.1  # seconds between calls of a progress function
_FAREWELL = 10.0  # seconds for a scanner whose stream has ended to end by itself


class Scan(Consumer):
    """A `Consumer` with a scanner of its own; made by `scan`.

    Leaving the context ends the scanner, wherever it is. So does the end of this process,
    whatever kills it. In a forked child the scanner is left alone.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     types = [chr(letter) for batch in scan for letter in batch["type"]]
    >>> sorted(types)
    ['d', 'd', 'f', 'f', 'f']
    >>> scan.summary["entries"]
    5
    >>> scan = pwalk.scan(example_tree)
    >>> scan.pid > 0, len(scan.read(timeout=60)) > 0
    (True, True)
    >>> scan.close()
    """

    def __init__(
        self, process: ScannerProcess, handle: _core.ConsumerHandle, verify: bool, progress: Progress | None
    ) -> None:
        super().__init__(handle, verify)
        self._process = process
        self._progress = progress
        self._reported = float("-inf")
        self._summary: dict[str, Any] | None = None
        self._end = weakref.finalize(self, _end, handle, process)
        note_start(process.pid, handle)

    @property
    def pid(self) -> int:
        """The scanner's process number."""
        return self._process.pid

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the scanner says of the whole scan, the object of ``pwalk-scanner --json``.

        None before the stream has ended, and for a scanner that died.
        """
        if self._summary is None and (self._handle.ended or self.closed) and self._process.wait(_FAREWELL):
            self._summary = self._process.summary()
        return self._summary

    def read(self, timeout: float | None = None) -> Batch | None:
        """The next batch, see `Consumer.read`. Calls the progress function up to ten times a second."""
        if self._progress is None:
            return super().read(timeout)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                batch = super().read(min(left, _REPORT_EVERY))
            except TimeoutError:
                self._report(self._progress)
                if left <= _REPORT_EVERY:
                    raise
                continue
            self._report(self._progress, last=batch is None)
            return batch

    def close(self) -> None:
        """Detaches, and ends the scanner if it has not ended by itself. May be called again."""
        self._end()

    def _report(self, progress: Progress, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._reported >= _REPORT_EVERY:
            self._reported = now
            progress(self.stats)


def scan(
    *roots: Root,
    config: Optional[Config] = None,
    progress: Optional[Progress] = None,
    name: Optional[str] = None,
    verify: bool = False,
    timeout: float = 60.0,
    **options: Any,
) -> Scan:
    """Starts a scanner over one or more roots, and attaches to it.

    The scanner is ``pwalk-scanner``: ``$PWALK_SCANNER`` if set, else the one that came with
    this package, else the one on ``$PATH``.

    Parameters
    ----------
    *roots : str, bytes or os.PathLike
        What to scan.
    config : Config, optional
        How.
    progress : callable, optional
        Called with `ConsumerStats` about ten times a second while the scan is read, by the
        thread that reads, and once at the end.
    name : str, optional
        The scan's name, for others who want to attach. Default: one that nobody has.
    verify : bool
        As for `attach`.
    timeout : float
        Seconds to wait at most for the scanner to be ready.
    **options
        Fields of `Config`; they go before those of `config`.

    Returns
    -------
    Scan

    Raises
    ------
    FileNotFoundError, PermissionError
        No root can be scanned, or the scanner cannot be found.
    ScannerError
        The scanner refused; the message is its own.
    TypeError, ValueError
        An option does not exist or cannot be; the message names what is allowed.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree, exclude="*.bin", progress=lambda stats: None) as scan:
    ...     total = sum(int(batch["size"][batch.where(type="f")].sum()) for batch in scan)
    >>> total
    12
    """
    if not roots:
        raise TypeError("scan() needs at least one root")
    return start(roots, _settings(config, name, options), progress=progress, verify=verify, timeout=timeout)


def start(
    roots: Sequence[Root],
    config: Config,
    *,
    progress: Progress | None = None,
    verify: bool = False,
    timeout: float = 60.0,
    control: int | None = None,
) -> Scan:
    """What `scan` does when its options are settled; `config` gets a name if it has none.

    `control` is a descriptor that the scanner inherits and obeys, see tools/scan/walk_link.h.
    """
    settings = _settings(config, None, {})
    places = [os.fsencode(root) for root in roots]
    process = ScannerProcess([*settings.to_arguments(), "--json", "--quiet", "--", *places], control)
    try:
        handle = _attach(process, os.fsencode(settings.name or ""), verify, time.monotonic() + timeout, places)
    except BaseException:
        process.end()
        raise
    return Scan(process, handle, verify, progress)


def _end(handle: _core.ConsumerHandle, process: ScannerProcess) -> None:
    handle.close()  # first, or the scanner would wait for us
    if handle.ended:
        process.wait(_FAREWELL)
    process.end()
    note_end(process.pid)  # last: then its figures are


def _settings(config: Config | None, name: str | None, options: dict[str, Any]) -> Config:
    settings = config.replace(**options) if config is not None else Config(**options)
    if name is not None or settings.name is None:
        settings.name = name if name is not None else f"python-{os.getpid()}-{next(_serial)}"
    settings.consumers = max(1, settings.consumers)  # it must not start without us
    return settings


def _attach(
    process: ScannerProcess, name: bytes, verify: bool, deadline: float, roots: list[bytes]
) -> _core.ConsumerHandle:
    while True:
        status = process.returncode()
        if status is not None:
            raise _refusal(process, status, roots)
        try:
            handle = _core.attach(name, _ATTACH_SLICE, "first", verify, "python")
        except TimeoutError:
            if time.monotonic() >= deadline:
                raise
            continue
        if handle.scanner_pid() == process.pid:
            return handle
        handle.close()  # somebody else's scan has that name; ours is about to say so
        time.sleep(_ATTACH_SLICE)


def _refusal(process: ScannerProcess, status: int, roots: list[bytes]) -> Exception:
    """Why a scanner ended before anybody could attach."""
    missing = [error for error in map(_stat_error, roots) if error is not None]
    if status == 3 and len(missing) == len(roots):
        return missing[0]
    lines = process.complaints().strip().splitlines()
    return ScannerError(lines[-1] if lines else f"the scanner ended with {status}", status)


def _stat_error(root: bytes) -> OSError | None:
    try:
        os.stat(root)
    except OSError as error:
        return error
    return None
