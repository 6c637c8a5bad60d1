"""`cli.py doctor`: what is wrong with this machine, and the cure."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .option_values import Workspace
from .output import JSON, print_json

COLOURS = {"ok": "green", "lacking": "yellow", "fault": "red"}


@click.command()
@click.option(
    "--out",
    type=Workspace(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The workspace that is to be written to.",
)
@JSON
def doctor(out: Path, as_json: bool) -> None:
    """Say whether all that rollcast needs is here and works, a line for each part, with the cure where it does not.

    Takes a few seconds, and writes nothing that stays. Exits with status 1 for a fault; what is lacking is optional.
    """
    from ..doctor import examine

    findings = []
    for finding in examine(out):
        findings.append(finding)
        if not as_json:
            status = click.style(f"{finding.status:<9}", fg=COLOURS[finding.status])
            cure = f". Cure: {finding.cure}" if finding.cure else ""
            click.echo(f"{status}{finding.part:<11}{finding.sentence}{cure}")
    passed = all(finding.status != "fault" for finding in findings)
    if as_json:
        print_json({"passed": passed, "findings": [asdict(finding) for finding in findings]})
    if not passed:
        raise SystemExit(1)
