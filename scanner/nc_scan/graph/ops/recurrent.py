"""RNN, GRU and LSTM, step by step as the specification writes them.

Shapes: x (time, batch, input), w (directions, gates * hidden, input), r (directions, gates * hidden, hidden),
b (directions, 2 * gates * hidden), states (directions, batch, hidden), y (time, directions, batch, hidden); with
layout 1 the batch comes first in x, y and the states.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op

Activation = Callable[[Tensor], Tensor]
States = tuple[Tensor, ...]
Cell = Callable[[Tensor, States], States]

_ALPHAS = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "Elu": 1.0, "HardSigmoid": 0.2, "Affine": 1.0, "ScaledTanh": 1.0}
_BETAS = {"HardSigmoid": 0.5, "Affine": 0.0, "ScaledTanh": 1.0}


def _activation(name: str, alpha: float | None, beta: float | None, clip: float | None) -> Activation:
    """The activation function `name`, its argument clipped to [-clip, clip]."""
    known = {key.lower(): key for key in (*_ALPHAS, "Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")}
    if name.lower() not in known:
        raise ValueError(f"the activation {name} is not one of the specification's")
    name = known[name.lower()]
    a = _ALPHAS.get(name, 1.0) if alpha is None else alpha
    b = _BETAS.get(name, 0.0) if beta is None else beta
    functions: dict[str, Activation] = {
        "Relu": torch.relu,
        "Tanh": torch.tanh,
        "Sigmoid": torch.sigmoid,
        "Softsign": F.softsign,
        "Softplus": F.softplus,
        "LeakyRelu": lambda x: F.leaky_relu(x, a),
        "ThresholdedRelu": lambda x: torch.where(x >= a, x, 0),
        "Elu": lambda x: F.elu(x, a),
        "HardSigmoid": lambda x: torch.clamp(a * x + b, 0, 1),
        "Affine": lambda x: a * x + b,
        "ScaledTanh": lambda x: a * torch.tanh(b * x),
    }
    function = functions[name]
    return function if clip is None else lambda x: function(x.clamp(-clip, clip))


def activation_functions(
    names: list[str] | None,
    defaults: list[str],
    directions: int,
    alphas: list[float] | None,
    betas: list[float] | None,
    clip: float | None,
) -> list[list[Activation]]:
    """The activation functions of each direction; the functions that take a parameter use up those given in order."""
    alpha, beta = iter(alphas or []), iter(betas or [])
    functions = [
        _activation(
            name,
            next(alpha, None) if name in _ALPHAS else None,
            next(beta, None) if name in _BETAS else None,
            clip,
        )
        for name in (names or defaults * directions)
    ]
    size = len(defaults)
    return [functions[start : start + size] for start in range(0, len(functions), size)]


def _run(x: Tensor, cell: Cell, states: States, lengths: Tensor | None, *, backward: bool) -> tuple[Tensor, States]:
    """Steps through time in one direction: every step's first state, (time, batch, hidden), and the last states.

    Sequences shorter than the longest keep their state, and put out zeros, after their end.
    """
    outputs: list[Tensor] = []
    for time in reversed(range(x.shape[0])) if backward else range(x.shape[0]):
        new = cell(x[time], states)
        if lengths is None:
            states, output = new, new[0]
        else:
            running = (time < lengths).unsqueeze(-1)
            states = tuple(torch.where(running, after, before) for after, before in zip(new, states, strict=True))
            output = torch.where(running, new[0], 0)
        outputs.append(output)
    return torch.stack(outputs[::-1] if backward else outputs), states


def recur(
    x: Tensor,
    cells: Sequence[Cell],
    states: Sequence[Tensor | None],
    lengths: Tensor | None,
    hidden: int,
    direction: str,
    layout: int,
) -> tuple[Tensor, ...]:
    """Runs one cell a direction; returns y and the last states, as the operators put them out."""
    if direction not in ("forward", "reverse", "bidirectional"):
        raise ValueError(f"direction={direction} is not one of forward, reverse and bidirectional")
    x = x.transpose(0, 1) if layout else x
    zeros = x.new_zeros(len(cells), x.shape[1], hidden)
    start = [zeros if state is None else state.transpose(0, 1) if layout else state for state in states]
    ran = [
        _run(x, cell, tuple(s[index] for s in start), lengths, backward=direction == "reverse" or index == 1)
        for index, cell in enumerate(cells)
    ]
    y = torch.stack([output for output, _ in ran], 1)
    last = [torch.stack(final) for final in zip(*(final for _, final in ran), strict=True)]
    if layout:
        return (y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in last))
    return (y, *last)


def _biases(b: Tensor | None, direction: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Input and recurrence bias of a direction, each (gates * hidden,)."""
    if b is None:
        return like.new_zeros(like.shape[1]), like.new_zeros(like.shape[1])
    first, second = b[direction].chunk(2)
    return first, second


@op("RNN", since=7, only={"output_sequence": 1})
def rnn(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
) -> tuple[Tensor, ...]:
    functions = activation_functions(activations, ["Tanh"], len(w), activation_alpha, activation_beta, clip)

    def cell(index: int) -> Cell:
        (f,) = functions[index]
        bias = sum(_biases(b, index, w))

        def step(x: Tensor, states: States) -> States:
            return (f(x @ w[index].T + states[0] @ r[index].T + bias),)

        return step

    cells = [cell(index) for index in range(len(w))]
    return recur(x, cells, [initial_h], sequence_lens, hidden_size or r.shape[-1], direction, layout)


@op("GRU", since=7, only={"output_sequence": 1})
def gru(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> tuple[Tensor, ...]:
    functions = activation_functions(activations, ["Sigmoid", "Tanh"], len(w), activation_alpha, activation_beta, clip)

    def cell(index: int) -> Cell:
        f, g = functions[index]
        wz, wr, wh = w[index].chunk(3)
        rz, rr, rh = r[index].chunk(3)
        wbias, rbias = _biases(b, index, w)
        (wbz, wbr, wbh), (rbz, rbr, rbh) = wbias.chunk(3), rbias.chunk(3)

        def step(x: Tensor, states: States) -> States:
            (h,) = states
            update = f(x @ wz.T + h @ rz.T + wbz + rbz)
            reset = f(x @ wr.T + h @ rr.T + wbr + rbr)
            if linear_before_reset:
                candidate = g(x @ wh.T + wbh + reset * (h @ rh.T + rbh))
            else:
                candidate = g(x @ wh.T + wbh + (reset * h) @ rh.T + rbh)
            return ((1 - update) * candidate + update * h,)

        return step

    cells = [cell(index) for index in range(len(w))]
    return recur(x, cells, [initial_h], sequence_lens, hidden_size or r.shape[-1], direction, layout)


@op("LSTM", since=7, only={"output_sequence": 1})
def lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    initial_c: Tensor | None = None,
    p: Tensor | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int = 0,
    input_forget: int = 0,
    layout: int = 0,
) -> tuple[Tensor, ...]:
    """Peepholes p are (directions, 3 * hidden), in the order of the gates: input, output, forget."""
    functions = activation_functions(
        activations, ["Sigmoid", "Tanh", "Tanh"], len(w), activation_alpha, activation_beta, clip
    )
    cells = lstm_cells(functions, w, r, b, p, input_forget)
    return recur(x, cells, [initial_h, initial_c], sequence_lens, hidden_size or r.shape[-1], direction, layout)


def lstm_cells(
    functions: list[list[Activation]],
    w: Tensor,
    r: Tensor,
    b: Tensor | None,
    p: Tensor | None,
    input_forget: int,
    held: Activation = lambda hidden: hidden,
) -> list[Cell]:
    """One LSTM cell a direction; `held` is what the recurrence's product sees of the hidden state."""

    def cell(index: int) -> Cell:
        f, g, h = functions[index]
        bias = sum(_biases(b, index, w))
        pi, po, pf = (0, 0, 0) if p is None else p[index].chunk(3)

        def step(x: Tensor, states: States) -> States:
            hidden, memory = states
            gates = x @ w[index].T + held(hidden) @ r[index].T + bias
            i, o, forget, c = gates.chunk(4, -1)
            i = f(i + pi * memory)
            forget = 1 - i if input_forget else f(forget + pf * memory)
            memory = forget * memory + i * g(c)
            o = f(o + po * memory)
            return o * h(memory), memory

        return step

    return [cell(index) for index in range(len(w))]
