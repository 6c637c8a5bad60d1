"""What a stranger sends runs none of his code, and opens no door out of its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rollcast.backtests.digests import seal
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.workspace.workspace import backtest
from tests.command import cli

CODE = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from rollcast import LongFlat, Predictor

Path(__file__).with_suffix(".ran").touch()

@dataclass(frozen=True)
class Mine(Predictor):
    "The last return."
    def predict(self, bars):
        return np.log(bars["close"]).diff()

class Rule(LongFlat):
    "Long or flat."
"""


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> Path:
    """A folder with a run, beside it the file of code that its recipe names, which leaves a mark when it is loaded."""
    folder = tmp_path_factory.mktemp("sent")
    (folder / "mine.py").write_text(CODE)
    name = str(folder / "mine.py")
    backtest(Request(f"{name}:Mine", f"{name}:Rule", start="2019", end="2020"), folder / "runs")
    return folder


@pytest.fixture
def run(sent, tmp_path) -> Path:
    """The run, sealed again with a recipe that names the code where it was unpacked."""
    folder = tmp_path / "got"
    shutil.copytree(sent, folder)
    (folder / "mine.ran").unlink()
    (one,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
    edit(one, lambda recipe: recipe["request"].update(
        predictor=f"{folder / 'mine.py'}:Mine", strategy=f"{folder / 'mine.py'}:Rule"
    ))  # fmt: skip
    return one


def edit(run: Path, change) -> None:
    recipe = json.loads((run / "recipe.json").read_text())
    change(recipe)
    (run / "recipe.json").write_text(json.dumps(recipe))
    seal(run, ["recipe.json"])


def commands(run: Path) -> list[list[str]]:
    recipe = str(run / "recipe.json")
    out = ["--out", str(run.parent.parent / "mine")]
    return [
        ["verify", str(run)],
        ["report", str(run)],
        ["backtest", "--config", recipe, *out],
        ["predict", "SPY", "--config", recipe],
        ["placebo", "--config", recipe, "--markets", "1", *out],
        ["sweep", "--config", recipe, *out],
    ]


@pytest.mark.parametrize("number", range(6), ids=["verify", "report", "backtest", "predict", "placebo", "sweep"])
def test_no_code_that_a_recipe_names_is_loaded_unasked(number, run):
    code = run.parents[1] / "mine.py"
    done = cli(*commands(run)[number])
    kind = "strategy" if number == 1 else "predictor"
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: the recipe names the code in {code} as its {kind}, and it was not loaded; read it, and give --trust "
        "to run it\n"
    )
    assert not code.with_suffix(".ran").exists()


@pytest.mark.parametrize("number", range(6), ids=["verify", "report", "backtest", "predict", "placebo", "sweep"])
def test_code_that_is_not_the_recipes_is_not_even_loaded_with_trust(number, run):
    code = run.parents[1] / "mine.py"
    code.write_text(CODE + "\n")
    done = cli(*commands(run)[number], "--trust")
    assert done.returncode == 1
    assert f"{code} is not the {'strategy' if number == 1 else 'predictor'} of this recipe: its SHA-256" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not code.with_suffix(".ran").exists()


def test_with_trust_it_runs(run):
    for command in commands(run)[:3]:
        done = cli(*command, "--trust")
        assert done.returncode == 0, done.stderr


def test_an_answer_at_the_terminal_is_consent(run, monkeypatch):
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    from click.testing import CliRunner

    from cli import main

    for answer, status in (("n\n", 1), ("y\n", 0)):
        done = CliRunner().invoke(main, ["report", str(run)], input=answer)
        assert done.exit_code == status, done.output
        assert f"The recipe names the code in {run.parents[1] / 'mine.py'}. Run it?" in done.output


def test_what_the_command_line_names_itself_needs_no_consent(run, tmp_path):
    done = cli("backtest", "--config", str(run / "recipe.json"), "-P", "sma", "-S", "long_flat", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not (run.parents[1] / "mine.ran").exists()


def test_a_recipe_without_the_hash_of_its_code_is_refused(run):
    edit(run, lambda recipe: recipe.pop("source"))
    done = cli("verify", str(run), "--trust")
    assert done.returncode == 1
    assert "is not the predictor of this recipe" in done.stderr


def test_prices_that_a_recipe_names_are_read_if_they_are_those_it_was_made_on(tmp_path):
    prices = tmp_path / "prices.csv"
    days = [f"20{10 + k // 336}-{k // 28 % 12 + 1:02d}-{k % 28 + 1:02d}" for k in range(400)]
    prices.write_text("Date,Close\n" + "".join(f"{day},{100 + k % 7}.5\n" for k, day in enumerate(days)))
    _, run = backtest(Request("naive", symbol=str(prices)), tmp_path / "runs")
    arguments = ["backtest", "--config", str(run / "recipe.json"), "--out", str(tmp_path / "again")]
    assert cli(*arguments).returncode == 0
    prices.write_text(prices.read_text() + "2012-01-02,101.5\n")
    done = cli(*arguments)
    assert done.returncode == 1
    assert (
        f"the recipe names the prices in {prices}, which are not those it was made on and were not read" in done.stderr
    )
    assert cli(*arguments, "--symbol", str(prices)).returncode == 0
    assert cli("verify", str(run)).returncode == 0, "a saved run holds its own bars"
    edit(run, lambda recipe: recipe["request"].update(symbol="@/etc/passwd"))
    done = cli(*arguments)
    assert done.returncode == 1
    assert "the recipe names the file of symbols /etc/passwd, which was not read" in done.stderr


def test_a_recipe_that_is_a_link_is_not_read(run, tmp_path):
    (tmp_path / "link.json").symlink_to(run / "recipe.json")
    done = cli("backtest", "--config", str(tmp_path / "link.json"), "--out", str(tmp_path / "runs"))
    assert done.returncode == 1
    assert "link.json is a link, and a recipe is not read through one" in done.stderr
