"""Operators of com.microsoft over weights, or weights and activations, that onnxruntime has quantised on its own."""

import torch
from torch import Tensor

from nc_scan.graph.ops.microsoft import packed_attention
from nc_scan.graph.ops.quantization import centre, dynamic_quantize_linear
from nc_scan.graph.ops.recurrent import activation_functions, lstm_cells, recur
from nc_scan.graph.registry import MICROSOFT, op


def _rounded(x: Tensor) -> Tensor:
    """x as eight bits whose scale follows its range would have it."""
    quantized, scale, zero_point = dynamic_quantize_linear(x)
    return centre(quantized, zero_point) * scale


@op("DynamicQuantizeLSTM", domain=MICROSOFT)
def dynamic_quantize_lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None,
    sequence_lens: Tensor | None,
    initial_h: Tensor | None,
    initial_c: Tensor | None,
    p: Tensor | None,
    w_scale: Tensor,
    w_zero_point: Tensor,
    r_scale: Tensor,
    r_zero_point: Tensor,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int = 0,
    input_forget: int = 0,
) -> tuple[Tensor, ...]:
    """LSTM whose weights, (directions, input or hidden, 4 * hidden), have one scale a direction or one a column."""
    w, r = (_dequantized(*weight) for weight in ((w, w_scale, w_zero_point), (r, r_scale, r_zero_point)))
    defaults = ["Sigmoid", "Tanh", "Tanh"]
    functions = activation_functions(activations, defaults, len(w), activation_alpha, activation_beta, clip)
    cells = lstm_cells(functions, w, r, b, p, input_forget, held=_rounded)
    states = [initial_h, initial_c]
    return recur(_rounded(x), cells, states, sequence_lens, hidden_size or r.shape[-1], direction, layout=0)


def _dequantized(weight: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Weights (directions, 4 * hidden, input or hidden), as LSTM has them."""
    scale, zero_point = (value.reshape(len(weight), 1, -1) for value in (scale, zero_point))
    return (centre(weight, zero_point) * scale).transpose(1, 2)


@op(
    "QAttention",
    domain=MICROSOFT,
    only={"unidirectional": 0, "do_rotary": 0},
    ignores=("mask_filter_value",),
    gradient="dequantizes",
)
def qattention(
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    x_scale: Tensor,
    weight_scale: Tensor,
    mask_index: Tensor | None = None,
    x_zero_point: Tensor | None = None,
    weight_zero_point: Tensor | None = None,
    num_heads: int = 1,
    scale: float | None = None,
) -> Tensor:
    if mask_index is not None:
        raise ValueError("a mask is not supported")
    real = centre(x, x_zero_point) * x_scale
    return packed_attention(real, centre(weights, weight_zero_point) * weight_scale, bias, num_heads, None, scale)


@op("MatMulNBits", domain=MICROSOFT, ignores=("accuracy_level",), only={"weight_prepacked": 0})
def matmul_n_bits(
    a: Tensor,
    b: Tensor,
    scales: Tensor,
    zero_points: Tensor | None = None,
    g_idx: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    K: int,
    N: int,
    bits: int = 4,
    block_size: int,
) -> Tensor:
    """a (..., K) times weights (N, blocks, bytes) of `bits` each; every block has a scale and a zero point."""
    if g_idx is not None:
        raise ValueError("blocks in an order of their own (g_idx) are not supported")
    blocks = -(-K // block_size)
    values = _unpacked(b.reshape(N * blocks, -1), bits).reshape(N, blocks, block_size).to(a.dtype)
    if zero_points is None:
        offsets = torch.full((N, blocks), 1 << (bits - 1), dtype=a.dtype, device=a.device)
    elif zero_points.dtype == torch.uint8:
        offsets = _unpacked(zero_points.reshape(N, -1), bits)[:, :blocks].to(a.dtype)
    else:
        offsets = zero_points.reshape(N, blocks)
    weights = (values - offsets.unsqueeze(-1)) * scales.reshape(N, blocks, 1).to(a.dtype)
    y = a @ weights.reshape(N, -1)[:, :K].T
    return y if bias is None else y + bias


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Rows of bytes as rows of numbers of `bits` each, the lowest bits first."""
    if bits not in (2, 4, 8):
        raise ValueError(f"weights of {bits} bits are not supported")
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)).flatten(1)
