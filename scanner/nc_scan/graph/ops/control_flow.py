"""If, Loop and Scan. Bodies are functions of their inputs that see the values around them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nc_scan.graph.registry import op

Body = Callable[..., list[Any]]


@op("If")
def if_(cond: bool, then_branch: Body, else_branch: Body) -> tuple[Any, ...]:
    return tuple(then_branch() if cond else else_branch())


@op("Loop")
def loop(trip_count: int | None = None, condition: bool | None = None, *initial: Any, body: Body) -> tuple[Any, ...]:
    """Runs `body(iteration, condition, *carried)` at most `trip_count` times, while its condition holds.

    The body returns the condition, the values carried on, and the values to be collected from every iteration.
    """
    carried: list[Any] = list(initial)
    collected: list[list[Tensor]] = []
    going = condition is not False
    iteration = 0
    while going and (trip_count is None or iteration < trip_count):
        condition_, *results = body(torch.tensor(iteration), torch.tensor(going), *carried)
        carried, rest = results[: len(carried)], results[len(carried) :]
        collected.append(rest)
        going = bool(condition_)
        iteration += 1
    return (*carried, *(torch.stack(values) for values in zip(*collected, strict=True)))


@op("Scan", since=9)
def scan(
    *inputs: Tensor,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
) -> tuple[Tensor, ...]:
    """Runs `body(*states, *slices)` over slices of the scanned inputs; it returns states and slices of the outputs."""
    count = len(inputs) - num_scan_inputs
    states, scanned = list(inputs[:count]), list(inputs[count:])
    axes = scan_input_axes or [0] * num_scan_inputs
    reverse = scan_input_directions or [0] * num_scan_inputs
    slices = [
        value.flip(axis).unbind(axis) if backward else value.unbind(axis)
        for value, axis, backward in zip(scanned, axes, reverse, strict=True)
    ]
    collected: list[list[Tensor]] = []
    for step in zip(*slices, strict=True):
        results = body(*states, *step)
        states = results[:count]
        collected.append(results[count:])
    stacks = list(zip(*collected, strict=True))
    out_axes, out_reverse = scan_output_axes or [0] * len(stacks), scan_output_directions or [0] * len(stacks)
    outputs = [torch.stack(values, axis) for values, axis in zip(stacks, out_axes, strict=True)]
    outputs = [
        value.flip(axis) if backward else value
        for value, axis, backward in zip(outputs, out_axes, out_reverse, strict=True)
    ]
    return (*states, *outputs)


@op("Scan", since=8)
def scan_batched(
    sequence_lens: Tensor | None = None,
    *inputs: Tensor,
    body: Body,
    num_scan_inputs: int,
    directions: list[int] | None = None,
) -> tuple[Tensor, ...]:
    """In version 8 the first axis is a batch, the second is scanned, and sequences may end early."""
    if sequence_lens is not None:
        raise ValueError("sequences of different lengths are not supported")
    results = [
        scan(*sample, body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions)
        for sample in zip(*(value.unbind(0) for value in inputs), strict=True)
    ]
    return tuple(torch.stack(values) for values in zip(*results, strict=True))
