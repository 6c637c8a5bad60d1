"""Writes docs/look-ahead.md from what the checks find in the zoo: python -m docs.make_look_ahead"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rollcast.predictors.checks.conformance import ALL, LEARNER_ONLY
from rollcast.predictors.checks.lookahead import TRICKS
from rollcast.predictors.checks.subject import BLOCKS, EVERY, LATER, LATER_BLOCKS, LATER_EVERY, PROBED
from tests.zoo.findings import TELLING, caught_by, failures, false_alarms, fills_with_a_poisoned_close
from tests.zoo.honest import honest
from tests.zoo.leaks import ROWS, planted

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "results" / "false_alarms.json"
ENGINE_ROW, ENGINE_TEST = 11, "the engine fills at the next open"
TEXT = """# Look-ahead: what is checked, and what no check can see

`python -m docs.make_look_ahead` writes this page from what the checks find; a test fails where the two differ.

## What the checks do

A forecast made at a bar may depend on that bar and those before it. So the later bars are taken away or spoilt, and
every forecast up to there is compared with the one made on the whole. Nothing is sampled: the cut stands, in turn,
after every one of {probed} bars (of {learner_probed} for a learner, refitted every {every}), on a market with jumps,
busy days, missing days and a turn of the year. `prefix` and `changed_future` then cut at a few places of a market that
is {later} bars longer ({learner_later} for a learner), for leaks that begin late. Later bars are {tricks};
prices and volume apart.

A forecast counts as moved when it moved by more than eight times what a mere second run moves it by, or, where runs
are exact, by a billionth of the forecasts' size. Two things an honest predictor may do are not held against it: a
forecast that turns into NaN because later bars are NaN (0 · NaN is NaN, and a product of matrices spreads it), and
a change below a ten-thousandth of the forecasts' size when bars are cut off, where changing the same bars moves
nothing (float32 sums over batches of another length). A finding tells the first bar that looked ahead, how far,
which columns it read, and by how much the forecast moved against the noise:

> {finding}

and five lines that show it:

```python
{script}
```

State that outlives a call cannot be seen from inside one process that has already called. `order_of_calls`
therefore runs the predictor's module a second time, beside the first, and compares what has been used with what has
not.

### Every check

| check | what it holds |
|---|---|
{checks}

`expected_failures = {{"scale_free": "reads round numbers"}}` on a class declares a check that it cannot pass, and
why.

## What no check can see

* **Leaks inside the bars.** Prices adjusted today for dividends paid later, figures restated since, a universe of
  those that survived, an index's present members: the bars are then not what anybody saw on their date, and no
  question to a predictor shows it. Volume is the plainest case: a split adjusts it backwards.
* **Knowledge inside the code.** A parameter chosen because it did well on these years, a list of crises typed into
  a rule, a net trained before on data that reach further. The tear sheet counts trials for that; the checks do not.
* **A leak that waits** for more bars than the checks show, for a symbol, or for a date. `backtest` looks again at
  the bars and the parameters of the run itself, at as many bars as a tenth of its time allows, not at all.
* **Other files.** A predictor that reads the disk or the network can know anything.

## The zoo

Planted leaks caught by the checks named for them: **{caught} of {planted}**, of {kinds_caught} of {kinds} kinds.
False alarms on {honest} honest predictors ({built_in} of them built in): **{alarms}**.

| | leak | seen in | planted | caught | by |
|---|---|---|---|---|---|
{rows}

*By* lists the checks that failed on at least one planted leak of the row. Asked were the four that look ahead
and, where a leak is named for them, `repeatable`, `order_of_calls` and `no_edge_on_noise`.

Honest predictors that no check accuses: {names}.
{figures}"""


def page(alarms: int) -> str:
    """The whole page, where this many checks accuse an honest predictor."""
    leaks = list(planted())
    good = {name: model for name, model in honest()}
    rows, caught, kinds = [], 0, 0
    for row, (kind, seen) in ROWS.items():
        here = [leak for leak in leaks if leak.row == row]
        found = [set(leak.caught_by) <= set(caught_by(leak)) for leak in here]
        names = [check for check in TELLING if any(check in caught_by(leak) for leak in here)]
        by = ", ".join(f"`{name}`" for name in names)
        if row == ENGINE_ROW:
            found, by = [_engine_is_blind_to_the_close()], ENGINE_TEST
        caught, kinds = caught + sum(found), kinds + all(found)
        rows.append(f"| {row} | {kind} | {seen} | {len(found)} | {sum(found)} | {by} |")
    shown = next(outcome for outcome in failures(leaks[0]) if outcome.leak)
    return TEXT.format(
        probed=PROBED,
        learner_probed=EVERY * BLOCKS,
        every=EVERY,
        later=LATER - PROBED,
        learner_later=LATER_EVERY * LATER_BLOCKS - EVERY * BLOCKS,
        tricks=_listed(
            dict.fromkeys(trick.replace(" prices", " values").replace(" volume", " values") for trick in TRICKS)
        ),
        finding=shown.finding,
        script=shown.script('load("shifted.py")').replace("\nmodel", "\n\nmodel"),
        checks="\n".join(f"| `{f.__name__}` | {f.__doc__.splitlines()[0]} |" for f in (*ALL, *LEARNER_ONLY)),
        caught=caught,
        planted=len(leaks) + 1,
        kinds_caught=kinds,
        kinds=len(ROWS),
        honest=len(good),
        built_in=sum(type(model).__module__.startswith("predictors.") for model in good.values()),
        alarms=alarms,
        rows="\n".join(rows),
        names=", ".join(f"`{name}`" for name in good),
        figures=_figures(),
    )


def _engine_is_blind_to_the_close() -> bool:
    _, before, after = fills_with_a_poisoned_close(41)
    return len(before) > 0 and before.equals(after)


def _figures() -> str:
    if not FIGURES.exists():
        return ""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    examined, alarms = figures["examined"].values(), figures["alarms"].values()
    return (
        f"\nOn seeded synthetic markets ({', '.join(figures['kinds'])}), {min(examined)} or more\n"
        f"for each of {len(examined)} honest predictors, `python -m benchmarks.false_alarms` counted\n"
        f"**{sum(alarms)}** false alarms in {sum(examined):,} examinations.\n"
    )


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"


if __name__ == "__main__":
    (ROOT / "docs" / "look-ahead.md").write_text(page(len(false_alarms())), encoding="utf-8")
