"""Forward and backward passes of the network, several pieces of a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
RunAll = Callable[[Callable[[Tensors], Tensors], Sequence[Tensors]], list[Tensors]]


@contextmanager
def passes_on(device: torch.device) -> Iterator[RunAll]:
    """A function that maps another one over pieces: in turn on a GPU, a piece a core on a CPU.

    A core that computes a piece alone never waits for the others within an operation: measured on two busy cores, a
    pass split over both by torch took 30 times as long. The results do not depend on the number of cores either.
    torch's number of threads is one meanwhile, for the whole process, and what it was afterwards.
    """
    if device.type != "cpu":
        yield lambda function, pieces: [function(piece) for piece in pieces]
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield lambda function, pieces: list(pool.map(function, pieces))
    finally:
        torch.set_num_threads(threads)
