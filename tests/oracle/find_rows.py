"""What the tree holds, told by others: GNU find for the fields it can print, statx(2) for the rest.

A row is a tuple in the order of FIELDS. Times are int64 nanoseconds, saturated.
"""

import ctypes
import os
import stat
import subprocess
from collections.abc import Iterator

NS = 10**9
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
SATURATED, OTHER_MOUNT = 2, 32

FROM_FIND = ("path", "type", "inode", "device", "mode", "nlink", "uid", "gid", "size", "blocks", "atime", "mtime",
             "ctime", "depth")
FROM_STATX = ("btime", "rdev", "mount_id")
FIELDS = FROM_FIND + FROM_STATX + ("flags",)

FIND_FORMAT = r"%p\0%y\0%i\0%D\0%m\0%n\0%U\0%G\0%s\0%b\0%A@\0%T@\0%C@\0%d\0"
TYPE_BITS = {"f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "b": stat.S_IFBLK, "c": stat.S_IFCHR,
             "p": stat.S_IFIFO, "s": stat.S_IFSOCK}


def nanoseconds(printed: bytes) -> int:
    """find prints seconds, a dot and the nanoseconds that follow them, so -1.5 is half a second before 1970."""
    seconds, fraction = printed.split(b".")
    return int(seconds) * NS + int(fraction[:9])


def saturate(ns: int) -> int:
    return max(INT64_MIN, min(INT64_MAX, ns))


def run_find(roots: list[bytes]) -> list[tuple]:
    """One tuple of FROM_FIND per line of find, times exact. Raises if find complained."""
    done = subprocess.run([b"find", b"-H", *roots, b"-printf", FIND_FORMAT.encode()], capture_output=True, timeout=120,
                          env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, check=False)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"find itself failed: {done.stderr.decode(errors='replace')}")
    fields = done.stdout.split(b"\0")
    width = len(FROM_FIND)
    rows = []
    for at in range(0, len(fields) - 1, width):
        path, kind, inode, device, mode, nlink, uid, gid, size, blocks, atime, mtime, ctime, depth = (
            fields[at:at + width])
        kind = kind.decode()
        rows.append((path, kind, int(inode), int(device), int(mode, 8) | TYPE_BITS[kind], int(nlink), int(uid),
                     int(gid), int(size), int(blocks), nanoseconds(atime), nanoseconds(mtime), nanoseconds(ctime),
                     int(depth)))
    return rows


class StatxTime(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_int64), ("nsec", ctypes.c_uint32), ("reserved", ctypes.c_int32)]

    def nanoseconds(self) -> int:
        return self.sec * NS + self.nsec


class Statx(ctypes.Structure):
    """struct statx of statx(2)."""
    _fields_ = [(name, ctypes.c_uint32) for name in ("mask", "blksize")] + [
        ("attributes", ctypes.c_uint64)] + [(name, ctypes.c_uint32) for name in ("nlink", "uid", "gid")] + [
        ("mode", ctypes.c_uint16), ("spare0", ctypes.c_uint16)] + [
        (name, ctypes.c_uint64) for name in ("ino", "size", "blocks", "attributes_mask")] + [
        (name, StatxTime) for name in ("atime", "btime", "ctime", "mtime")] + [
        (name, ctypes.c_uint32) for name in ("rdev_major", "rdev_minor", "dev_major", "dev_minor")] + [
        ("mnt_id", ctypes.c_uint64), ("spare2", ctypes.c_uint64 * 13)]


LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = -100, 0x100, 0x1000
STATX_BTIME, STATX_MNT_ID = 0x800, 0x1000


def statx(directory: int, name: bytes) -> Statx:
    result = Statx()
    if LIBC.statx(directory, name, AT_SYMLINK_NOFOLLOW | (0 if name else AT_EMPTY_PATH), 0x1FFF, ctypes.byref(result)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return result


def beyond_find(result: Statx) -> tuple:
    """(btime or None, rdev, mount_id) of FROM_STATX, time exact."""
    return (result.btime.nanoseconds() if result.mask & STATX_BTIME else None,
            os.makedev(result.rdev_major, result.rdev_minor), result.mnt_id)


def walk_statx(root: bytes) -> Iterator[tuple[bytes, tuple]]:
    """(path, beyond_find) of everything below and at a root, by descriptors, so that no path is ever too long."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield root, beyond_find(statx(top, b""))
    waiting = [(top, root)]
    while waiting:
        directory, path = waiting.pop()
        with os.scandir(directory) as entries:
            names = [os.fsencode(entry.name) for entry in entries]
        for name in names:
            result = statx(directory, name)
            yield path + b"/" + name, beyond_find(result)
            if stat.S_ISDIR(result.mode):
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                waiting.append((inner, path + b"/" + name))
        os.close(directory)


def flags_of(times: tuple, mount_id: int, mount_above: int | None) -> int:
    flags = SATURATED if any(ns is not None and ns != saturate(ns) for ns in times) else 0
    return flags | (OTHER_MOUNT if mount_above not in (None, mount_id) else 0)


def expected_rows(roots: list[bytes], found: list[tuple]) -> list[tuple]:
    """The rows a scan of `roots` must give, in FIELDS; `found` is run_find(roots)."""
    beyond = {path: extra for root in roots for path, extra in walk_statx(root)}
    rows = []
    for row in found:
        *head, atime, mtime, ctime, depth = row
        btime, rdev, mount_id = beyond[row[0]]
        above = beyond.get(os.path.dirname(row[0])) if depth > 0 else None
        flags = flags_of((atime, mtime, ctime, btime), mount_id, above and above[2])
        rows.append((*head, saturate(atime), saturate(mtime), saturate(ctime), depth,
                     None if btime is None else saturate(btime), rdev, mount_id, flags))
    return rows
