"""The pwalk-scanner that this process starts, ends and answers for."""

from __future__ import annotations

import concurrent.futures
import errno
import functools
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
from typing import Any, Sequence

from pwalk import _core

__all__ = ["ScannerProcess", "find_scanner"]

_PROGRAM = "pwalk-scanner"
_CONTROL = "PWALK_WALK_CONTROL"  # in its environment: the socket over which it is followed
_HERE = pathlib.Path(__file__).resolve().parent
_PLACES = (
    _HERE / "bin" / _PROGRAM,  # a wheel
    _HERE.parents[1] / "bin" / _PROGRAM,  # a build tree: python/pwalk beside bin
)

_logger = logging.getLogger("pwalk")


def find_scanner() -> str:
    """The scanner's program file.

    ``$PWALK_SCANNER`` if set; else the one that came with this package; else the first on ``$PATH``.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    named = os.environ.get("PWALK_SCANNER")
    if named:
        if shutil.which(named) is None:
            raise FileNotFoundError(errno.ENOENT, "PWALK_SCANNER names no program that can be run", named)
        return named
    for place in _PLACES:
        if os.access(place, os.X_OK):
            return str(place)
    found = shutil.which(_PROGRAM)
    if found is None:
        looked = ", ".join(str(place) for place in _PLACES)
        raise FileNotFoundError(
            errno.ENOENT, f"the scanner is neither in {looked} nor on PATH; PWALK_SCANNER may name it", _PROGRAM
        )
    return found


@functools.cache
def _launcher() -> concurrent.futures.ThreadPoolExecutor:
    """One thread that lives as long as the process, and starts all scanners.

    PR_SET_PDEATHSIG fires when the *thread* that forked ends (prctl(2)), so a scanner must not be
    started by one that may end earlier.
    """
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pwalk-launcher")


os.register_at_fork(after_in_child=_launcher.cache_clear)  # a forked child has none of our threads


class ScannerProcess:
    """A running pwalk-scanner; ends with this process at the latest.

    In a forked child every method does nothing: the scanner is the parent's.

    Parameters
    ----------
    arguments : sequence of str or bytes
        Its command line, without the program.
    control : int, optional
        A socket that it inherits and obeys, see tools/scan/walk_link.h.

    Raises
    ------
    OSError
        It cannot be found or started.
    """

    _PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL: what the scanner grants its own consumers

    def __init__(self, arguments: Sequence[str | bytes], control: int | None = None) -> None:
        self._owner = os.getpid()
        self._control = control
        self._ended = False
        # Files and not pipes: nobody has to read them for the scanner to go on.
        self._output = tempfile.TemporaryFile()
        self._complaints = tempfile.TemporaryFile()
        self._process = _launcher().submit(self._start, [find_scanner(), *arguments]).result()

    def _start(self, command: list[str | bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._complaints,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the scanner
            preexec_fn=functools.partial(_core.end_with_parent, self._owner),
            pass_fds=() if self._control is None else (self._control,),
            env=None if self._control is None else {**os.environ, _CONTROL: str(self._control)},
        )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def returncode(self) -> int | None:
        """Its exit status, minus a signal's number if one ended it; None while it runs."""
        return self._process.poll() if os.getpid() == self._owner else None

    def wait(self, timeout: float) -> bool:
        """Waits at most `timeout` seconds for it to end by itself. Whether it has ended."""
        if os.getpid() != self._owner:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Ends it: SIGTERM, and SIGKILL when that did not help. Logs what it had to say."""
        if os.getpid() != self._owner or self._ended:
            return
        self._ended = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                self.wait(self._PATIENCE)
        level = logging.INFO if self._process.returncode == 0 else logging.WARNING
        for line in self.complaints().splitlines():
            _logger.log(level, "%s", line)

    def complaints(self) -> str:
        """What it wrote to stderr."""
        return _content(self._complaints).decode(errors="backslashreplace")

    def summary(self) -> dict[str, Any] | None:
        """The object of ``--json``, or None if it ended without one."""
        text = _content(self._output)
        return dict(json.loads(text)) if text.strip() else None


def _content(file: Any) -> bytes:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0)
