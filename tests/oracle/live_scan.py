"""Runs one scan with three consumers attached together and hands back what each of them saw.

Two consumers are Python programs that live for the whole run (this module starts them), the third is
`pwalk tail --format csv`.
"""

import csv
import io
import multiprocessing
import os
import pathlib
import subprocess
import tempfile
from typing import NamedTuple

from find_rows import FIELDS

PATIENCE = 120  # seconds after which anything is called hung
CSV_FIELDS = ("path", "type", "inode", "device", "mode", "nlink", "uid", "gid", "size", "blocks", "atime", "mtime",
              "ctime", "btime", "flags")
csv.field_size_limit(2**24)


class View(NamedTuple):
    """What one consumer saw: rows in the order of `fields`."""
    consumer: str
    fields: tuple[str, ...]
    rows: list[tuple]
    complete: bool
    content_hash: int | None


def rows_of_batch(batch) -> list[tuple]:
    columns = []
    for field in FIELDS:
        if field == "path":
            columns.append(batch.paths())
            continue
        values = batch[field].tolist()
        if field == "type":
            values = [chr(value) for value in values]
        valid = batch.valid(field)
        if valid is not None:
            values = [value if known else None for value, known in zip(values, valid.tolist())]
        columns.append(values)
    return list(zip(*columns))


def serve(pipe) -> None:
    """A Python consumer: attaches to each scan it is told of, until told None."""
    import pwalk  # after the fork: each consumer is a program of its own
    while (name := pipe.recv()) is not None:
        try:
            rows: list[tuple] = []
            with pwalk.attach(name, timeout=PATIENCE, verify=True) as consumer:
                for batch in consumer:
                    rows += rows_of_batch(batch)
                pipe.send((rows, bool(consumer.complete), consumer.stats.content_hash))
        except Exception as error:  # told to the parent, which stops
            pipe.send(error)


class PythonConsumer:
    def __init__(self, label: str):
        self.label = label
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()

    def begin(self, scan: str) -> None:
        self.pipe.send(scan)

    def end(self) -> View:
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"{self.label} hangs")
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        rows, complete, content_hash = answer
        return View(self.label, FIELDS, rows, complete, content_hash)

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()


def number(text: str, base: int = 10) -> int | None:
    return int(text, base) if text else None


def rows_of_csv(data: bytes) -> list[tuple]:
    """Raw bytes through Latin-1, which is one to one."""
    lines = csv.reader(io.StringIO(data.decode("latin-1"), newline=""), strict=True)
    at = {name: index for index, name in enumerate(next(lines))}
    assert set(CSV_FIELDS) < set(at), sorted(at)
    readers = [(at[field], (lambda text: text.encode("latin-1")) if field == "path" else
                str if field == "type" else (lambda text: number(text, 8)) if field == "mode" else number)
               for field in CSV_FIELDS]
    return [tuple(read(line[index]) for index, read in readers) for line in lines]


class LiveScan:
    """Scans with three consumers. `binaries` is the directory with pwalk-scanner and pwalk."""

    def __init__(self, binaries: pathlib.Path):
        self.binaries = binaries
        self.runtime = tempfile.TemporaryDirectory(prefix="pwalk-oracle-", dir="/dev/shm")
        os.environ["PWALK_RUNTIME_DIR"] = self.runtime.name
        self.pythons = [PythonConsumer("python 1"), PythonConsumer("python 2")]
        self.scans = 0

    def close(self) -> None:
        for consumer in self.pythons:
            consumer.stop()
        self.runtime.cleanup()

    def start(self, program: str, *arguments) -> subprocess.Popen:
        return subprocess.Popen([self.binaries / program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, roots: list[bytes], options: list[str]) -> list[View]:
        """Raises if the scanner does not end with 0 or a consumer fails."""
        self.scans += 1
        name = f"oracle-{self.scans}"
        for consumer in self.pythons:
            consumer.begin(name)
        tail = self.start("pwalk", "tail", name, "--format", "csv", "--timeout", str(PATIENCE))
        scanner = self.start("pwalk-scanner", "--name", name, "--consumers", "3", "--attach-timeout", str(PATIENCE),
                             "--no-ignore-snapshots", "--quiet", *options, "--", *roots)
        try:
            printed, told = tail.communicate(timeout=PATIENCE)
            _, complaint = scanner.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            for process in (tail, scanner):
                process.kill()
            raise
        if scanner.returncode != 0 or tail.returncode != 0:
            raise RuntimeError(f"pwalk-scanner ended with {scanner.returncode}: {complaint!r}; "
                               f"pwalk tail with {tail.returncode}: {told!r}")
        return [consumer.end() for consumer in self.pythons] + [
            View("pwalk tail", CSV_FIELDS, rows_of_csv(printed), True, None)]
