"""Columns, paths and records of a batch: where they point, what they hold, how long they live."""

from __future__ import annotations

import gc
import os
import stat
import threading
import weakref

import numpy as np
import pytest

import pwalk

NUMBERS = ("inode", "device", "size", "blocks", "mode", "nlink", "uid", "gid", "rdev", "atime", "mtime", "ctime")


@pytest.fixture
def scan(tree):
    with pwalk.scan(tree, max_threads=1) as scan:  # one thread: all of it is in one batch
        yield scan


@pytest.fixture
def batch(scan):
    return next(scan)


def rows_by_path(batch):
    return {path: row for row, path in enumerate(batch.paths())}


def test_columns_are_views_of_the_shared_memory(scan, batch):
    for name in batch.columns[2:]:
        assert scan.in_pool(batch[name]), name
    for array in (batch.name_offsets, batch.name_bytes, batch.directory_index):
        assert scan.in_pool(array)


def test_in_pool_tells_a_copy(scan, batch):
    assert not scan.in_pool(batch["size"].copy())
    assert not scan.in_pool(batch.copy()["size"])


def test_views_cannot_be_made_writable(batch):
    for name in batch.columns[2:]:
        view = batch[name]
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
        with pytest.raises(ValueError, match="WRITEABLE"):
            view[1:].setflags(write=True)


def test_dtypes_are_those_of_the_column_table(batch):
    for name, dtype, _meaning in pwalk._core.COLUMNS:
        if name in batch:
            assert batch[name].dtype == np.dtype(dtype), name


def test_constant_column_is_one_value_with_stride_zero(batch):
    device = batch["device"]
    assert device.strides == (0,)
    assert len(device) == len(batch) and len(set(device.tolist())) == 1
    assert int(device.sum()) == len(batch) * int(device[0])


def test_values_are_those_of_lstat(tree, batch):
    rows = rows_by_path(batch)
    for path in [tree, tree / "sub", tree / "large.bin", tree / "notes.txt", tree / "sub" / "tool.py"]:
        status, row = os.lstat(path), rows[os.fsencode(path)]
        expected = dict(inode=status.st_ino, device=status.st_dev, size=status.st_size, blocks=status.st_blocks,
                        mode=status.st_mode, nlink=status.st_nlink, uid=status.st_uid, gid=status.st_gid,
                        mtime=status.st_mtime_ns, ctime=status.st_ctime_ns)
        assert {name: int(batch[name][row]) for name in expected} == expected
        assert chr(batch["type"][row]) == ("d" if stat.S_ISDIR(status.st_mode) else "f")
        assert batch.valid("size")[row] and batch.valid("name")[row]


def test_names_directories_and_paths_agree(batch):
    joined = [directory + b"/" + name for directory, name in zip(batch["directory"], batch["name"])]
    assert joined == batch.paths() == [batch.path(row) for row in range(len(batch))]
    offsets, letters = batch.name_offsets, batch.name_bytes.tobytes()
    assert [letters[start:end] for start, end in zip(offsets, offsets[1:])] == list(batch["name"])
    places = batch.directory_paths
    assert [places[index] for index in batch.directory_index] == list(batch["directory"])


def test_path_counts_from_the_end_and_refuses_what_is_not_there(batch):
    assert batch.path(-1) == batch.paths()[-1]
    for row in (len(batch), -len(batch) - 1):
        with pytest.raises(IndexError, match=f"row {row} of a batch of {len(batch)}"):
            batch.path(row)
    with pytest.raises(TypeError):
        batch.path("0")


def test_paths_of_some_rows(batch):
    everything = batch.paths()
    assert batch.paths([3, 0]) == [everything[3], everything[0]]
    assert batch.paths(np.array([2], dtype=np.uint8)) == [everything[2]]
    assert batch.paths(batch["type"] == ord("f")) == [
        path for path, letter in zip(everything, batch["type"]) if letter == ord("f")]
    assert batch.paths([]) == []
    for rows in ([len(batch)], [-1], [0.5], [[0]], np.ones(len(batch) + 1, dtype=bool)):
        with pytest.raises(IndexError):
            batch.paths(rows)


def test_directory_records(tree, batch):
    records = {record.path: record for record in batch.directories}
    assert set(records) == {os.fsencode(tree), os.fsencode(tree / "sub")}
    sub = records[os.fsencode(tree / "sub")]
    assert sub == (os.fsencode(tree / "sub"), 1, 7, True, False, 0, "none")
    assert records[os.fsencode(tree)].entries == 3
    assert records[os.fsencode(tree)].bytes == 5005 + (tree / "sub").lstat().st_size


def test_root_directory_has_a_name():
    with pwalk.scan("/", max_depth=0) as scan:
        paths = [path for batch in scan for path in batch.paths()]
    assert paths == [b"/"]


def test_unknown_column_names_those_there_are(batch):
    for ask in (batch.__getitem__, batch.valid):
        with pytest.raises(KeyError, match="no column 'siz' in this batch; there are directory, name, type, inode"):
            ask("siz")
    assert "size" in batch and "siz" not in batch


def test_column_that_was_not_fetched_is_absent(tree):
    with pwalk.scan(tree, columns="size,type") as scan:
        batch = next(scan)
        assert "size" in batch.columns and "uid" not in batch.columns
        for refused in (lambda: batch["uid"], batch.to_structured, lambda: batch.where(owner=0)):
            with pytest.raises(KeyError):
                refused()


def test_unknown_value_is_zero_and_not_valid(tmp_path):
    (tmp_path / "file").touch()
    with pwalk.scan(tmp_path, no_stat=True) as scan:
        for batch in scan:
            for name in batch.columns:
                if name in NUMBERS and not batch.valid(name).all():
                    assert not batch[name][~batch.valid(name)].any()


def test_to_structured_is_aligned_and_equal(batch):
    rows = batch.to_structured()
    assert rows.dtype == pwalk.STRUCTURED and rows.dtype.isalignedstruct and rows.dtype.itemsize == 40
    assert [rows.dtype[name].str for name in rows.dtype.names] == ["<u8", "<u8", "<u4", "<u4", "<u4", "<i8"]
    for name in rows.dtype.names:
        assert (rows[name] == batch[name]).all()
    rows["size"] = 1  # the caller's own


def test_release_is_refused_while_arrays_live(batch):
    size = batch["size"]
    part = size[1:]
    del size
    with pytest.raises(BufferError, match="still in use"):
        batch.release()
    assert part.sum() >= 0
    del part
    batch.release()
    batch.release()
    for use in (lambda: len(batch), lambda: batch["size"], batch.paths, lambda: batch.lane, batch.copy):
        with pytest.raises(ValueError, match="the batch was released"):
            use()
    assert "released" in repr(batch)


def test_view_outlives_batch_consumer_and_scanner(tree):
    scan = pwalk.scan(tree)
    batch = next(scan)
    expected = batch["size"].tolist()
    size, pid = batch["size"], scan.pid
    for batch in scan:
        pass
    del batch
    scan.close()
    del scan
    gc.collect()
    assert not os.path.exists(f"/proc/{pid}")
    assert size.tolist() == expected


def test_batch_is_freed_with_its_last_view(batch):
    view = batch["size"]
    gone = weakref.ref(view)
    held = view.base
    del view
    assert gone() is None
    del held
    batch.release()  # nothing points into it any more


def test_copy_is_equal_and_independent(scan, batch):
    copied = batch.copy()
    batch.release()
    assert (copied.lane, copied.sequence) == (0, 0) or copied.sequence >= 0
    assert copied.paths() and copied["size"].sum() > 0
    assert not copied["size"].flags.writeable
    assert not copied.redelivered
    again = copied.copy()
    copied.release()
    assert len(again.paths()) == len(again)


def test_batches_are_identified_by_lane_and_sequence(wide_tree):
    with pwalk.scan(wide_tree) as scan:
        seen = [(batch.lane, batch.sequence) for batch in scan]
    assert len(set(seen)) == len(seen) > 5
    for lane in {lane for lane, _ in seen}:
        of_lane = [sequence for other, sequence in seen if other == lane]
        assert of_lane == sorted(of_lane)


def test_views_are_dropped_by_any_thread_in_any_order(wide_tree):
    with pwalk.scan(wide_tree) as scan:
        arrays = [batch["size"] for batch in scan]
    parts = [arrays[offset::4] for offset in range(4)]
    del arrays
    threads = [threading.Thread(target=part.clear) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(parts)


def test_empty_directory_gives_a_batch_with_a_record(tmp_path):
    with pwalk.scan(tmp_path) as scan:
        batches = list(scan)
    assert sum(map(len, batches)) == 1
    assert [record.path for batch in batches for record in batch.directories] == [os.fsencode(tmp_path)]
    for batch in batches:  # also one without rows has its columns
        assert len(batch["size"]) == len(batch.valid("size")) == len(batch["name"]) == len(batch)
        assert len(batch.where(larger=0)) <= len(batch)


def test_columns_that_were_asked_for(tree):
    (tree / "link").symlink_to(b"to\xff")
    with pwalk.scan(tree, config=pwalk.Config(columns="type,target,project")) as scan:
        batch = next(scan)
        assert {"target", "project"} <= set(batch.columns) and "size" not in batch and "stripe_count" not in batch
        row = list(batch["name"]).index(b"link")
        assert batch["target"][row] == b"to\xff"
        assert batch.valid("target").sum() == 1 and batch.valid("target")[row]
        assert list(batch["target"]).count(b"") == len(batch) - 1
        assert batch["project"].dtype == np.uint32 and not batch.valid("project")[row]
        copy = batch.copy()
    assert list(copy["target"]) == list(batch["target"])
