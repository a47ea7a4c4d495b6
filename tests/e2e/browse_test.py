"""find, du and ls over an image say what the real ones say of the tree, on seeded hostile trees and on /usr/share.

PWALK_TEST_SEED replays one seed; PWALK_TEST_TREES says how many trees are tried.
"""

import collections
import os
import pathlib
import random
import stat
import subprocess
import sys
import time

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))

from stage import BINARIES, Stage, found  # noqa: E402, the one beside this file: pytest has it already

from hostile_tree import HostileTree, raise_descriptor_limit  # noqa: E402

TREES = int(os.environ.get("PWALK_TEST_TREES", "25"))
EXPRESSIONS_PER_TREE = 40
SEED = int(os.environ.get("PWALK_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)


class Browsed:
    """A tree, its image, and both kinds of program to ask about it."""

    def __init__(self, stage, tree: bytes, *options: str):
        self.stage = stage
        self.tree = tree
        self.image = stage.base / f"image-{random.getrandbits(32)}"
        # Access times settle; os.walk would follow links, which changes theirs.
        self.paths = found(tree)
        scanned = stage.scanner("--quiet", "--no-ignore-snapshots", *options, "--save", self.image, tree).finish()
        assert scanned.code in (0, 1), scanned.err

    def place(self, path: bytes) -> bytes:
        return os.fsencode(self.image) + b":" + path

    def ours(self, command: str, *words) -> bytes:
        return self.stage.pwalk(command, *words).out

    def real(self, *words) -> bytes:
        return subprocess.run(words, capture_output=True, check=False, env=self.stage.environment).stdout

    def find(self, *expression) -> tuple[list[bytes], list[bytes]]:
        """What ours and the real one find, each ended by NUL, in no order.

        An entry's age passes a limit while they run (`-ctime -0` is the last second): what differs counts only where
        the real one says the same before and after ours.
        """
        real = sorted(self.real("find", self.tree, *expression).split(b"\0"))
        for _ in range(10):
            ours = sorted(self.ours("find", "--as-of", "now", self.place(self.tree), *expression).split(b"\0"))
            before, real = real, ours if ours == real else sorted(self.real("find", self.tree, *expression).split(b"\0"))
            if real == before:
                break
        return ours, real


def glob_of(name: bytes, chance: random.Random) -> bytes:
    """A pattern that has something to do with the name."""
    literal = b"".join(b"\\" + bytes([c]) if bytes([c]) in b"*?[\\" else bytes([c]) for c in name)
    cut = chance.randrange(len(name) + 1)
    return chance.choice([literal, b"*", b"?" * len(name), name[:cut].replace(b"\\", b"?").replace(b"[", b"?") + b"*",
                          b"*" + name[cut:].replace(b"\\", b"?").replace(b"[", b"?"), b"[!a]*", b"[a-z]*", b".*", b"*.*"])


class Expressions:
    """Random find expressions about a tree."""

    def __init__(self, paths: list[bytes], seed: int):
        self.chance = random.Random(seed)
        # lstat takes no longer paths; and times that do not fit int64 nanoseconds are clamped, so that two of them
        # are the same to us.
        self.paths = sorted(path for path in paths if len(path) < 4000 and all(
            abs(time) < 2**63 - 1 for time in (lambda facts: (facts.st_mtime_ns, facts.st_atime_ns))(os.lstat(path))))

    def number(self, values) -> str:
        return self.chance.choice(["", "+", "-"]) + str(self.chance.choice(values))

    def primary(self) -> list:
        chance, path = self.chance, self.chance.choice(self.paths)
        name, facts = os.path.basename(path), os.lstat(path)
        days = min(max(0, int((time.time() - facts.st_mtime) // 86400)), 50_000)  # 285 years is as far as ages go
        choices = [
            lambda: [chance.choice(["-name", "-iname"]), glob_of(name, chance)],
            lambda: [chance.choice(["-path", "-ipath"]), b"*/" + glob_of(name, chance)],
            lambda: ["-regex", chance.choice([".*[a-f]+", ".*/[^/]*", ".*\\(a\\|b\\)c?", r".*/\..*", ".*x.*"])],
            lambda: ["-regextype", "posix-extended", "-regex", chance.choice([".*/(.|..)", ".*[[:digit:]]{3,}.*"])],
            lambda: ["-type", chance.choice(["f", "d", "l", "b", "c", "p", "s", "f,l", "d,p,s"])],
            lambda: ["-size", self.number([0, 1, 2, 8, facts.st_blocks]) + chance.choice(["", "b", "c", "w", "k", "M", "G"])],
            lambda: ["-size", self.number([facts.st_size]) + "c"],
            lambda: ["-empty"],
            lambda: ["-links", self.number([1, 2, 3, facts.st_nlink])],
            lambda: ["-inum", self.number([facts.st_ino])],
            lambda: [chance.choice(["-uid", "-gid"]), self.number([0, facts.st_uid, facts.st_gid])],
            lambda: [chance.choice(["-nouser", "-nogroup"])],
            lambda: chance.choice([["-user", "root"], ["-user", str(min(facts.st_uid, 2**31 - 1))], ["-group", "daemon"]]),
            lambda: ["-perm", chance.choice(["", "-", "/"]) + chance.choice(
                ["%o" % (facts.st_mode & 0o7777), "644", "222", "u=rw,go=r", "a+X", "u+s", "g+w,o-r", "+t", "0", "ug=x"])],
            lambda: [chance.choice(["-mtime", "-atime", "-ctime"]), self.number([0, 1, 2, 1000, days])],
            lambda: [chance.choice(["-mmin", "-amin", "-cmin"]), self.number([1, 60, 525600, days * 1440])],
            lambda: [chance.choice(["-newer", "-anewer", "-cnewer", "-newerma", "-newercm"]), path],
            lambda: ["-newermt", chance.choice(["1970-01-01", "2001-09-09 01:46:40Z", "@1", "2100-01-01T00:00:00Z"])],
            lambda: ["-true"],
            lambda: ["-false"],
        ]
        return chance.choice(choices)()

    def expression(self, depth: int = 0) -> list:
        chance = self.chance
        kind = chance.random()
        if depth > 3 or kind < 0.5:
            return self.primary()
        if kind < 0.6:
            return [chance.choice(["!", "-not"]), *self.expression(depth + 1)]
        if kind < 0.7:
            return ["(", *self.expression(depth + 1), ")"]
        # Not the comma: GNU find 4.9 swaps its sides when the second one is cheaper.
        operator = chance.choice([[], ["-a"], ["-and"], ["-o"], ["-or"]])
        return [*self.expression(depth + 1), *operator, *self.expression(depth + 1)]

    def whole(self) -> list:
        chance = self.chance
        limits = [chance.choice(["-maxdepth", "-mindepth"]), str(chance.randrange(4))] if chance.random() < 0.2 else []
        # Only where no name is tested behind it: GNU find moves such tests to the front.
        pruned = ["(", *self.expression(), ")", "-prune", "-o"] if chance.random() < 0.2 else []
        return [*limits, *pruned, "(", *self.expression(), ")", "-print0"]


@pytest.fixture
def hostile(stage):
    raise_descriptor_limit()

    def build(seed: int) -> Browsed:
        tree = stage.base / f"tree-{seed}"
        tree.mkdir()
        HostileTree(seed, root=os.geteuid() == 0, still=False).build(os.fsencode(tree))
        # To ask what a link leads to changes its access time, by which find is asked here too.
        return Browsed(stage, os.fsencode(tree), "--no-resolve-links")

    return build


def seeds():
    return [SEED] if "PWALK_TEST_SEED" in os.environ else [SEED + number for number in range(TREES)]


@pytest.mark.parametrize("seed", seeds())
def test_find_finds_what_find_finds(hostile, seed):
    browsed = hostile(seed)
    expressions = Expressions(browsed.paths, seed)
    for _ in range(EXPRESSIONS_PER_TREE):
        expression = expressions.whole()
        ours, real = browsed.find(*expression)
        assert ours == real, f"PWALK_TEST_SEED={seed}: find {expression}"


@pytest.mark.parametrize("seed", seeds()[:10])
def test_find_prints_what_find_prints(hostile, seed):
    browsed = hostile(seed)
    directives = r"%p|%f|%h|%H|%P|%d|%D|%i|%n|%s|%b|%k|%m|%#m|%M|%u|%U|%g|%G|%y|%10s|%-8d|%S\0"
    ours, real = browsed.find("-printf", directives)
    assert ours == real, f"PWALK_TEST_SEED={seed}"
    ours, real = browsed.find("!", "-type", "l", "-newermt", "1971-01-01", "!", "-newermt", "2200-01-01", "-ls", "-printf", "\\0")
    unpadded = [b" ".join(line.split(b" ")) for line in ours], [b" ".join(line.split(b" ")) for line in real]
    squeeze = lambda lines: sorted(b" ".join(line.split()) for line in lines)  # columns grow in the order of the walk
    assert squeeze(unpadded[0]) == squeeze(unpadded[1]), f"PWALK_TEST_SEED={seed}"


@pytest.mark.parametrize("seed", seeds()[:15])
def test_du_sums_up_what_du_does(hostile, seed):
    browsed = hostile(seed)
    for options in (["-0"], ["-0", "-a"], ["-0", "-s"], ["-0", "-c", "-d", "1"], ["-0", "-h"], ["-0", "-a", "-B", "512"],
                    ["-0", "--inodes"], ["-0", "-t", "8K"], ["-0", "-a", "-t", "-4K"], ["-0", "-BM"]):
        ours = browsed.ours("du", *options, browsed.place(browsed.tree))
        real = browsed.real("du", *options, browsed.tree)
        assert sorted(ours.split(b"\0")) == sorted(real.split(b"\0")), f"PWALK_TEST_SEED={seed}: du {options}"


@pytest.mark.parametrize("seed", seeds()[:5])
def test_ls_lists_hostile_trees(hostile, seed):
    """Not -l: times that do not fit an image are clamped in it; run_test.py has the other facts.

    The real ls does not go where a path is longer than PATH_MAX.
    """
    browsed = hostile(seed)
    too_long = any(len(path) >= 4000 for path in browsed.paths)
    for options in ("-R", "-RA", "-RS", "-Rr"):
        ours, real = browsed.ours("ls", options, browsed.place(browsed.tree)), browsed.real("ls", options, browsed.tree)
        missing = collections.Counter(real.split(b"\n")) - collections.Counter(ours.split(b"\n"))
        assert not missing and (too_long or ours == real), f"PWALK_TEST_SEED={seed}: ls {options}"


def without_targets(listing: bytes) -> list[bytes]:
    return [line.split(b" -> ")[0] for line in listing.split(b"\n")]


@pytest.fixture(scope="module")
def share():
    place = Stage()
    try:
        yield Browsed(place, b"/usr/share")
    finally:
        place.close()


@pytest.mark.parametrize("options", [["-R"], ["-lR"], ["-lRA"], ["-lRAh"], ["-lRi"], ["-lnR"], ["-lRS"], ["-lRSr"], ["-ld"], ["-lRt"]])
def test_ls_lists_what_ls_lists(share, options):
    ours = without_targets(share.ours("ls", *options, share.place(share.tree)))
    real = without_targets(share.real("ls", *options, share.tree))
    assert ours == real


@pytest.fixture
def linked(stage):
    """Links of all kinds, in an image that has their texts."""
    (stage.tree / "directory").mkdir()
    (stage.tree / "file").write_bytes(b"1")
    for name, target in (("to file", "file"), ("to directory", "directory/"), ("dangling", "no where"), ("hostile\n", 'a"\\ \t\x01'),
                         ("directory/up", "../file")):
        (stage.tree / name).symlink_to(target)
    columns = "type,inode,device,size,blocks,mode,nlink,uid,gid,rdev,atime,mtime,ctime,error,operation,flags,depth,target"
    return Browsed(stage, os.fsencode(stage.tree), "--columns", columns)


def test_where_links_lead_is_shown_if_the_scan_knows(linked):
    for options in (["-l"], ["-lR"], ["-lAh"], ["-R"]):
        assert linked.ours("ls", *options, linked.place(linked.tree)) == linked.real("ls", *options, linked.tree), options
    link = linked.tree + b"/to file"
    assert linked.ours("ls", "-ld", linked.place(link)) == linked.real("ls", "-ld", link)
    ours, real = (sorted(b" ".join(line.split()) for line in listed.splitlines()) for listed in (
        linked.ours("find", linked.place(linked.tree), "-ls"), linked.real("find", linked.tree, "-ls")))
    assert ours == real
    assert b"File: " + link + b" -> file\n" in linked.ours("stat", linked.place(link))
    assert "to file -> file".encode() in linked.ours("tree", linked.place(linked.tree))
    ours, real = linked.find("-printf", r"%p|%l|%12l|%-3l\0")
    assert ours == real
    ours, real = linked.find("!", "-name", "dangling", "!", "-name", "hostile*", "-printf", r"%p %y%Y\0")
    # Of files that links lead to, a scan keeps nothing.
    assert ours == [line.replace(b" lf", b" l?") for line in real] and any(line.endswith(b" ld") for line in ours)


def test_find_tells_that_the_scan_has_no_targets(stage):
    browsed = Browsed(stage, os.fsencode(stage.tree))
    refused = stage.pwalk("find", browsed.place(browsed.tree), "-printf", "%l")
    assert (refused.code, refused.out) == (2, b"") and "looks at 'target', which the scan" in refused.err


@pytest.mark.parametrize("expression", [
    ["-quit"], ["-maxdepth", "0", "-print", "-quit"], ["-print", "-quit", "-o", "-print"], ["!", "-quit", "-print"],
    ["-false", "-o", "-quit", "-o", "-print"], ["-quit", ",", "-print"],
])
def test_nothing_comes_behind_quit(linked, expression):
    ours = linked.stage.pwalk("find", linked.place(linked.tree), *expression)
    assert (ours.code, ours.out) == (0, linked.real("find", linked.tree, *expression))


def test_newer_than_a_relative_file_or_a_link(linked):
    """Once of the image, with the tree away; once of this machine."""
    tree, stage = linked.tree, linked.stage
    outside = stage.base / "link"
    outside.symlink_to(os.fsdecode(tree + b"/file"))
    for number, name in enumerate((b"file", b"to file", b"directory", b"dangling")):
        os.utime(tree + b"/" + name, (1_000_000_000 + number,) * 2, follow_symlinks=False)
    os.utime(outside, (1_000_000_002,) * 2, follow_symlinks=False)
    browsed = Browsed(stage, tree)
    asked = (b"file", b"./to file", b"directory/../dangling", os.fsencode(outside), b"../link")
    real = [subprocess.run(["find", tree, "-newer", file], capture_output=True, cwd=tree, check=True).stdout for file in asked]
    os.rename(tree, tree + b".away")
    os.mkdir(tree)
    for file, expected in zip(asked, real):
        ours = stage.pwalk("find", browsed.place(tree), "-newer", file, cwd=tree)
        assert sorted(ours.lines) == sorted(expected.splitlines()) and ours.code == 0, (file, ours.err)


def test_find_follows_no_links(linked):
    place = linked.place(linked.tree)
    assert linked.ours("find", "-P", place) == linked.ours("find", place) != b""
    for option in ("-L", "-H"):
        refused = linked.stage.pwalk("find", option, place)
        assert (refused.code, refused.out) == (2, b"") and "links are not followed in an image" in refused.err


@pytest.mark.parametrize("number", [2**32 - 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("test", ["-user", "-group"])
def test_an_owner_beyond_all_numbers_is_misuse(linked, test, number):
    refused = linked.stage.pwalk("find", linked.place(linked.tree), test, str(number))
    assert (refused.code, refused.out) == (2, b"") and len(refused.err.splitlines()) == 1


def test_ls_lines_devices_up(stage):
    if os.geteuid() != 0:
        pytest.skip("needs root, to make devices")
    for name, major, minor in (("null", 1, 3), ("disk", 8, 17), ("many", 259, 123456)):
        try:
            os.mknod(stage.tree / name, 0o600 | stat.S_IFBLK, os.makedev(major, minor))
        except PermissionError:
            pytest.skip("needs a place where devices can be made")
    (stage.tree / "directory").mkdir()
    for size in (0, 10, 10**9, 10**13):
        with open(stage.tree / "file", "wb") as file:
            file.truncate(size)
        browsed = Browsed(stage, os.fsencode(stage.tree))
        for options in ("-l", "-lh", "-ln", "-lSr"):
            assert browsed.ours("ls", options, browsed.place(browsed.tree)) == browsed.real("ls", options, browsed.tree), (size, options)


@pytest.mark.parametrize("options", ["-1", "-r", "-t", "-tr", "-S", "-R", "-rd"])
def test_ls_orders_what_it_is_given(linked, options):
    os.utime(linked.tree + b"/directory", (1, 1))
    (linked.stage.tree / "z").mkdir()
    (linked.stage.tree / "a").mkdir()
    browsed = Browsed(linked.stage, linked.tree)
    given = [linked.tree + name for name in (b"/z", b"/file", b"/a", b"/directory")]
    ours = browsed.ours("ls", options, *map(browsed.place, given))
    assert without_targets(ours) == without_targets(browsed.real("ls", options, *given))


@pytest.fixture
def wordy(stage):
    """Enough names for several writes."""
    for number in range(3000):
        directory = stage.tree / f"{number % 100}"
        directory.mkdir(exist_ok=True)
        (directory / f"{number}".zfill(250)).touch()
    return Browsed(stage, os.fsencode(stage.tree))


@pytest.mark.parametrize("command", [["find"], ["du", "-a"], ["ls", "-lR"], ["tree"], ["glob"]])
def test_a_full_device_is_told_once(wordy, command):
    place = wordy.place(wordy.tree + (b"/**" if command == ["glob"] else b""))
    with open("/dev/full", "wb") as full:
        said = subprocess.run([BINARIES / "pwalk", *command, place], stdout=full, stderr=subprocess.PIPE, env=wordy.stage.environment,
                              check=False)
    assert (said.returncode, len(said.stderr.splitlines())) == (3, 1) and b"No space left on device" in said.stderr, said


def test_find_prints_access_times(linked):
    """Not of links, which the scan has read since it asked for theirs."""
    ours, real = linked.find("!", "-type", "l", "-printf", r"%p %a %A@ %AX\0")
    assert ours == real and len(ours) > 3


def test_ls_of_a_directory_below(share):
    ours = without_targets(share.ours("ls", "-la", share.place(b"/usr/share/doc")))
    assert ours == without_targets(share.real("ls", "-la", "/usr/share/doc"))


@pytest.mark.parametrize("expression", [
    # Not access times: whoever reads a link meanwhile, another test say, changes them. Those of our own trees are compared.
    ["-printf", r"%p %c %t %C@ %T@ %T+ %TT %TS %CX %Cc %Tx %TH:%TM %Tj %Ts\0"],
    ["-name", "*.gz", "-size", "+20k", "-print0"],
    ["-name", "doc", "-prune", "-o", "-type", "l", "-print0"],
    ["-newer", "/usr/share/doc", "-print0"],
    ["-type", "d", "-empty", "-print0"],
])
def test_find_on_usr_share(share, expression):
    ours, real = share.find(*expression)
    assert ours == real


@pytest.mark.parametrize("options", [[], ["-a"], ["-s", "--apparent-size"], ["-ab"], ["-sh"], ["-c", "-d", "2", "-B", "1M"], ["-BMB", "-s"]])
def test_du_on_usr_share(share, options):
    assert sorted(share.ours("du", *options, share.place(share.tree)).splitlines()) == sorted(share.real("du", *options, share.tree).splitlines())


def test_du_of_places_within_one_another_counts_once(share):
    places = [b"/usr/share/doc", b"/usr/share", b"/usr/share/man"]
    assert share.ours("du", "-s", *map(share.place, places)) == share.real("du", "-s", *places)


def test_paths_from_the_working_directory(stage):
    for name in ("here/a/file", "here/b/other", "scan/file"):
        (stage.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (stage.tree / name).write_bytes(b"x")
    assert stage.scanner("--quiet", "--name", "scan", "--keep", stage.tree).finish().code == 0
    here = stage.tree / "here"
    ran = {word: stage.pwalk("find", word, "-name", "*", cwd=here) for word in (".", "./", "..", "a", "a/", "./a", "../here/b", "b/../a", "a/file")}
    assert {word: process.code for word, process in ran.items()} == dict.fromkeys(ran, 0)
    for word, process in ran.items():
        real = subprocess.run(["find", os.path.normpath(here / word)], capture_output=True, check=True).stdout
        assert sorted(process.out.splitlines()) == sorted(real.splitlines()), word
    assert stage.pwalk("ls", ".", cwd=here).out == b"a\nb\n"
    assert stage.pwalk("ls", "scan", cwd=stage.tree).out == b"here\nscan\n", "a scan before a directory of its name"
    assert stage.pwalk("ls", "./scan", cwd=stage.tree).out == b"file\n"
    assert stage.pwalk("glob", "*/f*", "../s*", cwd=here).out.splitlines() == [bytes(here / "a/file"), bytes(stage.tree / "scan")]
    missing = stage.pwalk("ls", "nothing", cwd=here)
    assert missing.code == 3 and "no image 'nothing' (kept: scan)" in missing.err
    assert stage.pwalk("stat", "./nothing", cwd=here).code == 1


def test_glob_matches_what_bash_matches(share):
    for pattern in ("/usr/share/*", "/usr/share/doc/bas*/[a-m]*", "/usr/share/man/**/bash*", "/usr/share/z*/**", "/usr/share/doc/bas*/"):
        printed = share.real("bash", "-O", "globstar", "-O", "nullglob", "-c", f'printf "%s\\0" {pattern}')
        wanted = {path if pattern.endswith("/") else path.rstrip(b"/") for path in printed.split(b"\0")}
        assert {path for path in share.ours("glob", "-0", share.place(pattern.encode())).split(b"\0")} == wanted, pattern


@pytest.fixture
def forbidden(stage):
    """Directories that cannot be read, searched or either, for an ordinary user."""
    for name, mode in (("unreadable", 0o311), ("unsearchable", 0o444), ("closed", 0), ("open", 0o755)):
        below = stage.tree / name
        below.mkdir()
        (below / "file").write_bytes(b"x" * 5000)
        (below / "directory").mkdir()
        below.chmod(mode)
    stage.become_nobody()
    stage.base.chmod(0o777)
    return Browsed(stage, os.fsencode(stage.tree))


def complaints(said: str) -> set[str]:
    return {line.split(": ", 1)[1] for line in said.splitlines()}


@pytest.mark.parametrize("expression", [
    [], ["-name", "file"], ["-type", "d"], ["-size", "+1"], ["-printf", r"%p %s\n"], ["-empty"], ["-name", "closed", "-prune", "-o", "-print"],
])
def test_find_where_not_everything_may_be_read(forbidden, expression):
    stage, tree = forbidden.stage, forbidden.tree
    real = subprocess.run([*stage.as_nobody, "find", tree, *expression], capture_output=True, env=stage.environment, check=False)
    ours = stage.pwalk("find", forbidden.place(tree), *expression)
    assert sorted(ours.out.splitlines()) == sorted(real.stdout.splitlines())
    assert ours.code == real.returncode
    # As sets: with -empty GNU find complains twice.
    assert complaints(ours.err) == complaints(real.stderr.decode())


@pytest.mark.parametrize("options", [[], ["-a"], ["-s"], ["--inodes"]])
def test_du_where_not_everything_may_be_read(forbidden, options):
    stage, tree = forbidden.stage, forbidden.tree
    real = subprocess.run([*stage.as_nobody, "du", *options, tree], capture_output=True, env=stage.environment, check=False)
    ours = stage.pwalk("du", *options, forbidden.place(tree))
    assert sorted(ours.out.splitlines()) == sorted(real.stdout.splitlines())
    assert ours.code == real.returncode
    assert len(ours.err.splitlines()) == len(real.stderr.splitlines())
