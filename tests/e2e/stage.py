"""A place to run the programs in: a runtime directory and trees of its own, and every process ended and every file
removed afterwards, whatever happened."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
BINARIES = pathlib.Path(os.environ.get("PWALK_BUILD_DIR", HERE.parents[1] / "build" / "release")) / "bin"
SANITIZER = os.environ.get("PWALK_SANITIZE", "")
CAUGHT = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
WAITS = {"7", "230", "232", "271", "281"}  # poll, clock_nanosleep, epoll_wait, ppoll, epoll_pwait of x86-64
PATIENCE = 60  # seconds after which anything is called hung
UNHURRIED = ("--max-ops-per-second", "20000")  # for a walk whose reader is to be stopped before it is through
NOBODY = 65534


class Result(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[bytes]:
        return self.out.splitlines()


class Program:
    """A running program whose output is collected as it comes, so that it never blocks on us unasked."""

    def __init__(self, arguments, **options):
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True, **options)
        self._out, self._err = bytearray(), bytearray()
        self._readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self._out), (self.process.stderr, self._err))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _collect(pipe, into: bytearray) -> None:
        while chunk := pipe.read1(1 << 16):
            into += chunk

    @property
    def err(self) -> str:
        return self._err.decode(errors="surrogateescape")

    @property
    def out(self) -> bytes:
        return bytes(self._out)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        deliver(self.process.pid, number)

    def says(self, text: str, patience: float = PATIENCE) -> bool:
        """Waits until stderr contains `text`."""
        return wait_for(lambda: text in self.err, patience)

    def finish(self, patience: float = PATIENCE) -> Result:
        code = self.process.wait(patience)
        for reader in self._readers:
            reader.join(PATIENCE)
        return Result(code, self.out, self.err)

    def destroy(self) -> None:
        if self.running:
            self.signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE)


def wait_for(condition, patience: float = PATIENCE) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def deliver(pid: int, number: int) -> None:
    """Sends a signal. ThreadSanitizer keeps one that comes while the program runs for later, and that of GCC 12
    then loses it now and then on a busy machine; one that ends a wait it hands on at once."""
    kept = SANITIZER == "thread" and number in CAUGHT
    if kept:
        wait_for(lambda: stops_in_a_wait(pid))
    os.kill(pid, number)
    if kept:
        os.kill(pid, signal.SIGCONT)


def stops_in_a_wait(pid: int) -> bool:
    """Stops a process; one that does not wait for events goes on."""
    os.kill(pid, signal.SIGSTOP)
    task = pathlib.Path(f"/proc/{pid}/task/{pid}")
    wait_for(lambda: (task / "stat").read_text().rpartition(")")[2].split()[0] in "TZ")
    if (task / "syscall").read_text().split()[0] in WAITS:
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def place_for(entries: int) -> str:
    """Memory if it has the inodes, else the disk."""
    places = ("/dev/shm", tempfile.gettempdir())
    return next((place for place in places if os.statvfs(place).f_favail > 2 * entries), places[-1])


class Stage:
    def __init__(self, entries: int = 100_000):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="pwt.", dir=place_for(entries)))
        self.base.chmod(0o755)
        self.runtime = self.base / "run"
        self.runtime.mkdir(mode=0o700)
        self.tree = self.base / "tree"
        self.tree.mkdir()
        self.environment = dict(os.environ, PWALK_RUNTIME_DIR=str(self.runtime), LC_ALL="C")
        self.as_nobody: list[str] = []
        self.binaries = BINARIES
        self._elsewhere: list[str] = []
        self._programs: list[Program] = []

    def become_nobody(self) -> None:
        """From here on programs run as an ordinary user; copies of them, if he cannot reach ours."""
        if os.geteuid() != 0:
            return
        if not all(parent.stat().st_mode & 0o001 for parent in (BINARIES.resolve() / "x").parents):
            self.binaries = pathlib.Path(self.elsewhere("exec"))
            for program in ("pwalk", "pwalk-scanner"):
                shutil.copy(BINARIES / program, self.binaries)
        self.as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        os.chown(self.runtime, NOBODY, NOBODY)

    def elsewhere(self, mount_option: str) -> str | None:
        """A directory on a disk that is not mounted no`mount_option` ("exec", "suid"), or None."""
        flag = getattr(os, f"ST_NO{mount_option.upper()}")
        for place in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
            if not os.statvfs(place).f_flag & flag:
                self._elsewhere.append(tempfile.mkdtemp(prefix="pwt.", dir=place))
                os.chmod(self._elsewhere[-1], 0o755)
                return self._elsewhere[-1]
        return None

    def start(self, program: str, *arguments, through=(), **options) -> Program:
        """`through`: a command that the program's is appended to."""
        options.setdefault("env", self.environment)
        words = [*map(str, through), *self.as_nobody, str(self.binaries / program), *map(os.fsencode, map(str_or_bytes, arguments))]
        started = Program(words, **options)
        self._programs.append(started)
        return started

    def scanner(self, *arguments, **options) -> Program:
        return self.start("pwalk-scanner", *arguments, **options)

    def tail(self, *arguments, **options) -> Program:
        return self.start("pwalk", "tail", *arguments, **options)

    def shell(self, script: str) -> Program:
        """A bash script in which $PWALK is the program."""
        environment = dict(self.environment, PWALK=str(BINARIES / "pwalk"))
        started = Program(["bash", "-o", "pipefail", "-c", script], env=environment)
        self._programs.append(started)
        return started

    def pwalk(self, *arguments, **options) -> Result:
        return self.start("pwalk", *arguments, **options).finish()

    def scan(self, *roots, tail=(), options=()) -> tuple[Result, Result]:
        """One scan with one `pwalk tail` attached from the start; both results."""
        scanner = self.scanner("--name", "stage", "--consumers", "1", "--attach-timeout", "30",
                               "--ring-size", "16M", *options, *roots)
        reader = self.tail("stage", "--timeout", "30", *tail)
        return scanner.finish(), reader.finish()

    def leftovers(self) -> list[str]:
        return os.listdir(self.runtime)

    def close(self) -> None:
        for program in self._programs:
            program.destroy()
        subprocess.run(["chmod", "-R", "u+rwx", self.base], check=False, capture_output=True)
        # rm, since shutil.rmtree recurses and some trees are deeper than Python's stack.
        subprocess.run(["rm", "-rf", "--", self.base, *self._elsewhere], check=True)


def str_or_bytes(word):
    return word if isinstance(word, (str, bytes)) else str(word)


def make_files(directory: pathlib.Path, count: int, per_directory: int = 1000) -> None:
    """`count` empty files, quickly: mknod(2) makes one without opening it."""
    made = 0
    while made < count:
        below = directory / f"d{made // per_directory:05}"
        below.mkdir()
        at = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
        for number in range(min(per_directory, count - made)):
            os.mknod(f"file-{number:08}", dir_fd=at)
            made += 1
        os.close(at)


def found(*arguments) -> list[bytes]:
    """What GNU find prints, one entry per NUL."""
    printed = subprocess.run(["find", *arguments, "-print0"], capture_output=True, check=False).stdout
    return printed.split(b"\0")[:-1]
