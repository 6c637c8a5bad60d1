"""The command line in this process: for what a fresh process, which loads everything again, would not change."""

from __future__ import annotations

import traceback
from contextlib import chdir
from pathlib import Path
from subprocess import CompletedProcess

from click.testing import CliRunner

from cli import main

ROOT = Path(__file__).parent.parent


def cli(*arguments: str, cwd: Path = ROOT) -> CompletedProcess[str]:
    """What a command prints and how it ends, as if in a process that was started in `cwd`."""
    with chdir(cwd):
        done = CliRunner().invoke(main, arguments, prog_name="cli.py")
    expected = done.exception is None or isinstance(done.exception, SystemExit)
    error = "" if expected else "".join(traceback.format_exception(done.exception))
    return CompletedProcess(["cli.py", *arguments], done.exit_code, done.stdout, done.stderr + error)
