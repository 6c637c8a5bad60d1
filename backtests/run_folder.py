"""The folder of a run, which appears whole or not at all."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path


class RunFolder:
    """A folder `<utc time>-<label>` that appears whole or not at all: filled under a hidden name, then renamed.

    Made at once, so that a place that cannot be written to is found out before hours of training. Where the name is
    taken, a number is added.

    path: where its files are written to.   final: what it will be called.
    """

    def __init__(self, parent: Path, label: str) -> None:
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{label}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1, 1000):
                name = stem if attempt == 1 else f"{stem}-{attempt}"
                self.path, self.final = parent / f".unfinished-{name}", parent / name
                if self._reserve():
                    return
        except OSError as error:
            raise OSError(f"cannot write to {parent}: {error.strerror}. Choose another folder with --out") from None
        raise OSError(f"a thousand runs are called {stem} already; remove some")

    def _reserve(self) -> bool:
        """Makes the hidden folder; false where the name is taken, by a finished folder or by one in the making."""
        try:
            self.path.mkdir()
        except FileExistsError:
            return False
        if self.final.exists():  # finished after we looked last
            self.path.rmdir()
            return False
        return True

    def finish(self) -> Path:
        """Renames the folder to its final name, which it returns."""
        self.path = self.path.rename(self.final)
        return self.path

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.path != self.final:
            shutil.rmtree(self.path)
