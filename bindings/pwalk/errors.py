"""What can go wrong with a scan, besides what Python has exceptions for already."""

from __future__ import annotations

__all__ = ["Evicted", "MissedEntries", "ProtocolError", "PwalkError", "ScannerDied", "ScannerError"]


class PwalkError(Exception):
    """Base of all exceptions that are pwalk's own.

    What the operating system refuses is an `OSError` with its errno, and a value
    that cannot be is a `ValueError` or `TypeError`, as everywhere in Python.

    Examples
    --------
    >>> issubclass(ScannerDied, PwalkError)
    True
    """


class ScannerDied(PwalkError):
    """The scanner ended without a word, killed for instance.

    Raised after everything that it had published has been read; what was read is
    good, but it is not the whole tree.

    Examples
    --------
    >>> try:
    ...     raise ScannerDied("the scanner of 'home' died")
    ... except PwalkError as error:
    ...     print(error)
    the scanner of 'home' died
    """


class MissedEntries(PwalkError):
    """The scan's first entries are gone, and nothing less was asked for.

    Attach with ``start="oldest"`` or ``start="now"`` to read what there is.

    Attributes
    ----------
    count : int
        Entries that can no longer be read.

    Examples
    --------
    >>> MissedEntries("the first 12 entries are gone", 12).count
    12
    """

    def __init__(self, message: str, count: int) -> None:
        super().__init__(message, count)
        self.count = count

    def __str__(self) -> str:
        return str(self.args[0])


class Evicted(PwalkError):
    """This consumer was too slow, and the scan went on without it.

    Batches that it holds stay as they are; what it had not yet taken is lost to it.

    Examples
    --------
    >>> issubclass(Evicted, PwalkError)
    True
    """


class ProtocolError(PwalkError):
    """What arrived is not what a scanner sends: a batch failed its check, or the end's counts do not match.

    Examples
    --------
    >>> issubclass(ProtocolError, PwalkError)
    True
    """


class ScannerError(PwalkError):
    """A scanner that `pwalk.scan` started could not do its work.

    Attributes
    ----------
    returncode : int
        Its exit status (2: wrong usage; 3: could not start, or was cut short), or
        the number of the signal that ended it, negated.

    Examples
    --------
    >>> ScannerError("pwalk-scanner: --max-depth: allowed are whole numbers", 2).returncode
    2
    """

    def __init__(self, message: str, returncode: int) -> None:
        super().__init__(message, returncode)
        self.returncode = returncode

    def __str__(self) -> str:
        return str(self.args[0])
