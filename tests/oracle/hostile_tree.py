"""Seeded random trees made of everything a file system lets stand in a directory."""

import errno
import os
import random
import resource
import stat
from collections import Counter

NS = 10**9
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)

ODD_NAMES = [
    b"-rf", b"--help", b"-", b"--", b"-print0", b"\n", b"a\n", b"\nb", b"a\nb", b"\r\n", b"\t", b" ", b"  x ",
    b"\xff", b"\xff\xfe\xfd", b"\xc3\x28", b"\xed\xa0\x80", b"\xc0\xaf", b"caf\xe9", b"caf\xc3\xa9", b"cafe\xcc\x81",
    b"\x1b[2J", b"\xc2\x9b31m", b"\xe2\x80\xaetxt.exe", b"\x7f", b"\x01\x02\x03", b"...", b"..a", b".hidden", b"a.",
    b'"', b'a,"b"', b'",\n"', b"'", b"\\", b"\\n", b"*", b"[a-z]", b"?", b"$HOME", b"`id`", b"a\\", b"%s%n", b"NULL",
    b".snapshot", b".snapshots", b".zfs", b"lost+found", b"\xf0\x9f\x90\xa7", b"x" * 255, b"\n" * 255, b"\xff" * 255,
]
ODD_TIMES = [
    0, -1, 1, -NS, 999999999, -999999999, INT64_MAX, INT64_MAX + 1, INT64_MAX - 1, INT64_MIN, INT64_MIN - 1,
    INT64_MIN + 1, (2**63 - 1) * NS, -(2**63) * NS, 2**31 * NS, -(2**31) * NS - 1, 2**32 * NS, 2**33 * NS + 5,
    253402300800 * NS, -62135596800 * NS,
]


def raise_descriptor_limit() -> None:
    """A builder holds one descriptor per level of a chain."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class HostileTree:
    """Builds one tree below an existing empty directory.

    Everything comes from the seed and from what the file system and the user are allowed: `root` says whether devices,
    owners and unreadable modes can be made; `still` whether directories may get any time (a mount with noatime; with
    relatime, reading a directory whose mtime is not past changes its atime each time). `made` counts what was made.
    """

    def __init__(self, seed: int, *, root: bool, still: bool):
        self.random = random.Random(seed)
        self.root = root
        self.still = still
        self.made: Counter[str] = Counter()
        self.name_bytes: set[int] = set()
        self.files: list[tuple[int, bytes]] = []  # (descriptor of the directory, name), to link to
        self.held: list[int] = []
        self.left = self.random.choice([8, 50, 50, 120, 120, 250, 250, 500])
        if self.random.random() < 0.03:
            self.left = 6000

    def build(self, path: bytes) -> None:
        try:
            top = self.hold(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
            self.fill(top, depth=0)
            for chance, feature in ((0.15, self.add_deep_chain), (0.03, self.add_long_chain),
                                    (0.10, self.add_every_byte), (0.05, self.add_flat_directory)):
                if self.random.random() < chance:
                    feature(top)
            self.age_directories()
        finally:
            while self.held:
                os.close(self.held.pop())

    def hold(self, fd: int) -> int:
        self.held.append(fd)
        return fd

    # -- names ---------------------------------------------------------------------------------------------------

    def name(self) -> bytes:
        kind = self.random.random()
        if kind < 0.35:
            return b"%x.%s" % (self.random.getrandbits(40), self.random.choice([b"c", b"txt", b"fastq.gz"]))
        if kind < 0.60:
            return self.random.choice(ODD_NAMES)
        length = 255 if kind > 0.95 else self.random.randint(1, 40)
        return bytes(self.random.choice(NAME_BYTES) for _ in range(length))

    def place(self, make) -> bytes | None:
        """Calls make(name) until a name is free; None if the file system takes no such object."""
        for _ in range(20):
            name = self.name()
            if name in (b".", b".."):
                continue
            try:
                make(name)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENAMETOOLONG,
                                   errno.EILSEQ):
                    self.made[f"refused {errno.errorcode[error.errno]}"] += 1
                    return None
                raise
            self.name_bytes.update(name)
            return name
        return None

    # -- what stands in a directory -------------------------------------------------------------------------------

    def fill(self, directory: int, depth: int) -> None:
        for _ in range(self.random.randint(0, 25)):
            if self.left <= 0:
                return
            self.left -= 1
            self.random.choices(
                [self.add_file, self.add_directory, self.add_symlink, self.add_hard_link, self.add_node],
                [40, 30 if depth < 12 else 1, 15, 8, 7])[0](directory, depth)
        if depth == 0 and self.left > 0 and self.random.random() < 0.95:
            self.fill(directory, depth)

    def add_file(self, directory: int, _depth: int) -> None:
        def make(name: bytes) -> None:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=directory))
        name = self.place(make)
        if name is None:
            return
        self.made["file"] += 1
        self.set_content(directory, name)
        self.files.append((directory, name))
        self.dress(directory, name, "file")

    def set_content(self, directory: int, name: bytes) -> None:
        kind = self.random.random()
        fd = os.open(name, os.O_WRONLY, dir_fd=directory)
        try:
            if kind < 0.5:
                os.write(fd, self.random.randbytes(self.random.choice([0, 1, 10, 511, 512, 513, 4096, 5000])))
            elif kind < 0.8:
                self.set_sparse(fd)
        finally:
            os.close(fd)

    def set_sparse(self, fd: int) -> None:
        size = self.random.choice([1, 4096, 2**31, 2**32 + 1, 2**40, 2**43, 2**53 + 1, 2**63 - 1])
        while size:
            try:
                os.ftruncate(fd, size)
                break
            except OSError:  # beyond what this file system takes
                size //= 2
        if self.random.random() < 0.5:
            os.pwrite(fd, b"island", self.random.randrange(0, min(size, 2**31) + 1))
        self.made["sparse file"] += 1
        self.made["size beyond 2^53"] += size > 2**53

    def add_directory(self, directory: int, depth: int) -> None:
        name = self.place(lambda name: os.mkdir(name, 0o700, dir_fd=directory))
        if name is None:
            return
        self.made["directory"] += 1
        inner = self.hold(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory))
        self.fill(inner, depth + 1)

    def add_symlink(self, directory: int, _depth: int) -> None:
        target = self.random.choice([b".", b"..", b"../..", b"/", b"nowhere", b"\n", b"/proc/self", b"x" * 4000, None])
        name = self.place(lambda name: os.symlink(name if target is None else target, name, dir_fd=directory))
        if name is not None:
            self.made["link to itself" if target is None else "link to an ancestor" if target in (b".", b"..") else
                      "link"] += 1
            self.set_times(directory, name)

    def add_hard_link(self, directory: int, _depth: int) -> None:
        if not self.files:
            return
        source_directory, source = self.random.choice(self.files)
        name = self.place(lambda name: os.link(source, name, src_dir_fd=source_directory, dst_dir_fd=directory,
                                               follow_symlinks=False))
        self.made["hard link"] += name is not None

    def add_node(self, directory: int, _depth: int) -> None:
        kinds = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}
        if self.root:
            kinds |= {"character device": stat.S_IFCHR, "block device": stat.S_IFBLK}
        kind = self.random.choice(list(kinds))
        number = os.makedev(self.random.choice([0, 1, 7, 259, 4095]), self.random.choice([0, 1, 255, 256, 1048575]))
        name = self.place(lambda name: os.mknod(name, kinds[kind] | 0o640, number if "device" in kind else 0,
                                                dir_fd=directory))
        if name is not None:
            self.made[kind] += 1
            self.dress(directory, name, kind)

    # -- shapes ---------------------------------------------------------------------------------------------------

    def descend(self, directory: int, name: bytes) -> int:
        os.mkdir(name, 0o700, dir_fd=directory)
        self.made["directory"] += 1
        return self.hold(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory))

    def add_deep_chain(self, top: int) -> None:
        """Paths beyond PATH_MAX: 17 to 40 names of 240 to 255 bytes, one below the other."""
        directory = top
        for _ in range(self.random.randint(17, 40)):
            directory = self.descend(directory, bytes(self.random.choice(NAME_BYTES) for _ in range(
                self.random.randint(240, 255))))
            if self.random.random() < 0.3:
                self.add_file(directory, 99)
        self.left += 10
        self.fill(directory, 99)
        self.made["path beyond PATH_MAX"] += 1

    def add_long_chain(self, top: int) -> None:
        """Deeper than the descriptors anybody wants to hold."""
        directory = self.descend(top, b"long chain")
        for level in range(self.random.randint(600, 1500)):
            directory = self.descend(directory, b"%x" % (level % 16))
        self.add_file(directory, 99)
        self.made["chain of 600 or more"] += 1

    def add_every_byte(self, top: int) -> None:
        directory = self.descend(top, b"every byte")
        for byte in NAME_BYTES:
            if byte != ord("."):
                os.close(os.open(bytes([byte]), os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory))
                self.name_bytes.add(byte)
        self.made["file"] += len(NAME_BYTES) - 1

    def add_flat_directory(self, top: int) -> None:
        """More entries than one getdents buffer or one batch holds."""
        directory = self.descend(top, b"flat directory")
        count = self.random.randint(2000, 9000)
        for number in range(count):
            os.mknod(b"%d-%s" % (number, b"n" * self.random.randint(0, 60)), dir_fd=directory)
        self.made["file"] += count
        self.made["flat directory"] += 1

    # -- modes, owners, times ---------------------------------------------------------------------------------------

    def dress(self, directory: int, name: bytes, kind: str) -> None:
        if self.root and self.random.random() < 0.3:
            ids = [0, 1, 1000, 65534, 2**31, 2**32 - 2]
            os.chown(name, self.random.choice(ids), self.random.choice(ids), dir_fd=directory, follow_symlinks=False)
        if self.random.random() < 0.5:
            os.chmod(name, self.random.choice([0, 0o400, 0o644, 0o755, 0o777, 0o4755, 0o2711, 0o7777, 0o1000]),
                     dir_fd=directory)
        if self.random.random() < 0.6:
            self.set_times(directory, name)
        self.made[f"dressed {kind}"] += 1

    def moment(self) -> int:
        if self.random.random() < 0.5:
            return self.random.choice(ODD_TIMES)
        return self.random.choice([
            self.random.randrange(1_700_000_000 * NS), -self.random.randrange(10**10 * NS),
            self.random.randrange(2**63) * NS + self.random.randrange(NS),
            -self.random.randrange(2**63) * NS + self.random.randrange(NS)])

    def set_times(self, directory: int, name: bytes) -> None:
        """The file system clamps what it cannot keep."""
        times = (self.moment(), self.moment())
        os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)
        self.made["time before 1970"] += min(times) < 0
        self.made["time beyond int64 ns"] += max(times) > INT64_MAX or min(times) < INT64_MIN

    def age_directories(self) -> None:
        """Last, since making a child changes its directory's times."""
        for fd in reversed(self.held):
            if self.root and self.random.random() < 0.3:
                os.fchmod(fd, self.random.choice([0, 0o111, 0o444, 0o755, 0o1777, 0o2770]))
            if self.random.random() < 0.4:
                self.age_directory(fd)

    def age_directory(self, fd: int) -> None:
        atime, mtime = self.moment(), self.moment()
        if not self.still:
            mtime = min(mtime, 10**9 * NS)
        os.utime(fd, ns=(atime, mtime))
        self.made["aged directory"] += 1


NAME_BYTES = bytes(byte for byte in range(1, 256) if byte != ord("/"))
EVERY_NAME_BYTE = set(NAME_BYTES)

# What a long enough run must have made at least once; the rest depends on who runs it.
EXPECTED = {
    "file", "directory", "sparse file", "size beyond 2^53", "link", "link to itself", "link to an ancestor",
    "hard link", "fifo", "socket", "time before 1970", "path beyond PATH_MAX", "chain of 600 or more",
    "flat directory", "aged directory",
}
EXPECTED_OF_ROOT = {"character device", "block device"}
