"""A hostile tree read through the package, against os.walk and lstat."""

from __future__ import annotations

import os
import stat

import pwalk

LETTERS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFBLK: "b", stat.S_IFCHR: "c",
           stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}
LARGEST = (1 << 63) - 1


def clamped(nanoseconds):
    return max(-LARGEST - 1, min(LARGEST, nanoseconds))


def row_of(path):
    status = os.lstat(path)
    # Walking changes the atime of what is walked, so it is left out here.
    return (path, LETTERS[stat.S_IFMT(status.st_mode)], status.st_ino, status.st_dev, status.st_size, status.st_blocks,
            status.st_mode, status.st_nlink, status.st_uid, status.st_gid, clamped(status.st_mtime_ns),
            clamped(status.st_ctime_ns))


def rows_of_walk(root):
    rows = [row_of(root)]
    for directory, directories, files in os.walk(root):
        rows += [row_of(os.path.join(directory, name)) for name in directories + files]
    return sorted(rows)


def rows_of_batch(batch):
    columns = ["inode", "device", "size", "blocks", "mode", "nlink", "uid", "gid", "mtime", "ctime"]
    assert all(batch.valid(column).all() for column in columns)
    types = [chr(letter) for letter in batch["type"]]
    return zip(batch.paths(), types, *(batch[column].tolist() for column in columns))


def test_rows_equal_those_of_walk_and_lstat(hostile_tree):
    with pwalk.scan(hostile_tree, ignore_snapshots=False, verify=True) as scan:
        rows = sorted(row for batch in scan for row in rows_of_batch(batch))
    assert scan.complete
    assert rows == rows_of_walk(hostile_tree)


def test_names_are_exact_bytes(tmp_path):
    names = [bytes([byte]) for byte in range(1, 256) if byte not in b"./"] + [b"-rf", b"new\nline", b"\xff" * 255, b"..."]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    with pwalk.scan(tmp_path) as scan:
        batches = [batch for batch in scan]
    found = [name for batch in batches for name, depth in zip(batch["name"], batch["depth"]) if depth == 1]
    assert sorted(found) == sorted(names)
    assert all(type(name) is bytes for name in found)
    paths = {path for batch in batches for path in batch.paths()}
    assert all(os.path.lexists(os.fsdecode(path)) for path in paths)
