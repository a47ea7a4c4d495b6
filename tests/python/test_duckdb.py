"""A real engine reads the stream: DuckDB's answers equal numpy's and lstat's."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

import libduckdb
import pwalk
from conftest import WAIT, WIDE_TREE_ROWS


@pytest.fixture(scope="session")
def library() -> pathlib.Path:
    place = pathlib.Path(os.environ.get("PWALK_NPM_DIR") or pathlib.Path(pwalk.__file__).parents[2] / "npm")
    try:
        return libduckdb.find(place)
    except libduckdb.Missing as missing:
        pytest.skip(f"no libduckdb.so: {missing}")


@pytest.fixture(scope="session")
def read_parquet(library):
    """Reads a file with arrow-rs, which refuses text that is not UTF-8 and more."""
    place = pathlib.Path(os.environ.get("PWALK_NPM_DIR") or pathlib.Path(pwalk.__file__).parents[2] / "npm") / "parquet"
    if not (place / "node_modules" / "parquet-wasm").exists():
        try:
            libduckdb.install(place, "parquet-wasm@0.8.0", "apache-arrow@21.2.0")
        except libduckdb.Missing as missing:
            pytest.skip(f"no parquet-wasm: {missing}")

    def read(file):
        program = pathlib.Path(__file__).with_name("read_parquet.js")
        done = subprocess.run(["node", program, file], env={**os.environ, "NODE_PATH": str(place / "node_modules")},
                              capture_output=True, text=True, timeout=WAIT)
        assert done.returncode == 0, done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    return read


@pytest.fixture(params=[1, 2])
def database(library, request):
    database = libduckdb.Database(library, threads=request.param)
    yield database
    database.close()


@pytest.fixture(scope="session")
def sized_tree(tmp_path_factory):
    """20,000 files of known sizes in 20 directories."""
    root = tmp_path_factory.mktemp("sized")
    for number in range(20):
        place = root / f"d{number}"
        place.mkdir()
        for file in range(1000):
            path = place / f"f{file}{'.py' if file % 3 == 0 else '.bin'}"
            with open(path, "wb") as handle:
                handle.truncate(file * 7)
    return root


def lstats(root):
    yield root, os.lstat(root)
    for place, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(place, name)
            yield path, os.lstat(path)


def test_aggregates_equal_lstat(database, sized_tree):
    with pwalk.scan(sized_tree, ring_size="2M") as scan:
        capsule = scan.__arrow_c_stream__()
        database.scan("entries", capsule)
        counted = database.query("SELECT count(*), sum(size), min(epoch_ns(mtime)), max(mode), count(DISTINCT directory) FROM entries")
        assert scan.complete
    found = [status for _, status in lstats(sized_tree)]
    oldest = min(status.st_mtime_ns for status in found) // 1000 * 1000  # DuckDB's times with a zone have microseconds
    expected = (len(found), sum(status.st_size for status in found), oldest,
                max(status.st_mode for status in found), 22)
    assert counted == [tuple(map(str, expected))]


def test_filtered_and_projected(database, sized_tree):
    with pwalk.scan(sized_tree) as scan:
        capsule = scan.__arrow_c_stream__(text="utf8")
        database.scan("entries", capsule)
        counted = database.query("SELECT count(*), sum(size) FROM entries WHERE size > 5000 AND name LIKE '%.py' AND type = 102")
    large = [status.st_size for path, status in lstats(sized_tree) if status.st_size > 5000 and path.endswith(".py")]
    assert counted == [(str(len(large)), str(sum(large)))]


def test_numpy_and_duckdb_agree_on_the_same_scan(database, sized_tree):
    with pwalk.scan(sized_tree, consumers=2, name="both") as scan:
        with pwalk.attach("both") as other:
            capsule = other.__arrow_c_stream__()
            database.scan("entries", capsule)
            counted = database.query("SELECT count(*), sum(blocks) FROM entries WHERE nlink = 1")
        blocks = [batch["blocks"][batch["nlink"] == 1] for batch in scan]
    assert counted == [(str(sum(map(len, blocks))), str(sum(int(part.sum()) for part in blocks)))]


def test_an_engine_that_holds_all_batches_does_not_stall_the_scan(database, wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        capsule = scan.__arrow_c_stream__()
        database.scan("entries", capsule)
        last = database.query("SELECT count(*), max(name) FROM (SELECT name FROM entries ORDER BY inode)")
        assert scan.complete
    assert last[0][0] == str(WIDE_TREE_ROWS)


def test_parquet_written_from_the_stream_reads_back_equal(database, sized_tree, tmp_path):
    file = tmp_path / "entries.parquet"
    with pwalk.scan(sized_tree) as scan:
        capsule = scan.__arrow_c_stream__(text="utf8")
        database.scan("entries", capsule)
        database.query(f"COPY (SELECT directory, name, size FROM entries) TO '{file}' (FORMAT parquet)")
    rows = database.query(f"SELECT directory || '/' || name, size FROM '{file}' ORDER BY 1")
    assert rows == sorted((str(path), str(status.st_size)) for path, status in lstats(sized_tree))


def test_parquet_reads_back_equal_in_another_engine(database, hostile_tree, tmp_path, read_parquet):
    file = tmp_path / "entries.parquet"
    columns = "directory, name, size, inode, mode, nlink"
    with pwalk.scan(hostile_tree, ignore_snapshots=False) as scan:
        capsule = scan.__arrow_c_stream__()
        database.scan("entries", capsule)
        database.query(f"COPY (SELECT {columns} FROM entries WHERE error = 0) TO '{file}' (FORMAT parquet)")
    found = sorted(read_parquet(file))
    expected = []
    for path, status in lstats(hostile_tree):
        directory, name = os.path.split(path)
        numbers = (status.st_size, status.st_ino, status.st_mode, status.st_nlink)
        expected.append((directory.hex(), name.hex(), *map(str, numbers)))
    assert found == sorted(expected)
