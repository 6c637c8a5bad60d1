"""Times the ledger at 10,000 runs, then lets processes write to one while some are killed, and counts the lost."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollcast import LongFlat, Result, load, load_bars, run
from rollcast.backtests.ledger.database import NAME, Database
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.ledger.schema import COLUMNS, insert, sealed
from rollcast.backtests.ledger.trial_key import Row
from rollcast.backtests.ledger.trials import count as count_trials

KILLED = "all-killed"  # the file that says that no writer is to be killed any more


def multiply(path: Path, count: int, folder: Callable[[int], str] | None = None) -> None:
    """Copies the recorded runs until there are this many, each a trial of its own, in the folder of its number."""
    query = f"SELECT {', '.join(COLUMNS)}, recipe, returns FROM runs JOIN details ON run = id"
    with Database(path).writing() as connection:
        runs = connection.execute(query).fetchall()
        for copy in range(len(runs), count):
            *values, recipe, returns = runs[copy % len(runs)]
            row = dict(zip(COLUMNS, values, strict=True))
            row |= {"trial": f"{row['trial']}{copy}", "sharpe": row["sharpe"] and row["sharpe"] * (1 + copy / 1e6)}
            row |= {"folder": folder(copy)} if folder else {}
            insert(connection, sealed(row, recipe, returns), recipe, returns)


def write(path: Path, result: Result, log: Path, writer: str, runs: int) -> None:
    """Records runs until the log says there are this many, and says so in the log after each.

    The last one is recorded when nobody is to be killed any more, so that there is someone to be killed until then.
    """
    with open(log, "ab", buffering=0) as said:
        for number in range(len(log.read_bytes().splitlines()), runs):
            while number == runs - 1 and not (path.parent / KILLED).exists():
                time.sleep(0.005)
            name = f"{writer}-{number}-{os.getpid()}"  # after a kill the same number is another run
            Ledger(path).record(Row.of(result.with_recipe(tag=name)), path.parent / name)
            said.write(f"{name}\n".encode())


def hammer(folder: Path, result: Result, writers: int, runs: int, kills: int, seed: int = 0) -> dict[str, float | str]:
    """Writers at once, each recording so many runs, of which random ones are killed and started again."""
    chance, path, saved = random.Random(seed), folder / NAME, folder / "result.pickle"
    saved.write_bytes(pickle.dumps(result))
    logs = [folder / f"writer{w}.log" for w in range(writers)]
    began = time.perf_counter()

    def start(w: int) -> subprocess.Popen[bytes]:
        words = ["--write", str(path), str(saved), str(logs[w]), f"w{w}", str(runs)]
        return subprocess.Popen([sys.executable, __file__, *words])

    def done(w: int) -> int:
        return len(logs[w].read_bytes().splitlines()) if logs[w].exists() else 0

    alive = [start(w) for w in range(writers)]
    killed = 0
    while any(process.poll() is None for process in alive):
        busy = [w for w in range(writers) if alive[w].poll() is None and 0 < done(w) < runs]
        if busy and killed < kills:
            time.sleep(chance.random() * 0.05)
            w = chance.choice(busy)
            alive[w].kill()
            if alive[w].wait() == -9:
                killed += 1
                alive[w] = start(w)
        if killed == kills:
            (folder / KILLED).touch()
        time.sleep(0.005)
    assert not any(process.returncode for process in alive), "a writer failed"
    return {"kills": killed, "seconds": time.perf_counter() - began} | counted(path, logs)


def counted(path: Path, logs: list[Path]) -> dict[str, float | str]:
    """What the logs say against what the ledger holds.

    recorded: calls of record that returned; lost: those of them that are not in the ledger; unsaid: runs that were
    committed in the instant before a kill; halves: rows without their details
    """
    names = {name for log in logs for name in log.read_text().split()}
    with closing(sqlite3.connect(path)) as connection:
        kept = [name for (name,) in connection.execute("SELECT folder FROM runs JOIN details ON run = id")]
        (rows,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    return {
        "recorded": len(names),
        "lost": len(names - set(kept)),
        "unsaid": len(kept) - len(names),
        "halves": rows - len(kept),
        "integrity": integrity,
    }


def main(size: int = 10_000) -> None:
    """Prints medians of five, and the counts."""
    bars = load_bars("SPY")
    results = [run(bars, load("sma", window=w), LongFlat, symbol="SPY") for w in range(5, 205, 5)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder, NAME))
        for result in results:
            ledger.record(Row.of(result))
        multiply(ledger.path, size)
        for name, call in (
            ("record", lambda: ledger.record(Row.of(results[0]))),
            ("list all", lambda: ledger.runs()),
            ("list 20", lambda: ledger.runs(limit=20)),
            ("trials", lambda: count_trials(Row.of(results[0]), [ledger])),
        ):
            times = []
            for _ in range(5):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
            print(f"{name} at {size:,} runs: {statistics.median(times) * 1e3:.0f} ms")
        print(f"file: {ledger.path.stat().st_size / size / 1e3:.1f} kB a run")
    with tempfile.TemporaryDirectory() as folder:
        print("8 writers x 200 runs, 20 kills:", hammer(Path(folder), results[0], 8, 200, 20))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", nargs=5, help=argparse.SUPPRESS)
    words = parser.parse_args().write
    if words:
        write(Path(words[0]), pickle.loads(Path(words[1]).read_bytes()), Path(words[2]), words[3], int(words[4]))
    else:
        main()
