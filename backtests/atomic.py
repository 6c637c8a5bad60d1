"""Files and folders that appear whole or not at all, whatever is interrupted or killed.

Both are written under a hidden draft name in the folder where they will stand, and renamed once they are complete. A
rename within a folder is atomic on every file system we support, so a reader sees the old content or the new.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

DRAFT = ".unfinished-"  # how every draft's name begins
LETTERS = 12  # random ones in the name of a file's draft


@contextmanager
def whole_file(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yields the path of a draft to write; the draft takes the name `path` when the block ends, over an older file.

    An exception in the block removes the draft and leaves the older file. Folders above are created.

    lasting: flushes file and name to the disk, so that they survive a power cut; not needed for what can be made again.

    Raises OSError where the place cannot be written to, or the block wrote no draft.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{DRAFT}{uuid.uuid4().hex[:LETTERS]}-{path.name}")
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


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Removes the drafts that killed processes left of the files called `name`, in a folder and below it.

    Only for a caller that holds a lock on these files: otherwise a draft may be one that another process is writing.
    """
    for draft in folder.rglob(f"{DRAFT}{'?' * LETTERS}-{name}"):
        draft.unlink(missing_ok=True)


def _flush_names(folder: Path) -> None:
    """Flushes the names in a folder to the disk, where the system lets a folder be opened; Windows does not."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class RunFolder:
    """A folder `<utc time>-<label>` that appears whole or not at all: filled under a draft name, then renamed.

    It is created when the `with` block is entered, so that a place that cannot be written to is found out before hours
    of training. Where the name is taken, a number is added. Leaving the block without `finish` removes it, and nothing
    is left by an exception, an interrupt included, at any moment.

    path: where its files are written to.   final: its name once it is finished.
    """

    def __init__(self, parent: Path, label: str) -> None:
        self._parent, self._label = parent, label

    def __enter__(self) -> Self:
        """Creates the draft. Raises OSError where its parent cannot be written to."""
        parent, stem = self._parent, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self._label}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1, 1000):
                name = stem if attempt == 1 else f"{stem}-{attempt}"
                self.path, self.final = parent / f"{DRAFT}{name}", parent / name
                if self._reserve():
                    return self
        except OSError as error:
            raise OSError(f"cannot write to {parent}: {error.strerror}. Choose another folder with --out") from None
        raise OSError(f"a thousand runs are called {stem} already; remove some")

    def _reserve(self) -> bool:
        """Creates the draft; False where the name is taken, by a finished folder or by another draft."""
        path = str(self.path)
        try:
            os.mkdir(path)  # one call of C: an interrupt is raised after it, when the folder is there
            if not self.final.exists():
                return True
        except FileExistsError:
            return False
        except BaseException:
            with suppress(OSError):
                os.rmdir(path)
            raise
        os.rmdir(path)  # finished since the draft's name was free
        return False

    def finish(self) -> Path:
        """Renames the folder to its final name, which it returns. Raises OSError where the name was taken meanwhile."""
        self.path = self.path.rename(self.final)
        return self.path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The draft is gone where an interrupt comes between the renaming and the assignment of its new name.
        if self.path != self.final and self.path.exists():
            shutil.rmtree(self.path)
