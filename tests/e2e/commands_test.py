"""The other commands of pwalk, and the programs' manners."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time

import pytest

from stage import BINARIES, PATIENCE, deliver, make_files, wait_for


def test_scans_lists_what_lives(stage):
    make_files(stage.tree, 100)
    scanner = stage.scanner("--name", "lively", stage.tree)
    assert scanner.says("walk ended")
    reader = stage.pwalk("scans")
    header, row = [line.split(b"\t") for line in reader.lines]
    assert header == [b"NAME", b"ROOTS", b"STATE", b"STARTED", b"ENTRIES", b"CONSUMERS", b"MEMORY"]
    assert row[:3] == [b"lively", os.fsencode(stage.tree), b"draining"]
    assert row[4] == b"102"
    listed = json.loads(stage.pwalk("scans", "--json").out)
    assert [(scan["name"], scan["entries"], scan["consumers"]) for scan in listed] == [("lively", 102, [])]


def test_no_scans(stage):
    assert stage.pwalk("scans").lines == [b"NAME\tROOTS\tSTATE\tSTARTED\tENTRIES\tCONSUMERS\tMEMORY"]
    assert json.loads(stage.pwalk("scans", "--json").out) == []


def test_no_runtime_directory_is_no_error(stage):
    environment = dict(stage.environment, PWALK_RUNTIME_DIR=str(stage.base / "none"))
    result = stage.pwalk("scans", env=environment)
    assert (result.code, result.err) == (0, "")


def test_runtime_directory_of_somebody_else_is_refused(stage):
    stage.runtime.chmod(0o777)
    result = stage.scanner("--linger", "0", stage.tree).finish()
    assert result.code == 3
    assert len(result.err.splitlines()) == 1


def test_rm_of_nothing(stage):
    result = stage.pwalk("rm", "nothing")
    assert (result.code, result.err) == (3, "pwalk rm: 'nothing': no such scan or image; see pwalk scans\n")


def test_tail_finds_the_only_scan_and_a_root(stage):
    make_files(stage.tree, 10)
    scanner = stage.scanner("--name", "only", "--linger", "5", stage.tree)
    assert stage.tail("--timeout", "10").finish().code == 0
    assert len(stage.tail(str(stage.tree)).finish().lines) == 12
    scanner.signal(signal.SIGTERM)
    assert scanner.finish().code == 0


def test_tail_of_one_among_several_wants_a_name(stage):
    scanners = [stage.scanner("--name", name, stage.tree) for name in ("one", "two")]
    assert all(scanner.says("walk ended") for scanner in scanners)
    result = stage.tail().finish()
    assert result.code == 2
    assert "one" in result.err and "two" in result.err and len(result.err.splitlines()) == 1


def test_tail_replays_an_image(stage):
    make_files(stage.tree, 50)
    image = stage.base / "tree.img"
    assert stage.scanner("--quiet", "--save", image, "--keep", "--name", "kept", stage.tree).finish().code == 0
    columns = ("--format", "csv", "--columns", "path,inode,size,mode,mtime,error,flags")
    with_tree = stage.scan(stage.tree, tail=columns)[1]
    shutil.rmtree(stage.tree)
    for scan in (image, "kept", stage.tree):
        replay = stage.tail(scan, *columns).finish()
        assert replay.code == 0 and sorted(replay.lines) == sorted(with_tree.lines)
    assert len(stage.tail(image, "--format", "null").finish().out.split(b"\0")) == 53
    image.write_bytes(image.read_bytes()[:-1])
    cut = stage.tail(image).finish()
    assert cut.code == 3 and "tree.img" in cut.err and len(cut.err.splitlines()) == 1


def test_tail_of_an_image_ends_as_its_scan_did(stage):
    stage.become_nobody()
    stage.base.chmod(0o777)
    (stage.tree / "closed").mkdir(mode=0o000)
    image = stage.base / "tree.img"
    assert stage.scanner("--quiet", "--save", image, stage.tree).finish().code == 1
    replay = stage.tail(image).finish()
    assert replay.code == 1 and "closed" in replay.err and len(replay.lines) == 2


def test_names_are_made_from_roots_and_unique(stage):
    (stage.tree / "with space").mkdir()
    scanners = [stage.scanner(stage.tree / "with space") for _ in range(2)]
    assert all(scanner.says("walk ended") for scanner in scanners)
    names = [scan["name"] for scan in json.loads(stage.pwalk("scans", "--json").out)]
    assert len(set(names)) == 2


def test_doctor_tells_of_machine_and_path(stage):
    result = stage.pwalk("doctor", stage.tree)
    assert result.code == 0
    text = result.out.decode()
    for subject in ("huge pages, reserved", "cgroup limit", "/dev/shm", "RemoveIPC", "io_uring", "statx", "openat2",
                    "NUMA", "eBPF", "memlock", "open files", "profile local", "tmpfs", "pool"):
        assert subject in text, subject
    assert stage.leftovers() == []


def test_explain_does_not_walk_or_leave_anything(stage):
    result = stage.scanner("--explain", "--max-threads", "3", "--ring-size", "8M", stage.tree).finish()
    assert (result.code, result.err) == (0, "")
    assert "8.00 MiB" in result.out.decode() and "pages" in result.out.decode()
    assert stage.leftovers() == []


def test_progress_goes_where_it_is_wanted(stage):
    make_files(stage.tree, 100)
    silent = stage.scanner("--linger", "0", "--quiet", stage.tree).finish()
    assert (silent.code, silent.out, silent.err) == (0, b"", "")
    told = stage.scanner("--linger", "0", stage.tree).finish()
    assert len(told.err.splitlines()) == 1 and "102 entries" in told.err


def next_shown(terminal: int, deadline: float) -> bytes:
    ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    assert ready, "the scanner shows nothing more and does not end"
    return os.read(terminal, 1 << 16)


def on_a_terminal(stage, *arguments, **environment) -> bytes:
    """What a scanner that waits for a consumer shows on a terminal, until it is interrupted."""
    ours, theirs = pty.openpty()
    scanner = subprocess.Popen([BINARIES / "pwalk-scanner", "--name", "shown", *arguments, stage.tree], stderr=theirs,
                               env=dict(stage.environment, **environment))
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + PATIENCE
    try:
        while b"consumers" not in shown:
            shown += next_shown(ours, deadline)
        deliver(scanner.pid, signal.SIGINT)
        while chunk := next_shown(ours, deadline):
            shown += chunk
    except OSError:
        pass  # EIO: the other side is closed
    finally:
        os.close(ours)
        if b"consumers" not in shown or not wait_for(lambda: scanner.poll() is not None, 30):
            scanner.kill()
    assert scanner.wait(30) == 3
    return shown


def test_progress_on_a_terminal_rewrites_its_line(stage):
    environment = {"NO_COLOR": ""}
    shown = on_a_terminal(stage, **environment)
    assert b"\r\x1b[K\x1b[2mshown  " in shown
    assert shown.rstrip().endswith(b"stopped by a signal")
    assert b"\x1b[2m" not in on_a_terminal(stage, NO_COLOR="1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a setuid program")
def test_setuid_is_refused(stage):
    place = stage.elsewhere("suid")
    if place is None:
        pytest.skip("everything is mounted nosuid")
    program = os.path.join(place, "pwalk-scanner")
    shutil.copy(BINARIES / "pwalk-scanner", program)
    os.chmod(program, 0o4755)
    stage.become_nobody()
    result = subprocess.run([*stage.as_nobody, program, "--explain", "/"], capture_output=True, text=True,
                            timeout=PATIENCE)
    assert result.returncode == 3
    assert "refuses to run setuid" in result.stderr
