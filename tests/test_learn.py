"""The lecture in docs/learn: its figures are what the script draws, its tables what runs give, its commands run."""

import re
import shlex

import pytest

from docs import learn_results, make_learn
from rollcast import load_bars
from tests.command import cli

PAGES = sorted(make_learn.FOLDER.glob("[1-9]-*.md"))
TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
COMMANDS = list(dict.fromkeys(re.findall(r"^python cli\.py (.+)$", "\n".join(TEXTS.values()), re.MULTILINE)))


def shown_figures() -> set[str]:
    return set(re.findall(r"\(figures/(.+?\.svg)\)", "".join(TEXTS.values())))


def test_there_are_seven_pages_and_the_index_names_each_once():
    index = (make_learn.FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\((\d-[\w-]+)\.md\)", index) == list(TEXTS)
    assert len(TEXTS) == 7


@pytest.mark.parametrize("name", TEXTS)
def test_a_page_has_an_idea_an_equation_a_figure_a_command_and_what_it_is_worth(name):
    text = TEXTS[name]
    marks = ("**The idea.**", "\n$$\n", "](figures/", "\n```sh\npython cli.py", "## What it is worth", "**Reading.**")
    assert [mark for mark in marks if mark not in text] == []


def test_the_figures_there_are_are_those_the_pages_show():
    assert {path.name for path in (make_learn.FOLDER / "figures").iterdir()} == shown_figures()


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "5-vanishing-gradients"])
def test_a_table_names_the_predictors_of_its_page(name):
    text = TEXTS[name]
    rows = re.findall(r"^\| `([\w-]+)` \|.*\d %", text, re.MULTILINE)
    assert tuple(rows) == learn_results.PAGES[name]


@pytest.mark.slow
def test_the_figures_without_nets_are_committed_as_the_script_draws_them(tmp_path):
    make_learn.write(tmp_path, make_learn.linear_figures(load_bars("SPY")))
    for drawn in tmp_path.iterdir():
        assert drawn.read_bytes() == (make_learn.FOLDER / "figures" / drawn.name).read_bytes(), drawn.name


@pytest.mark.slow
def test_the_script_draws_every_figure_of_nets(tmp_path):
    bars = load_bars("SPY")
    make_learn.write(tmp_path, make_learn.net_figures(bars))
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn | {f"{name}.svg" for name in make_learn.linear_figures(bars)} == shown_figures()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1-averages", "3-least-squares"])
def test_the_figures_of_a_table_are_those_of_its_runs(name):
    results = {predictor: learn_results.judged(predictor, name) for predictor in learn_results.PAGES[name]}
    assert learn_results.filled(TEXTS[name], results) == TEXTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_lecture_runs(command, tmp_path):
    done = cli(*shlex.split(command), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*/*.html"))
