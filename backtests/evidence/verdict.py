"""What the numbers say, in plain sentences that never call luck a profit."""

from __future__ import annotations

import math

from ..json_values import Record, number

SURE = 0.95  # a probability from which on an answer is yes
MOOT = "moot"  # the answer to all other questions where it looks ahead: grey on the sheet
SURE_T = 1.645  # the same of a normal t, one-sided

Entry = dict[str, str]


def verdict(metrics: Record, recipe: Record) -> list[Entry]:
    """The questions a sceptic asks, with an answer (yes, no, unclear, moot), a sentence and a section."""
    across = metrics.get("panel")
    entries = [
        _look_ahead(recipe["look_ahead"]),
        _plausibility(metrics),
        _ranks(across) if across and across["dates"] else _forecast(metrics["forecast"]),
        _holding(metrics["strategy"], metrics["benchmark"], metrics["luck"]["against_hold"]),
        _timing(metrics["stress"]["random"]),
        _deflation(metrics["luck"], metrics["strategy"]),
        _costs(metrics["stress"]),
    ]
    first = entries[0]["answer"]
    return entries if first == "yes" else [entries[0], *(entry | {"answer": MOOT} for entry in entries[1:])]


def conclusion(entries: list[Entry]) -> str:
    """One sentence over all of them."""
    yes = {entry["check"] for entry in entries if entry["answer"] == "yes"}
    if "look-ahead" not in yes:
        return "This looks ahead. Nothing below is evidence of anything."
    if "plausibility" not in yes:
        return "This is too good to be true. Look for a leak before you trust anything below."
    if len(yes) == len(entries):
        return "Every check here is passed. That is rare: look for what the checks cannot see before you trust it."
    edge = bool(yes & {"holding", "timing"})
    if {"forecast", "deflation"} <= yes and edge:
        return "The forecasts carry information, and the result is more than luck; but not every check is passed."
    if "forecast" in yes:
        return "The forecasts carry some information, but this result could be luck."
    if edge:
        return "It was in the market at better times than chance chooses, but its forecasts are no better than none."
    if "deflation" in yes:
        return "What it earned came from being in the market, not from its forecasts. There is no evidence of skill."
    return "There is no evidence here of more than luck."


def _look_ahead(found: Record) -> Entry:
    answer = "yes" if found["passed"] else "no"
    sentence = f"Look-ahead: {found['finding']}."
    if "strategy" in found:  # 0.1 did not examine it
        sentence += f" The strategy: {found['strategy']['finding']}."
    return _entry("look-ahead", answer, sentence, "recipe")


def _plausibility(metrics: Record) -> Entry:
    """The alarm for skill that honest forecasts do not have, and what to look for."""
    limits, skill, across = metrics["plausibility"], metrics["forecast"], metrics.get("panel")
    measures = {
        "ic": f"the forecasts' correlation with the next returns is {number(skill['ic']):.2f}",
        "rank_ic": f"their rank correlation across names is {number(across['rank_ic']['mean']):.2f}" if across else "",
        "hit_rate": f"their sign is right in {number(skill['hit_rate']):.0%}",
        "sharpe": f"the Sharpe ratio is {_ratio(limits['sharpe'])}",
    }
    bounds = (
        f"a correlation of {limits['ic_limit']:.2f}, {limits['hit_rate_limit']:.0%} of signs right or a Sharpe ratio "
        f"of {limits['sharpe_limit']:.1f}"
    )
    if not limits["beyond"]:
        return _entry("plausibility", "yes", f"Nothing is surely beyond {bounds}.", "skill")
    what = _sentence(" and ".join(measures[name] for name in limits["beyond"]))
    sentence = (
        f"Too good: look for a leak. {what}; honest forecasts of such bars do not reach {bounds}. Look for columns "
        "that already hold the future, other data joined by a date on which it was not known yet, and weights or lists "
        "made with these bars in sight."
    )
    return _entry("plausibility", "no", sentence, "skill")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _forecast(skill: Record) -> Entry:
    r2, p = number(skill["r2"]), number(skill["cw_p"])
    if math.isnan(p):
        return _entry("forecast", "no", "Nothing to judge: every forecast, or every return, is zero.", "skill")
    answer = "yes" if r2 > 0 and p < 1 - SURE else "unclear" if r2 > 0 or p < 1 - SURE else "no"
    better = "smaller" if r2 > 0 else "larger"
    sentence = (
        f"Their squared error is {abs(r2):.2%} {better} than that of always forecasting zero, and the chance of "
        f"knowing nothing and looking as well is {_p(p)} (Clark-West)."
    )
    return _entry("forecast", answer, sentence, "skill")


def _ranks(across: Record) -> Entry:
    """Of a portfolio: whether the names were ranked better than by lot, one-sided, on the dates' rank correlations."""
    mean, t = number(across["rank_ic"]["mean"]), number(across["rank_ic"]["t"])
    answer = "yes" if t > SURE_T else "unclear" if mean > 0 else "no"
    sentence = (
        f"Across names, the correlation of their ranks with those of the next returns is {mean:.4f} on average of "
        f"{across['dates']:,} dates, {_ratio(t)} standard errors from none."
    )
    return _entry("forecast", answer, sentence, "across")


def _holding(ours: Record, held: Record, against: Record) -> Entry:
    growth, other = number(ours["cagr"]), number(held["cagr"])
    sharpe, its = number(ours["sharpe"]), number(held["sharpe"])
    sure = max(number(against["p_cagr"]), number(against["p_sharpe"])) < 1 - SURE
    ahead = growth > other, sharpe > its
    answer = "yes" if all(ahead) and sure else "unclear" if any(ahead) else "no"
    sentence = f"It grew {growth:.1%} a year, holding {other:.1%}; Sharpe ratio {_ratio(sharpe)} against {_ratio(its)}."
    if any(ahead) and not sure:
        sentence += " The difference is within what chance gives."
    return _entry("holding", answer, sentence, "performance")


def _timing(random: Record) -> Entry:
    rank, draws = number(random["sharpe_rank"]), random["draws"]
    if math.isnan(rank):
        return _entry("timing", "unclear", "There are too few bars, or too few trades, to tell.", "luck")
    answer = "yes" if rank >= SURE else "unclear" if rank > 0.5 else "no"
    sentence = (
        f"The same forecasts shifted to random times, traded as often, had a lower Sharpe ratio in {rank:.0%} of "
        f"{draws} draws."
    )
    return _entry("timing", answer, sentence, "luck")


def _deflation(luck: Record, ours: Record) -> Entry:
    probability, trials = number(luck["dsr"]), luck["trials"]
    if math.isnan(probability):
        return _entry("deflation", "no", "It has no Sharpe ratio: the account did not move.", "luck")
    answer = "yes" if probability >= SURE else "unclear" if probability >= 0.5 else "no"
    if trials > 1:
        sentence = (
            f"{trials} variants were tried on these bars, {luck['effective_trials']:.0f} of them unlike. The best of "
            f"as many without skill would show {number(luck['threshold']):.2f}; this one has "
            f"{_ratio(ours['sharpe'])}, and is truly above that with a probability of {probability:.0%} "
            f"({number(luck['dsr_all']):.0%} if all {trials} count as unlike)."
        )
    else:
        sentence = (
            f"It is {_ratio(ours['sharpe'])}, and truly above zero with a probability of {probability:.0%}, if this "
            "was the only variant ever tried on these bars."
        )
    return _entry("deflation", answer, sentence, "luck")


def _costs(stress: Record) -> Entry:
    late = {row["bars"]: number(row["total_return"]) for row in stress["delay"]}
    even = stress["break_even_bps"]
    if late[0] <= 0:
        return _entry("costs", "no", "It lost money as it was.", "costs")
    answer = "yes" if late[1] > 0.5 * late[0] and (even is None or even >= 10) else "no"
    limit = "no cost below 1,000 basis points each way" if even is None else f"{even:.0f} basis points each way"
    sentence = (
        f"Filled one bar later it would have returned {late[1]:.0%} in all instead of {late[0]:.0%}; {limit} "
        "would have taken all of it."
    )
    return _entry("costs", answer, sentence, "costs")


QUESTIONS = {
    "look-ahead": "Was it kept from seeing the future?",
    "plausibility": "Is its skill of a size that honest forecasts have?",
    "forecast": "Are the forecasts better than no forecast?",
    "holding": "Does it beat buying and holding, after costs?",
    "timing": "Does it beat its own forecasts at random times?",
    "deflation": "Does the Sharpe ratio survive deflation for the trials made?",
    "costs": "Does it survive trading late and at higher costs?",
}


def _entry(check: str, answer: str, sentence: str, section: str) -> Entry:
    return {"check": check, "question": QUESTIONS[check], "answer": answer, "sentence": sentence, "section": section}


def _ratio(value: float | None) -> str:
    return "undefined" if math.isnan(number(value)) else f"{value:.2f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
