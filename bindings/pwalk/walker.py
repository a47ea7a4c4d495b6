"""os.walk by many threads."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any, Callable, Iterator, Optional

from pwalk import _core
from pwalk.config import Config
from pwalk.errors import ScannerError
from pwalk.scanner import Root, Scan, start

__all__ = ["Walker", "walk"]

OnError = Callable[[OSError], object]
Triple = tuple[Any, list[Any], list[Any]]

_VERSION = 1  # of what is said over the socket, see tools/scan/walk_link.h
_POOL = "16M"  # enough for what a walk keeps in flight, and quickly made
_COLUMNS = "type,depth,flags"


def walk(
    top: Root,
    topdown: bool = True,
    onerror: Optional[OnError] = None,
    followlinks: bool = False,
    *,
    max_threads: Optional[int] = None,
    ignore_snapshots: bool = False,
    run_ahead: int = 4096,
    config: Optional[Config] = None,
    **options: Any,
) -> Iterator[Triple]:
    """`os.walk`, read by the threads of a scanner of its own.

    Gives the triples of `os.walk`: a directory before those below it or, with ``topdown=False``,
    after them; siblings in any order. It pays for large trees and slow file systems: a scanner
    is started first, which takes some hundredths of a second.

    Topdown, names that the caller removes from ``dirnames`` in place are not entered: the scanner
    is told, and it runs ahead by a bounded number of directories only, which bounds memory too. Names
    that are added are walked as `os.walk` would.

    Parameters
    ----------
    top : str, bytes or os.PathLike
        Where to begin. With bytes, names and paths are bytes.
    topdown : bool
        A directory before what is below it, or after.
    onerror : callable, optional
        Called with the OSError of each directory that cannot be read; errors are ignored without it.
    followlinks : bool
        Enter directories that links lead to. Unlike `os.walk`, a link to a directory that it lies in
        is named, but not entered.
    max_threads : int, optional
        Most threads. Default: by file system.
    ignore_snapshots : bool
        Leave out the directories ``.snapshot``, ``.snapshots`` and ``.zfs``.
    run_ahead : int
        Most directories that the scanner reads before they are asked for; not with ``topdown=False``.
    config : Config, optional
        How to scan. Of its options these have no effect: ``columns``, ``no_stat``, ``consumers``, ``name``.
    **options
        Fields of `Config`; they go before those of `config`.

    Yields
    ------
    (str or bytes, list, list)
        Path of the directory, names of its directories (links to directories among them), names of the rest.

    Raises
    ------
    ScannerError
        The scanner could not be started, or was stopped.
    ScannerDied
        It was killed.
    TypeError, ValueError
        An option does not exist or cannot be.

    Examples
    --------
    >>> import pwalk
    >>> for path, directories, files in pwalk.walk(example_tree):
    ...     print(os.path.basename(path), sorted(directories), sorted(files))
    tree ['sub'] ['large.bin', 'notes.txt']
    sub [] ['tool.py']
    """
    if run_ahead < 1:
        raise ValueError(f"run_ahead {run_ahead}: allowed are numbers from 1")
    settings = config.replace(**options) if config is not None else Config(**options)
    settings = settings.replace(name=None, columns=_COLUMNS, no_stat=False, consumers=1)
    settings.follow_links = followlinks or settings.follow_links
    settings.ignore_snapshots = ignore_snapshots
    if max_threads is not None:
        settings.max_threads = max_threads
    if settings.ring_size is None and settings.buffer_size_mb is None:
        settings.ring_size = _POOL
    return _triples(os.fspath(top), topdown, onerror, settings, run_ahead)


class Walker:
    """Walks trees with one configuration.

    Parameters
    ----------
    config : Config, optional
        How to scan.

    Examples
    --------
    >>> walker = Walker(Config(max_threads=2, exclude="*.bin"))
    >>> sorted(name for _, _, files in walker.walk(example_tree) for name in files)
    ['notes.txt', 'tool.py']
    """

    def __init__(self, config: Optional[Config] = None) -> None:
        self.config = config if config is not None else Config()

    def walk(
        self,
        top: Root,
        topdown: bool = True,
        onerror: Optional[OnError] = None,
        followlinks: bool = False,
        **options: Any,
    ) -> Iterator[Triple]:
        """The triples of `pwalk.walk` with this configuration; snapshot directories as the configuration has it."""
        options.setdefault("ignore_snapshots", self.config.ignore_snapshots)
        return walk(top, topdown, onerror, followlinks, config=self.config, **options)


def _triples(top: Any, topdown: bool, onerror: Optional[OnError], config: Config, run_ahead: int) -> Iterator[Triple]:
    try:
        os.scandir(top).close()
    except OSError as error:
        if onerror is not None:
            onerror(error)
        return
    followed = _Followed(top, topdown, config, run_ahead)
    try:
        while (found := followed.next()) is not None:
            if len(found) == 2:
                if onerror is not None:
                    onerror(OSError(found[1], os.strerror(found[1]), found[0]))
                continue
            path, directories, _ = found
            yield found
            if topdown:
                for name in followed.resume(directories):
                    place = os.path.join(path, name)
                    if config.follow_links or not os.path.islink(place):
                        yield from _triples(place, topdown, onerror, config, run_ahead)
    finally:
        followed.close()


class _Followed:
    """A scanner whose directories are taken one by one, and which hears of it."""

    def __init__(self, top: Any, topdown: bool, config: Config, run_ahead: int) -> None:
        self._tree = _core.WalkTree(
            os.fsencode(top),
            as_bytes=isinstance(top, bytes),
            topdown=topdown,
            follow_links=config.follow_links,
            one_file_system=config.one_file_system,
            max_depth=config.max_depth,
        )
        self._send_after = max(1, run_ahead // 4)
        self._ended = False
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            # Bottom up, nothing can be declined, and a directory may have to wait for any number of others.
            bound = run_ahead if topdown else (1 << 64) - 1 - (1 << 32)
            self._link.sendall(b"h" + struct.pack("=IIQ", 12, _VERSION, bound))
            try:
                self._scan: Scan = start([top], config, control=theirs.fileno())
            except BaseException:
                self._link.close()
                raise

    def next(self) -> Any:
        """What `_core.WalkTree.next` gives; None at the end."""
        while True:
            found = self._tree.next()
            if self._tree.unsent >= self._send_after or found is None:
                self._send()
            if found is not None or self._ended:
                return found
            batch = self._scan.read()
            if batch is None:
                self._end()
            else:
                self._tree.add(batch._handle)

    def resume(self, directories: list[Any]) -> list[Any]:
        """Names that were added to the list, of which the scanner knows nothing."""
        return self._tree.resume(directories)

    def close(self) -> None:
        """Ends the scanner."""
        self._scan.close()
        self._link.close()  # last: the end of the link would let the walk go on without a bound

    def _end(self) -> None:
        if not self._scan.complete:
            self._scan.close()
            raise ScannerError("the walk was cut short: its scanner was stopped", 3)
        self._ended = True
        self._tree.finish()

    def _send(self) -> None:
        messages = self._tree.take_messages()
        if messages:
            try:
                self._link.sendall(messages)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has ended, which reading will tell
