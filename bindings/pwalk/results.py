"""The results filesystem: a scanned tree by path, out of an image, without touching the tree again."""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Any, AnyStr, Callable, Generic, Iterator, Literal, NamedTuple, Sequence, Union

from pwalk import _core
from pwalk.conditions import Moment, Text, group_number, nanoseconds, owner_number, suffixes_of, type_letters, unsigned
from pwalk.entry import stat_result

__all__ = ["DiskUsage", "ResultEntry", "ResultsFilesystem", "open_results"]

Access = Literal["auto", "map", "copy"]
AnyPath = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

_TYPE_BITS = {
    "f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "b": stat.S_IFBLK,
    "c": stat.S_IFCHR, "p": stat.S_IFIFO, "s": stat.S_IFSOCK,
}  # fmt: skip


class DiskUsage(NamedTuple):
    """What a path and everything below it take; each inode counts once.

    Attributes
    ----------
    inodes : int
        Entries.
    apparent_bytes : int
        Sum of their sizes, directories too.
    allocated_bytes : int
        Sum of their blocks of 512 bytes, in bytes: what ``du`` shows.

    Examples
    --------
    >>> DiskUsage(2, 5, 4096).allocated_bytes
    4096
    """

    inodes: int
    apparent_bytes: int
    allocated_bytes: int


class ResultEntry(Generic[AnyStr]):
    """One entry of an image, with the methods of `os.DirEntry`; made by `ResultsFilesystem.scandir`.

    Nothing of it asks the file system. Symbolic links are not followed: an image knows the link,
    not what it points to, so `is_dir` and `is_file` are False for one, and `stat` is its own.

    Attributes
    ----------
    name : str or bytes
        The last component of its path.
    path : str or bytes
        The path that was given to `scandir`, joined with the name.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.open_results(example_image) as results, results.scandir() as entries:
    ...     sorted((entry.name, entry.stat().st_size) for entry in entries if entry.is_file())
    [('large.bin', 5000), ('notes.txt', 5)]
    >>> with pwalk.open_results(example_image) as results:
    ...     [(entry.is_symlink(), entry.inode() > 0) for entry in results.scandir() if entry.is_dir()]
    [(False, True)]
    """

    __slots__ = ("_row", "name", "path")
    name: AnyStr
    path: AnyStr

    def __init__(self, row: _core.ResultRow, name: AnyStr, path: AnyStr) -> None:
        self._row = row
        self.name = name
        self.path = path

    def inode(self) -> int | None:
        """Its inode number; None if the scan did not fetch it."""
        value: int | None = self._row.value("inode")
        return value

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a directory; False for a link to one."""
        return self._row.type == "d"

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file; False for a link to one."""
        return self._row.type == "f"

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self._row.type == "l"

    def stat(self, *, follow_symlinks: bool = False) -> os.stat_result:
        """Its status as the scan saw it; None for what the scan did not fetch, as ``st_blksize``.

        Raises
        ------
        OSError
            The scan could not stat it; the errno is the one it met then.
        """
        return _status(self._row, self.path)

    def __fspath__(self) -> AnyStr:
        return self.path

    def __repr__(self) -> str:
        return f"<pwalk.ResultEntry {self.name!r}>"


class _EntryIterator(Generic[AnyStr]):
    """What `os.scandir` gives: an iterator that is a context manager."""

    def __init__(self, entries: Iterator[ResultEntry[AnyStr]]) -> None:
        self._entries: Iterator[ResultEntry[AnyStr]] = entries

    def __iter__(self) -> Iterator[ResultEntry[AnyStr]]:
        return self

    def __next__(self) -> ResultEntry[AnyStr]:
        return next(self._entries)

    def close(self) -> None:
        """Ends the iteration."""
        self._entries = iter(())

    def __enter__(self) -> _EntryIterator[AnyStr]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ResultsFilesystem:
    """A scanned tree as it was, by path; made by `open_results`.

    Functions and their errors are those of `os` and `glob`: paths in bytes give bytes, others
    give str with surrogate escapes; a relative path is below the working directory; what is not
    there raises FileNotFoundError and what is no directory NotADirectoryError, with errno and
    filename. ``.`` and ``..`` are resolved as text and symbolic links are not followed. Where a
    path is left out, it is the scan's root (ValueError if it has several).

    An image is one moment: it does not change while the scan goes on (see `refreshed`) nor when
    its file is replaced. Any number of threads may use it, also in forked children; pickled, it
    opens the same file again.

    Raises
    ------
    ProtocolError
        From any method: the file is damaged; the message names the offset.
    ValueError
        From any method, after `close`.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.open_results(example_image) as results:
    ...     sorted(results.listdir())
    ['large.bin', 'notes.txt', 'sub']
    >>> results = pwalk.open_results(example_image)
    >>> results.name, "size" in results.columns
    ('tree', True)
    >>> results.state, results.complete, results.entries, results.errors
    ('complete', True, 5, 0)
    >>> 0 < results.started_ns <= results.finished_ns, os.path.basename(results.file)
    (True, 'tree.img')
    >>> notes = os.path.join(results.roots[0], "notes.txt")
    >>> results.exists(notes), results.isfile(notes), results.isdir(notes), results.islink(notes)
    (True, True, False, False)
    >>> results.lstat(notes).st_size, results.refreshed().entries
    (5, 5)
    >>> results.close()
    """

    def __init__(self, handle: _core.ResultsHandle) -> None:
        self._open: _core.ResultsHandle | None = handle
        facts = handle.facts()
        self._facts = facts

    @property
    def _handle(self) -> _core.ResultsHandle:
        if self._open is None:
            raise ValueError("the results were closed")
        return self._open

    @property
    def name(self) -> str:
        """The scan's name."""
        return os.fsdecode(self._facts["name"])

    @property
    def roots(self) -> list[str]:
        """What was scanned: absolute paths."""
        return [os.fsdecode(root) for root in self._facts["roots"]]

    @property
    def columns(self) -> list[str]:
        """What was fetched of each entry, besides its name."""
        return list(self._facts["columns"])

    @property
    def started_ns(self) -> int:
        """When the scan began, in nanoseconds since 1970 UTC."""
        return int(self._facts["started_ns"])

    @property
    def finished_ns(self) -> int | None:
        """When the scan ended, likewise; None while the image grows."""
        return self._facts["finished_ns"] or None

    @property
    def state(self) -> str:
        """``"complete"``; ``"growing"``; or ``"cut short"``, of a scan that was stopped."""
        return str(self._facts["state"])

    @property
    def complete(self) -> bool:
        """Whether the whole tree was walked (single entries may have errors)."""
        return self.state == "complete"

    @property
    def entries(self) -> int:
        """Number of rows."""
        return int(self._facts["entries"])

    @property
    def errors(self) -> int:
        """Number of entries and directories with an errno."""
        return int(self._facts["errors"])

    @property
    def file(self) -> str:
        """The image's path."""
        return os.fsdecode(self._facts["file"])

    def refreshed(self) -> ResultsFilesystem:
        """The same image at its newest moment; of use while it grows."""
        return type(self)(self._handle.refreshed())

    def listdir(self, path: AnyPath | None = None) -> list[Any]:
        """Names of the entries of a directory, in no order; see `os.listdir`.

        A directory that the scan could not read to its end raises the error it met, as `os.listdir` would have.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     results.listdir(os.path.join(results.roots[0], "sub"))
        ['tool.py']
        """
        given = self._given(path)
        return self._handle.names(_absolute(given), given, isinstance(given, bytes))

    def scandir(self, path: AnyPath | None = None) -> _EntryIterator[Any]:
        """The entries of a directory as `ResultEntry`, in no order; see `os.scandir`."""
        given = self._given(path)
        return _EntryIterator(_named(self._handle.rows(_absolute(given), given), given))

    def stat(self, path: AnyPath) -> os.stat_result:
        """The status of a path as the scan saw it; of a link its own, as `os.lstat`.

        What the scan did not fetch is None, as ``st_blksize`` always is; ``st_mode`` then has the type's
        bits alone.

        Raises
        ------
        FileNotFoundError, NotADirectoryError
            It is not in the image.
        OSError
            The scan could not stat it; the errno is the one it met then.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     results.stat(os.path.join(results.roots[0], "notes.txt")).st_size
        5
        """
        given = _plain(path)
        return _status(self._row(given), given)

    lstat = stat

    def exists(self, path: AnyPath) -> bool:
        """Whether there is an entry of this path; also of a link whose target is missing."""
        return self._type_of(path) is not None

    def isdir(self, path: AnyPath) -> bool:
        """Whether there is a directory of this path; False for a link to one."""
        return self._type_of(path) == "d"

    def isfile(self, path: AnyPath) -> bool:
        """Whether there is a regular file of this path; False for a link to one."""
        return self._type_of(path) == "f"

    def islink(self, path: AnyPath) -> bool:
        """Whether there is a symbolic link of this path."""
        return self._type_of(path) == "l"

    def walk(
        self, top: AnyPath | None = None, topdown: bool = True, onerror: Callable[[OSError], object] | None = None
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """The triples of `os.walk`, with the same pruning of ``dirnames`` in place.

        Links to directories are among ``dirnames`` and are not entered; which links those are is what the scan
        saw, unless it was told not to ask (``resolve_links=False``).

        Parameters
        ----------
        top : str, bytes or os.PathLike, optional
            Where to begin.
        topdown : bool
            A directory before what is below it, or after.
        onerror : callable, optional
            Called with an OSError for ``top`` if it is no directory, and for each directory that the
            scan could not read.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     [(os.path.basename(path), names) for path, _, names in results.walk(topdown=False)][0]
        ('sub', ['tool.py'])
        """
        return self._walk(self._given(top), topdown, onerror)

    def glob(self, pattern: AnyPath) -> list[Any]:
        """Paths that match a shell pattern, in the order of their names; see `glob.glob`.

        ``*``, ``?`` and ``[...]`` stay within a component and match no leading dot; ``**`` stands for any
        number of directories. A relative pattern is below the working directory, and so are its paths.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     [os.path.basename(path) for path in results.glob(results.roots[0] + "/**/*.py")]
        ['tool.py']
        """
        given = os.fspath(pattern)
        if not given:
            return []
        wanted = os.fsencode(given)
        below = b"" if wanted.startswith(b"/") else os.path.join(os.getcwdb(), b"")
        quoted = b"".join(b"\\" + bytes([byte]) if byte in b"*?[\\" else bytes([byte]) for byte in below)
        paths: list[Any] = self._handle.glob(quoted + wanted, isinstance(given, bytes))
        start = below if isinstance(given, bytes) else os.fsdecode(below)
        # The working directory, which `**` matches, has no relative path.
        return [path[len(start) :] for path in paths if len(path) > len(start)]

    def find(
        self,
        path: AnyPath | None = None,
        *,
        type: str | None = None,
        name: Text | None = None,
        suffix: Text | Sequence[Text] | None = None,
        larger: int | None = None,
        smaller: int | None = None,
        older: Moment | None = None,
        newer: Moment | None = None,
        owner: int | str | None = None,
        group: int | str | None = None,
    ) -> Iterator[Any]:
        """Paths at and below a path that meet every condition given.

        Parameters
        ----------
        path : str, bytes or os.PathLike, optional
            Where to begin.
        name : str or bytes, optional
            Shell pattern for the last component.
        type, suffix, larger, smaller, older, newer, owner, group
            As for `Batch.where`; sizes in bytes.

        Yields
        ------
        str or bytes
            A directory before what is below it.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     [os.path.basename(path) for path in results.find(larger=1000, type="f")]
        ['large.bin']
        """
        asked: dict[str, Any] = {
            "type": None if type is None else type_letters(type).decode(),
            "name": None if name is None else os.fsencode(name),
            "suffix": None if suffix is None else suffixes_of(suffix),
            "larger": None if larger is None else int(unsigned("larger", larger, 64)),
            "smaller": None if smaller is None else int(unsigned("smaller", smaller, 64)),
            "older": None if older is None else int(nanoseconds("older", older)),
            "newer": None if newer is None else int(nanoseconds("newer", newer)),
            "owner": None if owner is None else int(owner_number(owner)),
            "group": None if group is None else int(group_number(group)),
        }
        conditions = {condition: value for condition, value in asked.items() if value is not None}
        given = self._given(path)
        whole = _absolute(given)
        search = self._handle.find(whole, given, conditions, isinstance(given, bytes))
        return _portions(search, given, len(_cut(whole if isinstance(given, bytes) else os.fsdecode(whole))))

    def du(self, path: AnyPath | None = None) -> DiskUsage:
        """What a path and everything below it take.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.open_results(example_image) as results:
        ...     results.du(os.path.join(results.roots[0], "large.bin")).apparent_bytes
        5000
        """
        given = self._given(path)
        return DiskUsage._make(self._handle.du(_absolute(given), given))

    def close(self) -> None:
        """Lets go of the image. May be called again; iterators that were begun go on."""
        self._open = None

    def __enter__(self) -> ResultsFilesystem:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., ResultsFilesystem], tuple[str]]:
        return open_results, (self.file,)

    def __repr__(self) -> str:
        return f"<pwalk.ResultsFilesystem {self.name!r} {self.state}, {self.entries} entries>"

    def _given(self, path: AnyPath | None) -> str | bytes:
        if path is not None:
            return _plain(path)
        if len(self.roots) != 1:
            raise ValueError(f"the scan has several roots, one must be named: {', '.join(self.roots)}")
        return self.roots[0]

    def _row(self, given: str | bytes) -> _core.ResultRow:
        return self._handle.stat(_absolute(given), given)

    def _type_of(self, path: AnyPath) -> str | None:
        handle = self._handle
        given = os.fspath(path)
        if not given or b"\0" in os.fsencode(given):
            return None
        try:
            return handle.stat(_absolute(given), given).type
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _walk(
        self, top: Any, topdown: bool, onerror: Callable[[OSError], object] | None
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        waiting: list[Any] = [top]  # paths to enter, and, bottom up, triples whose turn comes after them
        while waiting:
            at = waiting.pop()
            if isinstance(at, tuple):
                yield (at[0], at[1], at[2])
                continue
            try:
                directories, others, links = self._handle.split_names(_absolute(at), at, isinstance(at, bytes))
            except OSError as error:
                if onerror is not None:
                    onerror(error)
                continue
            triple = (at, directories, others)
            if topdown:
                yield triple
            else:
                waiting.append(triple)
            waiting.extend(os.path.join(at, name) for name in reversed(directories) if name not in links)


def open_results(scan: AnyPath | None = None, *, access: Access = "auto") -> ResultsFilesystem:
    """Opens the results filesystem of a scan.

    Parameters
    ----------
    scan : str, bytes or os.PathLike, optional
        A scan's name (or ``USER/NAME``), if it was or is being kept (``keep=True``); an image file; a root's
        absolute path: the newest complete image of it. None: the only image that is kept.
    access : {"auto", "map", "copy"}
        How the file is read: mapped; or copied, where others might truncate it; auto: mapped on local file
        systems, copied from network file systems.

    Returns
    -------
    ResultsFilesystem

    Raises
    ------
    FileNotFoundError
        There is no such image; the message names those there are.
    ProtocolError
        The file is no image, or is damaged.
    ValueError
        There are several and none was named.

    Examples
    --------
    >>> import pwalk
    >>> results = pwalk.open_results(example_image)
    >>> results.complete, results.entries
    (True, 5)
    """
    wanted = b"" if scan is None else os.fsencode(scan)
    if scan is not None and not wanted:
        raise ValueError("scan '': allowed are a name, USER/NAME, an image file or the absolute path of a root")
    return ResultsFilesystem(_core.open_results(wanted, access))


def _plain(path: AnyPath) -> str | bytes:
    given = os.fspath(path)
    if not given:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), given)
    return given


def _absolute(given: str | bytes) -> bytes:
    path = os.fsencode(given)
    return path if path.startswith(b"/") else os.path.join(os.getcwdb(), path)


def _cut(path: Any) -> Any:
    """An absolute path as the image writes it: `.` and `..` resolved, no trailing slash."""
    clean = os.path.normpath(path)
    return clean[1:] if clean[:2] in ("//", b"//") else clean


def _named(rows: Sequence[_core.ResultRow], given: Any) -> Iterator[ResultEntry[Any]]:
    as_bytes = isinstance(given, bytes)
    for row in rows:
        name = row.name(as_bytes)
        yield ResultEntry(row, name, os.path.join(given, name))


def _portions(search: _core.ResultsSearch, given: Any, prefix: int) -> Iterator[Any]:
    """The paths of a search, beginning as the user wrote it."""
    root = prefix == 1  # "/", which is its own separator
    while paths := search.next():
        for path in paths:
            rest = path[prefix:]
            yield os.path.join(given, rest if root else rest[1:]) if rest else given


def _status(row: _core.ResultRow, path: Any) -> os.stat_result:
    if row.error:
        raise OSError(row.error, os.strerror(row.error), path)
    mode, inode, device, nlink, uid, gid, size, atime, mtime, ctime, blocks, rdev = row.status()
    if mode is None:
        mode = _TYPE_BITS.get(row.type)
    return stat_result((mode, inode, device, nlink, uid, gid, size), (atime, mtime, ctime), (blocks, rdev))
