"""A workspace: a folder of runs, each with its tear sheet, and of the one ledger that counts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..digests import replace_sealed
from ..evidence.evidence import with_evidence
from ..json_values import Values, json_text
from ..ledger.book import Book
from ..ledger.trial_key import Row
from ..pipeline.forecasts import Progress
from ..pipeline.request import Request
from ..pipeline.result import Result
from ..pipeline.trust import Consent, admit_code, nobody
from ..pipeline.universe import symbol_label
from ..run_folder import RunFolder
from ..sheet.index import SHEET, write_index
from ..sheet.report import draw_performance, sheet, write_report
from ..sheet.second_process import Draw, in_this_process

# What a result is examined for besides: called with it and the folder for its files, returns more metrics.
Examine = Callable[[Result, Path], Values]


def backtest(
    request: Request,
    out: Path,
    progress: Progress | None = None,
    *,
    examine: Examine | None = None,
    draw: Draw = in_this_process,
    tell: Callable[[Result], None] | None = None,
    page: Values | None = None,
) -> tuple[Result, Path]:
    """Runs a request, adds the evidence, and writes the run's folder in the workspace `out`, and the index.

    examine: called with the result and the folder before it appears, for what is added to the metrics.
    draw:    what draws QuantStats' report.
    tell:    called with the result and its evidence, before its page is made.
    page:    the user's own `title`, `note` and `section` of the page, an HTML fragment; kept in the recipe.

    Returns the result and the folder. A run that fails or is interrupted leaves no folder. Raises what `Request.run`
    raises, and what `Ledger` raises for a ledger that cannot be read or written.
    """
    request.model()
    request.check_rule()
    market = request.market()
    with RunFolder(out, label(request)) as folder:
        book = Book.of(out)
        book.check()  # an unreadable ledger is reported before hours of training
        result = request.run(market, progress)
        if page:
            result = result.with_recipe(page=page)
        # Recorded first: it is a trial even where writing its sheet fails.
        book.record(Row.of(result), folder.final)
        if examine:
            result = replace(result, metrics={**result.metrics, **examine(result, folder.path)})
        result, path = write(request, result, out, folder, draw=draw, tell=tell), folder.finish()
    write_index(out)
    return result, path


def write(
    request: Request,
    result: Result,
    out: Path,
    folder: RunFolder,
    *,
    draw: Draw = in_this_process,
    tell: Callable[[Result], None] | None = None,
) -> Result:
    """Adds the evidence to a result that is in the ledger, writes its files, and returns it. See `backtest`."""
    drawn = draw_performance(result, draw)
    result = _with_evidence(request, result, out)
    if tell:
        tell(result)
    result.save(folder.path)
    write_report(result, folder.path / SHEET, drawn)
    return result


def rebuild(run: Path, consent: Consent = nobody) -> Result:
    """Writes tearsheet.html and metrics.json of a saved run again, with the trials that its workspace has by now.

    consent: asked for the source file of the strategy, if the recipe names one, whether its code may run.

    Returns the result. Raises FileNotFoundError or ValueError for a folder that is no complete run, and as
    `admit_code` does.
    """
    result = Result.load(run)
    admit_code(result.recipe, consent, ["strategy"])
    result = _with_evidence(Request.from_recipe(result.recipe), result, run.absolute().parent)
    replace_sealed(run, {SHEET: sheet(result).encode(), "metrics.json": json_text(result.metrics).encode()})
    return result


def _with_evidence(request: Request, result: Result, out: Path) -> Result:
    """The result with its evidence, for which the trials in this workspace and in the user's others count."""
    counted = Book.of(out).trials(Row.of(result))
    result = with_evidence(result, *request.rule(), request.account, counted.trials)
    return replace(result, metrics={**result.metrics, "trials": counted.as_dict()})


def label(request: Request) -> str:
    """The part of a folder's name after its time: the predictor or its file, the symbol, the size of bars."""
    predictor = Path(request.predictor.partition(":")[0]).stem
    return "-".join(filter(None, (predictor, symbol_label(request.symbol), request.bar)))
