"""Whose a hidden draft is, so that what dead processes left is cleared, and what a living one writes is not.

An owner is a process: where it runs, its id and the time at which it began. A process of another machine, or where the
system does not tell, cannot be asked; what it owns is left until it is OLD.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

DRAFT = ".unfinished-"  # how every draft's name begins, followed by its owner
OLD = 30 * 86_400.0  # seconds since the last change
_OWNED = re.compile(rf"(?:{re.escape(DRAFT)})?([0-9a-f]{{8}})\.(\d+)\.(\d+)-")


def draft_name(name: str) -> str:
    """The hidden name of what this process writes to be called `name`."""
    return f"{DRAFT}{owned_name(name)}"


def owned_name(name: str) -> str:
    """A name that says that this process wrote it."""
    return f"{_place()}.{os.getpid()}.{_began(os.getpid()) or 0}-{name}"


def of_another(path: Path) -> bool:
    """Whether a file has an owner in its name that is not this process, and may be at work."""
    return bool(_OWNED.match(path.name)) and not path.name.startswith(owned_name("")) and _may_live(path)


def clear_dead(folder: Path, depth: int = 2) -> None:
    """Removes the drafts of processes that have ended, in a folder and so many levels below it.

    What cannot be removed, because another process does so at this moment or it is another user's, is left.
    """
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(DRAFT):
                if not _may_live(Path(entry.path)):
                    _remove(Path(entry.path))
            elif depth and entry.is_dir(follow_symlinks=False):
                clear_dead(Path(entry.path), depth - 1)


def _may_live(path: Path) -> bool:
    """Whether the owner of a file may be at work; by its age where it cannot be asked."""
    match = _OWNED.match(path.name)
    if match and match[1] == _place() and match[3] != "0":
        return _began(int(match[2])) == match[3]
    try:
        return time.time() - path.lstat().st_mtime < OLD
    except OSError:
        return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _began(pid: int) -> str | None:
    """When a living process began, in ticks since the system did; None where there is none, or the system is mute."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _place() -> str:
    """Where processes have ids of their own: the machine, and in it the container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
