"""Scans with consumers that attach, read, leave in the middle or are killed, for as long as asked; nothing may grow.

    soak.py --binaries build/release/bin [--seconds 60] [--seed N] [--plant-leak]

One scanner stays all the time and is attached to in every round; beside it a scan of its own is made and read to the
end in every round. After each round the descriptors, mappings and resident memory of that scanner and of this process,
and the files in the runtime directory, are looked at. Each figure's least value in the last third of the rounds must
not be above that of the first, but for resident memory, which may by ALLOWED_KIB: an allocator keeps pages for later.
With --plant-leak a consumer more stays attached after every round, and that must be found: it shows what the soak sees.
Needs the Python package on PYTHONPATH.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import pwalk

FILES = 4000
ALLOWED_KIB = 4096
FEWEST_ROUNDS = 15  # else the thirds say nothing
PATIENCE = 60


class Figures(NamedTuple):
    scanner_descriptors: int
    scanner_mappings: int
    scanner_kib: int
    own_descriptors: int
    own_mappings: int
    own_kib: int
    files: int


def figures_of(pid: int | str) -> tuple[int, int, int]:
    """Open descriptors, mappings, and KiB of resident memory of its own, without what is shared."""
    process = pathlib.Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    mappings = len((process / "maps").read_text().splitlines())
    return len(os.listdir(process / "fd")), mappings, int(status["RssAnon"].split()[0])


class Soak:
    def __init__(self, binaries: pathlib.Path, place: pathlib.Path, seed: int):
        self.binaries = binaries
        self.random = random.Random(seed)
        self.tree = place / "tree"
        self.runtime = place / "runtime"
        self.runtime.mkdir(mode=0o700)
        os.environ["PWALK_RUNTIME_DIR"] = str(self.runtime)
        for directory in range(20):
            (self.tree / str(directory)).mkdir(parents=True)
            for file in range(FILES // 20):
                (self.tree / str(directory) / f"file{file}").touch()
        self.rows = FILES + 20 + 1
        self.kept: list[pwalk.Consumer] = []
        self.resident = self.scan("resident", "--linger", "1000000")

    def scan(self, name: str, *options: str) -> subprocess.Popen:
        return subprocess.Popen([self.binaries / "pwalk-scanner", self.tree, "--name", name, "--ring-size", "4M", "--quiet", *options],
                                stderr=subprocess.PIPE, text=True)

    def look(self) -> Figures:
        return Figures(*figures_of(self.resident.pid), *figures_of("self"), len(list(self.runtime.iterdir())))

    def round(self, visits: int = 3) -> None:
        self.scan_and_read_to_the_end()
        for visit in self.random.sample((self.read_all, self.leave_in_the_middle, self.share, self.be_killed), visits):
            visit()

    def scan_and_read_to_the_end(self) -> None:
        scanner = self.scan("short", "--consumers", "1")
        self.read_all("short")
        said = scanner.communicate(timeout=PATIENCE)[1]
        if scanner.returncode != 0:
            raise SystemExit(f"a scan ended with {scanner.returncode}: {said}")

    def read_all(self, name: str = "resident") -> None:
        with pwalk.attach(name, timeout=PATIENCE) as consumer:
            rows = sum(len(batch) for batch in consumer)
        if rows != self.rows:
            raise SystemExit(f"{rows} rows instead of {self.rows} came from '{name}'")

    def leave_in_the_middle(self) -> None:
        """With a view that outlives the consumer."""
        with pwalk.attach("resident") as consumer:
            types = next(iter(consumer))["type"]
        if not set(types.tobytes()) <= set(b"fd"):
            raise SystemExit("a view changed after its consumer had left")

    def share(self) -> None:
        """As members of a group, whose work all is done in the first round."""
        with pwalk.attach("resident", group="loaders") as one, pwalk.attach("resident", group="loaders") as other:
            for batch in one:
                del batch
            for batch in other:
                del batch

    def be_killed(self) -> None:
        tail = subprocess.Popen([self.binaries / "pwalk", "tail", "resident", "--format", "null"], stdout=subprocess.DEVNULL)
        time.sleep(self.random.random() * 0.02)
        tail.send_signal(signal.SIGKILL)
        tail.wait(PATIENCE)

    def leave_one_attached(self) -> None:
        """What grows by it: descriptors and mappings of both sides."""
        self.kept.append(pwalk.attach("resident"))


def growth(seen: list[Figures]) -> list[str]:
    """What has grown from the first third of the rounds to the last, in words."""
    third = len(seen) // 3
    found = []
    for name in Figures._fields:
        first = min(getattr(figures, name) for figures in seen[:third])
        last = min(getattr(figures, name) for figures in seen[-third:])
        print(f"{name}: {first} at first, {last} at last")
        if last > first + (ALLOWED_KIB if name.endswith("kib") else 0):
            found.append(name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--plant-leak", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"--seed {arguments.seed}")
    place = pathlib.Path(tempfile.mkdtemp(prefix="pwalk-soak-", dir="/dev/shm"))
    soak = None
    try:
        soak = Soak(arguments.binaries.resolve(), place, arguments.seed)
        seen: list[Figures] = []
        soak.round(visits=4)  # what is made once, as a group's memory
        until = time.monotonic() + arguments.seconds
        while time.monotonic() < until or len(seen) < FEWEST_ROUNDS:
            soak.round()
            if arguments.plant_leak:
                soak.leave_one_attached()
            seen.append(soak.look())
        found = growth(seen)
        print(f"{len(seen)} rounds: " + (f"grown: {', '.join(found)}" if found else "nothing has grown"))
        if arguments.plant_leak:
            missed = {name for name in Figures._fields if name.endswith(("descriptors", "mappings"))} - set(found)
            print(f"the planted leak was not seen in {', '.join(sorted(missed))}" if missed else "the planted leak was seen")
            return 1 if missed else 0
        return 1 if found else 0
    finally:
        if soak:
            soak.resident.kill()
            soak.resident.wait(PATIENCE)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
