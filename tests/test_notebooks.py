"""The notebooks of examples/ run from top to bottom, hold no outputs in git, and show results as HTML."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from rollcast import SMA, LongFlat, Request, load_bars, run
from rollcast.backtests.evidence.evidence import with_evidence

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def result(spy):
    result = run(spy["2015":], SMA(window=50), LongFlat)
    return with_evidence(result, LongFlat)


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_there_are_three_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["1-first-backtest", "2-own-predictor", "3-is-it-luck"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("ROLLCAST_LEDGER", str(tmp_path / "index.sqlite"))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("Was it kept from seeing the future?" in page for page in pages)
    assert list(tmp_path.glob("runs/*/tearsheet.html"))
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    expected = {"2": "look", "3": "trials; the best of so many"}
    assert expected.get(path.stem[0], "") in printed
    assert "Traceback" not in printed


def test_a_result_in_a_notebook_says_what_the_terminal_says(result):
    page = ElementTree.fromstring(
        re.sub("&(?!amp;|lt;|gt;|quot;|#)", "&amp;", result._repr_html_().replace("<br>", ""))
    )
    text = " ".join("".join(page.itertext()).split())
    assert "SMA · LongFlat · bars" in text
    assert result.metrics["conclusion"] in text
    answers = [(item.text.strip(), item[0].text) for item in page.iter("li")]
    assert answers == [(entry["question"], entry["answer"]) for entry in result.metrics["verdict"]]
    cagr = [cell.text for row in page.iter("tr") if row[0].text == "CAGR" for cell in row[1:]]
    assert cagr == [f"{result.metrics[who]['cagr']:.2%}" for who in ("strategy", "benchmark")]


def test_its_line_is_the_logarithm_of_the_equity(result):
    equity, holding = (
        np.array([point.split(",") for point in line.split()], float)
        for line in re.findall(r'points="(.*?)"', result._repr_html_())
    )
    drawn = np.unique(np.linspace(0, len(result.equity) - 1, len(equity)).astype(int))
    scale = np.polyfit(np.log(result.equity.to_numpy()[drawn]), equity[:, 1], 1)
    np.testing.assert_allclose(np.polyval(scale, np.log(result.equity.to_numpy()[drawn])), equity[:, 1], atol=0.06)
    shift = scale[0] * np.log(result.history["benchmark"].iloc[0] / result.equity.iloc[0])
    held = np.polyval(scale, np.log(result.history["benchmark"].to_numpy()[drawn])) - shift
    np.testing.assert_allclose(held, holding[:, 1], atol=0.06)


def test_a_result_without_evidence_says_that_it_has_no_verdict():
    page = Request("sma", start="2019").run()._repr_html_()
    assert "No verdict" in page
    assert "<svg" in page


def test_a_name_that_is_html_is_shown_as_it_is():
    hostile = "<script>alert(1)</script>"
    result = run(load_bars("SPY", "2019"), SMA(), LongFlat).with_recipe(symbol=hostile)
    assert hostile not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
