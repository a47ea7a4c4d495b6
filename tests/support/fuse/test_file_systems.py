"""The file systems of this directory do what they say: a lie that is not told would let every test of it pass."""

import concurrent.futures
import ctypes
import errno
import fcntl
import os
import pathlib
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import fuse_mount  # noqa: E402

missing = fuse_mount.reason_missing("pwalk_lying_fs")
pytestmark = pytest.mark.skipif(missing is not None, reason=str(missing))

GETDENTS64 = {"x86_64": 217, "aarch64": 61}.get(os.uname().machine)
DT_UNKNOWN, DT_DIR, DT_REG = 0, 4, 8
libc = ctypes.CDLL(None, use_errno=True)


def dirents(path, calls=100):
    """(name, d_ino, d_off, d_type) from getdents64 itself; glibc would hide names without inode number."""
    if GETDENTS64 is None:
        pytest.skip(f"getdents64's number on {os.uname().machine} is not known to this test")
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    buffer = ctypes.create_string_buffer(65536)
    try:
        for _ in range(calls):
            got = libc.syscall(GETDENTS64, fd, buffer, len(buffer))
            if got < 0:
                raise OSError(ctypes.get_errno(), path)
            if got == 0:
                return
            at = 0
            while at < got:
                inode, offset, length, kind = struct.unpack_from("=QqHB", buffer, at)
                yield buffer.raw[at + 19 : at + length].split(b"\0")[0].decode(), inode, offset, kind
                at += length
    finally:
        os.close(fd)


def names(path):
    return [name for name, *_ in dirents(path) if name not in (".", "..")]


def told(lie, *flags):
    """The dirents of the directory of `lie`."""
    with fuse_mount.lying_fs("--lie", lie, *flags) as fs:
        return list(dirents(f"{fs.path}/{lie}"))


def test_honest_tree():
    with fuse_mount.lying_fs("--files", "3") as fs:
        assert names(fs.path) == ["honest"]
        assert names(f"{fs.path}/honest") == ["f00000", "f00001", "f00002", "inner"]
        assert os.lstat(f"{fs.path}/honest/inner/leaf").st_size == 1000


def test_types():
    assert {kind for *_, kind in told("unknown_type")} == {DT_DIR, DT_UNKNOWN}  # the dots are still typed
    kinds = {name: kind for name, _, _, kind in told("wrong_type")}
    assert (kinds["inner"], kinds["f00000"]) == (DT_REG, DT_DIR)
    assert [kind for name, _, _, kind in told("typed_dots") if name in (".", "..")] == [DT_REG, DT_REG]


def test_names():
    assert not {".", ".."} & {name for name, *_ in told("no_dots")}
    assert {inode for name, inode, *_ in told("zero_inode") if name not in (".", "..")} == {0}
    assert [name for name, *_ in told("duplicates")].count("f00003") == 2
    assert max(len(name) for name, *_ in told("long_names")) == 1000
    with pytest.raises(OSError) as refused:  # by the kernel, which checks names
        told("slashed_name")
    assert refused.value.errno == errno.EIO
    with fuse_mount.lying_fs("--lie", "missing") as fs:
        assert "nobody" in names(f"{fs.path}/missing")
        assert not os.path.lexists(f"{fs.path}/missing/nobody")


@pytest.mark.parametrize("lie", ["repeat_constant", "repeat_restart", "repeat_growing"])
def test_listings_without_end(lie):
    with fuse_mount.lying_fs("--lie", lie) as fs:
        listing = [name for name, *_ in dirents(f"{fs.path}/{lie}", calls=50)]
    assert listing.count("f00000") >= 49


def test_offsets_that_repeat_and_grow():
    assert {offset for _, _, offset, _ in told("repeat_constant")} == {1}
    assert told("repeat_restart")[12][2] == 0
    growing = [offset for _, _, offset, _ in told("repeat_growing")]
    assert len(set(growing)) == len(growing)


def test_failures_at_the_nth_time():
    with fuse_mount.lying_fs("--fail", "opendir/honest=EIO@2") as fs:
        names(f"{fs.path}/honest")
        with pytest.raises(OSError) as failed:
            names(f"{fs.path}/honest")
        assert failed.value.errno == errno.EIO
        names(f"{fs.path}/honest")
    with fuse_mount.lying_fs("--fail", "lookup/f00001=ESTALE@1+") as fs:
        assert os.lstat(f"{fs.path}/honest/f00000")
        for _ in range(3):
            with pytest.raises(OSError) as failed:
                os.lstat(f"{fs.path}/honest/f00001")
            assert failed.value.errno == errno.ESTALE


def test_a_rule_that_makes_no_sense_is_refused():
    program = fuse_mount.BUILD / "tests" / "pwalk_lying_fs"
    for rule in ["readdir", "readdir=EWHAT", "chown=EIO", "readdir=EIO@0", "readdir=EIO@x"]:
        run = subprocess.run([program, "/tmp", "--fail", rule], capture_output=True, text=True, timeout=20)
        assert run.returncode == 2 and "allowed is REQUEST" in run.stderr, rule


def test_an_unanswered_request_waits_until_the_connection_is_aborted():
    with fuse_mount.lying_fs("--fail", "getattr/honest=hang") as fs:
        with subprocess.Popen(["stat", f"{fs.path}/honest"], stdout=-3, stderr=-3) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            fs.abort()
            assert waiting.wait(20) != 0


def test_layouts_and_ioctls():
    with fuse_mount.lying_fs("--subtype", "lustre", "--layout", "composite") as fs:
        lov = os.getxattr(f"{fs.path}/honest/f00000", "lustre.lov")
        assert struct.unpack_from("=II4xHH", lov) == (0x0BD60BD0, len(lov), 0, 2)  # magic, size, flags, components
        with open("/proc/self/mountinfo") as mounts:
            assert any(fs.path in line and "fuse.lustre" in line for line in mounts)
        directory = os.open(f"{fs.path}/honest", os.O_RDONLY)
        index = fcntl.ioctl(directory, 0x800466AF, bytes(4))
        assert struct.unpack("=I", index)[0] == os.fstat(directory).st_ino % 4
        stripes = fcntl.ioctl(directory, 0xC03066F1, bytes(48))
        assert struct.unpack_from("=II", stripes) == (0x0CD20CD0, 2)
        assert len(fcntl.ioctl(directory, 0x8044661F, bytes(68))) == 68
        os.close(directory)
        file = os.open(f"{fs.path}/honest/f00000", os.O_RDONLY)
        assert struct.unpack("=IIHH", fcntl.ioctl(file, 0x800C6619, bytes(12)))[1:3] == (512 * 1024, 4)
        os.close(file)
    with fuse_mount.lying_fs() as fs:
        with pytest.raises(OSError):
            os.getxattr(f"{fs.path}/honest/f00000", "lustre.lov")


@pytest.fixture
def tree(tmp_path):
    for d in range(5):
        (tmp_path / f"d{d}").mkdir()
        for f in range(20):
            (tmp_path / f"d{d}" / f"f{f}").write_bytes(b"x" * f)
    (tmp_path / "link").symlink_to("d0")
    return tmp_path


def listing(root):
    return sorted((os.path.relpath(os.path.join(d, n), root), os.lstat(os.path.join(d, n)).st_size)
                  for d, ds, fs in os.walk(root) for n in ds + fs)


@pytest.mark.parametrize("plus", ["never", "always", "auto"])
def test_latency_fs_shows_its_source(tree, plus):
    with fuse_mount.latency_fs(tree, "--delay-us", "0", "--plus", plus) as fs:
        assert listing(fs.path) == listing(tree)
        assert os.readlink(f"{fs.path}/link") == "d0"
        counts = fs.counts()
    assert counts["opendir"] >= 6
    assert (counts["readdirplus"] > 0) == (plus != "never")


def test_latency_fs_cache_time(tree):
    def lookups(*flags):
        with fuse_mount.latency_fs(tree, "--delay-us", "0", *flags) as fs:
            for _ in range(3):
                os.lstat(f"{fs.path}/d0/f1")
            return fs.counts()["lookup"]

    assert lookups("--ttl", "1000") == 2
    assert lookups() >= 6


def test_latency_fs_capacity(tree):
    """Beyond the capacity requests stand in line: they are in flight, and still none is lost."""
    with fuse_mount.latency_fs(tree, "--delay-us", "2000", "--capacity", "2") as fs:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sizes = list(pool.map(lambda n: os.lstat(f"{fs.path}/d{n % 5}/f{n // 5}").st_size, range(100)))
        assert fs.counts()["max_in_flight"] > 2
    assert sorted(sizes) == sorted(n // 5 for n in range(100))
