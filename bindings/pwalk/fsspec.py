"""fsspec's view of a scan: metadata out of the image, contents from the real files."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timezone
from typing import Any

import fsspec  # type: ignore[import]  # it has no types
from fsspec.utils import stringify_path  # type: ignore[import]

from pwalk.results import ResultsFilesystem, open_results

__all__ = ["PwalkFileSystem"]

_KINDS = {"d": "directory", "f": "file", "l": "link"}


class PwalkFileSystem(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A scanned tree for programs that use fsspec: ``fsspec.filesystem("pwalk", scan="home")``.

    ``ls``, ``info``, ``walk``, ``find``, ``glob``, ``du`` and the like answer from the image, without
    touching the scanned file system; ``open`` reads the real file. Nothing can be written.

    Parameters
    ----------
    scan : str or os.PathLike, optional
        As for `pwalk.open_results`.

    Raises
    ------
    FileNotFoundError, ProtocolError, ValueError
        See `pwalk.open_results`.

    Examples
    --------
    >>> import fsspec
    >>> files = fsspec.filesystem("pwalk", scan=example_image)
    >>> [os.path.basename(path) for path in files.find(files.results.roots[0])]
    ['large.bin', 'notes.txt', 'tool.py']
    >>> with files.open(files.results.roots[0] + "/notes.txt", "rb") as file:
    ...     file.read()
    b'notes'
    >>> notes = files.results.roots[0] + "/notes.txt"
    >>> files.exists(notes), files.isfile(notes), files.isdir(notes), files.info(notes)["size"]
    (True, True, False, 5)
    >>> abs(files.modified(notes).timestamp() - os.stat(notes).st_mtime) < 1e-6, files.created(notes).tzinfo
    (True, datetime.timezone.utc)
    >>> len(files.ls(files.results.roots[0]))
    3
    >>> for change in (files.mkdir, files.makedirs, files.rmdir, lambda path: files.cp_file(notes, path)):
    ...     try:
    ...         change(notes + ".new")
    ...     except OSError as refused:
    ...         print(refused.strerror)
    a scan's results can only be read
    a scan's results can only be read
    a scan's results can only be read
    a scan's results can only be read
    """

    protocol = "pwalk"
    root_marker = "/"
    cachable = False  # an instance is one moment of the image

    def __init__(self, scan: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.scan = scan
        self.results: ResultsFilesystem = open_results(scan)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path).removeprefix("pwalk://").removeprefix("pwalk:")
        return os.path.abspath(text or "/")

    def info(self, path: Any, **options: Any) -> dict[str, Any]:
        """What is known of a path: fsspec's ``name``, ``size`` (bytes) and ``type``, and what its local file system tells."""
        place = self._strip_protocol(path)
        return _described(place, self.results._row(place))

    def ls(self, path: Any, detail: bool = True, **options: Any) -> list[Any]:
        """The entries of a directory, by name; of a file, the file itself."""
        place = self._strip_protocol(path)
        try:
            entries = [(entry.path, entry._row) for entry in self.results.scandir(place)]
        except NotADirectoryError:
            entries = [(place, self.results._row(place))]
        rows = dict(entries)
        return [_described(name, rows[name]) if detail else name for name in sorted(rows)]

    def exists(self, path: Any, **options: Any) -> bool:
        """Whether there is an entry of this path."""
        return self.results.exists(self._strip_protocol(path))

    def isdir(self, path: Any) -> bool:
        """Whether there is a directory of this path."""
        return self.results.isdir(self._strip_protocol(path))

    def isfile(self, path: Any) -> bool:
        """Whether there is a regular file of this path."""
        return self.results.isfile(self._strip_protocol(path))

    def created(self, path: Any) -> datetime:
        """When its inode last changed, in UTC."""
        return datetime.fromtimestamp(self.results.stat(self._strip_protocol(path)).st_ctime, timezone.utc)

    def modified(self, path: Any) -> datetime:
        """When it was last modified, in UTC."""
        return datetime.fromtimestamp(self.results.stat(self._strip_protocol(path)).st_mtime, timezone.utc)

    def mkdir(self, path: Any, create_parents: bool = True, **options: Any) -> None:
        """Refused, as everything that would change the tree; what `AbstractFileSystem` has does nothing and says nothing."""
        raise _read_only(path)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Refused."""
        raise _read_only(path)

    def rmdir(self, path: Any) -> None:
        """Refused."""
        raise _read_only(path)

    def cp_file(self, path1: Any, path2: Any, **options: Any) -> None:
        """Refused."""
        raise _read_only(path2)

    def _rm(self, path: Any) -> None:
        raise _read_only(path)

    def _open(self, path: Any, mode: str = "rb", **options: Any) -> Any:
        if mode not in ("r", "rb"):
            raise _read_only(path)
        return open(self._strip_protocol(path), "rb")


def _read_only(path: Any) -> OSError:
    return OSError(errno.EROFS, "a scan's results can only be read", path)


def _described(name: str, row: Any) -> dict[str, Any]:
    seconds = {column: _seconds(row.value(column)) for column in ("ctime", "mtime")}
    return {
        "name": name,
        "size": row.value("size"),
        "type": _KINDS.get(row.type, "other"),
        "created": seconds["ctime"],
        "mtime": seconds["mtime"],
        "islink": row.type == "l",
        "ino": row.value("inode"),
        **{column: row.value(column) for column in ("mode", "uid", "gid", "nlink")},
    }


def _seconds(nanoseconds: int | None) -> float | None:
    """As os.stat_result rounds it."""
    return None if nanoseconds is None else nanoseconds // 10**9 + 1e-9 * (nanoseconds % 10**9)
