"""What `Batch.where` and `ResultsFilesystem.find` are asked, as numbers and bytes."""

from __future__ import annotations

import datetime
import grp
import operator
import os
import pwd
import time
from typing import Sequence, Union

import numpy as np

__all__ = ["Moment", "Text", "nanoseconds", "owner_number", "group_number", "suffixes_of", "type_letters", "unsigned"]

Moment = Union[int, float, datetime.datetime, datetime.timedelta, "np.datetime64"]
Text = Union[str, bytes]


def type_letters(letters: str) -> bytes:
    allowed = "fdlbcps?"
    if not isinstance(letters, str) or not letters or any(letter not in allowed for letter in letters):
        raise ValueError(f"type {letters!r}: allowed are one or more of the letters {' '.join(allowed)}")
    return letters.encode()


def owner_number(owner: int | str) -> np.uint32:
    return np.uint32(unsigned("owner", pwd.getpwnam(owner).pw_uid if isinstance(owner, str) else owner, 32))


def group_number(group: int | str) -> np.uint32:
    return np.uint32(unsigned("group", grp.getgrnam(group).gr_gid if isinstance(group, str) else group, 32))


def suffixes_of(given: Text | Sequence[Text]) -> list[bytes]:
    if isinstance(given, (str, bytes)):
        return [os.fsencode(given)]
    return [os.fsencode(suffix) for suffix in given]


def unsigned(condition: str, value: int, bits: int) -> np.uint64 | np.uint32:
    number = operator.index(value)
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{condition} {number}: allowed is 0 to {(1 << bits) - 1}")
    return np.uint64(number) if bits == 64 else np.uint32(number)


def nanoseconds(condition: str, moment: Moment) -> np.int64:
    if isinstance(moment, datetime.timedelta):
        nanoseconds = time.time_ns() - moment // datetime.timedelta(microseconds=1) * 1000
    elif isinstance(moment, datetime.datetime):
        since = moment.astimezone(datetime.timezone.utc) - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
        nanoseconds = since // datetime.timedelta(microseconds=1) * 1000
    elif isinstance(moment, np.datetime64):
        nanoseconds = int(moment.astype("datetime64[ns]").astype(np.int64))
    elif isinstance(moment, float):
        nanoseconds = int(moment * 1e9)
    else:
        nanoseconds = operator.index(moment)
    if not -(1 << 63) <= nanoseconds < 1 << 63:
        raise ValueError(f"{condition} {moment!r}: outside what int64 nanoseconds can express")
    return np.int64(nanoseconds)
