"""Landlock by its system calls: a process gives up rights (landlock(7), Linux from 5.13 on).

The rights are gone for good, also for every thread and program that is started later. Threads that run already keep
their rights, so this is for a process that has only one.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the numbers of every architecture
VERSION: Final = 1  # flag of CREATE_RULESET: only return the version
PATH_BENEATH: Final = 1
NO_NEW_PRIVILEGES: Final = 38  # of prctl
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # version: how many rights on files it knows
SCOPES: Final = 0b11  # no abstract Unix sockets or signals to other processes; from version 6 on


def version() -> int:
    """The version of Landlock in this kernel; 0 if there is none, or it may not be used."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, VERSION))


def restrict(read: Iterable[Path], execute: Iterable[Path] = (), write: Iterable[Path] = ()) -> None:
    """Let this process read, execute and write these files, and what is in these folders, and nothing else any more.

    Paths that do not exist are ignored. Raises OSError if the kernel refuses.
    """
    supported = version()
    rights = (1 << max(count for since, count in FILE_RIGHTS.items() if since <= max(supported, 1))) - 1
    attributes = struct.pack("=QQQ", rights, 0, SCOPES if supported >= 6 else 0)
    ruleset = _checked(CREATE_RULESET, attributes, 24 if supported >= 6 else 8, 0)
    try:
        for paths, rights_on_paths in (
            (read, READ_FILE | READ_DIR),
            (execute, READ_FILE | EXECUTE),
            (write, READ_FILE | WRITE_FILE),
        ):
            for path in paths:
                _allow(ruleset, path, rights_on_paths)
        if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        _checked(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= ~READ_DIR
        _checked(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes | None) -> int:
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *words))


def _checked(number: int, *arguments: int | bytes | None) -> int:
    result = _call(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
