"""What the numbers say, in plain sentences that never call luck a profit.

An answer is yes where something was shown, no where nothing speaks for it, unclear between, and untested where these
bars, or this run, cannot tell. docs/metrics.md has the hypothesis, the statistic and the measured level of each.
"""

from __future__ import annotations

import math

from ..json_values import Record, number
from .power import SURE, SURE_T, smallest
from .verdict_words import beyond_words, calibration_words, percent_words, probability_words, ratio_words, reach_words

Entry = dict[str, str]
CHANCE = 1 - SURE


def verdict(metrics: Record, recipe: Record) -> list[Entry]:
    """The questions a sceptic asks, with an answer (yes, no, unclear, untested), a sentence and a section."""
    across, extra = metrics.get("panel"), [_draw(metrics["draw"])] if metrics.get("draw") else []
    needed = number(metrics["excess"]["needed_t"])
    doubts = [_look_ahead(recipe["look_ahead"]), _plausibility(metrics)]
    lines = [
        _ranks(across, needed) if across and across["dates"] else _forecast(metrics["forecast"], needed),
        _timing(metrics),
        _deflation(metrics),
        _holding(metrics),
        _costs(metrics),
        *extra,
        *([_placebo(metrics["placebo"])] if metrics.get("placebo") else []),
    ]
    if any(entry["answer"] == "no" for entry in doubts):
        # Whatever else looks good may be the leak.
        lines = [entry | {"answer": "untested"} for entry in lines]
    return doubts + lines


def _look_ahead(found: Record) -> Entry:
    answer = "no" if not found["passed"] else "untested" if found.get("elsewhere") else "yes"
    sentence = f"Look-ahead: {found['finding']}."
    if "strategy" in found:  # 0.1 did not examine it
        sentence += f" The strategy: {found['strategy']['finding']}."
    return _entry("look-ahead", answer, sentence, "recipe")


def _plausibility(metrics: Record) -> Entry:
    """The alarm for skill that honest forecasts do not have, and what to look for."""
    limits = metrics["plausibility"]
    bounds = (
        f"a correlation of {limits['ic_limit']:.2f}, {limits['hit_rate_limit']:.0%} of signs right or a Sharpe ratio "
        f"of {limits['sharpe_limit']:.1f}"
    )
    if not limits["beyond"]:
        return _entry("plausibility", "yes", f"Nothing is surely beyond {bounds}.", "skill")
    sentence = (
        f"Too good: look for a leak. {beyond_words(metrics)}; honest forecasts of such bars do not reach {bounds}. "
        "Look for columns that already hold the future, other data joined by a date on which it was not known yet, and "
        "weights or lists made with these bars in sight."
    )
    return _entry("plausibility", "no", sentence, "skill")


def _forecast(skill: Record, needed: float) -> Entry:
    t, ic = number(skill["cw_mean"]), number(skill["ic"])
    if math.isnan(t):
        return _entry("forecast", "untested", "There are too few forecasts, or all are the same.", "skill")
    answer = "yes" if t > needed and ic > 0 else "unclear" if t > 0 else "no"
    sentence = f"Their correlation with the next return is {ic:.3f}. {_chance(t, number(skill['cw_mean_p']), needed)}"
    if answer != "no":
        sentence += calibration_words(skill)
    if answer != "yes":
        seen = f"A correlation of {number(skill['smallest_ic']):.3f}"
        sentence += reach_words(seen, skill["years_more"])
    return _entry("forecast", answer, sentence, "skill")


def _chance(t: float, p: float, needed: float) -> str:
    """How sure it is that the forecasts know more than the mean, for one trial and for the best of many."""
    if needed <= SURE_T:
        return f"The chance of as much from knowing only the mean so far is {probability_words(p)} (Clark-West)."
    return (
        f"They are {t:.2f} standard errors better than the mean known so far (Clark-West); the best of these trials "
        f"needs {needed:.2f}."
    )


def _ranks(across: Record, needed: float) -> Entry:
    """Of a portfolio: whether the names were ranked better than by lot, one-sided, on the dates' rank correlations."""
    mean, t = number(across["rank_ic"]["mean"]), number(across["rank_ic"]["t"])
    answer = "yes" if t > needed else "unclear" if mean > 0 else "no"
    sentence = (
        f"Across names, the correlation of their ranks with those of the next returns is {mean:.4f} on average of "
        f"{across['dates']:,} dates, {ratio_words(t)} standard errors from none."
    )
    return _entry("forecast", answer, sentence, "across")


def _timing(metrics: Record) -> Entry:
    excess, random = metrics["excess"], metrics["stress"]["random"]
    t, p, rank = number(excess["t"]), number(excess["p_best"]), number(random["sharpe_rank"])
    if math.isnan(t) or math.isnan(rank):
        return _entry("timing", "untested", _nothing_to_time(metrics), "luck")
    answer = "no" if t <= 0 else "yes" if p < CHANCE and rank >= SURE else "unclear"
    sentence = (
        f"Its average exposure to the market was {number(excess['beta']):.0%}; beyond what that earned it made "
        f"{percent_words(excess['alpha'])} a year, {t:.2f} standard errors from none. Its forecasts shifted to random "
        f"times, traded as often, had a lower Sharpe ratio in {rank:.0%} of {random['draws']} draws."
    )
    return _entry("timing", answer, sentence + _reach(answer, excess), "luck")


def _nothing_to_time(metrics: Record) -> str:
    ours = metrics["strategy"]
    if not ours["orders"]:
        return "It never traded."
    if ours["orders"] == 1:
        return "It bought once and held: there is no timing to judge."
    return "There are too few bars, or too few trades, to tell."


def _reach(answer: str, excess: Record) -> str:
    if answer == "yes":
        return ""
    return reach_words(f"An excess of {percent_words(excess['smallest'])} a year", excess["years_more"])


def _deflation(metrics: Record) -> Entry:
    excess, luck = metrics["excess"], metrics["luck"]
    p, dsr, trials = number(excess["p_best"]), number(excess["dsr"]), luck["trials"]
    if math.isnan(p):
        return _entry("deflation", "untested", _nothing_to_time(metrics), "luck")
    # They disagree where one says yes and the other that less than the expected best was reached.
    answer = "no" if p >= 0.5 else "yes" if p < CHANCE and dsr >= 0.5 else "unclear"
    if trials == 1:
        sentence = (
            f"The chance of such an excess by luck is {probability_words(p)}, if this was the only variant ever tried "
            "on this market."
        )
    else:
        sentence = (
            f"The chance that the best of {trials:,} variants without skill shows such an excess is "
            f"{probability_words(p)} (bootstrap of the maximum). So many were tried on this market, "
            f"{luck['effective_trials']:.0f} of them unlike; the deflated Sharpe ratio of the excess is {dsr:.0%}."
        )
        if p < CHANCE and dsr < 0.5:
            sentence += " The two disagree."
    return _entry("deflation", answer, sentence + _reach(answer, excess), "luck")


def _holding(metrics: Record) -> Entry:
    ours, held, against = metrics["strategy"], metrics["benchmark"], metrics["luck"]["against_hold"]
    growth, other = number(ours["cagr"]), number(held["cagr"])
    sharpe, its = number(ours["sharpe"]), number(held["sharpe"])
    sure = max(number(against["p_cagr"]), number(against["p_sharpe"])) < CHANCE
    ahead = growth > other, sharpe > its
    answer = "yes" if all(ahead) and sure else "unclear" if any(ahead) else "no"
    sentence = (
        f"It grew {growth:.1%} a year, holding {other:.1%}; Sharpe ratio {ratio_words(sharpe)} against "
        f"{ratio_words(its)}."
    )
    if any(ahead) and not sure:
        sentence += " The difference is within what chance gives."
    least = number(against.get("smallest_sharpe"))
    if answer != "yes" and not math.isnan(least + sharpe):
        sentence += reach_words(f"A Sharpe ratio {least:.2f} above holding's", against["years_more"])
    return _entry("holding", answer, sentence, "performance")


def _costs(metrics: Record) -> Entry:
    """Whether costs could have been higher for sure: break-even of the excess against what was paid."""
    excess, late = metrics["excess"], {row["bars"]: number(row["cagr"]) for row in metrics["stress"]["delay"]}
    own, (low, even, high) = number(excess["own_cost_bps"]), map(number, excess["break_even_bps"])
    if math.isnan(low):
        return _entry("costs", "untested", _nothing_to_time(metrics), "costs")
    answer = "yes" if low > own else "unclear" if even > own else "no"
    sentence = (
        f"Each way it paid {own:.1f} basis points; what it made beyond its exposure would be gone at {even:.1f} "
        f"({low:.1f} to {high:.1f}). Filled one bar later it would have grown {late[1]:.1%} a year instead of "
        f"{late[0]:.1%}."
    )
    if answer != "yes":
        needed = number(excess["needed_t"])
        sentence += reach_words(f"A break-even at {own + smallest((high - even) / needed, needed):.1f}")
    return _entry("costs", answer, sentence, "costs")


def _draw(draw: Record) -> Entry:
    """Whether another draw of the seeds would have given the same forecasts."""
    nets, agreement = draw["nets"], number(draw["agreement"])
    if math.isnan(agreement):
        return _entry("draw", "untested", "It was trained from one seed: more seeds would tell.", "training")
    answer = "yes" if agreement >= 0.9 else "unclear" if agreement >= 0.5 else "no"
    sentence = (
        f"The forecasts of {nets} nets of other seeds would have a correlation of about {agreement:.2f} with these; "
        "1 is no luck of the draw at all."
    )
    return _entry("draw", answer, sentence, "training")


def _placebo(test: Record) -> Entry:
    p, ic = number(test["sharpe"]["p"]), number(test["ic"]["p"])
    answer = "yes" if p <= CHANCE else "no" if p >= 0.5 else "unclear"
    sentence = (
        f"The whole pipeline on {test['markets']} {test['null']} markets without an edge reaches this Sharpe ratio "
        f"with p = {probability_words(p)}, this correlation with p = {probability_words(ic)}. This outranks the lines "
        "above."
    )
    return _entry("placebo", answer, sentence, "luck")


QUESTIONS = {
    "look-ahead": "Was it kept from seeing the future?",
    "plausibility": "Is its skill of a size that honest forecasts have?",
    "forecast": "Are the forecasts better than the mean known so far?",
    "timing": "Does it earn more than its average exposure to the market?",
    "deflation": "Is that more than the best of all trials would show by luck?",
    "holding": "Does it beat buying and holding, after costs?",
    "costs": "Does what it makes beyond its exposure outlast its costs?",
    "draw": "Would other seeds have forecast the same?",
    "placebo": "Does it do better than on markets without an edge?",
}


def _entry(check: str, answer: str, sentence: str, section: str) -> Entry:
    return {"check": check, "question": QUESTIONS[check], "answer": answer, "sentence": sentence, "section": section}
