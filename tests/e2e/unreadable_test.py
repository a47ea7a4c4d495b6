"""An ordinary user before locked doors: rows and records with their errno, told as find tells them, exit 1."""

import json
import os

import pytest

from stage import NOBODY


@pytest.fixture
def locked(stage):
    """open/ has a file; closed/ cannot be opened; listed/ can be read but not searched; searched/ the reverse."""
    for name in ("open", "closed", "listed", "searched"):
        (stage.tree / name).mkdir()
        (stage.tree / name / "file").write_bytes(b"123")
    stage.tree.chmod(0o755)
    for name, mode in (("closed", 0), ("listed", 0o444), ("searched", 0o111)):
        (stage.tree / name).chmod(mode)
        if os.geteuid() == 0:
            os.chown(stage.tree / name, NOBODY, NOBODY)
    stage.become_nobody()
    return stage.tree


def test_everything_else_is_there_and_failures_are_told(stage, locked):
    scanner, reader = stage.scan(locked, tail=("--format", "csv", "--columns", "path,error,operation"))
    assert (scanner.code, reader.code) == (1, 1)
    rows = {line.split(b",")[0]: line.split(b",")[1:] for line in reader.lines[1:]}
    top = os.fsencode(locked)
    assert rows == {top: [b"0", b"none"], top + b"/open": [b"0", b"none"], top + b"/open/file": [b"0", b"none"],
                    top + b"/closed": [b"0", b"none"], top + b"/searched": [b"0", b"none"],
                    top + b"/listed": [b"0", b"none"], top + b"/listed/file": [b"13", b"statx"]}
    assert sorted(reader.err.splitlines()) == [f"pwalk: '{locked}/closed': Permission denied",
                                               f"pwalk: '{locked}/listed/file': Permission denied",
                                               f"pwalk: '{locked}/searched': Permission denied"]


def test_json_lines_have_the_directories_as_objects(stage, locked):
    _, reader = stage.scan(locked, tail=("--format", "jsonl"))
    objects = [json.loads(line) for line in reader.lines]
    refused = {item["path"]: item for item in objects if item.get("record") == "directory"}
    assert set(refused) == {f"{locked}/closed", f"{locked}/searched"}
    assert refused[f"{locked}/closed"]["operation"] == "open"
    assert refused[f"{locked}/closed"]["message"] == "Permission denied"


def test_pwalk_csv_has_a_line_for_every_row(stage, locked):
    _, reader = stage.scan(locked, tail=("--format", "pwalk-csv"))
    assert len(reader.lines) == 1 + 7
    closed = [line for line in reader.lines if b'closed"' in line]
    assert closed[0].endswith(b",-1,0")


def test_summary_counts_them(stage, locked):
    scanner = stage.scanner("--json", locked).finish()
    assert scanner.code == 1
    summary = json.loads(scanner.out)
    assert (summary["errors"], summary["entries"], summary["complete"]) == (3, 7, True)
