"""Sequences of tensors, held as lists."""

import torch
from torch import Tensor

from nc_scan.graph.registry import op


@op("SequenceConstruct")
def sequence_construct(*inputs: Tensor) -> list[Tensor]:
    return list(inputs)


@op("SequenceEmpty", ignores=("dtype",))
def sequence_empty() -> list[Tensor]:
    return []


@op("SequenceInsert")
def sequence_insert(sequence: list[Tensor], tensor: Tensor, position: int | None = None) -> list[Tensor]:
    where = len(sequence) if position is None else position
    return [*sequence[:where], tensor, *sequence[where:]]


@op("SequenceErase")
def sequence_erase(sequence: list[Tensor], position: int = -1) -> list[Tensor]:
    where = position % len(sequence)
    return [*sequence[:where], *sequence[where + 1 :]]


@op("SequenceAt")
def sequence_at(sequence: list[Tensor], position: int) -> Tensor:
    return sequence[position]


@op("SequenceLength", host=True)
def sequence_length(sequence: list[Tensor]) -> Tensor:
    return torch.tensor(len(sequence))


@op("ConcatFromSequence")
def concat_from_sequence(sequence: list[Tensor], axis: int, new_axis: int = 0) -> Tensor:
    return torch.stack(sequence, axis) if new_axis else torch.cat(sequence, axis)


@op("SplitToSequence")
def split_to_sequence(x: Tensor, split: Tensor | None = None, axis: int = 0, keepdims: int = 1) -> list[Tensor]:
    if split is None:
        parts = x.unbind(axis)
        return [part.unsqueeze(axis) for part in parts] if keepdims else list(parts)
    length, size = x.shape[axis], int(split.flatten()[0])
    sizes = [min(size, length - at) for at in range(0, length, size)] if split.dim() == 0 else split.tolist()
    return list(x.split_with_sizes(sizes, axis))
