"""A workspace: the folder that runs are written to, each with its sheet, and counted in one ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rollcast.backtests.atomic import RunFolder, whole_file
from rollcast.backtests.data.load import is_file
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.ledger.ledger import NAME, Ledger
from rollcast.backtests.pipeline.panel_result import load_result
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.pipeline.universe import called
from rollcast.backtests.sheet.index import SHEET, write_index
from rollcast.backtests.sheet.report import write_report


def backtest(request: Request, out: Path, progress: Callable[[int, int], None] | None = None) -> tuple[Result, Path]:
    """Runs a request, gathers the evidence, and writes the run's folder in the workspace `out`, and its index.

    Nothing is left of a run that fails or is interrupted.
    """
    request.model()
    request.check_rule()
    with RunFolder(out, label(request)) as folder:
        ledger = ledger_of(out)
        ledger.runs(limit=1)  # an unreadable ledger is found out before hours of training
        result = request.run(progress=progress)
        # Recorded first, because it has been tried, whatever becomes of its sheet.
        ledger.record(result, folder.final)
        result, place = write(request, result, out, folder), folder.finish()
    write_index(out)
    return result, place


def write(request: Request, result: Result, out: Path, folder: RunFolder) -> Result:
    """Adds the evidence to a recorded result of the request, and writes its files."""
    result = with_evidence(result, *request.rule(), request.account, ledger_of(out).trials(result))
    result.save(folder.path)
    write_report(result, folder.path / SHEET)
    return result


def rebuild(run: Path) -> Result:
    """Writes tearsheet.html and metrics.json of a saved run again, with the trials its workspace has counted by now.

    Raises FileNotFoundError or ValueError for a folder that is not a whole run.
    """
    result = load_result(run)
    request = Request.from_recipe(result.recipe)
    result = with_evidence(result, *request.rule(), request.account, ledger_of(run.absolute().parent).trials(result))
    with whole_file(run / SHEET) as draft:
        write_report(result, draft)
    result.save_metrics(run)
    return result


def label(request: Request) -> str:
    """What a run's folder is called after its time: the predictor, or its file's name, the symbol, the bars."""
    predictor = Path(request.predictor.partition(":")[0]).stem
    return "-".join(filter(None, (predictor, symbol_label(request), request.bar)))


def symbol_label(request: Request) -> str:
    """What a folder is called after what was traded."""
    return called(request.symbol, _short) if request.is_portfolio else _short(request.symbol)


def _short(symbol: str) -> str:
    return Path(symbol).stem if is_file(symbol) else symbol


def ledger_of(out: Path) -> Ledger:
    """The ledger of a workspace."""
    return Ledger(out / NAME)
