"""The HTML of a tear sheet: the template quantstats fills, the heading, and the corrected rows of its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd

FEWEST_BARS = 60  # below, one bar's luck moves an annualised figure by more than its size

_ANNUALISED = re.compile(
    r"(CAGR|(Prob\. |Smart )?Sharpe|(Smart )?Sortino|Volatility|Calmar|Risk-Adjusted|\d+Y |All-time|Alpha)"
)
_RENAMED = {
    "CAGR\ufe6a": "CAGR",  # few fonts have that small percent sign
    "Time in Market": "Bars with a Return",  # all it counts, rounded up; the account may hold through a still bar
    "Best Day": "Best Bar",
    "Worst Day": "Worst Bar",
    "Win Days": "Win Bars",
    "Expected Daily": "Expected per Bar",
    "Daily Value-at-Risk": "Value-at-Risk per Bar",
}


@dataclass(frozen=True)
class Heading:
    """What the page says above quantstats' figures; every field is shown as text."""

    title: str
    strategy: str
    benchmark: str
    periods_per_year: int
    facts: Mapping[str, str]
    alarm: str | None = None


def label(name: str, default: str, width: int = 28) -> str:
    """`name` as charts and table heads can show it: printable, short, and nothing quantstats would interpret."""
    plain = _printable(name).replace("{{", "{ {").strip() or default
    short = plain if len(plain) <= width else plain[: width - 1].rstrip() + "…"
    return f"\u2009{short}" if short.startswith("_") else short  # matplotlib hides labels that begin with _


def finished(draft: str, heading: Heading, returns: pd.Series) -> str:
    """The page quantstats drafted from TEMPLATE, with its heading and its tables put right."""
    page = re.sub(r"<\?xml.*?<svg ", "<svg ", draft, flags=re.DOTALL)
    page = re.sub(r"<metadata>.*?</metadata>\s*", "", page, flags=re.DOTALL)
    page = re.sub(r"<tr><td>([^<]*)</td>(.*?)</tr>", lambda row: _row(row, returns), page)
    page = page.replace("<th>Recovered</th>", "<th>Last bar</th>")
    page = page.replace("<!-- title -->", _text(heading.title), 1)
    return page.replace("<!-- heading -->", _heading(heading, returns), 1)


def _row(row: re.Match[str], returns: pd.Series) -> str:
    name, cells = row.groups()
    if name == "Risk of Ruin":  # quantstats' formula knows nothing of the size of a loss
        return ""
    name = _RENAMED.get(name, name)
    years = re.match(r"(\d+)Y ", name)
    first, last = returns.index[0], returns.index[-1]
    too_long = years is not None and first > last - pd.DateOffset(years=int(years[1]), days=-7)
    if too_long or (len(returns) < FEWEST_BARS and _ANNUALISED.match(name)):
        cells = re.sub(r"<td>.*?</td>", "<td>-</td>", cells)
    cells = re.sub(r"<td>(-?(nan|inf))?%?</td>", "<td>-</td>", cells)
    return f"<tr><td>{name}</td>{cells}</tr>"


def _heading(heading: Heading, returns: pd.Series) -> str:
    days = returns.index.equals(returns.index.normalize())
    first, last = (f"{date:%Y-%m-%d}" if days else f"{date:%Y-%m-%d %H:%M}" for date in returns.index[[0, -1]])
    bars = f"{len(returns):,} bar{'s' * (len(returns) != 1)}"
    facts = "".join(
        f'<div><dt dir="auto">{_text(name)}</dt><dd dir="auto">{_text(value)}</dd></div>'
        for name, value in heading.facts.items()
    )
    warning = (
        f'<p class="warning" role="note">Fewer than {FEWEST_BARS} bars: annualised figures are noise '
        "and are left out.</p>"
        if len(returns) < FEWEST_BARS
        else ""
    )
    alarm = f'<p class="alarm" role="alert" dir="auto">{_text(heading.alarm)}</p>' if heading.alarm else ""
    return (
        f'{alarm}<h1 dir="auto">{_text(heading.title)}</h1>\n'
        f'<p class="subtitle"><bdi>{_text(heading.strategy)}</bdi> against <bdi>{_text(heading.benchmark)}</bdi>, '
        f'<span class="date">{first}</span> to <span class="date">{last}</span>, {bars}, '
        f"{heading.periods_per_year:,} to the year</p>\n"
        f"{warning}<dl>{facts}</dl>"
    )


def _text(value: object) -> str:
    return escape(_printable(str(value)))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


_CSS = """
body{margin:0;background:#fff;color:#222;font:13px/1.45 Arial,Helvetica,sans-serif}
main{max-width:1120px;margin:auto;padding:28px 24px}
header{border-bottom:1px solid #ccc;margin-bottom:24px;padding-bottom:8px}
h1,h3,p,dl,dd{margin:0}
h1{font-size:26px;line-height:1.25;font-weight:600;overflow-wrap:anywhere}
h3{font-size:14px;margin:0 0 8px}
.subtitle{color:#666;font-size:14px;margin:4px 0 14px;overflow-wrap:anywhere}
.date{white-space:nowrap}
.alarm{background:#b00020;color:#fff;padding:12px 16px;margin:0 0 16px;font-size:15px;font-weight:600}
.warning{background:#fff4d6;border-left:4px solid #e0a100;padding:8px 12px;margin:0 0 14px;font-size:14px}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:0 24px;margin-bottom:12px}
dl div{display:flex;gap:10px;padding:5px 0;border-top:1px solid #eee}
dt{color:#777;flex:0 0 72px}
dd{flex:1;min-width:0}
dt,dd{overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 360px;gap:28px}
.columns>*{min-width:0}
figure{margin:0 0 10px}
svg{display:block;width:100%;height:auto}
svg text{font-family:Arial,Helvetica,sans-serif!important}
#monthly_dist svg{width:87.5%}
table{border-collapse:collapse;width:100%;margin:0 0 32px;font-variant-numeric:tabular-nums}
th,td{padding:4px 5px;text-align:right;vertical-align:top}
td{white-space:nowrap}
td:first-child,th:first-child{text-align:left;white-space:normal}
thead th{background:#f1f1f1;overflow-wrap:anywhere}
td hr{border:0;border-top:1px solid #ddd;margin:5px 0}
#eoy td:nth-child(2):after,#eoy td:nth-child(3):after,#drawdowns td:nth-child(3):after{content:"%"}
#drawdowns td:first-child,#drawdowns td:nth-child(2){text-align:left;white-space:nowrap}
#drawdowns th:nth-child(2){text-align:left}
footer{color:#777;border-top:1px solid #ccc;padding-top:10px;margin-top:8px}
a{color:#06c}
@media(max-width:820px){main{padding:16px 14px}.columns{grid-template-columns:minmax(0,1fr)}h1{font-size:22px}}
@media print{main{max-width:none;padding:0}}
@media print{.columns{grid-template-columns:minmax(0,1fr) 300px}figure{break-inside:avoid}}
"""

_FIGURES = (
    *("returns", "log_returns", "vol_returns", "eoy_returns", "monthly_dist", "daily_returns", "rolling_beta"),
    *("rolling_vol", "rolling_sharpe", "rolling_sortino", "dd_periods", "dd_plot", "monthly_heatmap", "returns_dist"),
)
_CHARTS = "\n".join(f"<figure id={name}>{{{{{name}}}}}</figure>" for name in _FIGURES)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

TEMPLATE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><!-- title --></title>
<style>{_CSS}</style>
</head>
<body>
<main>
<header><!-- heading --></header>
<div class="columns">
<div>
{_CHARTS}
</div>
<div>
<h3>Key figures</h3>
{{{{metrics}}}}
<div id="eoy">{{{{eoy_title}}}}
{{{{eoy_table}}}}</div>
<div id="drawdowns"><h3>Worst drawdowns</h3>
{{{{dd_info}}}}</div>
</div>
</div>
<footer>
Figures by <a href="https://github.com/ranaroussi/quantstats" rel="noreferrer">QuantStats</a> {{{{v}}}}.
</footer>
</main>
</body>
</html>
"""
