"""What the formats print, against find, on names that hurt."""

import base64
import csv
import io
import json
import os
import pty
import subprocess

import pytest

from stage import BINARIES

NAMES = [b"plain", b"with space", b"comma,", b'quote"', b"new\nline", b"\xff\xfe", b"tab\t", b"\x1b[31m", "grüß".encode(),
         b"-rf", b"back\\slash", b"a.tar.gz", b".hidden", "\u202eright".encode(), b"x" * 255]
FIND_FORMAT = "%p\\0%y\\0%i\\0%m\\0%n\\0%U\\0%G\\0%s\\0%b\\0"


@pytest.fixture
def tree(stage):
    root = os.fsencode(stage.tree)
    for number, name in enumerate(NAMES):
        os.makedirs(root + b"/dir-" + name[:200])
        with open(root + b"/dir-" + name[:200] + b"/" + name, "wb") as file:
            file.write(b"x" * number)
    os.symlink(b"nowhere", root + b"/link")
    os.mkfifo(root + b"/fifo")
    os.link(root + b"/dir-plain/plain", root + b"/hard")
    os.utime(root + b"/hard", ns=(-1_500_000_001, 1_500_000_001))
    return stage.tree


def find_rows(tree):
    printed = subprocess.run(["find", tree, "-printf", FIND_FORMAT], capture_output=True, check=True).stdout
    fields = printed.split(b"\0")[:-1]
    return sorted(tuple(fields[at:at + 9]) for at in range(0, len(fields), 9))


def read(stage, tree, *options) -> bytes:
    scanner, reader = stage.scan(tree, tail=options)
    assert (scanner.code, reader.code, reader.err) == (0, 0, "")
    return reader.out


def test_null(stage, tree):
    out = read(stage, tree, "--format", "null")
    assert sorted(out.split(b"\0")[:-1]) == [row[0] for row in find_rows(tree)]


def test_csv_by_an_rfc_4180_reader(stage, tree):
    out = read(stage, tree, "--format", "csv").decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert list(rows[0]) == ("path,type,inode,device,mode,nlink,uid,gid,size,blocks,"
                             "atime,mtime,ctime,btime,error,flags").split(",")
    names = ("path", "type", "inode", "mode", "nlink", "uid", "gid", "size", "blocks")
    seen = []
    for row in rows:
        row["mode"] = "%o" % (int(row["mode"], 8) & 0o7777)
        seen.append(tuple(os.fsencode(row[name]) for name in names))
        status = os.lstat(os.fsencode(row["path"]))
        assert int(row["mtime"]) == status.st_mtime_ns and int(row["device"]) == status.st_dev
        assert row["error"] == row["flags"] == "0"
    assert sorted(seen) == find_rows(tree)


def test_json_lines(stage, tree):
    paths = []
    for line in read(stage, tree, "--format", "jsonl").splitlines():
        entry = json.loads(line)
        assert ("path" in entry) != ("path_base64" in entry)
        path = os.fsencode(entry["path"]) if "path" in entry else base64.b64decode(entry["path_base64"])
        status = os.lstat(path)
        assert (entry["inode"], entry["size"], entry["mode"], entry["mtime"]) == (
            status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns)
        paths.append(path)
    assert sorted(paths) == [row[0] for row in find_rows(tree)]


def test_pwalk_csv(stage, tree):
    out = read(stage, tree, "--format", "pwalk-csv").decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert len(rows[0]) == 17
    inode_of = {os.fsencode(row["filename"]): row["inode"] for row in rows}
    assert sorted(inode_of) == [row[0] for row in find_rows(tree)]
    for row in rows:
        path = os.fsencode(row["filename"])
        status = os.lstat(path)
        is_root = path == os.fsencode(tree)
        depth = path[len(os.fsencode(tree)):].count(b"/") - 1
        assert int(row["directory-depth"]) == depth
        assert row["parent-inode"] == ("0" if is_root else inode_of[os.path.dirname(path)])
        assert int(row["st_mode"], 8) == status.st_mode and len(row["st_mode"]) == 7
        assert int(row["st_mtime"]) == status.st_mtime_ns // 10**9
        if not os.path.isdir(path):
            assert (row["pw_fcount"], row["pw_dirsum"]) == ("-1", "0")
            continue
        below = [os.lstat(path + b"/" + name) for name in os.listdir(path)]
        assert (int(row["pw_fcount"]), int(row["pw_dirsum"])) == (len(below), sum(one.st_size for one in below))


def test_chosen_columns(stage, tree):
    out = read(stage, tree, "--format", "csv", "--columns", "name,size")
    assert out.splitlines()[0] == b"name,size"
    assert b"plain,0" in out.splitlines()


def test_columns_the_scan_did_not_fetch_are_empty(stage, tree):
    scanner, reader = stage.scan(tree / "fifo", options=("--columns", "size"),
                                 tail=("--format", "csv", "--columns", "name,inode,size"))
    assert (scanner.code, reader.code) == (0, 0)
    assert reader.lines[1:] == [b"fifo,,0"]


def test_names_only(stage, tree):
    scanner, reader = stage.scan(tree / "dir-plain", options=("--no-stat",),
                                 tail=("--format", "csv", "--columns", "name,type,size"))
    assert (scanner.code, reader.code) == (0, 0)
    assert b"plain,f," in reader.lines


def test_terminal_gets_no_control_bytes(stage, tree):
    scanner = stage.scanner("--name", "shown", "--linger", "30", tree)
    for form in ("text", "csv", "jsonl", "pwalk-csv"):
        ours, theirs = pty.openpty()
        reader = subprocess.Popen([*stage.as_nobody, BINARIES / "pwalk", "tail", "shown", "--timeout",
                                   "10", "--format", form], stdout=theirs, stderr=subprocess.PIPE, env=stage.environment)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                shown += chunk
        except OSError:
            pass  # EIO: the other side is closed
        assert reader.wait(30) == 0
        os.close(ours)
        assert b"\x1b" not in shown and b"\xff" not in shown and "\u202e".encode() not in shown, form
        assert "grüß".encode() in shown
        assert b"[31m" in shown
    assert scanner.running
