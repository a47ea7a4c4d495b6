"""A second signal ends a scanner at once, also where its image waits for a device that does not answer."""

import pathlib
import signal
import subprocess

import pytest

from stage import wait_for

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def hung_fsync(tmp_path_factory):
    library = tmp_path_factory.mktemp("library") / "hung_fsync.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "hung_fsync.c"], check=True)
    return library


@pytest.mark.parametrize("rescan", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_an_image_whose_device_hangs_is_left_behind(stage, hung_fsync, kept, rescan):
    (stage.tree / "file").write_bytes(b"")
    old, saved, called = stage.base / "old", stage.base / "saved", stage.base / "called"
    assert stage.scanner("--quiet", "--save", old, stage.tree).finish().code == 0
    saved.write_text("what was there before")
    options = ["--keep"] if kept else ["--save", saved]
    if rescan:
        options += ["--since", old]
    scanner = stage.scanner("--quiet", "--name", "hung", *options, stage.tree,
                            env=dict(stage.environment, LD_PRELOAD=str(hung_fsync), HUNG_FSYNC=str(called)))
    assert wait_for(called.exists), scanner.err
    scanner.signal(signal.SIGINT)
    scanner.signal(signal.SIGTERM)  # another one, since two of a kind may come as one
    done = scanner.finish()
    assert done.code == 1 and "told to end while it was being finished" in done.err, done
    assert saved.read_text() == "what was there before"
    assert not [path for path in stage.base.rglob("*") if path.name.endswith(".partial") or path.name == "hung.img"]
    assert stage.pwalk("scans").code == 0
