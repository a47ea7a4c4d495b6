"""--share-group: who may attach to another user's scan, and what is trusted of it."""

import grp
import os
import pathlib
import pwd
import signal
import stat

import pytest

from stage import make_files, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

OWNER, MEMBER, STRANGER = "daemon", "bin", "games"
GROUP = "users"


@pytest.fixture
def shared(stage):
    """A scan of OWNER's, shared with GROUP, in the place where other users look for it."""
    owner = pwd.getpwnam(OWNER)
    home = pathlib.Path(f"/dev/shm/pwalk-{owner.pw_uid}")
    make_files(stage.tree, 100)
    environment = {name: value for name, value in stage.environment.items() if name != "PWALK_RUNTIME_DIR"}
    stage.become_nobody()  # copies the programs to where everybody reaches them, if need be
    stage.as_nobody = as_user(OWNER, GROUP)
    scanner = stage.scanner("--name", "together", "--share-group", GROUP, "--linger", "60", stage.tree, env=environment)
    assert scanner.says("walk ended"), scanner.err
    yield stage, environment, home
    scanner.signal(signal.SIGTERM)
    scanner.finish()
    if not os.listdir(home):
        home.rmdir()


def as_user(user: str, *groups: str) -> list[str]:
    entry = pwd.getpwnam(user)
    numbers = ",".join(str(grp.getgrnam(group).gr_gid) for group in groups)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
            *([f"--groups={numbers}"] if groups else ["--clear-groups"])]


def tail(stage, environment, *identity):
    stage.as_nobody = list(identity)
    return stage.tail(f"{OWNER}/together", "--format", "null", env=environment).finish()


def test_members_attach_and_strangers_do_not(shared):
    stage, environment, _ = shared
    stranger = tail(stage, environment, *as_user(STRANGER))
    assert (stranger.code, stranger.out) == (3, b"")
    assert len(stranger.err.splitlines()) == 1
    assert tail(stage, environment, *as_user(MEMBER, GROUP)).out.count(b"\0") == 102


def test_root_reads_anybodys(shared):
    stage, environment, _ = shared
    assert tail(stage, environment).out.count(b"\0") == 102


def test_modes_let_members_through_and_nobody_read(shared):
    _, _, home = shared
    group = grp.getgrnam(GROUP).gr_gid
    facts = [(stat.S_IMODE(place.stat().st_mode), place.stat().st_gid)
             for place in (home / "together", home / "together" / "sock")]
    assert facts == [(0o710, group), (0o660, group)]
    assert stat.S_IMODE(home.stat().st_mode) == 0o711


def test_without_sharing_nobody_else_gets_in(stage):
    make_files(stage.tree, 10)
    result = stage.scanner("--share-group", "no-such-group", stage.tree).finish()
    assert (result.code, result.err) == (2, "pwalk-scanner: --share-group: no group 'no-such-group'\n")
    stage.scanner("--name", "mine", stage.tree)
    assert wait_for(lambda: (stage.runtime / "mine").exists())
    assert stat.S_IMODE((stage.runtime / "mine").stat().st_mode) == 0o700
    assert stat.S_IMODE((stage.runtime / "mine" / "sock").stat().st_mode) == 0o600
