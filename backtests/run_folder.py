"""Folders that appear whole or not at all, each with a manifest of its files."""

from __future__ import annotations

import glob
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from .digests import MANIFEST, seal
from .owner import DRAFT, draft_name


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
            self._made = [one for one in (parent, *parent.parents) if not one.exists()]
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1, 1000):
                name = stem if attempt == 1 else f"{stem}-{attempt}"
                self.path, self.final = parent / draft_name(name), parent / name
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
            # Of two processes that reserve a name at the same moment, both see the other and take the next one.
            others = self._parent.glob(f"{DRAFT}*-{glob.escape(self.final.name)}")
            if not self.final.exists() and all(other == self.path for other in others):
                return True
        except FileExistsError:
            return False
        except BaseException:
            with suppress(OSError):
                os.rmdir(path)
            raise
        os.rmdir(path)
        return False

    def finish(self) -> Path:
        """Writes the manifest of its files and renames it to its final name, which it returns.

        Raises OSError where the name was taken meanwhile.
        """
        seal(self.path, [path.name for path in self.path.iterdir() if path.is_file() and path.name != MANIFEST])
        self.path = self.path.rename(self.final)
        return self.path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The draft is gone where an interrupt comes between the renaming and the assignment of its new name.
        if self.path != self.final and self.path.exists():
            shutil.rmtree(self.path)
            for folder in self._made:  # above it, for it; those that hold something meanwhile stay
                with suppress(OSError):
                    folder.rmdir()
