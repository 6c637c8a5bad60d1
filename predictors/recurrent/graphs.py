"""CUDA graphs: a step is captured once and replayed, where launching its kernels takes longer than running them.

An eager update launches some six hundred kernels, each of which costs Python and the driver microseconds. A graph
launches them together, but repeats exactly what was captured: the same kernels on the same tensors and with the same
Python numbers. So a step returns nothing, and everything that changes is in its tensors. The gain on a GPU has not
been measured yet.

Reference: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

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
            self.step(*self.tensors)


def worth_recording(device: torch.device, work: int, steps: int) -> bool:
    """Whether so many steps of `work` sample-steps · H are dominated by launching their kernels."""
    return device.type == "cuda" and work <= LAUNCH_BOUND and steps >= FEWEST_STEPS


@contextmanager
def one_stream(device: torch.device) -> Iterator[None]:
    """Inside the block a GPU works on one side stream, the same in every block: a capture is allowed on it, and
    memory freed by one block serves the next."""
    if device.type != "cuda":
        yield
        return
    main, side = torch.cuda.current_stream(device), _stream(device)
    side.wait_stream(main)
    with torch.cuda.stream(side):
        yield
    main.wait_stream(side)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def capture(step: Step, tensors: Sequence[torch.Tensor]) -> Callable[[], None]:
    """Captures the step on the current stream without running it, and returns a call that replays it.

    Raises torch.OutOfMemoryError where the memory is too small for the graph, and RuntimeError where the step cannot be
    captured: then the stream and the allocator may still be capturing, and nothing more must be run on this GPU.
    """
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.current_stream(tensors[0].device)
    try:
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            step(*tensors)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RuntimeError(f"torch could not record an update as a CUDA graph; use device cpu: {error}") from error
    return graph.replay
