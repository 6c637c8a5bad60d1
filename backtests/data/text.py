"""The cells of a text file of prices: its compression, encoding and delimiter are detected."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .json_rows import rows_of_json

MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
DELIMITERS = (",", ";", "\t", "|")
# Minute bars as text shrink to a fifth or a tenth; a bomb to a thousandth.
MOST_RATIO, FREE, MOST_BYTES = 100, 10**7, 4 * 10**9
EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True)
class Cells:
    """The rows of a text file.

    rows: every row that is not blank, its cells stripped of spaces.
    lines: the line of the file on which each row ends, counted from 1.
    delimiter: between cells.   statements: what was detected and is not the usual case.
    form: whose file it is, where its form says so.
    """

    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    statements: list[str]
    form: str | None = None


def read_cells(path: Path) -> Cells:
    """The cells of a text file, decompressed and decoded.

    Raises ValueError for a file that is no text, is damaged, or has no rows.
    """
    text, encoding = _decode(_unpack(path), path)
    if not text.strip():
        raise ValueError(f"{path.name}: the file is empty")
    statements = [] if encoding == "utf-8" else [f"read as {encoding}"]
    if text.lstrip()[0] in "[{":
        try:
            found = rows_of_json(text)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
        if found is not None:
            rows, form = found
            return Cells(rows, list(range(len(rows))), "", statements, form)
    body = text.lstrip("\n\r")
    has_separator_line = body[:4].lower() == "sep=" and len(body) > 4
    delimiter = body[4] if has_separator_line else _delimiter(text)
    rows, lines = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not (has_separator_line and cells[0].lower().startswith("sep=")):
                rows.append(cells)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path.name}, row {reader.line_num}: {error}") from None
    if not rows:
        raise ValueError(f"{path.name}: the file is empty")
    return Cells(rows, lines, delimiter, statements)


def _unpack(path: Path) -> bytes:
    """The content of a file, or of the one file in a gzip or zip. Raises ValueError for what cannot be unpacked."""
    content = path.read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                return _bounded(unpacked, len(content), path)
        if content[:4] == EXCEL[0]:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                files = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
                if "[Content_Types].xml" in files:
                    raise ValueError(f"{path.name} is an Excel workbook; save the sheet as CSV")
                if len(files) != 1:
                    names = ", ".join(files[:5]) or "no file"
                    raise ValueError(f"{path.name} holds {names}; a zip of prices holds one file")
                packed = archive.getinfo(files[0])
                if packed.flag_bits & 1:
                    raise ValueError(f"{path.name} is a zip with a password; unpack it first")
                with archive.open(packed) as unpacked:
                    return _bounded(unpacked, len(content), path)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{path.name} cannot be unpacked: {error}") from None
    if content[:4] == EXCEL[1]:
        raise ValueError(f"{path.name} is an Excel workbook; save the sheet as CSV")
    return content


def _bounded(unpacked: IO[bytes] | gzip.GzipFile, packed: int, path: Path) -> bytes:
    """What is unpacked of so many packed bytes. Raises ValueError for more than MOST_RATIO times them, above FREE."""
    most = min(max(packed * MOST_RATIO, FREE), MOST_BYTES)
    content = unpacked.read(most + 1)
    if len(content) > most:
        raise ValueError(
            f"{path.name} unpacks to more than {most / 1e6:,.0f} MB; at most {MOST_RATIO} times its size, or "
            f"{FREE / 1e6:,.0f} MB, and never more than {MOST_BYTES / 1e9:,.0f} GB: unpack it first if it is sound"
        )
    return content


def _decode(content: bytes, path: Path) -> tuple[str, str]:
    """The text and its encoding: by the byte-order mark, else UTF-8, else Windows-1252.

    Raises ValueError for a binary file.
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return _strict(content, encoding, path), "utf-8 with a byte-order mark" if mark[0] == 0xEF else encoding
    if content[1:2] == b"\0" and content[3:4] == b"\0":  # UTF-16 without its mark
        return _strict(content, "utf-16-le", path), "utf-16-le"
    if b"\0" in content[:4096]:
        raise ValueError(f"{path.name} is not a text file; prices are read from CSV and Parquet")
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "cp1252"


def _strict(content: bytes, encoding: str, path: Path) -> str:
    """The text in an encoding that the file declares. Raises ValueError where it breaks off."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} begins as {encoding} and is not: {error.reason} at byte {error.start}") from None


def _delimiter(text: str) -> str:
    """The delimiter that splits the first twenty lines into the same number of cells, the most cells first."""
    lines = [line for line in text[:65536].splitlines()[:21] if line.strip()]
    lines = lines[: max(len(lines) - 1, 1)] if len(text) > 65536 else lines
    best = (0, 0, ",")
    for place, mark in enumerate(DELIMITERS):
        counts = [len(next(csv.reader([line], delimiter=mark), [])) for line in lines]
        usual = max(set(counts), key=counts.count)
        if usual > 1:
            # a decimal comma splits as evenly as a semicolon does, into more cells
            outranked = mark == "," and any(other in lines[-1] for other in ";\t|")
            best = max(best, (0 if outranked else counts.count(usual), -place, mark))
    return best[2]
