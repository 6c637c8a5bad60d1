"""The files and hosts that a predictor or strategy opens when it is imported, predicts or trades, by Python's events.

What no run again can show: a plugin that reads prices from elsewhere can know the future. Opened are named, not
judged. Unseen are what an installed plugin read when it was imported before; what a library opens in C++ by itself, as
pyarrow does its Parquet files; and what another process opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

WEIGHTS = (".pt", ".pth", ".safetensors", ".npz", ".joblib", ".pkl", ".onnx")
CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".h", ".cpp", ".ttf", ".otf", ".afm")
INSTALLED = (".egg-info", ".dist-info")  # what a folder with the facts of a distribution is called
MACHINE = ("/proc", "/sys", "/dev", "/etc", "/usr/share", "/usr/lib")


@dataclass
class Opened:
    """What was opened, each once, in the order of opening.

    files: absolute paths of files opened for reading, the code and the data of Python and its libraries apart; and
        prices that were asked of rollcast.
    hosts: addresses connected to.
    """

    files: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)

    @property
    def weights(self) -> list[str]:
        """The files that hold a model's weights by their suffix, which is its own business."""
        return [file for file in self.files if file.endswith(WEIGHTS)]

    @property
    def record(self) -> dict[str, dict[str, object]]:
        """The entry `opened` of a recipe's look-ahead; nothing where nothing was opened."""
        weights = self.weights
        data = [file for file in self.files if file not in weights]
        entries = {"files": data, "hosts": self.hosts, "weights": weights, "sentence": self.sentence}
        kept: dict[str, object] = {name: value for name, value in entries.items() if value}
        return {"opened": kept} if kept else {}

    @property
    def sentence(self) -> str:
        """What was opened beside weights, in one sentence; empty where that is nothing."""
        data = [file for file in self.files if file not in self.weights] + self.hosts
        if not data:
            return ""
        more = f" and {len(data) - 3} more" if len(data) > 3 else ""
        return f"Plugins opened {', '.join(data[:3])}{more}, whose contents no run again can examine."

    def joined(self, later: Opened) -> Opened:
        """With what was opened later, each once."""
        return Opened(*(list(dict.fromkeys(a + b)) for a, b in ((self.files, later.files), (self.hosts, later.hosts))))


_open: list[Opened] = []  # the records being kept


@contextmanager
def watching() -> Iterator[Opened]:
    """Records what this process opens inside the block. One hook serves all, since Python can remove none."""
    _install()
    opened = Opened()
    _open.append(opened)
    try:
        yield opened
    finally:
        _open[:] = [other for other in _open if other is not opened]


@cache
def _install() -> None:
    """Installs the hook, once in a process."""
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[object, ...]) -> None:
    """Notes an opening in every record being kept."""
    if not _open:
        return
    if event == "open":
        path, _, flags = args
        reads = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) != os.O_WRONLY
        if reads and isinstance(path, str | bytes):
            _note_file(path)
    elif event == "rollcast.load":
        _note(f"the prices of {args[0]}")
    elif event == "sqlite3.connect":
        name = args[0]
        if isinstance(name, str | bytes | os.PathLike) and name not in (":memory:", b":memory:", "", b""):
            _note_file(os.fspath(name))
    elif event == "socket.connect":
        host = args[1] if isinstance(args[1], tuple) else (args[1],)
        address = ":".join(str(part) for part in host[:2])
        for opened in _open:
            opened.hosts += [] if address in opened.hosts else [address]


def _note_file(path: str | bytes) -> None:
    file = os.path.abspath(os.fsdecode(path))
    of_python = file.startswith(_of_python()) or os.path.dirname(file).endswith(INSTALLED)
    if of_python or file.endswith(CODE) or "site-packages" in file:
        return
    _note(file)


def _note(file: str) -> None:
    for opened in _open:
        opened.files += [] if file in opened.files else [file]


@cache
def _of_python() -> tuple[str, ...]:
    """The folders of the interpreter, of its libraries and of the machine, each with its final separator."""
    folders = {*MACHINE, sys.prefix, sys.base_prefix}
    return tuple(f"{Path(folder)}{os.sep}" for folder in folders)
