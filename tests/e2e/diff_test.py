"""`pwalk diff` against what was done to a tree, and against what its listings say.

PWALK_TEST_SEED replays one seed.
"""

import json
import os
import random
import shutil

import pytest

SEED = int(os.environ.get("PWALK_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)


@pytest.fixture
def take(stage):
    """Scans the stage's tree, or another one, into a new image."""
    def scan(name: str, tree=None):
        image = stage.base / name
        assert stage.scanner("--quiet", "--save", image, tree or stage.tree).finish().code == 0
        return image
    return scan


def differences(stage, old, new, code: int) -> list[dict]:
    done = stage.pwalk("diff", "--format", "jsonl", old, new)
    assert (done.code, done.err) == (code, ""), done
    return [json.loads(line) for line in done.lines]


def build(stage) -> None:
    for directory in ("kept", "moving/inner", "gone/deep", "replaced"):
        (stage.tree / directory).mkdir(parents=True)
    for file in ("kept/same", "kept/grows", "kept/mode", "kept/moves", "moving/inner/file", "moving/leaves", "gone/deep/file",
                 "replaced/file", "becomes"):
        (stage.tree / file).write_bytes(file.encode())


def test_every_kind_of_difference(stage, take):
    build(stage)
    old = take("old")
    assert differences(stage, old, old, 0) == []
    tree = stage.tree
    (tree / "kept/grows").write_bytes(b"longer than before")
    (tree / "kept/mode").chmod(0o600)
    (tree / "kept/moves").rename(tree / "moved away")
    (tree / "moving").rename(tree / "kept/there")
    (tree / "kept/there/leaves").rename(tree / "left")
    (tree / "kept/there/inner/new").write_bytes(b"")
    shutil.rmtree(tree / "gone")
    (tree / "becomes").unlink()
    (tree / "becomes").mkdir()
    (tree / "with\nnewline").write_bytes(b"")
    new = take("new")
    found = differences(stage, old, new, 1)
    path = lambda name: str(tree / name)
    kinds = sorted((one["change"], one.get("from", ""), one["path"]) for one in found)
    assert kinds == sorted([
        ("changed", "", path("kept/grows")), ("changed", "", path("kept/mode")),
        ("moved", path("kept/moves"), path("moved away")), ("moved", path("moving"), path("kept/there")),
        ("moved", path("moving/leaves"), path("left")), ("added", "", path("kept/there/inner/new")),
        ("removed", "", path("gone")), ("removed", "", path("gone/deep")), ("removed", "", path("gone/deep/file")),
        ("removed", "", path("becomes")), ("added", "", path("becomes")), ("added", "", path("with\nnewline")),
    ])
    grown = next(one for one in found if one["path"] == path("kept/grows"))
    assert grown["size"] == [10, 18] and grown["mtime"][0] < grown["mtime"][1]
    text = stage.pwalk("diff", old, new)
    assert text.code == 1 and len(text.lines) == len(found)
    assert f"changed {path('kept/mode')}: mode 644 -> 600".encode() in text.out
    assert f"moved {path('moving')} -> {path('kept/there')}\n".encode() in text.out
    assert b"with\\nnewline\n" in text.out


def test_an_atomic_replacement_is_a_change(stage, take):
    build(stage)
    old = take("old")
    (stage.tree / "new").write_bytes(b"new")
    (stage.tree / "new").rename(stage.tree / "kept/same")
    found = differences(stage, old, take("new"), 1)
    assert [(one["change"], one["path"]) for one in found] == [("changed", str(stage.tree / "kept/same"))]
    assert found[0]["inode"][0] != found[0]["inode"][1]


def test_a_copy_is_compared_by_name(stage, take):
    build(stage)
    old = take("old")
    copy = stage.base / "copy"
    shutil.copytree(stage.tree, copy, copy_function=shutil.copy2)
    (copy / "kept/same").unlink()
    (copy / "another").write_bytes(b"")
    found = differences(stage, old, take("new", copy), 1)
    assert [(one["change"], one["path"]) for one in found] == [
        ("removed", str(stage.tree / "kept/same")), ("added", str(copy / "another"))]


def test_random_changes_are_found(stage, take):
    chance = random.Random(SEED)
    directories = [stage.tree]
    for number in range(60):
        directory = chance.choice(directories) / f"d{number}"
        directory.mkdir()
        directories.append(directory)
    files = []
    for number in range(300):
        file = chance.choice(directories) / f"f{number}"
        file.write_bytes(b"x" * chance.randrange(50))
        files.append(file)
    old = take("old")
    chance.shuffle(files)
    removed, moved, changed = set(map(str, files[:40])), {}, set(map(str, files[80:120]))
    for file in files[:40]:
        file.unlink()
    for number, file in enumerate(files[40:80]):
        target = chance.choice(directories) / f"m{number}"
        file.rename(target)
        moved[str(file)] = str(target)
    for file in files[80:120]:
        file.write_bytes(b"y" * (100 + chance.randrange(50)))
    added = set()
    for number in range(40):
        file = chance.choice(directories) / f"a{number}"
        file.write_bytes(b"")
        added.add(str(file))
    found = differences(stage, old, take("new"), 1)
    of = lambda kind: [one for one in found if one["change"] == kind]
    # A new file may be given the inode of a removed one; then it has moved as far as anyone can tell.
    reused = {one["from"]: one["path"] for one in of("moved") if one["from"] not in moved}
    assert {one["from"]: one["path"] for one in of("moved") if one["from"] in moved} == moved, f"PWALK_TEST_SEED={SEED}"
    assert {one["path"] for one in of("changed")} == changed, f"PWALK_TEST_SEED={SEED}"
    assert {one["path"] for one in of("removed")} | set(reused) == removed, f"PWALK_TEST_SEED={SEED}"
    assert {one["path"] for one in of("added")} | set(reused.values()) == added, f"PWALK_TEST_SEED={SEED}"


def test_subtrees_and_misuse(stage, take):
    build(stage)
    image = take("image")
    below = stage.pwalk("diff", f"{image}:{stage.tree}/kept", f"{image}:{stage.tree}/replaced")
    assert below.code == 1 and b"removed " in below.out and b"added " in below.out
    for words, code in (([image], 2), ([image, image, image], 2), ([image, stage.base / "nothing"], 3)):
        done = stage.pwalk("diff", *words)
        assert done.code == code and len(done.err.splitlines()) == 1, done
