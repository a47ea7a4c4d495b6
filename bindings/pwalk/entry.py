"""Entries one by one, as os.scandir gives them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Generic, Iterator, Sequence, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from pwalk.batch import Batch

__all__ = ["Entry"]

Path = TypeVar("Path", str, bytes)

_NANOSECONDS = 10**9
# The order of os.stat_result: the times in seconds, as floats and in nanoseconds, and st_blksize, come in between.
_STAT_HEAD = ("mode", "inode", "device", "nlink", "uid", "gid", "size")
_STAT_TIMES = ("atime", "mtime", "ctime")
_STAT_TAIL = ("blocks", "rdev")
_VANISHED_ERRNO = 2  # ENOENT


def stat_result(head: Sequence[Any], times: Sequence[Any], tail: Sequence[Any]) -> os.stat_result:
    """From mode inode device nlink uid gid size, atime mtime ctime in ns, and blocks rdev; None where unknown."""
    seconds = [None if time is None else time // _NANOSECONDS for time in times]
    exact = [None if time is None else time // _NANOSECONDS + 1e-9 * (time % _NANOSECONDS) for time in times]
    fields: list[Any] = [*head, *seconds, *exact, *times, None, *tail]
    return os.stat_result(fields)


class _Table:
    """A batch's columns as lists, made when they are first asked for. Withholds nothing from the scanner."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch.copy()
        self._lists: dict[str, list[Any]] = {}

    def __contains__(self, column: str) -> bool:
        return column in self._batch

    def column(self, name: str) -> list[Any]:
        if name not in self._lists:
            self._lists[name] = self._batch[name].tolist()
        return self._lists[name]

    def knows(self, row: int) -> bool:
        """Whether everything that a stat_result needs was fetched for this row."""
        if "known" not in self._lists:
            known = np.ones(len(self._batch), dtype=bool)
            for name in _STAT_HEAD + _STAT_TIMES + _STAT_TAIL:
                known &= self._batch.valid(name) if name in self._batch else False
            self._lists["known"] = known.tolist()
        return bool(self._lists["known"][row])

    def status(self, row: int) -> os.stat_result:
        """Requires that everything is known."""
        head, times, tail = (self._values(row, names) for names in (_STAT_HEAD, _STAT_TIMES, _STAT_TAIL))
        return stat_result(head, times, tail)

    def _values(self, row: int, columns: tuple[str, ...]) -> list[int]:
        return [self.column(name)[row] for name in columns]


class Entry(Generic[Path]):
    """One entry of a scan, with the methods of `os.DirEntry`.

    What the scan fetched is answered without a system call; what it did not, by asking the
    file system as `os.DirEntry` would. Made by `Batch.entries`. It keeps a copy of its batch,
    not the batch.

    Attributes
    ----------
    name : str or bytes
        The last component of its path.
    path : str or bytes
        Absolute.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     found = {entry.name: entry for batch in scan for entry in batch.entries()}
    >>> found["large.bin"].is_file(), found["sub"].is_dir(), found["large.bin"].stat().st_size
    (True, True, 5000)
    >>> found["sub"].inode() == os.stat(found["sub"]).st_ino, found["sub"].is_symlink()
    (True, False)
    """

    __slots__ = ("_row", "_table", "name", "path")
    name: Path
    path: Path

    def __init__(self, table: _Table, row: int, name: Path, path: Path) -> None:
        self._table = table
        self._row = row
        self.name = name
        self.path = path

    def inode(self) -> int:
        """Its inode number."""
        if self._table.knows(self._row):
            return cast(int, self._table.column("inode")[self._row])
        return self.stat(follow_symlinks=False).st_ino

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self._is("l", stat.S_ISLNK, follow_symlinks=False)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a directory, or a link to one."""
        return self._is("d", stat.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file, or a link to one."""
        return self._is("f", stat.S_ISREG, follow_symlinks)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Its status, as the scan saw it; of a symbolic link's target, as it is now.

        ``st_blksize`` is None: a scan does not fetch it.

        Raises
        ------
        OSError
            It could not be stat'ed, or had vanished; or the target cannot be now.
        """
        if follow_symlinks and self.is_symlink():
            return os.stat(self.path)
        if self._table.knows(self._row):
            return self._table.status(self._row)
        self._raise_error()
        return os.lstat(self.path)

    def __fspath__(self) -> Path:
        return self.path

    def __repr__(self) -> str:
        return f"<pwalk.Entry {self.name!r}>"

    def _is(self, letter: str, of_mode: Any, follow_symlinks: bool) -> bool:
        own = chr(self._table.column("type")[self._row]) if "type" in self._table else "?"
        if own != "?" and not (own == "l" and follow_symlinks):
            return own == letter
        try:
            status = os.stat(self.path) if follow_symlinks else os.lstat(self.path)
        except FileNotFoundError:
            return False
        return bool(of_mode(status.st_mode))

    def _raise_error(self) -> None:
        """What the scan met when it asked for the status, if anything."""
        if "error" not in self._table:
            return
        from pwalk.batch import FLAGS

        number = self._table.column("error")[self._row]
        if not number and self._table.column("flags")[self._row] & FLAGS["vanished"]:
            number = _VANISHED_ERRNO
        if number:
            raise OSError(number, os.strerror(number), self.path)


def entries_of(batch: Batch, rows: Any, as_bytes: bool) -> Iterator[Entry[Any]]:
    """The entries of these rows of a batch, see `Batch.entries`."""
    table = _Table(batch)
    chosen = range(len(batch)) if rows is None else batch._row_numbers(rows).tolist()
    paths = batch.paths(rows)
    names = batch["name"]
    for row, path in zip(chosen, paths):
        name = names[row]
        if as_bytes:
            yield Entry(table, row, name, path)
        else:
            yield Entry(table, row, os.fsdecode(name), os.fsdecode(path))
