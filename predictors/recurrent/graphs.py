"""CUDA graphs: a step is captured once and replayed, where launching its kernels takes longer than running them.

An eager update launches some six hundred kernels, each of which costs Python and the driver microseconds. A graph
launches them together, but repeats exactly what was captured: the same kernels on the same tensors and with the same
Python numbers. So a step returns nothing, and everything that changes is in its tensors. The gain on a GPU has not
been measured yet.

Reference: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch

Step = Callable[..., None]

# An estimate for an H200 and 32 units: 600 launches of 5 µs take 3 ms, in which its memory serves some 700,000
# sample-steps of 13.5 KB. With more of them, running the kernels takes longer than launching them.
LAUNCH_BOUND = 700_000 * 32  # sample-steps · H
# Capturing a graph takes as long as a few steps.
FEWEST_STEPS = 20
# The first steps compile kernels and allocate memory, which must precede the capture.
WARM_UPS = 2


class Repeated:
    """A step on fixed tensors: eager at first, then captured once, then replayed.

    recorded: whether it is captured at all; if not, every call is eager, with the same result.
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
    """Whether so many steps of `work` sample-steps · H are dominated by launching their kernels."""
    return device.type == "cuda" and work <= LAUNCH_BOUND and steps >= FEWEST_STEPS


def eager(step: Step, tensors: Sequence[torch.Tensor]) -> None:
    """Runs the step without a graph; on a GPU in a side stream, which a later capture of it requires."""
    if not tensors[0].is_cuda:
        return step(*tensors)
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        step(*tensors)
    main.wait_stream(side)


def capture(step: Step, tensors: Sequence[torch.Tensor]) -> Callable[[], None] | None:
    """Captures the step without running it, and returns a call that replays it; None where it cannot be captured.

    Raises torch.OutOfMemoryError where the memory is too small for the graph.
    """
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
