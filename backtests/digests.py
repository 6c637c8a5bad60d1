"""Digests of what was written, so that damage is noticed and never used.

A folder has a manifest `SHA256SUMS`, which `sha256sum -c` reads too: a line with the SHA-256 of every file. What is
written over and over, in a cache or a journal, carries its digest itself.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .atomic import write_whole

MANIFEST = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\\\n]+)")
_TABLES = {".parquet", ".csv", ".json"}  # endings of the files that a folder is read by
_MAGIC = b"rollcast 2\n"


def say(line: str) -> None:
    """Says what was found damaged and is made again, by the logger `rollcast`: a line on standard error."""
    logging.getLogger("rollcast").warning(line)


def signed(body: bytes, name: str) -> bytes:
    """The content of a file that holds `body` and its digest; `name` is what it is the entry of."""
    return _MAGIC + _sha256(name.encode() + b"\0" + body).digest() + body


def body_of(content: bytes, name: str) -> bytes | None:
    """What `signed` was given; None where the content is damaged, or that of another entry."""
    digest, body = content[len(_MAGIC) : len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    whole = content.startswith(_MAGIC) and _sha256(name.encode() + b"\0" + body).digest() == digest
    return body if whole else None


def seal(folder: Path, names: Iterable[str]) -> None:
    """Adds files of a folder to its manifest, over what it says of files of these names."""
    names = set(names)
    kept = [(digest, name) for digest, name in _read(folder) or () if name not in names]
    _write(folder, [*kept, *((_digest(folder / name), name) for name in names)])


def replace_sealed(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes files of a folder and their lines in its manifest, which holds whenever this is interrupted.

    Meanwhile it has two lines for such a file, of the old and of the new content.
    """
    lines = _read(folder)
    if lines is not None:
        _write(folder, [*lines, *((_sha256(content).hexdigest(), name) for name, content in contents.items())])
    for name, content in contents.items():
        write_whole(folder / name, content)
    if lines is not None:
        seal(folder, contents)


def check(folder: Path) -> bool:
    """Whether a folder has a manifest, whose files are then all as they were written, and no others to be read by.

    A page is read by nothing, so that damage to one is only said.

    Raises ValueError, with the file, for one that is damaged, missing, added or a link; OSError for an unreadable one.
    """
    tables = sorted(path for path in folder.iterdir() if path.suffix in _TABLES or path.name == MANIFEST)
    for path in tables:
        if path.is_symlink():
            raise ValueError(f"{path} is a link, and nothing outside the folder is read through it; put the file there")
    lines = _read(folder)
    if lines is None:
        return False
    names = {name for _, name in lines}
    for path in (folder / name for name in sorted(names)):
        there = path.is_file()
        if there and (_digest(path), path.name) in lines:
            continue
        fault = f"is not what was written, as {MANIFEST} has it" if there else f"is gone, and {MANIFEST} has it"
        if path.suffix != ".html":
            raise ValueError(f"{path} {fault}. {_ADVICE}")
        say(f"{path} {fault}; `rollcast report {folder}` writes it again")
    for path in tables:
        if path.name not in names and path.name != MANIFEST and not path.name.startswith("."):
            raise ValueError(f"{path} was not written with the others: it is not in {MANIFEST}. Move it away")
    return True


_ADVICE = "Take it from a copy, or make the run again"


def _read(folder: Path) -> list[tuple[str, str]] | None:
    """The lines of the manifest, digest and name; None where there is none. Raises ValueError for a damaged one."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    text = path.read_bytes().decode("utf-8", errors="replace")
    lines = [_LINE.fullmatch(line) for line in text.removesuffix("\n").split("\n")]
    if not text.endswith("\n") or not all(lines):
        raise ValueError(f"{path} is damaged. {_ADVICE}")
    return [(line[1], line[2]) for line in lines if line]


def _write(folder: Path, lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{digest}  {name}\n" for digest, name in sorted(lines, key=lambda line: line[1]))
    write_whole(folder / MANIFEST, text.encode())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_sha256 = hashlib.sha256
