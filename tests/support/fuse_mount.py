"""Mounts the project's test file systems (tests/support/fuse) and always unmounts them.

    with latency_fs("/usr/share", "--delay-us", "500") as fs:
        subprocess.run([scanner, fs.path]); fs.counts()["lookup"]

The server is told to end with the process that started it, so that a killed
test leaves no mount behind. Nothing here waits without a limit.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("PWALK_BUILD_DIR", pathlib.Path(__file__).parents[2] / "build" / "release"))
SERVER_ANSWERS_WITHIN = 20.0


def reason_missing(program):
    """Why `program` cannot be mounted here, or None if it can."""
    if not (BUILD / "tests" / program).exists():
        return f"{program} was not built (libfuse 3.12 or newer is needed)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    return None


class FuseMount:
    """One mounted file system: a context manager. `path` is where it is to be seen."""

    def __init__(self, program, *arguments):
        self._directory = tempfile.mkdtemp(prefix="pwalk-fuse-")
        self.path = os.path.join(self._directory, "mnt")
        os.mkdir(self.path)
        # The mount point follows a directory to show, and comes before the flags.
        at = next((i for i, word in enumerate(arguments) if str(word).startswith("--")), len(arguments))
        command = [BUILD / "tests" / program, *arguments[:at], self.path, *arguments[at:], "--die-with-parent"]
        self._server = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
        self._pending = b""
        try:
            self.connection = self._next_line()["connection"]
        except BaseException:
            self.close()
            raise

    def counts(self):
        """The requests served so far, by kind, and max_in_flight."""
        self._server.send_signal(signal.SIGUSR1)
        return self._next_line()

    def abort(self):
        """Ends every request the server has not answered (ENOTCONN, ECONNABORTED); the mount stays, dead.

        Through fusectl's `abort` where that may be mounted, else by ending the server, which aborts too."""
        control = tempfile.mkdtemp(prefix="pwalk-fusectl-")
        try:
            if subprocess.run(["mount", "-t", "fusectl", "none", control], capture_output=True).returncode:
                self._end_server()
                return
            try:
                pathlib.Path(control, str(self.connection), "abort").write_text("1")
            finally:
                subprocess.run(["umount", "-l", control], check=True)
        finally:
            os.rmdir(control)

    def close(self):
        self._end_server()
        if os.path.ismount(self.path) or self._is_mounted():
            subprocess.run(["fusermount3", "-u", "-z", self.path], capture_output=True)
        self._server.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _is_mounted(self):
        with open("/proc/self/mountinfo") as mounts:
            return any(line.split()[4] == self.path for line in mounts)

    def _end_server(self):
        self._server.terminate()
        try:
            self._server.wait(SERVER_ANSWERS_WITHIN)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _next_line(self):
        deadline = time.monotonic() + SERVER_ANSWERS_WITHIN
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._server.stdout], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self._server.stdout.fileno(), 4096) if ready else b""
            if not received:
                raise RuntimeError(f"the file system at {self.path} gave no answer")
            self._pending += received
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)


def latency_fs(source, *flags):
    """`source` seen through a server that takes its time; flags as in latency_fs.cc."""
    return FuseMount("pwalk_latency_fs", source, *flags)


def lying_fs(*flags):
    """A synthetic tree that lies as told; flags as in lying_fs.cc."""
    return FuseMount("pwalk_lying_fs", *flags)
