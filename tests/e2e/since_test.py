"""`pwalk-scanner --since`: what is streamed is the difference of two whole scans, row by row, and the new image is that of
a whole scan; with --trust-mtime as well, and without reading what has not changed.

PWALK_TEST_SEED replays one seed; PWALK_TEST_TREES says how many trees are tried.
"""

import base64
import json
import os
import pathlib
import random
import shutil
import signal
import time

import pytest

from stage import wait_for

SEED = int(os.environ.get("PWALK_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
TREES = int(os.environ.get("PWALK_TEST_TREES", "12"))
VANISHED, LAZY = 4, 1
COARSE = 2.2  # seconds after which a directory's times are believed
NOT_COMPARED = {"path", "atime", "mount_id", "depth", "device"}


def key(row: dict) -> bytes:
    return base64.b64decode(row["path_base64"]) if "path_base64" in row else row["path"].encode()


def facts(row: dict, but=NOT_COMPARED) -> dict:
    kept = {name: value for name, value in row.items() if name not in but and name != "path_base64"}
    kept["flags"] &= ~LAZY
    return kept


class Rescans:
    """Scans of a stage's tree, and what their images and streams have."""

    def __init__(self, stage):
        self.stage, self.number = stage, 0

    def whole(self, *options) -> pathlib.Path:
        image = self.fresh_name()
        assert self.stage.scanner("--quiet", "--save", image, *options, self.stage.tree).finish().code in (0, 1)
        return image

    def fresh_name(self) -> pathlib.Path:
        self.number += 1
        return self.stage.base / f"image-{self.number}"

    def rows(self, image, but_vanished=True) -> dict:
        done = self.stage.pwalk("tail", image, "--format", "jsonl")
        rows = [json.loads(line) for line in done.lines]
        return {key(row): row for row in rows if "record" not in row and not (but_vanished and row["flags"] & VANISHED)}

    def since(self, old, *options, roots=None, code=0):
        """The new image, the streamed objects, the summary, and what was said."""
        new = self.fresh_name()
        scanner = self.stage.scanner("--name", "since", "--since", old, "--save", new, "--json", "--consumers", "1",
                                     "--attach-timeout", "30", *options, *(roots or [self.stage.tree]))
        stream = self.stage.tail("since", "--timeout", "30", "--format", "jsonl").finish()
        done = scanner.finish()
        assert done.code == code, done
        return new, [json.loads(line) for line in stream.lines], json.loads(done.out), done.err


@pytest.fixture
def rescans(stage):
    return Rescans(stage)


def check(rescans, old, new, stream, summary, hidden=frozenset()) -> None:
    """The stream turns the old image's rows into the new one's; the new one is a whole scan's, but for what
    was written in place where that is not looked at."""
    before, after, fresh = rescans.rows(old), rescans.rows(new), rescans.rows(rescans.whole())
    assert {path: facts(row, {"path", "atime"}) for path, row in after.items() if path not in hidden} == \
        {path: facts(row, {"path", "atime"}) for path, row in fresh.items() if path not in hidden}
    told = {}
    for row in stream:
        if "record" in row:
            continue
        assert key(row) not in told, row
        told[key(row)] = row
    added = {path for path in after if path not in before}
    removed = {path for path in before if path not in after}
    changed = {path for path in after if path in before and facts(before[path]) != facts(after[path])}
    assert set(told) == added | removed | changed
    for path, row in told.items():
        assert row["type"] == (before if path in removed else after)[path]["type"]
        if path in removed:
            assert row["flags"] & VANISHED and row["size"] is None and row["error"] == 0
        else:
            assert facts(row, {"path"}) == facts(after[path], {"path"})
    counts = summary["changes"]
    assert (counts["added"], counts["changed"], counts["removed"]) == (len(added), len(changed), len(removed))
    assert counts["unchanged"] == len(after) - len(added) - len(changed)
    assert summary["entries"] == len(after)
    assert rescans.stage.pwalk("diff", new, rescans.whole()).code == (1 if hidden else 0)


class Mutator:
    """A random tree of names of every byte, and what can be done to it."""

    def __init__(self, tree: pathlib.Path, seed: int):
        self.tree, self.chance = os.fsencode(tree), random.Random(seed)

    def name(self) -> bytes:
        letters = bytes(byte for byte in range(1, 256) if byte != ord("/"))
        while (name := bytes(self.chance.choices(letters, k=self.chance.choice([1, 3, 8, 30])))) in (b".", b".."):
            pass
        return name

    def directories(self) -> list[bytes]:
        return [path for path, _, _ in os.walk(self.tree)]

    def files(self) -> list[bytes]:
        return [os.path.join(path, name) for path, _, names in os.walk(self.tree) for name in names]

    def new_path(self) -> bytes:
        while os.path.lexists(path := os.path.join(self.chance.choice(self.directories()), self.name())):
            pass
        return path

    def make(self) -> None:
        kind = self.chance.choice(["file", "file", "directory", "link", "many"])
        path = self.new_path()
        if kind == "directory":
            os.makedirs(os.path.join(path, *(self.name() for _ in range(self.chance.randrange(3)))))
        elif kind == "link":
            os.symlink(self.name(), path)
        elif kind == "many":
            os.mkdir(path)
            for number in range(self.chance.choice([40, 300, 700])):
                os.close(os.open(os.path.join(path, b"%d" % number), os.O_CREAT | os.O_WRONLY))
        else:
            with open(path, "wb") as file:
                file.write(b"x" * self.chance.randrange(100))

    def destroy(self) -> None:
        victim = self.chance.choice(self.directories()[1:] + self.files() or [None])
        if victim is None:
            return
        shutil.rmtree(victim) if os.path.isdir(victim) and not os.path.islink(victim) else os.unlink(victim)
        if self.chance.random() < 0.3:  # something else under its name
            self.chance.choice([lambda: os.mkdir(victim), lambda: os.symlink(b"x", victim), lambda: open(victim, "wb").close()])()

    def move(self) -> None:
        victim = self.chance.choice(self.directories()[1:] + self.files() or [None])
        target = self.new_path()
        if victim is not None and not target.startswith(victim + b"/"):
            os.rename(victim, target)

    def change_a_directory(self) -> None:
        os.chmod(self.chance.choice(self.directories()), self.chance.choice([0o700, 0o755, 0o711]))

    def write_in_place(self) -> bytes | None:
        files = [path for path in self.files() if not os.path.islink(path)]
        if not files:
            return None
        path = self.chance.choice(files)
        with open(path, "ab") as file:
            file.write(b"more")
        return path

    def namespace_changes(self, count: int) -> None:
        for _ in range(count):
            self.chance.choice([self.make, self.make, self.destroy, self.move, self.change_a_directory])()

    def scan_options(self) -> list:
        return ["--batch-size", self.chance.choice([3, 50, 4096]), "--max-threads", self.chance.choice([1, 4]),
                "--ring-size", self.chance.choice(["2M", "16M"])]


@pytest.mark.parametrize("number", range(TREES))
def test_a_stream_of_changes_is_the_difference_of_two_scans(rescans, number):
    mutator = Mutator(rescans.stage.tree, SEED + number)
    mutator.namespace_changes(60)
    old = rescans.whole(*mutator.scan_options())
    for _ in range(3):
        mutator.namespace_changes(mutator.chance.choice([0, 1, 15]))
        for _ in range(mutator.chance.choice([0, 5])):
            mutator.write_in_place()
        new, stream, summary, said = rescans.since(old, *mutator.scan_options())
        check(rescans, old, new, stream, summary)
        old = new


@pytest.mark.parametrize("number", range(max(1, TREES // 3)))
def test_trusted_times_find_every_name_that_came_or_went(rescans, number):
    mutator = Mutator(rescans.stage.tree, SEED + 1000 + number)
    mutator.namespace_changes(60)
    old, not_read = rescans.whole(), 0
    for round in range(4):
        if round % 2 == 0:
            time.sleep(COARSE)  # else many directories are too young to be believed, and are read
            old = rescans.whole()
        mutator.namespace_changes(mutator.chance.choice([0, 1, 5]))
        new, stream, summary, _ = rescans.since(old, "--trust-mtime", *mutator.scan_options())
        check(rescans, old, new, stream, summary)
        not_read += summary["changes"]["directories_not_read"]
        old = new
    assert not_read > 0, f"PWALK_TEST_SEED={SEED}"


def test_what_is_written_in_place_is_missed_with_trusted_times_and_found_without(rescans):
    tree = rescans.stage.tree
    for directory in ("still", "stirred/below", "still/empty"):
        (tree / directory).mkdir(parents=True)
    for file in ("still/file", "stirred/file", "stirred/below/file"):
        (tree / file).write_bytes(b"1")
    time.sleep(COARSE)
    old = rescans.whole()
    for file in ("still/file", "stirred/file"):
        (tree / file).write_bytes(b"longer")
    (tree / "stirred/new").write_bytes(b"")
    new, stream, summary, _ = rescans.since(old, "--trust-mtime")
    paths = lambda rows: {row["path"] for row in rows if "record" not in row}
    assert paths(stream) == {str(tree / name) for name in ("stirred", "stirred/file", "stirred/new")}
    # Read was `stirred`; opened, for the directories in it, the root and `still`.
    assert summary["changes"]["directories_not_read"] == 4
    assert (summary["latency_us"]["open"]["count"], summary["latency_us"]["statx"]["count"]) == (3, 4 + 2)
    check(rescans, old, new, stream, summary, hidden={os.fsencode(tree / "still/file")})
    new, stream, summary, _ = rescans.since(old)
    assert str(tree / "still/file") in paths(stream)
    check(rescans, old, new, stream, summary)


def test_young_directories_are_not_trusted(rescans):
    (rescans.stage.tree / "young").mkdir()
    time.sleep(COARSE)
    (rescans.stage.tree / "young/file").write_bytes(b"")
    old = rescans.whole()
    _, _, summary, _ = rescans.since(old, "--trust-mtime")
    assert summary["changes"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 3, "directories_not_read": 1}


def test_another_root_other_columns_and_an_unfinished_image(rescans):
    stage = rescans.stage
    for number in range(40):
        (stage.tree / f"d{number}").mkdir()
        (stage.tree / f"d{number}/file").write_bytes(b"")
    old = rescans.whole()
    elsewhere = stage.base / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    _, stream, summary, said = rescans.since(old, roots=[elsewhere])
    assert f"'{old}' has nothing of '{elsewhere}', so all of it counts as added" in said
    assert summary["changes"]["added"] == len(stream) - sum("record" in row for row in stream) == 2
    # A part of the old tree, and a tree around it.
    _, stream, summary, _ = rescans.since(old, roots=[stage.tree / "d7"])
    assert (stream, summary["changes"]["unchanged"]) == ([], 2)
    part = stage.base / "part"
    assert stage.scanner("--quiet", "--save", part, stage.tree / "d7").finish().code == 0
    _, stream, summary, _ = rescans.since(part)
    # Its root's row is not one of a directory that it knows.
    assert summary["changes"]["added"] == 81 - 1 and summary["changes"]["unchanged"] == 1

    # Columns that one side lacks are not compared.
    names = rescans.whole("--no-stat")
    (stage.tree / "d7/file").write_bytes(b"written")
    (stage.tree / "d8/another").write_bytes(b"")
    _, stream, summary, _ = rescans.since(names)
    assert {row["path"] for row in stream if "record" not in row} == {str(stage.tree / "d8/another")}
    _, stream, summary, _ = rescans.since(old, "--no-stat")
    assert {row["path"] for row in stream if "record" not in row} == {str(stage.tree / "d8/another")}

    # One that a killed scanner left behind has some of it; the rest counts as added.
    killed = stage.base / "killed"
    scanner = stage.scanner("--quiet", "--save", killed, "--max-ops-per-second", "60", "--max-threads", "1", stage.tree)
    partial = pathlib.Path(f"{killed}.partial")
    assert wait_for(lambda: len(stage.pwalk("find", partial).lines) > 5)
    scanner.signal(signal.SIGKILL)
    scanner.finish()
    before = rescans.rows(partial)
    assert 0 < len(before) < 82
    new, stream, summary, said = rescans.since(partial)
    assert f"the scan of '{partial}' was not complete; what it did not find counts as added" in said
    check(rescans, partial, new, stream, summary)
    time.sleep(COARSE)
    new, stream, summary, said = rescans.since(partial, "--trust-mtime")
    check(rescans, partial, new, stream, summary)


def test_a_root_with_dots_is_the_same_root_again(rescans):
    stage = rescans.stage
    (stage.tree / "x").mkdir()
    (stage.tree / "y").mkdir()
    (stage.tree / "y" / "file").write_bytes(b"1")
    root, old = f"{stage.tree}/x/../y", rescans.fresh_name()
    assert stage.scanner("--quiet", "--save", old, root).finish().code == 0
    assert stage.pwalk("ls", old).lines == [b"file"]
    new, stream, summary, said = rescans.since(old, roots=[root])
    assert stream == [] and summary["changes"]["unchanged"] == 2 and "nothing of" not in said
    assert stage.pwalk("diff", old, new).code == 0
    (stage.tree / "y" / "file").write_bytes(b"22")
    _, stream, summary, _ = rescans.since(new, roots=[root])
    assert [row["path"] for row in stream] == [f"{root}/file"] and summary["changes"]["changed"] == 1


def test_what_cannot_be_read_is_told_and_not_called_gone(rescans):
    stage = rescans.stage
    (stage.tree / "closed/below").mkdir(parents=True)
    (stage.tree / "closed/file").write_bytes(b"")
    stage.become_nobody()
    os.chmod(stage.base, 0o777)
    old = rescans.whole()
    (stage.tree / "closed").chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        new, stream, summary, _ = rescans.since(old, code=1)
    finally:
        (stage.tree / "closed").chmod(0o755)
    # In either order: who opens the directory need not be who met its entry.
    assert {(row["path"], row.get("record"), row["error"]) for row in stream} == {
        (str(stage.tree / "closed"), None, 0), (str(stage.tree / "closed"), "directory", 13)}
    assert len(stream) == 2
    assert summary["errors"] == 1
    assert summary["changes"] == {"added": 0, "changed": 1, "removed": 0, "unchanged": 1, "directories_not_read": 0}


def test_a_damaged_old_image_ends_the_scan_and_replaces_nothing(rescans):
    stage = rescans.stage
    for number in range(400):
        (stage.tree / f"file{number:04}").write_bytes(b"")
    old = rescans.whole()
    # The first batch follows the scan's facts; its bytes are covered by a checksum of their own.
    damaged = stage.base / "damaged"
    content = bytearray(old.read_bytes())
    content[content.index(b"file0")] ^= 1
    damaged.write_bytes(content)
    saved = stage.base / "saved"
    saved.write_bytes(b"what was there")
    for options in ([], ["--trust-mtime"]):
        scanner = stage.scanner("--name", "since", "--since", damaged, "--save", saved, "--consumers", "1", "--json", *options, stage.tree)
        tail = stage.tail("since", "--timeout", "30").finish()
        done = scanner.finish()
        assert (done.code, tail.code) == (3, 3), done
        assert f"image '{damaged}' at offset" in done.err and "checksum" in done.err
        assert json.loads(done.out)["complete"] is False
        assert saved.read_bytes() == b"what was there" and not os.path.exists(f"{saved}.partial")
    for length in (0, 100, 5000, len(content) // 2):
        damaged.write_bytes(content[:length])
        done = stage.scanner("--since", damaged, stage.tree).finish()
        assert done.code in (2, 3) and len(done.err.splitlines()) == 1, done


def test_an_image_may_replace_itself_and_a_kept_one_has_a_name(rescans):
    stage = rescans.stage
    (stage.tree / "file").write_bytes(b"")
    image = stage.base / "image"
    assert stage.scanner("--quiet", "--save", image, stage.tree).finish().code == 0
    (stage.tree / "another").write_bytes(b"")
    done = stage.scanner("--json", "--since", image, "--save", image, stage.tree).finish()
    assert done.code == 0 and json.loads(done.out)["changes"]["added"] == 1
    assert stage.pwalk("find", image, "-name", "another").out == os.fsencode(stage.tree / "another") + b"\n"
    assert stage.scanner("--quiet", "--keep", "--name", "home", stage.tree).finish().code == 0
    done = stage.scanner("--json", "--keep", "--name", "home", "--since", "home", stage.tree).finish()
    assert done.code == 0 and json.loads(done.out)["changes"]["unchanged"] == 3
    # The saved file itself is no difference in what is left out, wherever it lies.
    inside = stage.tree / "inside"
    assert stage.scanner("--quiet", "--save", inside, stage.tree).finish().code == 0
    done = stage.scanner("--json", "--since", inside, "--save", stage.tree / "later", stage.tree).finish()
    assert done.code == 0 and json.loads(done.out)["changes"]["added"] == 1, done


def test_misuse_is_one_line(rescans):
    stage = rescans.stage
    (stage.tree / "below").mkdir()
    old = rescans.whole()
    no_stat = rescans.whole("--no-stat")
    for words, told in [
        (["--since", "nothing"], "--since: no image 'nothing'"),
        (["--since", ""], "--since ''"),
        (["--trust-mtime"], "--trust-mtime needs an older image, --since IMAGE"),
        (["--since", old, "--on-slow", "image", "--save", stage.base / "x"], "allowed are wait, evict"),
        (["--since", old, stage.tree / "below"], "roots that do not overlap"),
        (["--since", old, "--exclude", "x"], "give the same ones"),
        (["--since", old, "--follow-links"], "give the same ones"),
        (["--since", old, "--trust-mtime", "--follow-links"], "--trust-mtime cannot go with --follow-links"),
        (["--since", old, "--trust-mtime", "--coherence", "lazy"], "allowed are normal, force"),
        (["--since", old, "--trust-mtime", "--columns", "type,mtime"], "leaves out inode, device, ctime"),
        (["--since", no_stat, "--trust-mtime"], "which has no inode, device"),
    ]:
        done = stage.scanner(*words, stage.tree).finish()
        assert done.code == 2 and told in done.err and len(done.err.splitlines()) == 1, (words, done)
    assert not os.path.exists(stage.base / "x.partial")
