"""A function on tensors that stay in place, captured as a CUDA graph and replayed."""

import time
from collections.abc import Callable
from functools import cache

import torch

LAG = 2  # steps in flight while the host looks for the end of a text, so that the device always has one to do


@cache
def side_stream() -> torch.cuda.Stream:
    """The stream on which functions run before they are captured: one for the whole process.

    cuBLAS keeps a workspace (32 MiB on an H100) for each stream that it has seen. With a new stream for each capture, a
    peak of memory would count one workspace more for every capture before it.
    """
    return torch.cuda.Stream()


class Replay:
    """A function of no arguments on tensors that stay in place: on a GPU captured and replayed, on a CPU called.

    peak_bytes: the device memory allocated while it was captured. A replay needs as much, but the allocator no longer
    counts what is in the graph's own pool. compile_s: seconds until it could be captured. pool: memory that it may
    share with others that are never replayed at the same time (torch.cuda.graph_pool_handle); None: its own.
    """

    def __init__(self, function: Callable[[], None], device: str, pool: tuple[int, int] | None = None):
        self.peak_bytes = 0
        self.compile_s = 0.0
        if device != "cuda":
            self.replay = function
            return
        start = time.perf_counter()
        beside = side_stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # not captured: compiles, and lets the libraries set themselves up
            for _ in range(2):
                function()
        torch.cuda.current_stream().wait_stream(beside)
        torch.cuda.synchronize()
        self.compile_s = time.perf_counter() - start
        self.graph = torch.cuda.CUDAGraph()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        with torch.cuda.graph(self.graph, pool=pool):
            function()
        self.peak_bytes = torch.cuda.max_memory_allocated()
        self.replay = self.graph.replay

    def __call__(self) -> None:
        self.replay()


def recorded_event() -> torch.cuda.Event:
    event = torch.cuda.Event()
    event.record()
    return event


class Lookout:
    """Tells after some step that all rows have ended, without making the device wait for the host.

    Each step's flag is copied to pinned memory behind the step; the host reads the flag of `LAG - 1` steps before, so
    the device always has a step to do. Price: that many forwards too many at the end, which are counted and timed. On
    a CPU there is nothing to overlap, and none is.
    """

    def __init__(self, flag: torch.Tensor, steps: int):
        self.flag, self.cuda = flag, flag.is_cuda
        self.seen = torch.zeros(steps, dtype=torch.bool, pin_memory=self.cuda)
        self.events: list[torch.cuda.Event] = []
        self.steps = 0

    def ended(self) -> bool:
        """To be called once after each step."""
        self.seen[self.steps : self.steps + 1].copy_(self.flag, non_blocking=True)
        self.steps += 1
        if not self.cuda:
            return bool(self.seen[self.steps - 1])
        self.events.append(recorded_event())
        if self.steps < LAG:
            return False
        self.events[self.steps - LAG].synchronize()
        return bool(self.seen[self.steps - LAG])
