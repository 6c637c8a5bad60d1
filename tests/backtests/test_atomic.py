"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rollcast.backtests import atomic
from rollcast.backtests.atomic import whole_file, write_whole
from rollcast.backtests.owner import clear_dead, draft_name
from rollcast.backtests.run_folder import RunFolder

ROOT = Path(__file__).parent.parent.parent
KILLED = """
import os, sys
from pathlib import Path
from rollcast.backtests.atomic import whole_file
with whole_file(Path(sys.argv[1])) as draft:
    draft.write_bytes(b"half of the new")
    os._exit(9)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_whole(tmp_path / "sub" / "file", b"one")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "sub" / "file", "no bytes")  # type: ignore[arg-type]
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "sub").iterdir()] == [("file", b"one")]


def test_the_old_content_stands_until_the_block_ends(tmp_path):
    write_whole(tmp_path / "file", b"old")
    with whole_file(tmp_path / "file") as draft:
        draft.write_bytes(b"new")
        assert (tmp_path / "file").read_bytes() == b"old"
        assert draft.parent == tmp_path
        assert draft.name.startswith(".")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_write_leaves_the_old_file_alone(error, tmp_path):
    write_whole(tmp_path / "file", b"old")

    def interrupted() -> None:
        with whole_file(tmp_path / "file") as draft:
            draft.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_disk_that_fills_up_while_flushing_leaves_the_old_file(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", b"old")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(("lasting", "flushes"), [(True, 1 + hasattr(os, "O_DIRECTORY")), (False, 0)])
def test_a_lasting_file_and_its_name_are_flushed(lasting, flushes, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(atomic.os, "fsync", calls.append)
    write_whole(tmp_path / "file", b"new", lasting=lasting)
    assert len(calls) == flushes


def test_a_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_whole(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_drafts_of_killed_processes_go_and_those_of_living_ones_stay(tmp_path):
    killed = tmp_path / "deep" / "SPY.parquet"
    write_whole(killed, b"old")
    assert subprocess.run([sys.executable, "-c", KILLED, str(killed)], cwd=ROOT).returncode == 9
    assert killed.read_bytes() == b"old"
    assert len(names(killed.parent)) == 2
    with RunFolder(tmp_path, "ema-SPY") as folder, whole_file(killed) as draft:
        draft.write_bytes(b"new")
        clear_dead(tmp_path)
        assert folder.path.is_dir()
        assert names(killed.parent) == sorted([draft.name, "SPY.parquet"])
    assert names(tmp_path) == ["deep"]
    assert names(killed.parent) == ["SPY.parquet"]


def test_the_draft_of_a_process_that_cannot_be_asked_goes_when_it_is_old(tmp_path):
    before_0_2, elsewhere = tmp_path / ".unfinished-20260102T120000Z-x", tmp_path / ".unfinished-00000000.1.99-y"
    for path in (before_0_2, elsewhere):
        path.mkdir()
    clear_dead(tmp_path)
    assert len(names(tmp_path)) == 2
    for path in (before_0_2, elsewhere):
        os.utime(path, (0, 0))
    clear_dead(tmp_path)
    assert names(tmp_path) == []


def test_a_process_id_that_is_used_again_is_another_owner(tmp_path):
    theirs = re.sub(r"(\d+)-x$", lambda match: f"{int(match[1]) + 1}-x", draft_name("x"))  # began a tick later
    (tmp_path / theirs).mkdir()
    clear_dead(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_made_for_a_run_that_fails_goes_with_it(tmp_path):
    with pytest.raises(ValueError, match="no"), RunFolder(tmp_path / "new" / "runs", "x"):
        raise ValueError("no")
    assert names(tmp_path) == []


def test_a_finished_folder_is_the_only_thing_there_and_everyone_may_read_it(tmp_path):
    with RunFolder(tmp_path / "runs", "ema-SPY") as folder:
        (folder.path / "a.txt").write_text("whole")
        assert [p.name[0] for p in (tmp_path / "runs").iterdir()] == ["."]
        path = folder.finish()
    assert list((tmp_path / "runs").iterdir()) == [path]
    assert path.name.endswith("Z-ema-SPY")
    assert (path / "a.txt").read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_run_leaves_nothing(error, tmp_path):
    def interrupted() -> None:
        with RunFolder(tmp_path, "ema-SPY") as folder:
            (folder.path / "deep").mkdir()
            (folder.path / "deep" / "half.txt").write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_between_making_the_folder_and_knowing_it_leaves_nothing(tmp_path, monkeypatch):
    mkdir = os.mkdir

    def interrupted(path: str, *more: object) -> None:
        mkdir(path, *more)
        if ".unfinished-" in str(path):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path, "ema-SPY"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_runs_of_the_same_second_are_numbered(tmp_path, monkeypatch):
    import rollcast.backtests.run_folder as module

    class Noon(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 12, 0, 0, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Noon)
    made = []
    for k in range(3):
        with RunFolder(tmp_path, "x") as folder:
            (folder.path / str(k)).touch()
            made.append(folder.finish().name)
    assert made == ["20260102T120000Z-x", "20260102T120000Z-x-2", "20260102T120000Z-x-3"]
    assert [(tmp_path / name / str(k)).exists() for k, name in enumerate(made)] == [True] * 3


def test_a_name_taken_between_looking_and_renaming_loses_no_run(tmp_path, monkeypatch):
    with RunFolder(tmp_path, "x") as first:
        (first.path / "a").touch()
        taken = first.finish()
    looked = []

    def blind(path: Path, **_) -> bool:
        looked.append(path)
        return len(looked) > 1 and path.is_dir()

    with RunFolder(tmp_path, "x") as second:
        (second.path / "b").touch()
        monkeypatch.setattr(Path, "exists", blind)
        path = second.finish()
        monkeypatch.undo()
    assert (taken / "a").exists()
    assert (path / "b").exists()


@pytest.mark.parametrize("below", [".", "deeper", "deeper/still"])
def test_a_place_that_cannot_be_written_is_one_clear_error_before_anything_is_run(below, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OSError, match=r"^cannot write to .*file.*Choose another folder with --out$") as caught:
        RunFolder(blocked / below, "x").__enter__()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert blocked.read_text() == "in the way"
    assert list(tmp_path.iterdir()) == [blocked]
