"""Steps a GPU repeats from a recording (a CUDA graph), where to start their kernels takes longer than to run them.

An eager update starts some six hundred kernels, and Python and the driver take microseconds for each. A graph starts
them together, but repeats exactly what was recorded: the same kernels on the same tensors, with the same numbers of
Python's. So a step has no result, and reads what changes from the tensors it is given. Not yet measured on a GPU.

Reference: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch

Step = Callable[..., None]

# On paper, for an H200 and 32 units: 600 starts of 5 µs are 3 ms, in which its memory serves some 700,000 sample-steps
# of 13.5 KB. Above that the kernels hide their starts.
LAUNCH_BOUND = 700_000 * 32  # sample-steps · H
# A recording costs about as much as a few steps.
WORTH_IT = 20  # steps
# The first steps compile and allocate what a recording must find in place.
WARM_UPS = 2


class Repeated:
    """A step on tensors that stay where they are: eager at first, then recorded once, then replayed.

    recorded: whether to record at all; without, every call is eager, with the same result.
    """

    def __init__(self, step: Step, tensors: Sequence[torch.Tensor], recorded: bool) -> None:
        self.step, self.tensors, self.recorded = step, tensors, recorded
        self.calls, self.replay = 0, None

    replay: Callable[[], None] | None

    def __call__(self) -> None:
        if self.recorded and self.calls == WARM_UPS:
            self.replay = capture(self.step, self.tensors)
        self.calls += 1
        if self.replay:
            self.replay()
        else:
            eager(self.step, self.tensors)


def worth_recording(device: torch.device, work: int, steps: int) -> bool:
    """Whether so many steps of `work` sample-steps · H are bound by the starts of their kernels on this device."""
    return device.type == "cuda" and work <= LAUNCH_BOUND and steps >= WORTH_IT


def eager(step: Step, tensors: Sequence[torch.Tensor]) -> None:
    """The step as written; on a GPU beside the main stream, as a step that is to be recorded must be run before."""
    if not tensors[0].is_cuda:
        return step(*tensors)
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        step(*tensors)
    main.wait_stream(side)


def capture(step: Step, tensors: Sequence[torch.Tensor]) -> Callable[[], None] | None:
    """A call that repeats the step, which is recorded and not run; None where something in it cannot be recorded."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step(*tensors)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        logging.getLogger("rollcast").info("recurrent nets: no CUDA graph of an update: %s", error)
        return None
    return graph.replay
