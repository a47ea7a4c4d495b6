"""Columns that are fetched only when asked for, and the cap on system calls, as a user sees them."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fuse_mount import lying_fs, reason_missing

MISSING = reason_missing("pwalk_lying_fs")
needs_fuse = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def scanned(stage, path, *options, columns, name="opt-in"):
    """The rows by path below the root, as `pwalk tail --format jsonl` gives them."""
    scanner = stage.scanner("--name", name, "--consumers", "1", *options, path)
    reader = stage.tail(name, "--timeout", "30", "--format", "jsonl", "--columns", ",".join(["path", *columns]))
    assert scanner.finish().code in (0, 1), scanner.err
    assert reader.finish().code in (0, 1), reader.err
    rows = map(json.loads, reader.out.splitlines())
    return {os.path.relpath(row["path"], path): row for row in rows if "path" in row and "record" not in row}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory/../file")
    (tmp_path / "empty-ended").symlink_to("x" * 3000)
    return tmp_path


def test_target_is_the_text_of_links_and_null_elsewhere(stage, tree):
    rows = scanned(stage, tree, "--columns", "type,target", columns=["type", "target"])
    assert rows["link"]["target"] == "directory/../file"
    assert rows["empty-ended"]["target"] == "x" * 3000
    assert rows["file"]["target"] is rows["directory"]["target"] is rows["."]["target"] is None


def test_only_what_was_asked_for_is_fetched(stage, tree):
    rows = scanned(stage, tree, "--columns", "target", columns=["target", "size", "type"])
    assert rows["file"]["size"] is None and rows["file"]["type"] == "f"
    rows = scanned(stage, tree, columns=["target", "size"], name="without")
    assert rows["link"]["target"] is None and rows["file"]["size"] == 1


def test_project_ids(stage, tmp_path):
    """Zero where nobody set one. On xfs, which has them without quotas being switched on."""
    image, mount = tmp_path / "image", tmp_path / "mnt"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    if os.geteuid() or subprocess.run(["mkfs.xfs", "-q", "-f", image], capture_output=True).returncode:
        pytest.skip("xfs cannot be made and mounted here")
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode:
        pytest.skip("xfs cannot be made and mounted here")
    try:
        (mount / "directory").mkdir()
        (mount / "directory" / "file").write_text("x")
        (mount / "link").symlink_to("directory")
        subprocess.run(["chattr", "-p", "4321", mount / "directory" / "file"], check=True)
        rows = scanned(stage, mount, "--columns", "project", columns=["project"])
    finally:
        subprocess.run(["umount", mount], check=True)
    assert rows["directory/file"]["project"] == 4321
    assert rows["directory"]["project"] == 0
    assert rows["link"]["project"] is None


@needs_fuse
@pytest.mark.parametrize("layout, expected", [
    ("v1", (4, 1 << 20, None)), ("v3", (2, 4 << 20, "flash")), ("composite", (2, 4 << 20, "flash")),
    ("cut_short", (None, None, None)), ("oversized_count", (None, None, None)), ("far_component", (None, None, None)),
])
def test_stripes_of_lustre(stage, layout, expected):
    columns = ["type", "stripe_count", "stripe_size", "pool", "mdt"]
    with lying_fs("--subtype", "lustre", "--layout", layout, "--files", "3") as fs:
        rows = scanned(stage, fs.path, "--columns", ",".join(columns), columns=columns)
        inode = os.lstat(f"{fs.path}/honest").st_ino
    row = rows["honest/f00001"]
    assert (row["stripe_count"], row["stripe_size"], row["pool"]) == expected
    assert row["mdt"] == inode % 4
    directory = rows["honest/inner"]
    assert (directory["stripe_count"], directory["pool"]) == (None, None) and directory["mdt"] == inode % 4


@needs_fuse
def test_stripes_of_beegfs(stage):
    columns = ["stripe_count", "stripe_size", "pool", "mdt"]
    with lying_fs("--subtype", "beegfs", "--layout", "v1", "--files", "3") as fs:
        rows = scanned(stage, fs.path, "--columns", ",".join(columns), columns=columns)
    row = rows["honest/f00001"]
    assert (row["stripe_count"], row["stripe_size"], row["pool"]) == (4, 512 * 1024, None)
    assert isinstance(row["mdt"], int)


@needs_fuse
@pytest.mark.parametrize("kind", ["lustre", "beegfs"])
def test_walks_by_metadata_server_have_the_same_rows(stage, kind):
    """Once a directory, for the queues and the column together."""
    with lying_fs("--subtype", kind, "--layout", "v1", "--files", "30", "--lie", "no_dots") as fs:
        by_server = scanned(stage, fs.path, columns=["size"])
        asked = fs.counts()["ioctl"]
        with_column = scanned(stage, fs.path, "--columns", "mdt", columns=["mdt"], name="column")
        asked_for_both = fs.counts()["ioctl"] - asked
        by_thread = scanned(stage, fs.path, "--no-metadata-queues", columns=["size"], name="by-thread")
        assert fs.counts()["ioctl"] == asked + asked_for_both
    assert by_server == by_thread and len(by_server) == 3 + 2 * 32
    assert with_column.keys() == by_server.keys()
    assert asked == asked_for_both == 1 + 5, "one for the plan, and one for each directory"


@needs_fuse
def test_a_server_of_a_directory_that_is_never_told_ends(stage):
    """The question hangs: the directory is given up like any other."""
    with lying_fs("--subtype", "lustre", "--layout", "v1", "--files", "3", "--fail", "ioctl/honest=hang") as fs:
        scanner = stage.scanner("--name", "hung", "--consumers", "1", "--hang-timeout", "1", "--json", fs.path)
        reader = stage.tail("hung", "--timeout", "30")
        assert reader.finish(30).code == 3
        assert scanner.says(f"'{fs.path}/honest': no answer (open), given up", 30)
        fs.abort()
        assert scanner.finish().code == 3
        assert json.loads(scanner.out)["entries"] == 2


@needs_fuse
def test_nobody_is_asked_for_stripes_where_the_profile_knows_none(stage):
    with lying_fs("--layout", "v1", "--files", "3") as fs:
        rows = scanned(stage, fs.path, "--columns", "stripe_count,mdt", columns=["stripe_count", "mdt"])
        forced = scanned(stage, fs.path, "--profile", "lustre", "--columns", "stripe_count", columns=["stripe_count"], name="forced")
    assert rows["honest/f00001"] == {"path": rows["honest/f00001"]["path"], "stripe_count": None, "mdt": None}
    assert forced["honest/f00001"]["stripe_count"] == 4


def test_no_stat_is_names_and_types(stage, tree):
    rows = scanned(stage, tree, "--no-stat", columns=["type", "size", "inode"])
    assert {row["type"] for row in rows.values()} == {"f", "d", "l"}
    assert all(row["size"] is None and row["inode"] is None for row in rows.values())


def test_a_capped_scan_takes_its_time(stage, tree):
    for number in range(40):
        (tree / f"file-{number}").touch()
    began = time.monotonic()
    scanner = stage.start("pwalk-scanner", "--json", "--quiet", "--max-ops-per-second", "40", tree)
    assert scanner.finish().code == 0, scanner.err
    summary = json.loads(scanner.out)
    assert summary["entries"] == 45 and summary["complete"]
    assert time.monotonic() - began > 1, "more than 45 calls at 40 a second"
    assert summary["latency_us"]["statx"]["p50"] < 25_000, "waiting for a turn is no latency"
