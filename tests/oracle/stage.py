"""Where trees are built: a private mount of the file system asked for, gone with this process."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import NamedTuple

CLONE_NEWNS = 0x20000
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
IMAGE_BYTES = 1 << 30  # sparse; xfs wants 300 MiB, btrfs 110


class Unavailable(Exception):
    """The file system cannot be had here; the message is the reason."""


class Stage(NamedTuple):
    directory: pathlib.Path
    still: bool  # reading a directory never changes its atime


def run(*command) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        raise Unavailable(f"no {command[0]} here") from None
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{command[0]}: {lines[-1]}")


def enter_private_namespace() -> bool:
    """Mounts made from here on are seen by this process and its children only, and end with them."""
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(CLONE_NEWNS) != 0:
        return False
    try:
        run("mount", "--make-rprivate", "/")
    except Unavailable:
        return False
    return True


def prepare(filesystem: str, scratch: pathlib.Path) -> Stage:
    """A directory on `filesystem` ("tmpfs", a key of MAKERS, or an existing directory's path). Raises Unavailable."""
    if filesystem not in ("tmpfs", *MAKERS):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="oracle-", dir=filesystem))
        return Stage(directory, still=False)
    private = enter_private_namespace()
    point = scratch / "stage"
    point.mkdir()
    if filesystem == "tmpfs":
        try:
            if not private:
                raise Unavailable("no private mounts")
            run("mount", "-t", "tmpfs", "-o", "noatime,size=2g", "oracle", point)
            return Stage(point, still=True)
        except Unavailable:
            return Stage(point, still=False)  # scratch lies on /dev/shm, which is tmpfs already
    if not private:
        raise Unavailable("mounting an image needs root and a mount namespace")
    if shutil.which(MAKERS[filesystem][0]) is None:
        raise Unavailable(f"no {MAKERS[filesystem][0]} here")
    image = scratch / "image"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    run(*MAKERS[filesystem], image)
    run("mount", "-o", "loop,noatime", "-t", filesystem, image, point)
    return Stage(point, still=True)
