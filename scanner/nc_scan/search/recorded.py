"""Passes on a GPU, recorded as CUDA graphs: one launch for what is otherwise hundreds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Function = Callable[[Tensors], Tensors]

AS_IT_IS = 3  # calls before one is worth recording; they also compile and allocate what is needed once
WARM_UP = 2  # calls on the stream of the recording, which torch asks for


@dataclass(frozen=True)
class Recording:
    """A CUDA graph of a function, the memory that it reads and the memory that it writes."""

    graph: Any
    read: Tensors
    written: Tensors

    def __call__(self, piece: Tensors) -> Tensors:
        """What the function gives for a piece of the same form; fresh tensors."""
        with torch.no_grad():
            for memory, values in zip(self.read, piece, strict=True):
                memory.copy_(values)
        self.graph.replay()
        return tuple(values.clone() for values in self.written)


class Recorder:
    """Makes recordings that work in the same memory: one runs at a time, and its results are copied at once."""

    def __init__(self) -> None:
        self._memory: Any = None

    def __call__(self, function: Function, piece: Tensors) -> Recording:
        """Records `function` for pieces of the form of this one. Raises RuntimeError where it waits for the GPU."""
        self._memory = self._memory or torch.cuda.graph_pool_handle()
        read = tuple(values.detach().clone().requires_grad_(values.requires_grad) for values in piece)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        graph = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                function(read)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph, pool=self._memory, stream=stream):
            written = function(read)
        return Recording(graph, read, written)


class Recorded:
    """Maps functions over pieces in turn, each as a recording once it has been called often enough.

    A network of ten labels is a hundred kernels that take less time than their launches. What cannot be recorded, as it
    reads results while it runs, goes on as it is: the results are the same.
    """

    def __init__(self, record: Callable[[Function, Tensors], Function] | None = None) -> None:
        self._record = record or Recorder()
        self._calls: Counter[Any] = Counter()
        self._recordings: dict[Any, Function] = {}

    def __call__(self, function: Function, pieces: Sequence[Tensors]) -> list[Tensors]:
        """The function's results, in the order of the pieces."""
        return [self._faster(function, piece)(piece) for piece in pieces]

    def _faster(self, function: Function, piece: Tensors) -> Function:
        key = function, *((values.shape, values.stride(), values.dtype, values.requires_grad) for values in piece)
        self._calls[key] += 1
        if key not in self._recordings and self._calls[key] > AS_IT_IS:
            try:
                self._recordings[key] = self._record(function, piece)
            except RuntimeError:
                self._recordings[key] = function
        return self._recordings.get(key, function)
