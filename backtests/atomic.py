"""Files that appear whole or not at all, whatever is interrupted or killed.

They are written under a hidden draft name in the folder where they will stand, and renamed once they are complete. A
rename within a folder is atomic on every file system we support, so a reader sees the old content or the new.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .owner import draft_name

LETTERS = 12  # random ones in the name of a file's draft


@contextmanager
def whole_file(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yields the path of a draft to write; the draft takes the name `path` when the block ends, over an older file.

    An exception in the block removes the draft and leaves the older file. Folders above are created.

    lasting: flushes file and name to the disk, so that they survive a power cut; not needed for what can be made again.

    Raises OSError where the place cannot be written to, or the block wrote no draft.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(draft_name(f"{uuid.uuid4().hex[:LETTERS]}-{path.name}"))
    try:
        yield draft
        if lasting:
            with draft.open("r+b") as file:
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if lasting:
        _flush_names(path.parent)


def write_whole(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Writes a file in one step; arguments and errors as `whole_file` has them."""
    with whole_file(path, lasting=lasting) as draft:
        draft.write_bytes(content)


def _flush_names(folder: Path) -> None:
    """Flushes the names in a folder to the disk, where the system lets a folder be opened; Windows does not."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
