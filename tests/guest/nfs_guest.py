"""What the kernel's own NFS client shows: to be run as root in a throw-away machine that has an NFS mount.

    python3 nfs_guest.py BUILD MOUNT

BUILD is a build directory with bin/pwalk-scanner, MOUNT an NFS mount (3 or 4.x) of a tree of some thousand files that
nobody else uses. Drops caches and counts the RPCs of a scan in /proc/self/mountstats: READDIRPLUS has to be kept, that
is, attributes come with the listings, and neither LOOKUP nor GETATTR grows with the number of files. Counts, not times.
Then the eBPF filter, where the kernel has the BPF LSM. Ends with 0 when all holds. Not part of CI: see tests/README.md.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

failures = []


def check(holds: bool, what: str) -> None:
    print(f"{'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        failures.append(what)


def rpc_counts(mount: str) -> dict[str, int]:
    """Requests sent so far for a mount, by operation."""
    counts: dict[str, int] = {}
    inside = False
    for line in open("/proc/self/mountstats"):
        words = line.split()
        if line.startswith("device "):
            inside = len(words) > 4 and words[4] == mount
        elif inside and len(words) > 2 and words[0].endswith(":") and words[0][:-1].isupper():
            counts[words[0][:-1]] = int(words[1])
    return counts


def drop_caches() -> None:
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def scan(build: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([build / "bin/pwalk-scanner", "--quiet", *arguments], capture_output=True, text=True, timeout=250)


def check_profile(build: pathlib.Path, mount: str) -> None:
    explained = scan(build, "--explain", mount).stdout
    line = next((line for line in explained.splitlines() if line.startswith("root ")), "")
    check("profile nfs, coherence lazy" in line, f"profile: {' '.join(line.split())}")


def check_magic(build: pathlib.Path, mount: str) -> None:
    """In a chroot without /proc mountinfo says nothing, and f_type has to."""
    kind = subprocess.run(["stat", "-f", "-c", "%t", mount], capture_output=True, text=True).stdout.strip()
    check(kind == "6969", f"f_type is NFS's: 0x{kind}")


def check_requests(build: pathlib.Path, mount: str) -> None:
    drop_caches()
    before = rpc_counts(mount)
    done = scan(build, "--json", "--ring-size", "8M", mount)
    after = rpc_counts(mount)
    sent = {operation: after[operation] - before.get(operation, 0) for operation in after if after[operation] != before.get(operation, 0)}
    summary = json.loads(done.stdout)
    files, directories = summary["files"], summary["directories"]
    print(f"     {files} files in {directories} directories: " + ", ".join(f"{count} {name}" for name, count in sent.items()))
    check(done.returncode == 0 and summary["complete"] and files > 1000, "the scan is complete")
    check(summary["per_root"][0]["profile"] == "nfs", "per_root has the profile")
    listings = sent.get("READDIRPLUS", 0) if "READDIRPLUS" in after else sent.get("READDIR", 0)
    check(0 < listings < files / 10 + 4 * directories, f"listings come in bulk: {listings}")
    if "READDIRPLUS" in after:
        check(sent.get("READDIR", 0) == 0, "READDIRPLUS is kept: no plain READDIR")
    for operation, most in (("LOOKUP", 2 * directories + 20), ("GETATTR", 3 * directories + 40), ("ACCESS", 2 * directories + 20)):
        check(sent.get(operation, 0) <= most, f"{operation} does not grow with the files: {sent.get(operation, 0)} of at most {most}")


def check_filter(build: pathlib.Path) -> None:
    active = pathlib.Path("/sys/kernel/security/lsm")
    subprocess.run(["mount", "-t", "securityfs", "securityfs", "/sys/kernel/security"], capture_output=True)
    if not active.exists() or "bpf" not in active.read_text():
        print("skip the eBPF filter: the BPF LSM is not active here")
        return
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(os.path.join(tree, "refused", "inner"))
        os.makedirs(os.path.join(tree, "entered", "inner"))
        done = scan(build, "--json", "--filter-names", "refused", "--require-filter", tree)
        check(done.returncode == 0, f"--require-filter starts: {done.stderr.strip()}")
        if done.returncode == 0:
            told = json.loads(done.stdout)
            check((told["directories"], told["skipped"]) == (3, 1), "the refused directory is left out and counted")
            check(told["refused_opens"] == 0, "nobody even tried to open it")
        root = scan(build, "--json", "--filter-names", "refused", "--require-filter", os.path.join(tree, "refused"))
        told = json.loads(root.stdout or "{}")
        check(told.get("refused_opens") == 1 and told["errors"] == 1, "a root of that name has a row and is refused by the kernel")


def main() -> None:
    build, mount = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    runtime = tempfile.mkdtemp(prefix="pwalk-guest-", dir="/dev/shm")
    os.environ["PWALK_RUNTIME_DIR"] = runtime
    check_profile(build, mount)
    check_magic(build, mount)
    check_requests(build, mount)
    check_filter(build)
    sys.exit(f"{len(failures)} of the checks failed" if failures else 0)


if __name__ == "__main__":
    main()
