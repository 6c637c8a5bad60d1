"""Draws the pictures of README.md from a real run, its sheet and its terminal: python -m docs.make_pictures"""

from __future__ import annotations

import base64
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from PIL import Image

from tests.sheet.chromium import CHROMIUM, Tab, browser

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "figures"
COMMAND = "python cli.py backtest -P sma"
COLUMNS, LETTER, LINE, EDGE, BAR = 80, 7.8, 18, 16, 34  # SVG units, of a font of 13
SGR = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}  # what click.style writes
STYLE = """
.ground{fill:#fff;stroke:#d0d7de}.text{fill:#1f2328}.dim{fill:#59636e}.bold{font-weight:700}
.red{fill:#cf222e}.green{fill:#1a7f37}.yellow{fill:#9a6700}.dot{fill:#d0d7de}
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}
@media(prefers-color-scheme:dark){.ground{fill:#0d1117;stroke:#3d444d}.text{fill:#f0f6fc}.dim{fill:#9198a1}
.red{fill:#ff7b72}.green{fill:#3fb950}.yellow{fill:#d29922}.dot{fill:#3d444d}}
"""


def run(folder: Path) -> str:
    """What COMMAND prints in a coloured terminal, standard error included; its run is in `folder`/runs."""
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "ROLLCAST_LEDGER": str(folder / "ledger.sqlite")}
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "cli.py"), *COMMAND.split()[2:]]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # Linux says so where nobody writes any more
            part = b""
        if not part:
            break
        printed += part
    os.close(ours)
    if process.wait():
        raise RuntimeError(f"{COMMAND} failed:\n{printed.decode()}")
    return printed.decode().replace("\r\n", "\n").strip("\n")


def spans(line: str) -> str:
    """A line with SGR escapes as SVG: a tspan for each run of letters of one style."""
    parts, styles = [], []
    for piece in re.split(r"(\x1b\[[\d;]*m)", line):
        if piece.startswith("\x1b"):
            codes = piece[2:-1].split(";")
            styles = [] if codes in (["0"], [""]) else [*styles, *(SGR[code] for code in codes)]
        elif piece:
            text = escape(piece, quote=False)
            parts.append(f'<tspan class="{" ".join(styles)}">{text}</tspan>' if styles else text)
    return "".join(parts)


def terminal(printed: str) -> str:
    """A terminal that shows COMMAND and what it printed, as an SVG, light or dark as its reader is."""
    lines = [f"\x1b[2m$\x1b[0m \x1b[1m{COMMAND}\x1b[0m", *printed.split("\n")]
    width, height = round(COLUMNS * LETTER + 2 * EDGE), BAR + LINE * len(lines) + EDGE
    rows = [
        f'<text class="text" x="{EDGE}" y="{BAR + LINE * (k + 1)}" xml:space="preserve">{spans(line)}</text>'
        for k, line in enumerate(lines)
        if line
    ]
    dots = "".join(f'<circle class="dot" cx="{EDGE + 6 + 18 * k}" cy="{BAR / 2}" r="5.5"/>' for k in range(3))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>What {COMMAND} prints</title><style>{STYLE}</style>",
            f'<rect class="ground" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>{dots}',
            *rows,
            "</svg>\n",
        ]
    )


def screenshot(tab: Tab, page: Path, *, dark: bool) -> Image.Image:
    """The first screen of a page in 96 colours, the rare ones of the answers among them."""
    tab.open(page, 1200, 760, dark=dark)
    shot = base64.b64decode(tab.call("Page.captureScreenshot")["data"])
    return (
        Image.open(io.BytesIO(shot)).convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )


def write(folder: Path) -> None:
    """Writes terminal.svg, sheet-light.png and sheet-dark.png into an existing folder."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (folder / "terminal.svg").write_text(terminal(run(work)), encoding="utf-8", newline="\n")
        (page,) = work.glob("runs/*/tearsheet.html")
        with browser(work) as tab:
            for scheme in ("light", "dark"):
                picture = screenshot(tab, page, dark=scheme == "dark")
                picture.save(folder / f"sheet-{scheme}.png", optimize=True)


if __name__ == "__main__":
    if CHROMIUM:
        write(FOLDER)
    else:
        print("skipped: the pictures are made with chromium, and there is none")
