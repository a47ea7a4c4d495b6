"""What each option of Config does, seen from outside: in the rows, the summary, the system calls, or, where a machine
cannot do it, in what effective() says of it.

`observes` writes down which options a test watches; an option that none watches is a failure, so that a new one of the
scanner comes with a test.
"""

from __future__ import annotations

import grp
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import Any, Callable, Iterable

import pytest

import pwalk
from conftest import WAIT, save_image
from pwalk import Config, ScannerError
from pwalk.scanner_process import find_scanner

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fuse_mount import latency_fs, lying_fs, reason_missing  # noqa: E402

WATCHED: set[str] = set()
CPUS = len(os.sched_getaffinity(0))
TWO_READERS = {"consumers": 2, "ring_size": "2M", "huge_pages": "off"}


def observes(*options: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a test as the one that watches these options."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        WATCHED.update(options)
        return test

    return mark


def test_every_option_is_watched():
    assert WATCHED == set(Config.options())


def names(root: os.PathLike[str], **options: Any) -> set[str]:
    """The paths a scan of `root` gives, relative to it; the root itself is ".". """
    with pwalk.scan(root, **options) as scan:
        return {os.path.relpath(os.fsdecode(path), root) for batch in scan for path in batch.paths()}


def run(*roots: os.PathLike[str] | str, tracer: Iterable[object] = (), **options: Any) -> subprocess.CompletedProcess[str]:
    """A scan that nobody reads, to its end."""
    command = [*map(str, tracer), find_scanner(), *Config(**options).to_arguments(), "--json", "--quiet", "--", *roots]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT)


def summary(*roots: os.PathLike[str] | str, **options: Any) -> dict[str, Any]:
    done = run(*roots, **options)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def can_trace() -> bool:
    """A sandbox may forbid ptrace(2)."""
    return shutil.which("strace") is not None and subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


@pytest.fixture
def calls(tree, tmp_path) -> Callable[..., list[str]]:
    """The system calls of a scan of `tree` in which `word` is; all that these options change is the tree's calls."""
    if not can_trace():
        pytest.skip("strace cannot trace here")

    def traced(word: str, **options: Any) -> list[str]:
        log = tmp_path / "calls"
        tracer = ["strace", "-f", "-qq", "-s", "4096", "-o", log]
        assert run(tree, tracer=tracer, use_io_uring=options.pop("use_io_uring", "off"), **options).returncode == 0
        return [line for line in log.read_text().splitlines() if re.search(word, line)]

    return traced


# Which names


@observes("max_depth")
def test_max_depth(tree):
    assert names(tree, max_depth=0) == {"."}
    assert names(tree, max_depth=1) == {".", "large.bin", "notes.txt", "sub"}
    assert names(tree, max_depth=2) == names(tree)


@observes("one_file_system")
def test_one_file_system(runtime_directory):
    """/dev/shm is a file system of its own below /dev."""
    ours = os.path.relpath(runtime_directory, "/dev")
    for stays in (False, True):
        seen = names(pathlib.Path("/dev"), max_depth=2, one_file_system=stays)
        assert "shm" in seen and (ours in seen) != stays


@observes("follow_links")
def test_follow_links(tree):
    (tree / "link").symlink_to("sub")
    assert "link/tool.py" not in names(tree) and "link/tool.py" in names(tree, follow_links=True)


@observes("ignore_snapshots")
def test_ignore_snapshots(tree):
    (tree / ".snapshot" / "old").mkdir(parents=True)
    assert ".snapshot/old" not in names(tree) and summary(tree)["skipped"] == 1
    assert ".snapshot/old" in names(tree, ignore_snapshots=False)


@observes("exclude", "exclude_from", "include")
def test_globs(tree, tmp_path):
    globs = tmp_path / "globs"
    globs.write_text("sub\n")
    assert names(tree, exclude=["*.bin", "sub/*.py"]) == {".", "notes.txt", "sub"}
    assert names(tree, exclude_from=globs) == {".", "large.bin", "notes.txt"}
    assert names(tree, include="*.py") == {".", "sub", "sub/tool.py"}


# What of each


@observes("columns", "no_stat")
def test_columns_are_fetched_or_not(tree):
    def columns(**options: Any) -> set[str]:
        with pwalk.scan(tree, **options) as scan:
            return set(next(scan).columns)

    everything, nothing = columns(), columns(no_stat=True)
    assert {"size", "mtime", "inode", "type", "name"} <= everything
    assert {"type", "name", "directory"} <= nothing and not nothing & {"size", "mtime", "inode"}
    assert columns(columns="size") == nothing | {"size"}
    assert Config(no_stat=True).effective(tree)["attributes"].choice == "names and types only"


@observes("coherence")
@pytest.mark.parametrize("coherence, flag", [("lazy", "AT_STATX_DONT_SYNC"), ("normal", "AT_STATX_SYNC_AS_STAT"),
                                             ("force", "AT_STATX_FORCE_SYNC")])
def test_coherence(tree, calls, coherence, flag):
    assert f"coherence {coherence}" in Config(coherence=coherence).effective(tree)[f"root {tree}"].choice
    (asked,) = calls(r'statx\(.*"notes\.txt"', coherence=coherence)
    assert flag in asked


# Threads


@observes("min_threads", "max_threads", "auto_tune", "work_stealing")
def test_threads(tree):
    assert summary(tree, max_threads=1)["threads"] == 1
    assert summary(tree, min_threads=3, auto_tune=False)["threads"] == 3
    assert summary(tree, max_threads=4, auto_tune=False)["threads"] == 4
    assert summary(tree, min_threads=3, work_stealing=False)["threads"] == 1
    threads = Config(min_threads=3, max_threads=9).effective(tree)["threads"]
    assert threads.choice.endswith("adapting between 3 and 9")
    assert Config(min_threads=3, auto_tune=False).effective(tree)["threads"].choice == "3"
    assert "work stealing" in Config(min_threads=3, work_stealing=False).effective(tree)["threads"].reason


@observes("metadata_queues")
def test_metadata_queues(tree):
    """Told of file systems that have several metadata servers; tests/core walks over some that answer."""
    assert "metadata servers" not in Config().effective(tree)
    tried = Config(profile="lustre").effective(tree)["metadata servers"]
    assert tried == ("directories wait by thread", f"{tree} does not tell which server has it")
    assert Config(profile="lustre", metadata_queues=False).effective(tree)["metadata servers"].reason == "--no-metadata-queues"
    if reason_missing("pwalk_lying_fs") is None:
        with lying_fs("--subtype", "lustre", "--layout", "v1") as mounted:
            told = Config().effective(pathlib.Path(mounted.path))["metadata servers"]
            assert told.choice == "directories wait by server, once there are two"
            assert summary(mounted.path)["directories"] == 3 and mounted.counts()["ioctl"] >= 4  # one for the plan
            before = mounted.counts()["ioctl"]
            assert summary(mounted.path, metadata_queues=False)["directories"] == 3 and mounted.counts()["ioctl"] == before


@observes("cpu_affinity", "cpus_per_thread")
def test_cpu_affinity(tree, calls):
    kept = r"sched_setaffinity\("
    assert not calls(kept, max_threads=2, auto_tune=False)
    for each in (1, 2):
        told = Config(cpu_affinity=True, cpus_per_thread=each).effective(tree)["CPUs"]
        places = told.choice.removeprefix("threads kept on ").removesuffix(" …").split()
        assert [place.count("+") + 1 for place in places[:1]] == [min(each, CPUS)]
        assert calls(kept, max_threads=2, auto_tune=False, cpu_affinity=True, cpus_per_thread=each)
    with pytest.raises(ScannerError, match="--cpus-per-thread .* allowed with --cpu-affinity"):
        Config(cpus_per_thread=2).effective(tree)


def numa_nodes() -> int:
    return len(list(pathlib.Path("/sys/devices/system/node").glob("node[0-9]*"))) or 1


@observes("numa_aware", "prefer_local_numa")
def test_numa(tree):
    both, neither = Config().effective(tree), Config(numa_aware=False, prefer_local_numa=False).effective(tree)
    assert neither["CPUs"].choice == "threads run where the kernel likes"
    assert neither["memory"] == ("as the kernel places it", "--no-prefer-local-numa")
    if numa_nodes() == 1:
        assert both["CPUs"].choice == neither["CPUs"].choice and "1 NUMA node usable" in both["CPUs"].reason
        assert both["memory"] == ("as the kernel places it", "there is one NUMA node")
    else:
        assert both["CPUs"].choice.startswith("threads kept on nodes with CPUs ")
        assert both["memory"] in (("on each thread's node", "libnuma"), ("as the kernel places it", "without libnuma"))


# System calls


@observes("use_getdents", "readahead_kb")
def test_directories_are_read_as_asked(tree, calls):
    def sizes(**options: Any) -> set[str]:
        return {size for call in calls("getdents64", readahead_kb=256, **options) for size in re.findall(r", (\d+)\) += ", call)}

    assert str(256 << 10) in sizes() and str(256 << 10) not in sizes(use_getdents=False)  # libc's own buffer
    assert Config(readahead_kb=256).effective(tree)["directories"] == ("getdents64 with 256 KiB", "--readahead-kb")
    assert Config(use_getdents=False).effective(tree)["directories"].choice.startswith("readdir with ")


@observes("use_statx")
def test_use_statx(tree, calls):
    assert calls(r'statx\(.*"notes\.txt"') and not calls(r'(newfstatat|fstatat64)\(.*"notes\.txt"')
    assert calls(r'(newfstatat|fstatat64)\(.*"notes\.txt"', use_statx=False)
    with pwalk.scan(tree, use_statx=False) as scan:
        batch = next(scan)
        assert sum(batch["size"][batch.where(type="f")]) == 5012 and not batch.valid("btime").any()


@observes("use_io_uring")
def test_use_io_uring(tree, calls):
    assert Config(use_io_uring="off").effective(tree)["backend"] == ("threads", "--use-io-uring off")
    assert not calls(r"io_uring_enter\(", use_io_uring="off")
    told = Config(use_io_uring="on").effective(tree)["backend"]
    if told.choice == "io_uring":
        assert calls(r"io_uring_enter\(", use_io_uring="on")
    else:
        assert told.choice == "threads" and told.reason


@observes("use_noatime", "use_o_direct")
def test_how_directories_are_opened(tree, calls):
    opened = rf'openat\(.*"{re.escape(str(tree))}"'
    assert any("O_NOATIME" in call for call in calls(opened))
    assert not any("O_NOATIME" in call for call in calls(opened, use_noatime=False))
    assert Config(use_noatime=False).effective(tree)["access times"].reason == "--no-use-noatime"
    assert not any("O_DIRECT," in call or "O_DIRECT|" in call for call in calls(opened))
    assert any(re.search(r"O_DIRECT\b", call) for call in calls(opened, use_o_direct=True))
    (asked,) = calls(r'statx\(.*"notes\.txt"', use_o_direct=True)
    assert "AT_STATX_FORCE_SYNC" in asked
    assert re.match("taken|refused: ", Config(use_o_direct=True).effective(tree)["direct I/O"].choice)


@observes("profile")
@pytest.mark.parametrize("profile", ["local", "nfs", "lustre", "weka", "beegfs", "gpfs", "cephfs", "smb", "fuse"])
def test_profile(tree, profile):
    (root,) = summary(tree, profile=profile)["per_root"]
    assert root["profile"] == profile
    told = Config(profile=profile).effective(tree)[f"root {tree}"]
    assert told.choice.startswith(f"profile {profile},") and told.reason.endswith("asked for")


@observes("detect_filesystem")
def test_detect_filesystem(tree):
    assert Config(detect_filesystem=False).effective(tree)[f"root {tree}"].reason.endswith("not detected")
    assert not Config().effective(tree)[f"root {tree}"].reason.endswith("not detected")
    if reason_missing("pwalk_latency_fs") is None:
        with latency_fs(tree) as mounted:
            found = [summary(mounted.path, detect_filesystem=detect)["per_root"][0]["profile"] for detect in (True, False)]
        assert found == ["fuse", "local"]


@observes("max_ops_per_second")
def test_max_ops_per_second(tree):
    for number in range(60):
        (tree / "sub" / str(number)).touch()
    told = Config(max_ops_per_second=30).effective(tree)
    assert told["system calls"] == ("at most 30 in a second", "--max-ops-per-second")
    # A call for each of 65 names and no more than 30 in any second: not all in two.
    assert summary(tree, max_ops_per_second=30)["wall_seconds"] > 1


@observes("hang_timeout")
def test_hang_timeout(tree):
    assert Config(hang_timeout=1.5).effective(tree)["hanging directories"] == ("given up after 1.5 s", "--hang-timeout")
    assert Config(hang_timeout=0).effective(tree)["hanging directories"].choice == "waited for without an end"
    if reason_missing("pwalk_lying_fs") is None:
        with lying_fs("--fail", "opendir/honest=hang") as silent:
            with pwalk.scan(silent.path, hang_timeout=1) as scan:
                failed = [record for batch in scan for record in batch.directories if record.error]
                silent.abort()  # or the scanner's thread could not end
            assert [os.path.basename(record.path) for record in failed] == [b"honest"] and not scan.complete


# In the kernel


@observes("filter_names", "require_filter")
def test_filter_names(tree):
    assert "sub" not in Config(filter_names="sub").effective(tree) and names(tree, filter_names="sub") == {
        ".", "large.bin", "notes.txt"}
    told = Config(filter_names="sub").effective(tree)["kernel filter"]
    required = run(tree, filter_names="sub", require_filter=True)
    if "attached" in told.choice:
        assert json.loads(required.stdout)["refused_opens"] == 0
    else:
        assert told.reason and required.returncode == 3 and len(required.stderr.splitlines()) == 1


@observes("kernel_latency")
def test_kernel_latency(tree):
    told = Config(kernel_latency=True).effective(tree)["kernel latency"]
    assert told.reason
    assert ("kernel_latency_us" in summary(tree, kernel_latency=True)) == ("attached" in told.choice)


# Batches, and the memory they lie in


@observes("batch_size")
def test_batch_size(tree):
    with pwalk.scan(tree, batch_size=2) as scan:
        lengths = [len(batch) for batch in scan]
    assert sum(lengths) == 5 and max(lengths) <= 2
    assert Config(batch_size=2).effective(tree)["batches"].choice.startswith("2 rows or ")


@observes("batch_age_ms")
def test_batch_age_ms(tree):
    """A walk slowed down to 25 calls a second has rows that grow old in a batch."""
    for number in range(60):
        (tree / "sub" / str(number)).touch()
    slow = {"max_ops_per_second": 25, "max_threads": 1}
    assert summary(tree, batch_age_ms=60_000, **slow)["batches"] == 1
    assert summary(tree, batch_age_ms=1, **slow)["batches"] > 1
    assert Config(batch_age_ms=7).effective(tree)["batches"].choice.endswith(" or 7 ms")


@observes("ring_size", "buffer_size_mb")
def test_the_pool(tree):
    assert Config(ring_size="3M").effective(tree)["pool"].choice == "3.00 MiB"
    assert Config(buffer_size_mb=3).effective(tree)["pool"] == Config(ring_size="3M").effective(tree)["pool"]
    with pwalk.scan(tree, buffer_size_mb=3) as scan:
        for batch in scan:
            array = batch["size"]
            assert scan.in_pool(array)
            length = next(end - begin for begin, end in mappings() if begin <= array.ctypes.data < end)
            assert length <= 4 << 20  # not the default's 256


def mappings() -> Iterable[tuple[int, int]]:
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        begin, end = line.split()[0].split("-")
        yield int(begin, 16), int(end, 16)


@observes("huge_pages")
def test_huge_pages(tree):
    assert Config(huge_pages="off").effective(tree)["pages"].choice == "4K"
    assert summary(tree, huge_pages="off")["huge_pages"] == "4K"
    reserved = int(re.findall(r"HugePages_Free: *(\d+)", pathlib.Path("/proc/meminfo").read_text())[0])
    required = Config(huge_pages="require", ring_size="2M").effective(tree)
    if reserved < 2:
        assert required["pool"].choice == "cannot be had" and "reserved 2 MiB pages, 0 are free" in required["pool"].reason
        assert run(tree, huge_pages="require", ring_size="2M").returncode == 3
    else:
        assert required["pages"].choice.startswith("2M")


@observes("use_mmap")
def test_use_mmap(tree):
    for lent in (True, False):
        with pwalk.scan(tree, use_mmap=lent) as scan:
            assert {scan.in_pool(batch["size"]) for batch in scan} == {lent}
    assert Config(use_mmap=False).effective(tree)["batches read"] == ("from copies on the heap", "--no-use-mmap")


# Consumers


@observes("name")
def test_name(tree):
    with pwalk.scan(tree, config=Config(name="fir")) as scan:
        assert scan.name == "fir" and sum(map(len, scan)) == 5
        assert scan.summary["name"] == "fir"


@observes("consumers")
def test_consumers(tree, start_scanner):
    start_scanner(*Config(name="awaited", consumers=2).to_arguments(), "--", tree)
    with pwalk.attach("awaited", timeout=WAIT) as first:
        with pytest.raises(TimeoutError):
            first.read(timeout=0.3)
        with pwalk.attach("awaited", timeout=WAIT) as second:
            assert [sum(map(len, consumer)) for consumer in (first, second)] == [5, 5]


@observes("attach_timeout", "linger")
def test_waits_are_bounded(tree, start_scanner):
    assert start_scanner(*Config(consumers=1, attach_timeout=0.1).to_arguments(), "--", tree).wait(WAIT) == 3
    assert start_scanner(*Config(linger=0).to_arguments(), "--", tree).wait(WAIT) == 0
    forever = start_scanner(*Config(name="patient").to_arguments(), "--", tree)
    assert b"walk ended, waiting for a consumer" in next(forever.stderr)
    assert forever.poll() is None


@observes("on_slow", "evict_after")
def test_slow_consumers_are_evicted(wide_tree):
    with pwalk.scan(wide_tree, on_slow="evict", evict_after=0.1, **TWO_READERS) as slow:
        with pwalk.attach(slow.name, timeout=WAIT) as reader:
            assert sum(map(len, reader)) and reader.complete
        with pytest.raises(pwalk.Evicted):
            for _ in slow:
                pass
    assert slow.summary["slow_consumers"][0]["evicted"]


@observes("group_lease", "group_attempts")
def test_a_batch_that_a_member_keeps(tree, start_scanner):
    """With one attempt each it is given up when its time is over, with two another member gets it. One thread makes one batch."""
    for attempts in (1, 2):
        options = Config(name=f"leased-{attempts}", consumers=1, max_threads=1, group_lease=0.3, group_attempts=attempts)
        scanner = start_scanner(*options.to_arguments(), "--quiet", "--", tree)
        with pwalk.attach(options.name, timeout=WAIT, group="keepers") as keeper:
            kept = next(keeper)
            with pwalk.attach(options.name, timeout=WAIT, group="keepers") as other:
                given = [(len(batch), batch.redelivered) for batch in other]
            assert given == ([] if attempts == 1 else [(len(kept), True)])
        scanner.wait(WAIT)


@observes("share_group")
def test_share_group(tree, runtime_directory, start_scanner):
    group = grp.getgrgid(os.getegid()).gr_name
    for options, modes in (({}, (0o700, 0o600)), ({"share_group": group}, (0o710, 0o660))):
        name = f"shared-with-{len(options)}"
        start_scanner(*Config(name=name, **options).to_arguments(), "--", tree)
        with pwalk.attach(name, timeout=WAIT):
            place = runtime_directory / name
            found = tuple(path.stat().st_mode & 0o777 for path in (place, place / "sock"))
            assert found == modes and place.stat().st_gid == os.getegid()


# Images


@observes("keep", "keep_limit")
def test_keep(tree, wide_tree):
    assert summary(tree, keep=True, name="kept")["images"][0]["complete"]
    with pwalk.attach("kept") as image:
        assert image.from_image and sum(map(len, image)) == 5
    ended = summary(wide_tree, keep=True, keep_limit="1M", name="cut")
    assert ended["complete"] and not ended["images"][0]["complete"]
    assert "would exceed its limit of 1048576 bytes" in ended["images"][0]["problem"]


@observes("resolve_links")
def test_links_in_an_image(tree, tmp_path):
    (tree / "link").symlink_to("sub")
    (tree / "sub" / "tool.py").unlink()
    for asked in (False, True):
        os.utime(tree / "link", ns=(0, 0), follow_symlinks=False)  # old enough for a mount that keeps access times by day
        with pwalk.open_results(save_image(tmp_path / f"{asked}.img", tree, resolve_links=asked)) as results:
            assert results.stat(tree / "link").st_atime_ns == os.lstat(tree / "link").st_atime_ns
            [directories] = [names for path, names, _ in results.walk() if path == str(tree)]
            assert ("link" in directories) == asked


@observes("save", "since", "trust_mtime")
def test_images_are_saved_and_compared(tree, tmp_path):
    time.sleep(2.1)  # the times of a directory that was changed in the last two seconds are not trusted
    before = save_image(tmp_path / "before.img", tree)
    (tree / "new").touch()
    (tree / "sub" / "tool.py").write_bytes(b"tool = None")  # no trace of it in its directory's times
    changed = names(tree, since=before)
    assert {"new", "sub/tool.py"} <= changed and "large.bin" not in changed
    trusting = names(tree, since=before, trust_mtime=True)
    assert "new" in trusting and "sub/tool.py" not in trusting
    with pwalk.open_results(before) as was:
        assert was.exists(tree / "sub" / "tool.py") and not was.exists(tree / "new")
