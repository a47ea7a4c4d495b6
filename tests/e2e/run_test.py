"""Unmodified programs below `pwalk run` print what they print of the real tree, while a decoy stands in its place.

PWALK_TEST_SEED replays one seed; PWALK_TEST_TREES says how many trees are tried.
"""

import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))

from stage import BINARIES, Stage, found  # noqa: E402, the one beside this file: pytest has it already

from hostile_tree import HostileTree, raise_descriptor_limit  # noqa: E402

TREES = int(os.environ.get("PWALK_TEST_TREES", "4"))
SEED = int(os.environ.get("PWALK_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
PYTHON = "/usr/bin/python3"

WALK = """
import os, sys
for place, directories, files in os.walk(os.fsencode(sys.argv[1])):
    # Whether a link leads to a directory is not in an image without the links' texts.
    links = [name for name in directories if os.path.islink(os.path.join(place, name))]
    print(place, sorted(set(directories) - set(links)), sorted(files + links))
"""
# Not times: those that do not fit an image are clamped in it.
FACTS = r"%p|%f|%h|%P|%d|%D|%i|%n|%s|%b|%k|%m|%M|%U|%G|%y\0"


class Scanned:
    """A tree and its image; `put_away` leaves a decoy where the tree was."""

    def __init__(self, stage: Stage, tree: bytes, *options: str):
        self.stage, self.tree = stage, tree
        self.image = stage.base / f"image-{random.getrandbits(32)}"
        found(tree)  # access times settle
        scanned = stage.scanner("--quiet", "--no-ignore-snapshots", *options, "--save", self.image, tree).finish()
        assert scanned.code in (0, 1), scanned.err

    def put_away(self) -> None:
        os.rename(self.tree, self.tree + b".away")
        os.mkdir(self.tree)
        for name in (b"decoy", b"another"):
            os.mkdir(os.path.join(self.tree, name))

    def real(self, *command) -> subprocess.CompletedProcess:
        return subprocess.run(command, capture_output=True, check=False, env=self.stage.environment)

    def below(self, *command, options=(), **more):
        return self.stage.pwalk("run", *options, self.image, "--", *command, **more)


@pytest.fixture
def hostile(stage):
    raise_descriptor_limit()

    def build(seed: int) -> Scanned:
        tree = stage.base / f"tree-{seed}"
        tree.mkdir()
        HostileTree(seed, root=os.geteuid() == 0, still=False).build(os.fsencode(tree))
        return Scanned(stage, os.fsencode(tree))

    return build


@pytest.fixture
def small(stage):
    below = stage.tree / "below"
    (below / "deep").mkdir(parents=True)
    (below / "file").write_bytes(b"contents")
    (below / "deep" / "leaf").write_bytes(b"x" * 5000)
    (stage.tree / "empty").mkdir()
    os.link(below / "file", stage.tree / "hard")
    return Scanned(stage, os.fsencode(stage.tree))


def facts_of_ls(listing: bytes) -> list[bytes]:
    """Mode to size and the name of each line: an image need not have links' texts, and its times are clamped."""
    facts = []
    for line in listing.split(b"\n"):
        details, quote, name = line.split(b" -> ")[0].partition(b' "')
        words = details.split()
        facts.append(b" ".join(words[:6 if b"," in details else 5]) + quote + name)
    return sorted(facts)


def seeds():
    return [SEED] if "PWALK_TEST_SEED" in os.environ else [SEED + number for number in range(TREES)]


@pytest.mark.parametrize("seed", seeds())
def test_programs_print_the_same_of_hostile_trees(hostile, seed):
    scanned = hostile(seed)
    tree = scanned.tree
    commands = {
        "find": (["find", tree, "-printf", FACTS], lambda out: sorted(out.split(b"\0"))),
        "ls": (["ls", "-lRUA", "--quoting-style=c", "--time-style=+", tree], facts_of_ls),
        "du": (["du", "-0", "-a", tree], lambda out: sorted(out.split(b"\0"))),
        "sum": (["du", "-s", tree], lambda out: out),
        "walk": ([PYTHON, "-c", WALK, tree], lambda out: sorted(out.splitlines())),
    }
    real = {name: order(scanned.real(*command).stdout) for name, (command, order) in commands.items()}
    scanned.put_away()
    for name, (command, order) in commands.items():
        assert order(scanned.below(*command).out) == real[name], f"PWALK_TEST_SEED={seed}: {name}"


@pytest.mark.parametrize("command", [
    ["find", "-printf", r"%p %A@ %C@ %T@ %t\n"], ["ls", "-lR", "--full-time"], ["ls", "-lRu"], ["ls", "-lARi"], ["du", "-a", "--time"],
    ["stat", "-c", "%n %d %i %a %h %u %g %s %b %X %Y %Z %W %F"],
])
def test_times_and_the_rest_are_the_same(small, command):
    words = [command[0], small.tree, *command[1:]] if command[0] == "find" else [*command, small.tree]
    real = small.real(*words).stdout
    small.put_away()
    ours = small.below(*words)
    assert sorted(ours.out.splitlines()) == sorted(real.splitlines()) and ours.code == 0, ours.err
    assert real


@pytest.mark.parametrize("program", [["bfs"], ["fdfind", "--unrestricted", "--show-errors", "."], ["tree", "-asfx"]])
def test_other_programs_print_the_same(small, program):
    if not shutil.which(program[0]):
        pytest.skip(f"needs {program[0]}")
    command = [*program, small.tree]
    real = sorted(small.real(*command).stdout.splitlines())
    small.put_away()
    assert sorted(small.below(*command).out.splitlines()) == real
    assert len(real) > 5


def test_a_shell_and_its_children_walk_about(small):
    tree = os.fsdecode(small.tree)
    script = f"""
        cd {tree}/below && pwd && ls
        /bin/ls -1 ..
        (cd deep; stat -c '%n %s' leaf; ls -d "$PWD"; find . -type f -execdir pwd \\;)
        for name in *; do echo "<$name>"; done
        [ -e file ] && [ ! -w file ] && echo read-only
        sh -c 'cd ..; exec ls' | cat
        env -i /bin/ls {tree}/below
        cd ../.. && pwd
        ls -d tree/below
    """
    said = small.real("bash", "-c", script).stdout.replace(b"\ntree", b"\nread-only\ntree", 0)
    small.put_away()
    ours = small.below("bash", "-c", script)
    assert [line for line in ours.out.splitlines() if line != b"read-only"] == [
        line for line in said.splitlines() if line != b"read-only"], ours.err
    assert b"read-only" in ours.out


def test_python_goes_in_and_starts_programs_there(small):
    program = """
import glob, os, subprocess, sys
tree = sys.argv[1]
os.chdir(tree + "/below")
print(os.getcwd(), sorted(os.listdir(".")), sorted(glob.glob("../*")), os.path.realpath("deep/../file"))
print(subprocess.run(["ls"], capture_output=True, cwd=tree).stdout, os.getcwd())
print(subprocess.run(["pwd"], capture_output=True, cwd="deep").stdout)
descriptor = os.open("deep", os.O_RDONLY | os.O_DIRECTORY)
print(os.listdir(descriptor), os.stat("leaf", dir_fd=descriptor).st_size, os.fstat(os.dup(descriptor)).st_ino)
os.fchdir(descriptor)
print(os.getcwd(), [(place, sorted(names)) for place, _, names, _ in os.fwalk("..")])
child = os.fork()
if child == 0:
    os.chdir("..")
    os._exit(len(os.listdir(".")))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.getcwd())
os.close(descriptor)
try:
    os.listdir(descriptor)
except OSError as refused:
    print(refused.strerror)
os.chdir("/")
print(os.getcwd(), os.path.isdir(tree.lstrip("/") + "/below"))
"""
    real = small.real(PYTHON, "-c", program, small.tree)
    assert real.returncode == 0, real.stderr
    small.put_away()
    ours = small.below(PYTHON, "-c", program, small.tree)
    assert ours.out == real.stdout, ours.err


def test_functions_of_libc_say_the_same(small):
    probe = pathlib.Path(small.stage.elsewhere("exec")) / "probe"
    source = pathlib.Path(__file__).resolve().parent / "run_probe.c"
    subprocess.run(["cc", "-o", probe, source], check=True)
    real = small.real(probe, small.tree)
    assert real.returncode == 0, real.stderr
    small.put_away()
    ours = small.below(probe, small.tree)
    assert sorted(ours.out.splitlines()) == sorted(real.stdout.splitlines()), ours.err


def test_with_links_texts_nothing_is_missing(stage):
    (stage.tree / "directory" / "deep").mkdir(parents=True)
    (stage.tree / "directory" / "file").write_bytes(b"1")
    (stage.tree / "to directory").symlink_to("directory")
    (stage.tree / "directory" / "up").symlink_to("../directory/file")
    (stage.tree / "loop").symlink_to("loop")
    (stage.tree / "nowhere").symlink_to("nothing")
    columns = "type,inode,device,size,blocks,mode,nlink,uid,gid,rdev,atime,mtime,ctime,btime,target"
    scanned = Scanned(stage, os.fsencode(stage.tree), "--columns", columns)
    walk = "import os, sys\nfor one in os.walk(sys.argv[1], followlinks=True): print(one[0], sorted(one[1]), sorted(one[2]))"
    commands = (["ls", "-lR", scanned.tree], ["ls", "-lRL", scanned.tree], ["find", "-L", scanned.tree, "-printf", "%p %l %i\\n"],
                [PYTHON, "-c", walk, scanned.tree], ["readlink", "-f", scanned.tree + b"/to directory/up"])
    real = [scanned.real(*command) for command in commands]
    scanned.put_away()
    for command, expected in zip(commands, real):
        ours = scanned.below(*command)
        assert (ours.code, sorted(ours.out.splitlines()), ours.err) == (
            expected.returncode, sorted(expected.stdout.splitlines()), expected.stderr.decode()), command


def test_what_was_not_fetched_is_told(stage):
    """Zeros look like facts; and where every inode is zero, find takes each directory for a loop."""
    (stage.tree / "directory").mkdir()
    few = Scanned(stage, os.fsencode(stage.tree), "--columns", "type,inode,size")
    listed = few.below("find", few.tree)
    assert listed.code == 0 and sorted(listed.out.splitlines()) == [few.tree, few.tree + b"/directory"]
    assert len(listed.err.splitlines()) == 1 and "did not fetch device, blocks, mode," in listed.err
    without = Scanned(stage, os.fsencode(stage.tree), "--columns", "type,size")
    refused = without.below("find", without.tree)
    assert refused.code == 126 and "did not fetch 'inode'" in refused.err and len(refused.err.splitlines()) == 1


def test_the_tree_is_read_only(small):
    small.put_away()
    attempts = ["mkdir new", "rmdir empty", "rm hard", "mv hard moved", "ln hard another-name", "ln -s x link", "touch empty", "touch new",
                "chmod 777 hard", "truncate -s 0 hard", "echo > hard", "echo > new", "mkfifo pipe", "mktemp ./XXXXXX",
                "cp /etc/passwd below"]
    for attempt in attempts:
        result = small.below("bash", "-c", f"cd '{os.fsdecode(small.tree)}' && {attempt}")
        assert result.code != 0 and "Read-only file system" in result.err, f"{attempt}: {result}"
    assert sorted(os.listdir(small.tree)) == [b"another", b"decoy"]


def test_sockets_are_not_made_and_nobody_listens(small):
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(os.fsencode(small.stage.base) + b"/outside")
    bound.listen()
    program = """
import errno, os, socket, sys
tree = sys.argv[1]
def told(call, path):
    try:
        getattr(socket.socket(socket.AF_UNIX), call)(path)
        return "fine"
    except OSError as refused:
        return errno.errorcode[refused.errno]
print(told("bind", tree + "/new"), told("bind", tree + "/hard"), told("bind", tree + "/no/where"), told("bind", tree + "/hard/new"))
print(told("connect", tree + "/hard"), told("connect", tree + "/nothing"), told("connect", tree + "/../outside"))
os.chdir(tree)
print(told("bind", "new"), told("connect", "below/file"), told("connect", "../outside"), told("bind", "../beside"), told("bind", "\\0abstract"))
"""
    small.put_away()
    said = small.below(PYTHON, "-c", program, small.tree)
    assert said.out.split() == [b"EROFS", b"EADDRINUSE", b"EROFS", b"ENOTDIR", b"ECONNREFUSED", b"ENOENT", b"fine",
                                b"EROFS", b"ECONNREFUSED", b"fine", b"fine", b"fine"], said
    assert sorted(os.listdir(small.tree)) == [b"another", b"decoy"] and (small.stage.base / "beside").is_socket()


def test_the_programs_own_descriptors_are_where_they_are_without(small):
    tree = os.fsdecode(small.tree)
    script = f"exec 3<{tree}/below/file; cat <&3; cat <&4; {PYTHON} -c 'import os; print(os.dup(0))'; exec 3</etc/passwd; ls {tree}/below"
    small.put_away()
    said = small.below("bash", "-c", script)
    assert said.out.splitlines() == [b"3", b"deep", b"file"], said


def test_a_link_that_must_be_a_directory_is_none(stage):
    (stage.tree / "directory").mkdir()
    (stage.tree / "link").symlink_to("directory")
    scanned = Scanned(stage, os.fsencode(stage.tree))
    program = """
import errno, os, sys
for flags in (os.O_NOFOLLOW, os.O_NOFOLLOW | os.O_DIRECTORY, os.O_NOFOLLOW | os.O_WRONLY, os.O_NOFOLLOW | os.O_PATH | os.O_DIRECTORY):
    try:
        print(os.open(sys.argv[1] + "/link", os.O_RDONLY | flags))
    except OSError as refused:
        print(errno.errorcode[refused.errno])
"""
    real = scanned.real(PYTHON, "-c", program, scanned.tree)
    scanned.put_away()
    assert scanned.below(PYTHON, "-c", program, scanned.tree).out == real.stdout and b"ENOTDIR" in real.stdout


def test_contents_are_refused_or_real(small):
    file = small.tree + b"/below/file"
    refused = small.below("cat", file)
    assert (refused.code, refused.out) == (1, b"") and "No data available" in refused.err
    real = small.below("cat", file, options=["--contents", "real"])
    assert (real.code, real.out) == (0, b"contents")
    written = small.below("bash", "-c", "echo x >> " + os.fsdecode(file), options=["--contents", "real"])
    assert written.code != 0 and "Read-only file system" in written.err
    assert os.path.getsize(file) == 8


def test_links_are_followed_when_contents_are_real(stage):
    (stage.tree / "directory").mkdir()
    (stage.tree / "directory" / "file").write_bytes(b"1")
    (stage.tree / "inside").symlink_to("directory")
    (stage.tree / "outside").symlink_to("/etc")
    (stage.tree / "loop").symlink_to("loop")
    (stage.tree / "nowhere").symlink_to("nothing")
    scanned = Scanned(stage, os.fsencode(stage.tree))
    for command in (["ls", "-lR", scanned.tree], ["find", "-L", scanned.tree, "-maxdepth", "2", "-name", "file"],
                    ["ls", scanned.tree + b"/inside/."], ["stat", "-L", "-c", "%i", scanned.tree + b"/outside"],
                    ["readlink", "-f", scanned.tree + b"/inside/file"], ["stat", "-L", scanned.tree + b"/loop"],
                    ["ls", scanned.tree + b"/outside/../directory"]):
        real, ours = scanned.real(*command), scanned.below(*command, options=["--contents", "real"])
        assert (ours.code, ours.out, ours.err) == (real.returncode, real.stdout, real.stderr.decode()), command
    blind = scanned.below("readlink", "-v", scanned.tree + b"/inside")
    assert blind.code == 1 and "No data available" in blind.err


def test_what_was_not_entered_is_not_empty(stage):
    (stage.tree / "a" / "b").mkdir(parents=True)
    image = stage.base / "shallow"
    assert stage.scanner("--quiet", "--max-depth", "1", "--save", image, stage.tree).finish().code == 0
    listed = stage.pwalk("run", image, "--", "ls", stage.tree / "a")
    assert listed.code == 2 and "No data available" in listed.err


def test_directories_that_the_scanner_could_not_read(stage):
    for name, mode in (("unreadable", 0o311), ("closed", 0)):
        (stage.tree / name).mkdir()
        (stage.tree / name / "file").write_bytes(b"")
        (stage.tree / name).chmod(mode)
    stage.become_nobody()
    stage.base.chmod(0o777)
    if stage.binaries != BINARIES:
        shutil.copy(BINARIES / "libpwalk_run.so", stage.binaries)
    scanned = Scanned(stage, os.fsencode(stage.tree))
    real = subprocess.run([*stage.as_nobody, "find", scanned.tree], capture_output=True, check=False, env=stage.environment)
    ours = scanned.below("find", scanned.tree)
    assert sorted(ours.out.splitlines()) == sorted(real.stdout.splitlines())
    assert (ours.code, sorted(ours.err.splitlines())) == (real.returncode, sorted(real.stderr.decode().splitlines()))


def test_programs_that_cannot_be_reached_are_refused(small):
    stage = small.stage
    place = pathlib.Path(stage.elsewhere("exec"))
    source = place / "still.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-static", "-o", place / "still", source], check=True)
    (place / "script").write_text(f"#!{place}/still\n")
    (place / "script").chmod(0o755)
    shutil.copy("/bin/ls", place / "privileged")
    (place / "privileged").chmod(0o4755)
    for program, why in (("still", "is statically linked"), ("script", "is statically linked"), ("privileged", "privileges of its own")):
        refused = small.below(place / program)
        assert refused.code == 126 and why in refused.err and len(refused.err.splitlines()) == 1, refused
    child = small.below("sh", "-c", f"{place}/still; echo $?")
    assert child.out == b"126\n" and "is statically linked" in child.err
    missing = small.below("no-such-program")
    assert missing.code == 127 and "no such program" in missing.err


def test_misuse_is_one_line(small):
    stage = small.stage
    for words, code, said in ((["run", small.image], 2, "no COMMAND given"), (["run", small.image, "--"], 2, "no COMMAND given"),
                              (["run", "--contents", "some", small.image, "--", "ls"], 2, "refuse"),
                              (["run", stage.base / "nothing", "--", "ls"], 3, "nothing")):
        result = stage.pwalk(*words)
        assert result.code == code and said in result.err and len(result.err.splitlines()) == 1, result


def test_damage_met_on_the_way_is_told_once(stage):
    for number in range(300):
        (stage.tree / f"directory-{number}").mkdir()
        (stage.tree / f"directory-{number}" / "file").write_bytes(b"")
    scanned = Scanned(stage, os.fsencode(stage.tree))
    whole = bytearray(scanned.image.read_bytes())
    at = whole.index(b"directory-7")
    whole[at] ^= 1
    scanned.image.write_bytes(whole)
    listed = scanned.below("ls", "-lR", scanned.tree)
    assert listed.code != 0 and "Input/output error" in listed.err
    assert listed.err.count(f"pwalk run: image '{scanned.image}' at offset ") == 1, listed.err


def test_a_damaged_image_ends_the_program_with_a_line(small):
    small.image.write_bytes(b"no image")
    result = small.stage.start("pwalk", "run", small.image, "--", "ls", small.tree).finish()
    assert result.code == 3 and len(result.err.splitlines()) == 1, result
