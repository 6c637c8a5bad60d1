"""What a call would cost, counted in a process of its own, because it loads the plugin: one JSON object in, one out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from ...predictors import WalkForward
from ..comparison import entrants_of
from ..json_values import Values
from ..pipeline.request import Request


def cost(predictors: Sequence[str], options: Values, runs: int) -> dict[str, int]:
    """The bars and the refits of all runs: of each predictor, and on as many markets as there are `runs`.

    Raises what `Request` raises for a predictor, parameters or a symbol that cannot be run.
    """
    base = Request(**{"predictor": predictors[0], **options})
    requests = [base] if len(predictors) == 1 else [entrant.requests[0] for entrant in entrants_of(predictors, base)]
    bars = windows = 0
    for request in requests:
        request.check_rule()
        model = request.model()
        lengths = [len(one.model_bars) for one in replace(request, pooled=False).market().loaded.values()]
        bars += sum(lengths)
        if isinstance(model, WalkForward):
            windows += sum(len(range(model.train, length + 1, model.every)) for length in lengths)
    return {"bars": bars * runs, "windows": windows * runs}


if __name__ == "__main__":
    try:
        answer: Values = cost(**json.load(sys.stdin))
    except Exception as error:  # a plugin may raise anything; its sentence is the answer
        answer = {"error": str(error) or type(error).__name__}
    print(f"\n{json.dumps(answer)}")
