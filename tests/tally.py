"""Adds up one run of ctest, case by case.

    tally.py BUILD_DIR

Reads BUILD_DIR/test-results/ctest.xml (JUnit, from `ctest --output-junit`) and, for each test that left
BUILD_DIR/test-results/<test>.xml (GoogleTest's or pytest's JUnit), the cases in it. Prints every failure and every
skip with its reason, then `N passed, N failed, N skipped`. A skip that tests/expected_skips.txt does not excuse on
this machine is a failure. Exit 0 only when nothing failed and something passed.
"""

import fnmatch
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent


class Case(NamedTuple):
    name: str
    outcome: str  # passed, failed or skipped
    reason: str


def free_huge_pages() -> int:
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(text.split("HugePages_Free:")[1].split()[0])


def loop_devices() -> bool:
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")


def filesystem_known(name: str) -> bool:
    return name in pathlib.Path("/proc/filesystems").read_text().split()


def numa_nodes() -> int:
    return len(list(pathlib.Path("/sys/devices/system/node").glob("node[0-9]*")))


def can_serve_fuse() -> bool:
    return os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3") is not None


def io_uring_allowed() -> bool:
    disabled = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
    return not disabled.exists() or disabled.read_text().strip() == "0"


def may_trace() -> bool:
    """A sandbox may forbid ptrace(2)."""
    return shutil.which("strace") is not None and subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


def pid_namespaces() -> bool:
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "true"]
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def active_lsms() -> list[str]:
    names = pathlib.Path("/sys/kernel/security/lsm")
    return names.read_text().split(",") if names.exists() else []


# What a machine can lack, and how to see that it does. expected_skips.txt uses these words.
LACKS = {
    "root": lambda: os.geteuid() != 0,
    "ordinary-user": lambda: os.geteuid() == 0,
    "loop": lambda: not loop_devices(),
    "loop-xfs": lambda: not (loop_devices() and filesystem_known("xfs")),
    "loop-btrfs": lambda: not (loop_devices() and filesystem_known("btrfs")),
    "huge-pages": lambda: free_huge_pages() == 0,
    "fuse": lambda: not can_serve_fuse(),
    "io-uring": lambda: not io_uring_allowed(),
    "bpf-lsm": lambda: os.geteuid() != 0 or "bpf" not in active_lsms(),
    "git-checkout": lambda: not (HERE.parent / ".git").exists(),
    "strace": lambda: not may_trace(),
    "pid-namespaces": lambda: not pid_namespaces(),
    "torch": lambda: importlib.util.find_spec("torch") is None,
    "mypy": lambda: shutil.which("mypy") is None,
    "libduckdb": lambda: not list(HERE.parent.glob("build/*/npm/node_modules/@duckdb/*/libduckdb.so")),
    "apache-arrow": lambda: not list(HERE.parent.glob("build/*/npm/node_modules/apache-arrow")),
    "other-programs": lambda: not all(map(shutil.which, ("bfs", "fdfind", "tree"))),
    "second-node": lambda: numa_nodes() < 2,
    "nothing": lambda: True,
}


def excuses() -> list[tuple[str, str]]:
    """(glob of case names, what must be lacking) per line of expected_skips.txt."""
    found = []
    for line in (HERE / "expected_skips.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            glob, lack, _reason = line.split(maxsplit=2)
            if lack not in LACKS:
                raise SystemExit(f"expected_skips.txt: '{lack}' is not one of {', '.join(LACKS)}")
            found.append((glob, lack))
    return found


def is_excused(name: str, known: list[tuple[str, str]]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) and LACKS[lack]() for glob, lack in known)


def first_line(element: ElementTree.Element) -> str:
    text = (element.get("message") or element.text or "").strip()
    lines = [line for line in text.splitlines() if line.strip()]
    # GoogleTest begins with "file.cc:12"; what is said comes next.
    if len(lines) > 1 and ".cc:" in lines[0] and " " not in lines[0]:
        return lines[1]
    return lines[0] if lines else ""


def outcome_of(case: ElementTree.Element) -> tuple[str, str]:
    for tag in ("failure", "error"):
        found = case.find(tag)
        if found is not None:
            return "failed", first_line(found)
    found = case.find("skipped")
    if found is not None or case.get("status") == "notrun":
        return "skipped", "" if found is None else first_line(found)
    return "passed", ""


def cases_in(report: pathlib.Path, test: str) -> list[Case]:
    """The cases of one test's own report; disabled ones count as skipped."""
    return [Case(f"{test}/{case.get('classname')}.{case.get('name')}", *outcome_of(case))
            for case in ElementTree.parse(report).iter("testcase")]


def reason_of_skip(test: ElementTree.Element) -> str:
    """A script that skips says so on a line of its own: `SKIP: reason`."""
    output = test.findtext("system-out") or ""
    said = [line for line in output.splitlines() if line.startswith("SKIP: ")]
    return said[-1][len("SKIP: "):] if said else first_line(test.find("skipped"))


def whole(test: ElementTree.Element) -> Case:
    status = test.get("status")
    if status == "run":
        return Case(test.get("name"), "passed", "")
    if status == "notrun" and test.find("skipped") is not None:
        return Case(test.get("name"), "skipped", reason_of_skip(test))
    failure = test.find("failure")
    return Case(test.get("name"), "failed", "" if failure is None else failure.get("message") or "")


def cases_of(test: ElementTree.Element, results: pathlib.Path) -> list[Case]:
    overall = whole(test)
    report = results / f"{overall.name}.xml"
    try:
        cases = cases_in(report, overall.name) if report.exists() else []
    except ElementTree.ParseError:
        cases = []  # it died while writing
    if overall.outcome == "failed" and not any(case.outcome == "failed" for case in cases):
        cases.append(overall)  # it crashed, timed out or leaked after its last case
    return cases or [overall]


def tally(results: pathlib.Path) -> tuple[int, int, int]:
    known = excuses()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for test in ElementTree.parse(results / "ctest.xml").iter("testcase"):
        for case in cases_of(test, results):
            outcome, remark = case.outcome, case.reason
            if outcome == "skipped" and not is_excused(case.name, known):
                outcome, remark = "failed", f"skipped, and tests/expected_skips.txt does not excuse it: {remark}"
            counts[outcome] += 1
            if outcome != "passed":
                print(f"{outcome}: {case.name}: {remark}")
    return counts["passed"], counts["failed"], counts["skipped"]


def main() -> int:
    passed, failed, skipped = tally(pathlib.Path(sys.argv[1]) / "test-results")
    if passed + failed + skipped == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
