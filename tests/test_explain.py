"""The explain command as its user runs it, and the page it leaves."""

import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from rollcast.backtests.explain.sections import write_explanation
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent.learners import LSTM
from rollcast.predictors.walk_forward import WalkForward

ROOT = Path(__file__).parent.parent
SMALL = ["-p", "hidden=4", "-p", "seeds=2", "-p", "lookback=8", "--train", "200"]


def cli(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "cli.py"), "explain", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=1200)


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """What `explain attention-lstm` prints, and the folder it leaves."""
    out = tmp_path_factory.mktemp("runs")
    done = cli("attention-lstm", *SMALL, "--seed", "3", "--end", "2019-12-31", "--out", str(out))
    assert done.returncode == 0, done.stderr
    (folder,) = out.glob("*/")
    return done, folder


def test_explain_prints_the_path_of_its_page_and_nothing_else(explained):
    done, folder = explained
    assert done.stdout == f"Page: {folder / 'explain.html'}\n"
    assert done.stderr == ""
    assert folder.name.endswith("-explain-attention-lstm-SPY")


def test_the_index_of_the_workspace_links_the_page(explained):
    _, folder = explained
    assert f'href="{folder.name}/explain.html"' in (folder.parent / "index.html").read_text(encoding="utf-8")


def test_explain_leaves_its_tables_and_figures(explained):
    _, folder = explained
    figures = {"gates.svg", "lags.svg", "updates.svg", "attention.svg"}
    names = ("gates", "gradients", "updates", "attention", "attribution", "importance", "unit")
    tables = {f"{name}.parquet" for name in names}
    assert {path.name for path in folder.iterdir()} == figures | tables | {"explain.html", "SHA256SUMS"}
    gates, attention = (pd.read_parquet(folder / f"{name}.parquet") for name in ("gates", "attention"))
    assert len(gates) == len(attention) == 200 - 8
    assert gates.index[-1] == pd.Timestamp("2019-12-31")
    assert gates.index.equals(attention.index)


def test_the_page_holds_every_figure_says_how_to_read_it_and_loads_nothing(explained):
    page = unescape((explained[1] / "explain.html").read_text(encoding="utf-8"))
    assert "default-src 'none'" in page
    assert page.count("<img ") == page.count('src="data:image/svg+xml;base64,') == 4
    assert page.count("</figure>") == page.count("<figcaption>") == 5
    assert not re.search(r"https?:|<script src|<link|@import|url\(", page)
    assert "seed=3" in page


def test_the_same_call_writes_the_same_page_and_names_are_text(tmp_path):
    name, pages, tags = "<script>alert(1)</script> & {x}", [], []
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        model = WalkForward(LSTM(lookback=5, hidden=3, seeds=1), train=60)
        write_explanation(tmp_path / run, model, random_walk(90), title=name)
        pages.append((tmp_path / run / "explain.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)
    parser.feed(pages[0])
    assert tags.count("script") == 2  # the theme's and the diagram's, none of the name's
    assert "alert(1)</script>" not in pages[0]
    assert '<h1 dir="auto">Inside &lt;script&gt;alert(1)&lt;/script&gt; &amp; {x}</h1>' in pages[0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sma", "--train", "500"], 1, "sma is never refitted, so --train does not apply to it"),
        (["sma", "-p", "window=5000"], 1, "has no forecast after 1000 bars"),
        (["lsmt"], 1, "Did you mean 'lstm'?"),
        (["lstm", "--symbol", "SPX"], 1, "unknown symbol 'SPX'"),
        (["lstm", "-p", "hiden=3"], 1, "hidden"),
        (["lstm", "--end", "1994-01-01"], 1, "walk-forward needs at least train=1000 bars"),
        (["lstm", "--start", "20200"], 2, "expected a date such as"),
        (["lstm", "--start", "2020-01-01", "--end", "2010-01-01"], 2, "is after --end"),
    ],
)
def test_bad_input_is_one_plain_line_and_leaves_nothing(arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["explain", *arguments])
    assert done.exit_code == code
    assert message in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or path.name.startswith(".unfinished")]


def shown_figures(page: str = "recurrent-nets.md") -> set[str]:
    return set(re.findall(r"\(figures/(.+?\.svg)\)", (ROOT / "docs" / page).read_text(encoding="utf-8")))


def test_the_pages_of_the_docs_show_the_figures_there_are():
    shown = shown_figures() | shown_figures("calibration.md")
    assert shown | {"terminal.svg", "sheet-light.png", "sheet-dark.png"} == {  # the README's
        path.name for path in (ROOT / "docs" / "figures").iterdir()
    }


@pytest.mark.slow
def test_the_script_of_the_docs_writes_every_figure_the_page_shows(tmp_path):
    code = "import pathlib, sys; from docs.make_recurrent_figures import write; write(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], cwd=ROOT, check=True, env=environment)
    assert shown_figures() == {path.name for path in tmp_path.iterdir()}
