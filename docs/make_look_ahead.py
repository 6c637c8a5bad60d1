"""Writes docs/look-ahead.md from the results of the checks on the zoo: python -m docs.make_look_ahead"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rollcast.backtests.evidence.skill import wilson
from rollcast.backtests.gate.probing import MOST, WORK
from rollcast.backtests.gate.strategy_checks import ALL as STRATEGY_CHECKS
from rollcast.backtests.gate.windows import SHARE
from rollcast.predictors.checks.conformance import ALL
from rollcast.predictors.checks.learner_conformance import LEARNER_ONLY
from rollcast.predictors.checks.perturbations import PERTURBATIONS
from rollcast.predictors.checks.subject import BLOCKS, COMBED, EVERY, LATER, LATER_BLOCKS, LATER_EVERY, PROBED
from tests.zoo.findings import TELLING, caught_by, failures, false_alarms, fills_with_a_poisoned_close
from tests.zoo.honest import honest
from tests.zoo.leaks import ROWS, planted

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "results" / "false_alarms.json"
ENGINE_ROW, ENGINE_TEST = 11, "the engine fills at the next open"
TEXT = """# Look-ahead: what is checked, and what no check can see

`python -m docs.make_look_ahead` writes this page from the results of the checks; a test fails where the two differ.

## What the checks do

A forecast made at a bar may depend on that bar and on earlier ones. The checks therefore remove or perturb all later
bars, and compare every earlier forecast with the one on the unchanged bars. The market is cut after each of {probed}
bars in turn ({learner_probed} for a learner, which is refitted every {every} bars); it has jumps, days of high volume,
missing days and a turn of the year. For leaks that begin late, `prefix` and `changed_future` also cut at a few bars of
a market that is {later} bars longer ({learner_later} for a learner). For rare ones, `changed_future` of a predictor
combs {combed:,} bars of calm and wild times: single bars are changed, many at once. Later bars are
{perturbations}; prices and volume
are perturbed separately. `provoked` cuts two more markets after each of their last twenty bars (ten for a learner): ten
bars recur in them, two of them idle, then a bad tick and its return, a limit move, a stale close and a gap, by day at
round prices and by second near 0.05.

A forecast counts as changed when it changes by more than eight times the noise, which is the largest change between
two runs on the same bars, or, where runs are exact, by more than a billionth of the forecasts' size. Two changes are
not counted, since a predictor without look-ahead can show them: a forecast that becomes NaN because later bars are NaN
(0 · NaN is NaN, and a product of matrices spreads it), and a change below a ten-thousandth of the forecasts' size when
bars are cut off, if changing the same bars changes nothing (float32 sums over batches of another length). A finding
states the first bar that looks ahead, how far, which columns it reads, and the change of the forecast beside the noise:

> {finding}

and five lines of Python that reproduce it:

```python
{script}
```

State that survives a call cannot be detected by further calls of the same predictor. `order_of_calls` therefore
executes the predictor's module a second time, and compares the forecasts of a predictor that has been used with those
of one that has not. `backtest` trains some windows of a learner again, the last first, and has one of your own fitted
in two fresh processes, in which texts hash otherwise: where forecasts move by more than a hundredth of their size, no
clean sheet can come of them.

### Every check

| check | requirement |
|---|---|
{checks}

`expected_failures = {{"scale_free": "reads round numbers"}}` on a class declares a check that it cannot pass, and
why.

## Strategies

A rule is handed what is known at a close and nothing else. A strategy of backtrader's reads lines, which hold all bars
as soon as they are loaded. `backtest` therefore runs one of your own again, by an engine that holds no later bar: bars
are loaded when their time comes, indicators are computed bar by bar, and in `next_open` every line of today's bar but
its open is NaN. Where an order or the account is not the same to the last bit, the strategy is refused with the first
such order, its date, what was read and how far ahead; `check` prints lines of Python that reproduce it. Rules and
strategies of your own are run again by a fresh copy of their module, on bars and forecasts that are others after two
thirds and on the first third alone, where earlier orders must stay. An order that only a file or the code itself knows
of is the same in all these runs. `--allow-lookahead` prints the sheet in red, and all other answers on it are grey.

Of a sweep, the first variant is examined so before any is traded, and the winner in its own run; those between are not.

`check` does this for a strategy's file on three markets of 300 bars, those of the predictors, with the forecasts of an
EMA, and cuts six times:

| check | requirement |
|---|---|
{strategy_checks}

`documented`, `trades`, `memory_saved` and `opens_nothing` give advice; a rule, which reads no lines, is spared the four
checks on lines and engines. `strategies.indicator.Forecast` in a cerebro of one's own keeps nothing from seeing the
future: there, run `check` on predictor and strategy.

## What no check can see

* **Leaks inside the bars.** Prices adjusted today for dividends paid later, figures restated since, a universe of
  survivors, an index's present members: the bars are then not those that were known on their date, and no
  test of a predictor shows it. Volume is the plainest case: a split adjusts it backwards.
* **Knowledge inside the code.** A parameter chosen because it did well in these years, a list of crises written into
  a rule, a net trained earlier on data that reach further. The tear sheet counts trials for that; the checks do not.
* **A leak that begins** after more bars than the checks have, with a symbol, or on a date. `backtest` tests again on
  the bars and with the parameters of the run, by a fixed plan without a clock. It may call a predictor {most} times, or
  fewer where a call makes more than {per_call:,} calls of functions, counted with the bars. Where a predictor forgets a
  bar after fewer bars than that, every forecast is probed. What fades, as in an EMA or a Kalman filter, counts as
  forgotten below a millionth to a thousandth of the forecasts' size, as small as the calls allow: the size of the leak
  that could hide. What never forgets (a deviation over all bars so far) needs a call for each bar, and is probed at
  notable bars and some evenly between. Of a walk-forward, as many windows are trained again as cost {share:.0%} of the
  run; a few fitted models then forecast all blocks on bars changed one by one, which trains nothing. A learner with a
  `forecast` or a `tiny` of its own is taken to be slow, and probed so within a few months. What such a
  `forecast` reads of `window.bars` beyond its block shows only in the windows that are trained again, three of 294 for
  the LSTM on SPY: where it reads so in few windows, it passes. The sheet says at how many bars of how many it probed,
  and with how many of the fits.
* **A leak of next to nothing.** Below a ten-thousandth of the forecasts' size, a dependence on the number of bars alone
  is taken for rounding; below the size that the sheet states, a dependence on their values.
* **Other files.** A plugin that reads the disk or the network can know anything. What is opened while its file is
  imported, it predicts or trades is named (by Python's audit events), prices that it asks of rollcast too; not what an
  installed plugin read at import before, a library in C++ such as pyarrow, or another process.
* **Code that recognises its examiner.** A predictor that behaves on the checks' markets, or on bars that were cut or
  changed, and looks ahead on others.

For these there is an alarm: the line of the verdict on whether the skill is of a size that honest forecasts have.
[metrics.md](metrics.md#plausibility) derives its limits from the size of the bars. A leak that earns less than they
allow stays unseen.

## The zoo

Planted leaks caught by the checks named for them: **{caught} of {planted}**, of {kinds_caught} of {kinds} kinds.
False alarms on {honest} predictors without look-ahead ({built_in} of them built in): **{alarms}**.

| | leak | seen in | planted | caught | by |
|---|---|---|---|---|---|
{rows}

*By* lists the checks that failed on at least one planted leak of the row. The four look-ahead checks ran on all of
them; `repeatable`, `order_of_calls` and `no_edge_on_noise` on the leaks that are planted for them.

Predictors without look-ahead that pass every check: {names}.
{figures}
### Leaks made to order

{made_to_order}
Two plugins that meant to be honest failed, and rightly. A GARCH-in-mean model, made anew from the bars of every
forecast, took its first variance (the backcast) from returns after the first forecasts; it must be kept from `fit`. A
logistic regression raised an exception where all returns are equal, since its labels are then of one class;
`examples/classifier.py` forecasts there from the share of rises.
"""

ANSWERS = ROOT / "benchmarks" / "results" / "look_ahead.csv"
KNOWN = ("caught", "missed")
TO_ORDER = """`python -m benchmarks.look_ahead` drew {leaks} leaks of other kinds, places and sizes, by a
seed ({seed}) that the gate was not made with. On SPY's last 1,000 bars (500 for strategies) the gate caught
**{gate}**; {idle} more have nothing to show there. Missed: {missed}. `check` alone, on its own markets, caught
**{check}**; it missed those of these places: {places}. What is late begins after 700 bars.

It then had the gate examine {plugins} predictors, learners and strategies without look-ahead on {markets} of the seeded
synthetic markets, 250 bars each, learners of one's own on every fourth: **{accused}** false alarms in {count:,}
examinations, so that their rate is below {most:.2%} (the upper end of Wilson's interval at 95 %).
"""


def page(alarms: int) -> str:
    """The whole page; `alarms` is the number of checks that fail on a predictor without look-ahead."""
    leaks = list(planted())
    correct = dict(honest())
    rows, caught, kinds = [], 0, 0
    for row, (kind, source) in ROWS.items():
        row_leaks = [leak for leak in leaks if leak.row == row]
        hits = [set(leak.caught_by) <= set(caught_by(leak)) for leak in row_leaks]
        names = [check for check in TELLING if any(check in caught_by(leak) for leak in row_leaks)]
        by = ", ".join(f"`{name}`" for name in names)
        if row == ENGINE_ROW:
            hits, by = [_engine_is_blind_to_the_close()], ENGINE_TEST
        caught, kinds = caught + sum(hits), kinds + all(hits)
        rows.append(f"| {row} | {kind} | {source} | {len(hits)} | {sum(hits)} | {by} |")
    example = next(outcome for outcome in failures(leaks[0]) if outcome.leak)
    return TEXT.format(
        probed=PROBED,
        most=MOST,
        per_call=WORK // MOST,
        share=SHARE,
        learner_probed=EVERY * BLOCKS,
        every=EVERY,
        later=LATER - PROBED,
        combed=COMBED,
        learner_later=LATER_EVERY * LATER_BLOCKS - EVERY * BLOCKS,
        perturbations=_enumeration(
            dict.fromkeys(p.replace(" prices", " values").replace(" volume", " values") for p in PERTURBATIONS)
        ),
        finding=example.finding,
        script=example.script('load("shifted.py")').replace("\nmodel", "\n\nmodel"),
        checks="\n".join(f"| `{f.__name__}` | {f.__doc__.splitlines()[0]} |" for f in (*ALL, *LEARNER_ONLY)),
        strategy_checks="\n".join(f"| `{f.__name__}` | {f.__doc__.splitlines()[0]} |" for f in STRATEGY_CHECKS),
        caught=caught,
        planted=len(leaks) + 1,
        kinds_caught=kinds,
        kinds=len(ROWS),
        honest=len(correct),
        built_in=sum(type(model).__module__.startswith("rollcast.predictors.") for model in correct.values()),
        alarms=alarms,
        rows="\n".join(rows),
        names=", ".join(f"`{name}`" for name in correct),
        figures=_figures(),
        made_to_order=_made_to_order(),
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
        f"for each of {len(examined)} predictors without look-ahead, `python -m benchmarks.false_alarms` counted\n"
        f"**{sum(alarms)}** false alarms in {sum(examined):,} examinations.\n"
    )


def _made_to_order() -> str:
    """What `benchmarks.look_ahead` counted, as far as it has come."""
    table = pd.read_csv(ANSWERS)
    gate, check, market = (table[table["examined"] == name] for name in ("gate", "check", "market"))
    (a, b), (c, d) = ((int((t["answer"] == "caught").sum()), int(t["answer"].isin(KNOWN).sum())) for t in (gate, check))
    places = check.loc[check["answer"] == "missed", "plugin"].str.split(", ").str[1].value_counts()
    judged = market[market["answer"] != "no forecast"]
    accused, count = int((judged["answer"] == "accused").sum()), len(judged)
    _, most = wilson(accused, count)
    return TO_ORDER.format(
        seed=int(gate["seed"].iloc[0]),
        leaks=len(gate),
        gate=f"{a} of {b}",
        idle=len(gate) - b,
        missed="; ".join(gate.loc[gate["answer"] == "missed", "plugin"]) or "none",
        check=f"{c} of {d}",
        places=", ".join(f"{place} ({n})" for place, n in places.items()) or "nowhere",
        plugins=judged["plugin"].nunique(),
        markets=judged["seed"].nunique(),
        accused=accused,
        count=count,
        most=most,
    )


def _enumeration(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


if __name__ == "__main__":
    (ROOT / "docs" / "look-ahead.md").write_text(page(len(false_alarms())), encoding="utf-8")
