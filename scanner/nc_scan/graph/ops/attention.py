"""Scaled dot-product attention in ONNX's own form."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op

# Values of qk_matmul_output_mode: what the fourth output shows of the scores.
_RAW, _CAPPED, _MASKED, _PROBABILITIES = range(4)


@op("Attention", since=23, ignores=("softmax_precision",))
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    nonpad_kv_seqlen: Tensor | None = None,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = _RAW,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    outputs: int = 1,
) -> tuple[Tensor, ...]:
    """q, k and v are (batch, heads, length, size), or (batch, length, heads * size) with the numbers of heads given."""
    flat = q.dim() == 3
    q, k, v = (_heads(x, heads) for x, heads in ((q, q_num_heads), (k, kv_num_heads), (v, kv_num_heads)))
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    present = (k, v)
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) if x.shape[1] < q.shape[1] else x for x in (k, v))
    offset = _offset(q, past_key, nonpad_kv_seqlen)
    window = (left_window_size, 0 if is_causal else right_window_size)
    bias = _bias(q, k, attn_mask, nonpad_kv_seqlen, offset, window)
    blind = None if bias is None else torch.isneginf(bias).all(-1, keepdim=True)  # queries that may see no key
    # Their softmax would be NaN, and its gradient too, so they see every key and their result is dropped.
    seen = None if bias is None or blind is None else torch.where(blind, 0, bias)
    if outputs < 4 and not softcap:
        y = F.scaled_dot_product_attention(q, k, v, seen, scale=scale)
        scores = None
    else:
        scores, y = _spelt_out(q, k, v, bias, seen, scale, softcap, qk_matmul_output_mode)
    y = y if blind is None else torch.where(blind, 0, y)
    y = y.transpose(1, 2).flatten(2) if flat else y
    return (y, *present, scores)[:outputs] if scores is not None else (y, *present)[:outputs]


def _heads(x: Tensor, heads: int | None) -> Tensor:
    if x.dim() == 4:
        return x
    if not heads:
        raise ValueError("q_num_heads and kv_num_heads are needed for inputs of three axes")
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _offset(q: Tensor, past_key: Tensor | None, lengths: Tensor | None) -> Tensor:
    """How many keys come before the first query, (1 or batch, 1, 1, 1)."""
    if past_key is not None:
        return torch.tensor(past_key.shape[2], device=q.device).reshape(1, 1, 1, 1)
    if lengths is not None:
        return (lengths - q.shape[2]).reshape(-1, 1, 1, 1)
    return torch.zeros(1, 1, 1, 1, dtype=torch.int64, device=q.device)


def _bias(
    q: Tensor,
    k: Tensor,
    mask: Tensor | None,
    lengths: Tensor | None,
    offset: Tensor,
    window: tuple[int, int],
) -> Tensor | None:
    """What is added to the scores: the mask, and minus infinity at keys outside the window or the sequence."""
    before, after = window
    if mask is None and lengths is None and before < 0 and after < 0:
        return None
    rows = torch.arange(q.shape[2], device=q.device)[:, None] + offset
    columns = torch.arange(k.shape[2], device=q.device)
    allowed = torch.ones(1, 1, q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
    if before >= 0:
        allowed = allowed & (rows - columns <= before)
    if after >= 0:
        allowed = allowed & (columns - rows <= after)
    if lengths is not None:
        allowed = allowed & (columns < lengths.reshape(-1, 1, 1, 1))
    bias = torch.where(allowed, 0.0, -math.inf).to(q.dtype)
    if mask is None:
        return bias
    if mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, -math.inf).to(q.dtype)
    missing = k.shape[2] - mask.shape[-1]
    return bias + (F.pad(mask, (0, missing), value=-math.inf) if missing > 0 else mask)


def _spelt_out(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    seen: Tensor | None,
    scale: float | None,
    softcap: float,
    mode: int,
) -> tuple[Tensor, Tensor]:
    """The scores as `mode` asks for them, and the result; `seen` is the bias without queries that may see no key."""
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    raw = (q * root) @ (k * root).transpose(-1, -2)
    capped = softcap * torch.tanh(raw / softcap) if softcap else raw
    masked = capped if bias is None else capped + bias
    probabilities = torch.softmax(capped if seen is None else capped + seen, -1)
    if bias is not None:
        probabilities = torch.where(torch.isneginf(bias).all(-1, keepdim=True), 0, probabilities)
    shown = {_RAW: raw, _CAPPED: capped, _MASKED: masked, _PROBABILITIES: probabilities}
    return shown[mode], probabilities @ v
