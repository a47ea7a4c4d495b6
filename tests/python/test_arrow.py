"""Arrow: the same rows, at the same addresses, held until released by whoever, wherever."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pwalk
from arrow_reader import (ArrowArray, ArrowSchema, Stream, StreamError, children, move, names, release, struct_in, table,
                          valid, values)
from conftest import WAIT, WIDE_TREE_ROWS


class Imported:
    """A batch through its capsules."""

    def __init__(self, batch, **options):
        self.capsules = batch.__arrow_c_array__(**options)
        self.schema = struct_in(self.capsules[0], ArrowSchema)
        self.array = struct_in(self.capsules[1], ArrowArray)

    def column(self, name):
        place = names(self.schema).index(name)
        return children(self.schema)[place], children(self.array)[place]


@pytest.fixture
def scan(tree):
    with pwalk.scan(tree, max_threads=1) as scan:
        yield scan


@pytest.fixture
def batch(scan):
    return next(scan)


def test_values_are_those_of_numpy(batch):
    imported = Imported(batch)
    columns = table(imported.schema, imported.array)
    assert tuple(columns) == batch.columns
    for name in batch.columns:
        assert columns[name] == [value if known else None for value, known in zip(batch[name].tolist(), batch.valid(name))]


@pytest.mark.parametrize("target, text, expected", [(b"there", "utf8", "there"), (b"to\xff", "binary", b"to\xff"),
                                                    (b"to\xff", "utf8", "to\ufffd")])
def test_text_columns(tree, target, text, expected):
    (tree / "link").symlink_to(target)
    with pwalk.scan(tree, config=pwalk.Config(columns="target,size", max_threads=1)) as scan:
        batch = next(scan)
        imported = Imported(batch, text=text)
        column = table(imported.schema, imported.array)["target"]
        row = list(batch["name"]).index(b"link")
    assert column[row] == expected and column.count(None) == len(batch) - 1


def test_buffers_are_the_shared_memory(scan, batch):
    imported = Imported(batch)
    for name in batch.columns[2:]:
        address = batch[name].__array_interface__["data"][0]
        _, array = imported.column(name)
        assert (array.buffers[1] == address) == (batch[name].strides != (0,)), name
    _, array = imported.column("name")
    assert array.buffers[1] == batch.name_offsets.__array_interface__["data"][0]
    assert array.buffers[2] == batch.name_bytes.__array_interface__["data"][0]
    _, array = imported.column("directory")
    assert array.buffers[1] == batch.directory_index.__array_interface__["data"][0]


def test_schema_says_the_types(batch):
    capsule = batch.__arrow_c_schema__()
    schema = struct_in(capsule, ArrowSchema)
    formats = {child.name.decode(): child.format for child in children(schema)}
    assert schema.format == b"+s" and formats["name"] == b"z" and formats["directory"] == b"s"
    assert formats["size"] == b"L" and formats["mode"] == b"I" and formats["type"] == b"C"
    assert formats["mtime"] == b"tsn:UTC"
    assert children(schema)[0].dictionary.contents.format == b"z"
    nullable = {child.name.decode() for child in children(schema) if child.flags & 2}
    assert nullable == set(batch.columns) - {"name", "directory"}


def test_unknown_values_are_null(tmp_path):
    (tmp_path / "file").touch()
    with pwalk.scan(tmp_path, tmp_path / "nowhere", max_threads=1) as scan:
        for batch in scan:
            imported = Imported(batch)
            for name in batch.columns[2:]:
                _, array = imported.column(name)
                assert (valid(array) == batch.valid(name)).all()
                assert array.null_count == int((~batch.valid(name)).sum())
    assert scan.stats.errors == 1


def test_batch_is_held_until_every_part_is_released(batch):
    imported = Imported(batch)
    with pytest.raises(BufferError):
        batch.release()
    child = move(imported.column("size")[1])
    release(imported.array)
    assert not imported.array.release
    with pytest.raises(BufferError):
        batch.release()
    release(child)
    batch.release()


def test_moved_child_outlives_batch_and_scanner(tree):
    with pwalk.scan(tree, max_threads=1) as scan:
        batch = next(scan)
        expected = batch["size"].tolist()
        imported = Imported(batch)
        part, column = imported.column("size")
        child = move(column)
        release(imported.array)
        del batch
    gc.collect()
    assert values(part, child) == expected
    release(child)


def test_dropped_capsules_release(batch):
    imported = Imported(batch)
    del imported
    gc.collect()
    batch.release()


def test_released_by_other_threads_in_any_order(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        stream = Stream(scan.__arrow_c_stream__())
        rows, threads = 0, []
        for array in stream.arrays():
            rows += array.length
            threads.append(threading.Thread(target=release, args=(array,)))
            if len(threads) % 3 == 0:
                for thread in reversed(threads[-3:]):
                    thread.start()
        for thread in threads:
            if thread.ident is None:
                thread.start()
            thread.join()
        assert rows == WIDE_TREE_ROWS and scan.complete


def test_an_importer_that_keeps_everything_neither_stalls_nor_loses(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        stream = Stream(scan.__arrow_c_stream__())
        schema = stream.schema()
        arrays = list(stream.arrays())
        assert sum(array.length for array in arrays) == WIDE_TREE_ROWS
        found = [name for array in arrays for name in table(schema, array)["name"]]
    assert len(found) == WIDE_TREE_ROWS
    for array in arrays:
        release(array)


def test_stream_gives_every_row_once(wide_tree):
    with pwalk.scan(wide_tree) as scan:
        stream = Stream(scan.__arrow_c_stream__())
        schema = stream.schema()
        found = []
        for array in stream.arrays():
            columns = table(schema, array)
            found += [directory + b"/" + name for directory, name in zip(columns["directory"], columns["name"])]
            release(array)
        release(schema)
    expected = [os.path.join(os.fsencode(place), os.fsencode(name))
                for place, directories, files in os.walk(wide_tree) for name in directories + files]
    assert sorted(found) == sorted(expected + [os.fsencode(wide_tree)])


def test_stream_of_a_scanner_that_dies_ends_with_an_error(wide_tree, start_scanner):
    scanner = start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)
    with pwalk.attach("wide", timeout=WAIT) as consumer:
        stream, rows = Stream(consumer.__arrow_c_stream__()), 0
        with pytest.raises(StreamError) as caught:
            for array in stream.arrays():
                if not rows:
                    scanner.kill()
                    scanner.wait()
                rows += array.length
                release(array)
    assert caught.value.code == errno.ECONNRESET and "died" in caught.value.told
    assert 0 < rows < WIDE_TREE_ROWS and rows == consumer.stats.rows


def test_closing_the_consumer_ends_a_wait_of_its_stream(tree, start_scanner):
    start_scanner("--name", "silent", "--consumers", "2", tree)
    with pwalk.attach("silent", timeout=WAIT) as consumer:
        stream = Stream(consumer.__arrow_c_stream__())
        threading.Timer(0.2, consumer.close).start()
        with pytest.raises(StreamError) as caught:
            stream.schema()
    assert caught.value.code == errno.EBADF


INTERRUPTED = """
import sys, errno, pwalk
sys.path.append(sys.argv[1])
from arrow_reader import Stream, StreamError
stream = Stream(pwalk.attach("silent", timeout=60).__arrow_c_stream__())
print("ready", flush=True)
try:
    stream.schema()
except StreamError as error:
    print("stream", error.code == errno.EINTR, flush=True)
"""


def test_interrupt_ends_a_wait_of_a_stream_and_is_raised_afterwards(tree, start_scanner):
    start_scanner("--name", "silent", "--consumers", "2", tree)
    waiting = subprocess.Popen([sys.executable, "-c", INTERRUPTED, os.path.dirname(__file__)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.stdout.readline() == "ready\n"
        time.sleep(0.3)  # into the wait
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate(timeout=WAIT)
    finally:
        waiting.kill()
    assert waiting.returncode == -signal.SIGINT and told.rstrip().endswith("KeyboardInterrupt"), told


def test_release_in_a_forked_child_is_harmless(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        imported = Imported(next(scan))
        rows = imported.array.length
        child = os.fork()
        if child == 0:
            release(imported.array)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert rows + sum(map(len, scan)) == WIDE_TREE_ROWS and scan.complete


@pytest.fixture
def odd_batch(tmp_path):
    """Names that are UTF-8 and names that are not, in directories of both kinds."""
    for place in (b"plain", "caf\u00e9".encode(), b"caf\xe9", b"\xff\xfe"):
        os.mkdir(os.path.join(os.fsencode(tmp_path), place))
        for name in (b"plain", "\u4f60".encode(), b"\xff", b"a\xc3\x28b", b"\xed\xa0\x80"):
            with open(os.path.join(os.fsencode(tmp_path), place, name), "wb"):
                pass
    with pwalk.scan(tmp_path, max_threads=1) as scan:
        yield next(scan)


def is_utf8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_utf8_with_replacement(odd_batch):
    imported = Imported(odd_batch, text="utf8")
    columns = table(imported.schema, imported.array)
    for name in ("name", "directory"):
        for told, exact in zip(columns[name], odd_batch[name]):
            assert told == exact.decode() if is_utf8(exact) else "\ufffd" in told
    assert "a\ufffd(b" in columns["name"] and imported.column("name")[0].format == b"u"


def test_utf8_with_null(odd_batch):
    imported = Imported(odd_batch, text="utf8", on_error="null")
    columns = table(imported.schema, imported.array)
    for name in ("name", "directory"):
        assert columns[name] == [exact.decode() if is_utf8(exact) else None for exact in odd_batch[name]]
    _, array = imported.column("name")
    assert array.null_count == columns["name"].count(None) > 0


def test_utf8_of_names_that_fit_is_no_copy(batch):
    imported = Imported(batch, text="utf8")
    _, array = imported.column("name")
    assert array.buffers[2] == batch.name_bytes.__array_interface__["data"][0]


def test_requested_schema_asks_for_text(batch):
    for text, expected in (("utf8", b"u"), ("binary", b"z")):
        wanted, _ = batch.__arrow_c_array__(text=text)
        imported = Imported(batch, requested_schema=wanted)
        assert imported.column("name")[0].format == expected
    with pytest.raises(TypeError, match="arrow_schema capsule"):
        batch.__arrow_c_array__("schema")


def test_text_options_of_a_stream(tree):
    with pwalk.scan(tree) as scan:
        stream = Stream(scan.arrow(text="utf8").__arrow_c_stream__())
        assert children(stream.schema())[1].format == b"u"
    for options in ({"text": "utf16"}, {"on_error": "ignore"}):
        with pytest.raises(ValueError, match="allowed are"):
            scan.__arrow_c_stream__(**options)
