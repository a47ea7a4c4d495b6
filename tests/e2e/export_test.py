"""What `pwalk export` and `pwalk tail --format arrow` write is read back by others: apache-arrow from npm, DuckDB.

PWALK_TEST_SEED replays one seed.
"""

import csv
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for neighbour in ("oracle", "python"):
    sys.path.append(str(HERE.parent / neighbour))

from stage import wait_for  # noqa: E402, the one beside this file: pytest has it already

import libduckdb  # noqa: E402
from hostile_tree import HostileTree, raise_descriptor_limit  # noqa: E402

SEED = int(os.environ.get("PWALK_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
NPM = pathlib.Path(os.environ["PWALK_BUILD_DIR"]) / "npm"
NUMBERS = ("inode", "device", "size", "blocks", "mode", "nlink", "uid", "gid", "atime", "mtime", "ctime", "error", "flags")
PATIENCE = 120


@pytest.fixture
def image(stage):
    """Of a hostile tree."""
    raise_descriptor_limit()
    HostileTree(SEED, root=os.geteuid() == 0, still=False).build(os.fsencode(stage.tree))
    file = stage.base / "image"
    scanned = stage.scanner("--quiet", "--no-ignore-snapshots", "--save", file, stage.tree).finish()
    assert scanned.code in (0, 1), scanned.err
    return file


def export(stage, image, name: str, *words: str, **options) -> pathlib.Path:
    file = stage.base / name
    done = stage.pwalk("export", image, "-o", file, *words, **options)
    assert done.code in (0, 1), done.err
    assert not (stage.base / f"{name}.partial").exists()
    return file


def rows_of_csv(file: pathlib.Path) -> list[tuple]:
    """(path, numbers) per row, unknown numbers None."""
    with open(file, newline="\n", encoding="latin-1") as text:
        table = list(csv.DictReader(text))
    number = lambda row, name: int(row[name], 8 if name == "mode" else 10) if row[name] else None
    return sorted(((row["path"].encode("latin-1"), *(number(row, name) for name in NUMBERS)) for row in table), key=repr)


@pytest.fixture(scope="module")
def node_modules():
    """Where apache-arrow is, installed by npm unless it is there already."""
    place = NPM / "node_modules"
    if not (place / "apache-arrow").exists():
        if not shutil.which("npm") or not shutil.which("node"):
            pytest.skip("npm is not installed")
        try:
            libduckdb.install(NPM, "apache-arrow@21.2.0")
        except libduckdb.Missing as missing:
            pytest.skip(str(missing))
    return place


def rows_of_arrow(file: pathlib.Path, node_modules: pathlib.Path) -> list[tuple]:
    printed = subprocess.run(["node", HERE / "read_arrow.cjs", node_modules, file], capture_output=True, check=True, timeout=PATIENCE)
    names, *rows = map(json.loads, printed.stdout.splitlines())
    tables = [dict(zip(names, row)) for row in rows]
    path = lambda row: bytes.fromhex(row["directory"]) + b"/" + bytes.fromhex(row["name"])
    return sorted(((path(row), *(None if row[name] is None else int(row[name]) for name in NUMBERS)) for row in tables), key=repr)


def test_csv_and_jsonl_hold_every_row(stage, image):
    table = rows_of_csv(export(stage, image, "out.csv"))
    assert {row[0] for row in table} >= {os.fsencode(stage.tree)}, f"PWALK_TEST_SEED={SEED}"
    objects = [json.loads(line) for line in export(stage, image, "out.jsonl").read_bytes().splitlines()]
    rows = [row for row in objects if row.get("record") != "directory"]
    assert len(rows) == len(table)
    assert sum(row["size"] or 0 for row in rows) == sum(row[1 + NUMBERS.index("size")] or 0 for row in table)


def test_apache_arrow_reads_the_file(stage, image, node_modules):
    assert rows_of_arrow(export(stage, image, "out.arrow"), node_modules) == rows_of_csv(export(stage, image, "out.csv")), f"PWALK_TEST_SEED={SEED}"


def test_apache_arrow_reads_the_stream(stage, image, node_modules):
    scanner, reader = stage.scan(stage.tree, tail=["--format", "arrow"], options=["--no-ignore-snapshots", "--quiet"])
    assert scanner.code in (0, 1) and reader.code in (0, 1)
    stream = stage.base / "stream"
    stream.write_bytes(reader.out)
    found = [row[0] for row in rows_of_arrow(stream, node_modules)]
    assert found == [row[0] for row in rows_of_csv(export(stage, image, "out.csv"))], f"PWALK_TEST_SEED={SEED}"


def test_arrow_has_the_columns_that_were_asked_for(stage, node_modules):
    (stage.tree / "file").write_bytes(b"123")
    reader = stage.scan(stage.tree, tail=["--format", "arrow", "--columns", "path,size"])[1]
    stream = stage.base / "stream"
    stream.write_bytes(reader.out)
    printed = subprocess.run(["node", HERE / "read_arrow.cjs", node_modules, stream], capture_output=True, check=True, timeout=PATIENCE)
    names, *rows = map(json.loads, printed.stdout.splitlines())
    assert names == ["path", "size"] and [os.fsencode(stage.tree / "file").hex(), "3"] in rows


CHOSEN = "size,path,name,directory,mtime,target"  # numbers, texts that are put together, and one of the batch's own


@pytest.fixture
def image_of_links(stage):
    (stage.tree / "file").write_bytes(b"123")
    (stage.tree / "link").symlink_to("file")
    image = stage.base / "image"
    assert stage.scanner("--quiet", "--columns", "type,size,mtime,target", "--save", image, stage.tree).finish().code == 0
    return image


def chosen_rows(stage) -> set[tuple]:
    """What every format should have of the columns CHOSEN, as text."""
    tree = os.fsdecode(stage.tree)
    row = lambda path, target: (str(os.lstat(path).st_size), str(path), path.name, str(path.parent), str(os.lstat(path).st_mtime_ns), target)
    return {row(pathlib.Path(tree), ""), row(pathlib.Path(tree) / "file", ""), row(pathlib.Path(tree) / "link", "file")}


def test_text_formats_have_the_columns_that_were_asked_for(stage, image_of_links):
    table = export(stage, image_of_links, "out.csv", "--columns", CHOSEN).read_text().splitlines()
    assert table[0] == CHOSEN and set(map(tuple, csv.reader(table[1:]))) == chosen_rows(stage)
    objects = [json.loads(line) for line in export(stage, image_of_links, "out.jsonl", "--columns", CHOSEN).read_text().splitlines()]
    rows = [row for row in objects if row.get("record") != "directory"]
    assert all(sorted(row) == sorted(CHOSEN.split(",")) for row in rows)
    text = lambda value: "" if value is None else str(value)
    assert {tuple(text(row[name]) for name in CHOSEN.split(",")) for row in rows} == chosen_rows(stage)


def test_arrow_file_has_the_columns_that_were_asked_for(stage, image_of_links, node_modules):
    file = export(stage, image_of_links, "out.arrow", "--columns", CHOSEN)
    printed = subprocess.run(["node", HERE / "read_arrow.cjs", node_modules, file], capture_output=True, check=True, timeout=PATIENCE)
    names, *rows = map(json.loads, printed.stdout.splitlines())
    assert names == CHOSEN.split(",")
    text = lambda value: bytes.fromhex(value).decode()
    assert {(row[0], *map(text, row[1:4]), row[4], text(row[5] or "")) for row in rows} == chosen_rows(stage)


def test_arrow_has_the_columns_that_were_fetched(stage, node_modules):
    (stage.tree / "file").write_bytes(b"")
    image = stage.base / "image"
    assert stage.scanner("--quiet", "--no-stat", "--save", image, stage.tree).finish().code == 0
    export(stage, image, "out.arrow")
    printed = subprocess.run(["node", HERE / "read_arrow.cjs", node_modules, stage.base / "out.arrow"], capture_output=True, check=True)
    names, *rows = map(json.loads, printed.stdout.splitlines())
    assert "size" not in names and "type" in names and len(rows) == 2


@pytest.fixture(scope="module")
def duckdb_library():
    try:
        return libduckdb.find(NPM)
    except libduckdb.Missing as missing:
        pytest.skip(str(missing))


def test_duckdb_writes_and_reads_parquet(stage, image, duckdb_library):
    file = export(stage, image, "it's.parquet", env=dict(stage.environment, PWALK_LIBDUCKDB=str(duckdb_library)))
    times = ("atime", "mtime", "ctime")
    columns = ", ".join(f"epoch_ns({name})" if name in times else name for name in NUMBERS)
    # In text of DuckDB's own making: its csv reader and writer do the rest.
    table = stage.base / "back.csv"
    database = libduckdb.Database(duckdb_library, 2)
    try:
        database.query(f"COPY (SELECT hex(directory), hex(name), {columns} FROM '{str(file).replace(chr(39), chr(39) * 2)}') "
                       f"TO '{table}' (HEADER false)")
    finally:
        database.close()
    with open(table, newline="") as text:
        back = [(bytes.fromhex(row[0]) + b"/" + bytes.fromhex(row[1]), *(int(value) if value else None for value in row[2:]))
                for row in csv.reader(text)]
    assert sorted(back, key=repr) == rows_of_csv(export(stage, image, "out.csv")), f"PWALK_TEST_SEED={SEED}"


def test_parquet_has_the_columns_that_were_asked_for(stage, image_of_links, duckdb_library):
    environment = dict(stage.environment, PWALK_LIBDUCKDB=str(duckdb_library))
    file = export(stage, image_of_links, "out.parquet", "--columns", CHOSEN, env=environment)
    table = stage.base / "back.csv"
    database = libduckdb.Database(duckdb_library, 2)
    try:
        database.query(f"COPY (SELECT column_name FROM (DESCRIBE SELECT * FROM '{file}')) TO '{stage.base / 'names'}' (HEADER false)")
        database.query(f"COPY (SELECT size, decode(path), decode(name), decode(directory), epoch_ns(mtime), decode(target) FROM '{file}') "
                       f"TO '{table}' (HEADER false)")
    finally:
        database.close()
    assert (stage.base / "names").read_text().split() == CHOSEN.split(",")
    assert set(map(tuple, csv.reader(table.read_text().splitlines()))) == chosen_rows(stage)


def test_without_duckdb_one_line_says_so(stage, image):
    done = stage.pwalk("export", image, "-o", stage.base / "out.parquet", env=dict(stage.environment, PWALK_LIBDUCKDB="/nowhere/libduckdb.so"))
    assert done.code == 3 and "PWALK_LIBDUCKDB" in done.err and len(done.err.splitlines()) == 1
    assert sorted(path.name for path in stage.base.iterdir() if path.name.startswith("out")) == []


def test_what_fails_leaves_the_old_file(stage, image):
    file = stage.base / "out.csv"
    file.write_text("old")
    script = f"trap '' XFSZ; ulimit -f 1; $PWALK export '{image}' -o '{file}'"
    done = stage.shell(script).finish()
    assert done.code == 3 and "File too large" in done.err
    assert file.read_text() == "old" and not (stage.base / "out.csv.partial").exists()


def test_a_missing_directory_is_the_reason(stage, image):
    done = stage.pwalk("export", image, "-o", stage.base / "none" / "out.csv")
    assert done.code == 3 and "No such file or directory" in done.err and len(done.err.splitlines()) == 1, done


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_a_regular_file_is_replaced(stage, image, make):
    file = stage.base / "out.csv"
    make(file)
    done = stage.pwalk("export", image, "-o", file)
    assert done.code == 3 and "only a regular file is replaced" in done.err and len(done.err.splitlines()) == 1
    saved = stage.scanner("--quiet", "--save", file, stage.tree).finish()
    assert saved.code == 3 and "only a regular file is replaced" in saved.err and len(saved.err.splitlines()) == 1
    assert not file.is_file() and not (stage.base / "out.csv.partial").exists()


def test_a_live_scan_is_exported(stage):
    for number in range(100):
        (stage.tree / str(number)).write_bytes(b"x" * number)
    scanner = stage.scanner("--quiet", "--name", "alive", stage.tree)
    file = stage.base / "out.csv"
    assert wait_for(lambda: stage.pwalk("export", "alive", "-o", file).code == 0)
    assert scanner.finish().code == 0
    assert len(rows_of_csv(file)) == 101


@pytest.mark.parametrize("words, said", [
    ([], "no FILE given"), (["-o", "out.txt"], ".parquet"), (["nothing", "-o", "out.csv"], "nothing"), (["a", "b", "-o", "out.csv"], "one argument too many"),
    (["-o", "out.csv", "--columns", "size,nothing"], "there is no column 'nothing'"), (["-o", "out.csv", "--columns", "size,size"], "size stands there twice"),
])
def test_misuse_is_one_line(stage, words, said):
    done = stage.pwalk("export", *words, cwd=stage.base)
    assert done.code in (2, 3) and said in done.err and len(done.err.splitlines()) == 1, done
