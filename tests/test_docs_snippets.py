"""The tutorial and the contract are true: every snippet and command runs, in order, and prints what the page shows.

A python block whose first line is `# name.py` is a file; any other is run as it stands. Each line of a sh block is a
command. The lines of a text block right after one are parts of what its commands print, and one that starts with
`Error:` says that the last command fails.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from rollcast.predictors.checks.conformance import ALL
from rollcast.predictors.checks.learner_conformance import LEARNER_ONLY

ROOT = Path(__file__).parents[1]
PIP = ["--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet", "--target", "site"]
# What names a snippet that cannot run without a library, and the library.
NEEDED = {"sklearn": "sklearn", "lasso.py": "sklearn", "pip install": "setuptools", "my-idea": "setuptools"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page, the section it stands in, and the text block that follows it, if one does."""

    section: str
    language: str
    text: str
    shown: str

    @classmethod
    def all_of(cls, name: str) -> Iterator[Self]:
        section = ""
        fence = r"^## ([^\n]*)$|^```(\w+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?"
        for heading, language, text, shown in re.findall(fence, page(name), re.MULTILINE | re.DOTALL):
            section = heading or section
            if language:
                yield cls(section, language, text, shown)

    def missing(self) -> str:
        """What it needs that is not installed."""
        lacking = (need for mark, need in NEEDED.items() if mark in self.text and not importlib.util.find_spec(need))
        return next(lacking, "")

    @property
    def slow(self) -> bool:
        """Whether it makes a tear sheet."""
        return self.language == "sh" and "cli.py backtest" in self.text and not self.fails

    @property
    def fails(self) -> bool:
        return "\nError: " in f"\n{self.shown}"

    def work(self, folder: Path) -> None:
        """Does in this folder what it tells its reader to do; asserts that the outcome is what it shows."""
        file = re.match(r"# (\w+\.py)\n", self.text)
        if self.language == "python" and file:
            (folder / file[1]).write_text(self.text, encoding="utf-8")
        elif self.language == "python":
            done = run([sys.executable, "-c", self.text], folder)
            assert done.returncode == 0, f"{self.section}\n{self.text}\n{done.stdout}"
        elif self.language == "sh":
            self._commands(folder)

    def _commands(self, folder: Path) -> None:
        printed, lines = "", self.text.splitlines()
        for line in lines:
            done = run(command_of(line), folder)
            printed += done.stdout
            assert done.returncode == int(self.fails and line == lines[-1]), f"{self.section}: {line}\n{done.stdout}"
        for line in self.shown.splitlines():
            assert line in printed, f"{self.section}: {line!r} is not in what is printed:\n{printed}"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "PYTHONWARNINGS": "error::FutureWarning"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=folder, text=True, env=environment, **output)


def command_of(line: str) -> list[str]:
    """A line of a sh block as it is run here: this Python, this checkout, no network."""
    words = [str(ROOT / "cli.py") if word == "cli.py" else word for word in shlex.split(line)]
    assert words.pop(0) == "python"
    return [sys.executable, *words, *(PIP if words[:3] == ["-m", "pip", "install"] else [])]


def work_through(name: str, folder: Path, *, slow: bool) -> None:
    """Works through a page's snippets in order, the slow ones only if asked to; skips at the end if one was missing."""
    skipped = set()
    for snippet in Snippet.all_of(name):
        if missing := snippet.missing():
            skipped.add(f"{snippet.section}: {missing} is not installed")
        elif slow or not snippet.slow:
            snippet.work(folder)
    if skipped:
        pytest.skip("; ".join(sorted(skipped)))


@pytest.mark.parametrize(
    "name", ["contract.md", "config.md", "portfolios.md", pytest.param("python-api.md", marks=pytest.mark.slow)]
)
def test_the_page_works_from_top_to_bottom_but_for_its_tear_sheets(name, tmp_path):
    work_through(name, tmp_path, slow=False)


@pytest.mark.slow
def test_the_tutorial_works_from_top_to_bottom(tmp_path):
    work_through("writing-a-predictor.md", tmp_path, slow=True)


def test_the_tutorial_has_snippets_to_run():
    found = [(snippet.language, snippet.section) for snippet in Snippet.all_of("writing-a-predictor.md")]
    assert len([language for language, _ in found if language == "python"]) >= 8
    assert len({section for _, section in found}) >= 9


def test_the_first_predictor_takes_nine_lines():
    first = next(Snippet.all_of("writing-a-predictor.md")).text
    assert len([line for line in first.splitlines() if line]) == 9


def test_the_table_of_checks_is_the_checks():
    rows = [
        f"| `{check.__name__}` | {(check.__doc__ or '').splitlines()[0]} | {'yes' if check in LEARNER_ONLY else ''} |"
        for check in ALL + LEARNER_ONLY
    ]
    table = page("contract.md").partition("## Every check")[2].strip().splitlines()[2:]
    assert table == rows
