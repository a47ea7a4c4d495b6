"""Runs a command in a sandbox that refuses system calls, or with little memory to lock, few descriptors or few threads.

    sandbox.py [--refuse CALL=ERROR ...] [--memlock BYTES] [--open-files N] [--processes N] COMMAND...

CALL is one of NUMBERS below, ERROR an errno such as EPERM (old container run-times) or ENOSYS (old kernels). seccomp, as
containers use it: it cannot be taken off again, and every child inherits it.
"""

import argparse
import ctypes
import errno
import os
import resource
import struct
import sys

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
NUMBERS = {
    "x86_64": {"statx": 332, "getdents64": 217, "openat2": 437, "io_uring_setup": 425, "sched_setaffinity": 203},
    "aarch64": {"statx": 291, "getdents64": 61, "openat2": 437, "io_uring_setup": 425, "sched_setaffinity": 122},
}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # in struct seccomp_data


def reason_missing() -> str | None:
    """Why no sandbox can be made here, or None if it can."""
    machine = os.uname().machine
    return None if machine in NUMBERS else f"the numbers of system calls on {machine} are not known to this test"


def instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def filter_program(refused: dict[str, int]) -> bytes:
    """struct sock_filter[]: errno for the calls named, everything else as ever."""
    machine = os.uname().machine
    code = [instruction(LOAD_WORD, ARCHITECTURE_AT), instruction(JUMP_IF_EQUAL, AUDIT_ARCHITECTURE[machine], 1),
            instruction(RETURN, RET_ALLOW), instruction(LOAD_WORD, NUMBER_AT)]
    for call, error in refused.items():
        code += [instruction(JUMP_IF_EQUAL, NUMBERS[machine][call], 0, 1), instruction(RETURN, RET_ERRNO | error)]
    return b"".join([*code, instruction(RETURN, RET_ALLOW)])


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def refuse(refused: dict[str, int]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    code = filter_program(refused)
    program = Program(len(code) // 8, code)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*words):
            sys.exit(f"sandbox.py: prctl: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--memlock", type=int)
    parser.add_argument("--open-files", type=int)
    parser.add_argument("--processes", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    for which, limit in ((resource.RLIMIT_MEMLOCK, asked.memlock), (resource.RLIMIT_NOFILE, asked.open_files),
                         (resource.RLIMIT_NPROC, asked.processes)):
        if limit is not None:
            resource.setrlimit(which, (limit, limit))
    # Before the filter: afterwards this program too is without those calls.
    refused = {call: getattr(errno, error) for call, error in (pair.split("=") for pair in asked.refuse)}
    if refused:
        refuse(refused)
    os.execvp(asked.command[0], asked.command)


if __name__ == "__main__":
    main()
