"""The ledger of a workspace together with the user's index, which has the runs of all workspaces on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .ledger import Ledger
from .schema import NAME
from .trial_key import Row
from .trials import Counted, count

HOME = "ROLLCAST_LEDGER"  # an environment variable: another folder of the index, or OFF
OFF = "off"
OTHERS = "other workspaces are not counted"
PATIENCE = 5.0  # seconds to wait for other writers of the index, which is brought up to date again by the next run


@dataclass(frozen=True)
class Book:
    """What a run is recorded in and counted by.

    ledger: of the workspace; what fails there, fails the run.
    index:  of the user, None where it is switched off; what fails there is said, and no more.
    """

    ledger: Ledger
    index: Ledger | None

    @classmethod
    def of(cls, workspace: Path) -> Book:
        """The book of a workspace, with the index that the environment names."""
        ledger, folder = Ledger(workspace / NAME), index_folder()
        index = None if folder is None else Ledger(folder / NAME, PATIENCE, copy=True)
        return cls(ledger, None if index is None or index.workspace == ledger.workspace else index)

    def check(self) -> None:
        """Makes a ledger of an earlier version one of today, and brings the index up to date.

        Raises what `Ledger` raises for the workspace's.
        """
        self.ledger.update()
        self.ledger.rows("LIMIT 1")
        self._index()

    def record(self, row: Row, folder: Path | None = None) -> int:
        """Records a run as `Ledger.record` does, in the index too."""
        run = self.ledger.record(row, folder)
        self._index()
        return run

    def record_many(self, rows: Iterable[Row]) -> int:
        """Records runs as `Ledger.record_many` does, in the index too."""
        added = self.ledger.record_many(rows)
        self._index()
        return added

    def trials(self, run: Row) -> Counted:
        """The trials of a run in the workspace and, by the index, in all others. Raises what `Ledger` raises."""
        notes = self._index()
        if self.index is not None:
            try:
                counted = count(run, [self.ledger, self.index])
            except (OSError, ValueError) as error:
                notes = [f"runs in {OTHERS}: {error}"]
                counted = count(run, [self.ledger])
        else:
            counted = count(run, [self.ledger])
        return replace(counted, notes=(*counted.notes, *notes))

    def _index(self) -> list[str]:
        """Copies to the index what it lacks of the workspace; returns a line where that fails or it is switched off."""
        if self.index is None:
            off = index_folder() is None
            return [f"runs in {OTHERS}: {HOME} is {OFF}"] if off else []
        try:
            self.ledger.copy_to(self.index)
        except (OSError, ValueError) as error:
            here = self.index.path.exists()  # what cannot be written can be read
            return [f"runs in {'this workspace are not counted in others' if here else OTHERS}: {error}"]
        return []


def index_folder() -> Path | None:
    """Where the index is: the variable ROLLCAST_LEDGER, or the user's data directory; None where that is `off`."""
    named = os.environ.get(HOME)
    if named:
        return None if named == OFF else Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("rollcast", appauthor=False))
