"""The documents are true: their commands run, and they name what there is."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import rollcast
from rollcast.backtests.data.bars import FILES
from rollcast.predictors import BUILT_IN
from tests.command import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATTERN = r"^(?:\.venv/bin/)?python (cli\.py .*?)\s*(?:#.*)?$"
COMMANDS = list(dict.fromkeys(re.findall(PATTERN, README, flags=re.MULTILINE)))
SLOW = ("lstm", "sp20", "sweep")


def test_the_readme_shows_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=[pytest.mark.slow] if any(s in c for s in SLOW) else []) for c in COMMANDS]
)
def test_a_command_of_the_readme_runs(command, tmp_path):
    words = [word for word in shlex.split(command) if word != "--open"]
    out = (
        ["--out", str(tmp_path)]
        if {"backtest", "compare", "explain", "ledger", "placebo", "sweep"} & set(words)
        else []
    )
    assert words[0] == "cli.py"
    done = cli(*words[1:], *out)
    assert done.returncode == 0, done.stderr
    pages = {
        "sweep": "sweep.html",
        "placebo": "tearsheet.html",
        "backtest": "tearsheet.html",
        "explain": "explain.html",
        "compare": "comparison.html",
    }
    for page in (page for command, page in pages.items() if command == words[1]):
        (written,) = tmp_path.glob(f"*/{page}")
        assert written.stat().st_size > 20_000


def test_the_script_in_the_readme_runs():
    script, _ = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_plugin_in_the_readme_is_the_example():
    _, shown = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    example = (ROOT / "examples" / "momentum.py").read_text(encoding="utf-8")
    assert [x for x in shown.splitlines() if x] == [x for x in example.splitlines()[1:] if x]


def test_the_make_targets_of_the_readme_and_of_ci_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = README + (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    wanted = re.findall(r"(?:^|`)make ([a-z-]+)", texts, re.MULTILINE)
    assert set(wanted) == {"install", "backtest", "test", "test-slow", "test-timed", "fuzz", "lint", "docs"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in wanted)


def test_every_make_target_is_explained():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    texts = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"make {target}\b", texts)] == ["types", "typed"]


def test_the_pictures_of_the_sheet_are_small():
    sizes = [(ROOT / "docs" / "figures" / f"sheet-{scheme}.png").stat().st_size for scheme in ("light", "dark")]
    assert 20_000 < sum(sizes) < 150_000


@pytest.mark.slow
def test_the_terminal_of_the_readme_shows_what_its_command_prints(tmp_path):
    from docs import make_pictures

    shown = (ROOT / "docs" / "figures" / "terminal.svg").read_text(encoding="utf-8")
    drawn = make_pictures.terminal(make_pictures.run(tmp_path))
    stamp = r"runs/\w+-sma-SPY"  # when it was run
    assert f".venv/bin/{make_pictures.COMMAND}" in README
    assert re.sub(stamp, "", drawn) == re.sub(stamp, "", shown)


def test_the_citation_is_of_this_version():
    assert f"\nversion: {rollcast.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_make_targets_of_contributing_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_glossary_explains_each_term_once_and_every_room_that_is_one():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [term for row in re.findall(r"^\| (.+?) \|", glossary, re.MULTILINE) for term in row.split(", ")]
    terms = [term for term in terms if term != "term"]
    assert len(set(terms)) == len(terms)
    assert {"account", "gate", "ledger", "workspace", "verdict", "predictor", "learner", "window", "recipe"} <= set(
        terms
    )


def test_every_built_in_predictor_is_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in changelog for name in BUILT_IN)


def test_every_bundled_file_has_its_provenance():
    provenance = (ROOT / "backtests" / "prices" / "PROVENANCE.md").read_text(encoding="utf-8")
    assert all(f"`{file}.parquet`" in provenance for file in FILES)
    assert {p.stem for p in (ROOT / "backtests" / "prices").glob("*.parquet")} == set(FILES)
