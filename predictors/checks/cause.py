"""What made a check fail, where it was the model that raised an exception."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path

from ..bars import COLUMNS
from ..base import Learner, Predictor
from .subject import CheckFailed


def cause_of(error: BaseException, model: Predictor | Learner) -> tuple[object, ...]:
    """What two failures of one cause share: the type and the place of an exception, or else the finding."""
    root = error.__cause__ if isinstance(error, CheckFailed) and error.__cause__ else error
    if isinstance(root, CheckFailed):
        return (CheckFailed, str(root))
    return (type(root), *_place(root, model))


def description(error: BaseException, model: Predictor | Learner) -> str:
    """The exception, the line of the model that raised it and, for a column that bars lack, which they have."""
    file, line = _place(error, model)
    text = f"raised {type(error).__name__}: {error} ({Path(file).name}, line {line})"
    if isinstance(error, KeyError) and isinstance(name := error.args[0] if error.args else None, str):
        text += f"; the bars have no column {name!r}, only {', '.join(COLUMNS)}" if name not in COLUMNS else ""
    return text


def _place(error: BaseException, model: Predictor | Learner) -> tuple[str, int]:
    """The file and the line of the deepest frame in the model's own file, or of the deepest of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == _file(model)]
    deepest = (own or frames)[-1]
    return deepest.filename, deepest.lineno or 0


def _file(model: Predictor | Learner) -> str:
    """The file of the model's class; empty for a class without one."""
    try:
        return inspect.getfile(type(model))
    except (TypeError, OSError):
        return ""
