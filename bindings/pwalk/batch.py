"""A batch of entries: columns in shared memory, as numpy sees them."""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, Iterator, Literal, NamedTuple, Sequence

import numpy as np

from pwalk import _core
from pwalk.column import Column
from pwalk.conditions import Moment, Text, group_number, nanoseconds, owner_number, suffixes_of, type_letters, unsigned
from pwalk.entry import Entry, entries_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FLAGS", "OPERATIONS", "STRUCTURED", "Batch", "DirectoryRecord"]

FLAGS: dict[str, int] = dict(_core.FLAGS)
"""Bits of the ``flags`` column by name, e.g. ``batch["flags"] & FLAGS["vanished"]``."""

OPERATIONS: tuple[str, ...] = _core.OPERATIONS
"""What the numbers of the ``operation`` column stand for: the call that failed."""

STRUCTURED = np.dtype(
    [("inode", "u8"), ("size", "u8"), ("uid", "u4"), ("gid", "u4"), ("mode", "u4"), ("mtime", "i8")], align=True
)
"""Type of the rows of `Batch.to_structured`: aligned as C aligns it, 40 bytes; ``mtime`` in nanoseconds."""

TextType = Literal["binary", "utf8"]
OnError = Literal["replace", "null"]


class DirectoryRecord(NamedTuple):
    """What is known of one directory, said with the batch that has the last of its entries.

    Attributes
    ----------
    path : bytes
        Absolute; `b"/"` for the root of the file system.
    entries : int
        Rows emitted for it, in all batches.
    bytes : int
        Sum of those rows' sizes, at most 2**64 - 1.
    complete : bool
        Whether it was read to its end.
    vanished : bool
        Whether it was gone before it could be read, which is no error.
    error : int
        errno of what failed, or 0.
    operation : str
        What failed, one of `OPERATIONS`; "none" without an error.

    Examples
    --------
    >>> record = DirectoryRecord(b"/srv", 2, 8192, True, False, 0, "none")
    >>> record.complete, record.error
    (True, 0)
    """

    path: bytes
    entries: int
    bytes: int
    complete: bool
    vanished: bool
    error: int
    operation: str


class Batch:
    """Some thousand entries of a scan, as columns.

    Columns are read-only numpy arrays that point into the scanner's shared memory.
    Each keeps the batch from being recycled for as long as it lives, so an array may
    be kept after the batch, the consumer and even the scanner are gone. What is kept
    is also withheld from the scanner, though: `copy` what is needed for long.

    Names and paths are bytes, exactly as the kernel has them; `os.fsdecode` makes
    the str that other functions take.

    Batches come from a `Consumer`; they are not made by hand. Reading one from
    several threads is fine. In a forked child a batch raises `PwalkError`: its
    memory is still the parent's to give back. A `copy` may be used anywhere.

    Examples
    --------
    >>> import pwalk
    >>> large = []
    >>> with pwalk.scan(example_tree) as scan:
    ...     for batch in scan:
    ...         sizes = batch["size"]
    ...         large += batch.paths(batch.where(larger=1000, type="f"))
    >>> sizes.flags.writeable
    False
    >>> [os.path.basename(path) for path in large]
    [b'large.bin']

    Which batch it is, how large it is, and what stays when the scan gets it back:

    >>> with pwalk.attach(example_image) as image:
    ...     batch = next(image)
    >>> "mtime" in batch.columns, batch.redelivered, batch.nbytes > 0
    (True, False, True)
    >>> kept = batch.copy()
    >>> batch.release()
    >>> (kept.lane, kept.sequence) >= (0, 0), kept.valid("mtime").all()
    (True, True)
    >>> kept.to_structured()["size"].sum() == kept["size"].sum()
    True
    >>> kept.path(0) == kept.paths()[0] == next(kept.entries(as_bytes=True)).path
    True

    Names and directories without an object each:

    >>> begin, end = kept.name_offsets[:2]
    >>> kept.name_bytes[begin:end].tobytes() == kept["name"][0]
    True
    >>> kept.directory_paths[kept.directory_index[0]] == kept["directory"][0]
    True
    >>> [record.path for record in kept.directories if not record.complete]
    []
    """

    __slots__ = ("_handle",)

    def __init__(self, handle: _core.BatchHandle) -> None:
        self._handle = handle

    def __len__(self) -> int:
        return len(self._handle)

    def __repr__(self) -> str:
        try:
            return f"<pwalk.Batch lane={self.lane} sequence={self.sequence} rows={len(self)}>"
        except Exception as error:  # released, or another process's
            return f"<pwalk.Batch: {error}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns this batch has; one that was not fetched is missing."""
        return ("directory", "name", *self._handle.columns)

    @property
    def lane(self) -> int:
        """The lane it came through; with `sequence` it identifies the batch within the scan."""
        return self._handle.lane

    @property
    def sequence(self) -> int:
        """Its place in its lane, counted from 0."""
        return self._handle.sequence

    @property
    def redelivered(self) -> bool:
        """Whether another member of the group had this batch before and did not finish with it.

        What it did with the batch may be there already; `lane` and `sequence` say which batch it is.
        """
        return self._handle.redelivered

    @property
    def nbytes(self) -> int:
        """Its size in memory, in bytes."""
        return self._handle.nbytes

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column `name`, one element per row.

        Parameters
        ----------
        name : str
            One of `columns`.

        Returns
        -------
        numpy.ndarray
            ``directory``, ``name``, ``target`` and ``pool``: a new array of bytes objects. Everything else: a
            `Column`, a read-only view of the shared memory, with dtype uint8, uint32, uint64 or,
            for times in nanoseconds since 1970 UTC, int64. A column that is the same
            for all rows has stride 0. A value that is not known is 0 or b"", see `valid`.

        Raises
        ------
        KeyError
            There is no such column; the message names those there are.
        ValueError
            The batch was released.
        """
        if name == "name":
            return self._handle.names()
        if name == "directory":
            return self._handle.directories()
        try:
            return self._handle.column(name).view(Column)
        except KeyError:
            raise self._no_column(name) from None

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def valid(self, name: str) -> npt.NDArray[np.bool_]:
        """Whether the value of a column is known, for each row.

        Parameters
        ----------
        name : str
            One of `columns`.

        Returns
        -------
        numpy.ndarray of bool
            New memory.

        Raises
        ------
        KeyError
            There is no such column.
        """
        if name in ("name", "directory"):
            return np.ones(len(self), dtype=bool)
        try:
            return self._handle.valid(name)
        except KeyError:
            raise self._no_column(name) from None

    def path(self, row: int) -> bytes:
        """The path of one row: its directory, a slash and its name.

        Parameters
        ----------
        row : int
            From 0; negative numbers count from the end.

        Raises
        ------
        IndexError
            There is no such row.
        """
        return self._handle.path(operator.index(row))

    def paths(self, rows: npt.ArrayLike | None = None) -> list[bytes]:
        """The paths of all rows, or of some.

        Parameters
        ----------
        rows : array of int or bool, optional
            Row numbers, in the order wanted, or a mask with one bool per row.

        Returns
        -------
        list of bytes
            For str: ``[os.fsdecode(path) for path in batch.paths()]``.

        Raises
        ------
        IndexError
            A row is not there, or the mask has the wrong length.
        """
        return self._handle.paths() if rows is None else self._handle.paths_of(self._row_numbers(rows))

    def _row_numbers(self, rows: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Rows as the user names them, by number or by mask, as numbers; not checked against the batch's length."""
        wanted = np.asarray(rows)
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise IndexError(f"a mask of shape {wanted.shape} for a batch of {len(self)} rows")
            wanted = np.flatnonzero(wanted)
        if wanted.ndim != 1 or not (np.issubdtype(wanted.dtype, np.integer) or wanted.size == 0):
            raise IndexError("rows must be one-dimensional and whole numbers or bool")
        return wanted.astype(np.int64, casting="unsafe")

    def entries(self, rows: npt.ArrayLike | None = None, *, as_bytes: bool = False) -> Iterator[Entry[Any]]:
        """The rows as objects like those of `os.scandir`: convenient, and much slower than columns.

        Parameters
        ----------
        rows : array of int or bool, optional
            As for `paths`.
        as_bytes : bool
            Names and paths as bytes, instead of str with surrogate escapes.

        Yields
        ------
        Entry

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.scan(example_tree) as scan:
        ...     sorted(entry.name for batch in scan for entry in batch.entries(batch.where(type="d")))
        ['sub', 'tree']
        """
        return entries_of(self, rows, as_bytes)

    @property
    def directories(self) -> list[DirectoryRecord]:
        """The records of the directories that end in this batch."""
        return [DirectoryRecord._make(record) for record in self._handle.directory_records()]

    @property
    def name_offsets(self) -> npt.NDArray[np.int32]:
        """Read-only view, rows + 1: name `i` is ``name_bytes[name_offsets[i]:name_offsets[i + 1]]``."""
        return self._handle.name_offsets()

    @property
    def name_bytes(self) -> npt.NDArray[np.uint8]:
        """Read-only view of all names, one after the other."""
        return self._handle.name_bytes()

    @property
    def directory_index(self) -> npt.NDArray[np.int16]:
        """Read-only view: for each row, the place of its directory in `directory_paths`. Rows of one directory lie together."""
        return self._handle.directory_index()

    @property
    def directory_paths(self) -> list[bytes]:
        """The directories that rows and records of this batch name. ``/`` is ``b""``, so that path = directory + ``/`` + name."""
        return self._handle.directory_paths()

    def where(
        self,
        *,
        type: str | None = None,
        suffix: Text | Sequence[Text] | None = None,
        larger: int | None = None,
        smaller: int | None = None,
        older: Moment | None = None,
        newer: Moment | None = None,
        owner: int | str | None = None,
        group: int | str | None = None,
    ) -> npt.NDArray[np.intp]:
        """The rows that meet every condition given, found without an object per entry.

        A row whose value is not known meets no condition on that value.

        Parameters
        ----------
        type : str, optional
            One or more of find's letters ``f d l b c p s ?``: any of them.
        suffix : bytes or str, or a sequence of them, optional
            The name ends with it, or with one of them.
        larger, smaller : int, optional
            The size in bytes is above, or below, it.
        older, newer : optional
            The modification time is before, or after, this moment: nanoseconds since
            1970 as int, seconds since 1970 as float, a `datetime.datetime` (without a
            time zone: local time), a `numpy.datetime64` (UTC), or a
            `datetime.timedelta` that counts back from now.
        owner, group : int or str, optional
            Number or name of the owning user, or group.

        Returns
        -------
        numpy.ndarray of intp
            Row numbers, ascending; good for `paths` and for indexing columns.

        Raises
        ------
        KeyError
            A column that a condition needs was not fetched, or there is no such user
            or group.
        TypeError, ValueError
            A condition cannot be.

        Examples
        --------
        >>> import pwalk
        >>> with pwalk.scan(example_tree) as scan:
        ...     sorted(os.path.basename(path) for batch in scan
        ...            for path in batch.paths(batch.where(suffix=(".py", ".txt"), smaller=1000)))
        [b'notes.txt', b'tool.py']
        """
        found = np.ones(len(self), dtype=bool)
        if type is not None:
            found &= _one_of(type_letters(type))[self["type"]]
        if suffix is not None:
            found &= self._handle.names_end_with(suffixes_of(suffix))
        if larger is not None:
            found &= self._known("size", self["size"] > unsigned("larger", larger, 64))
        if smaller is not None:
            found &= self._known("size", self["size"] < unsigned("smaller", smaller, 64))
        if older is not None:
            found &= self._known("mtime", self["mtime"] < nanoseconds("older", older))
        if newer is not None:
            found &= self._known("mtime", self["mtime"] > nanoseconds("newer", newer))
        if owner is not None:
            found &= self._known("uid", self["uid"] == owner_number(owner))
        if group is not None:
            found &= self._known("gid", self["gid"] == group_number(group))
        return np.flatnonzero(found)

    def to_structured(self) -> npt.NDArray[np.void]:
        """One record per row: ``inode size uid gid mode mtime``, see `STRUCTURED`.

        Returns
        -------
        numpy.ndarray
            New memory of the caller's own, 40 bytes a row. Unknown values are 0.

        Raises
        ------
        KeyError
            One of the columns was not fetched.
        """
        rows = np.empty(len(self), dtype=STRUCTURED)
        for name in STRUCTURED.names or ():
            rows[name] = self[name]
        return rows

    def copy(self) -> Batch:
        """The same batch on the heap; it withholds nothing from the scanner.

        Raises
        ------
        MemoryError
            There is not enough memory.
        """
        return type(self)(self._handle.copy())

    def __arrow_c_schema__(self) -> object:
        """The batch's Arrow schema, as an ``arrow_schema`` capsule; see `__arrow_c_array__`."""
        return _core.arrow_schema(self._handle, "binary", "replace")

    def __arrow_c_array__(
        self, requested_schema: object = None, *, text: TextType = "binary", on_error: OnError = "replace"
    ) -> tuple[object, object]:
        """The batch as an Arrow struct array: ``arrow_schema`` and ``arrow_array`` capsules.

        Columns point into the shared memory, except those that are constant in the batch,
        which Arrow has to have written out. ``directory`` is dictionary-encoded. Unknown
        values are null. Every part keeps the batch held until it is released, by any thread.

        Parameters
        ----------
        requested_schema : capsule, optional
            An ``arrow_schema`` capsule. One whose ``name`` is UTF-8 text asks for ``text="utf8"``;
            nothing else can be chosen.
        text : {"binary", "utf8"}
            The type of names and directories. They are bytes, and need not be UTF-8.
        on_error : {"replace", "null"}
            What becomes of text that is not UTF-8, with ``text="utf8"``: U+FFFD instead of each
            byte that does not fit, or null.

        Raises
        ------
        OverflowError
            The batch's text is longer than 2 GiB.
        """
        return _core.arrow_array(self._handle, requested_schema, text, on_error)

    def release(self) -> None:
        """Gives the batch back to the scanner now, instead of when the last reference goes.

        Raises
        ------
        BufferError
            Arrays that point into it are still in use.
        """
        self._handle.release()

    def _no_column(self, name: str) -> KeyError:
        return KeyError(f"no column {name!r} in this batch; there are {', '.join(self.columns)}")

    def _known(self, name: str, met: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return met & self._handle.valid(name) if self._handle.null_count(name) else met


def _one_of(letters: bytes) -> npt.NDArray[np.bool_]:
    """For each possible byte, whether it is one of these."""
    table = np.zeros(256, dtype=bool)
    table[np.frombuffer(letters, dtype=np.uint8)] = True
    return table
