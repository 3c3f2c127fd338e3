"""The dtype in which a network's gradients are computed: whichever is faster on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nc_scan.errors import UnsupportedModelError

WORTHWHILE = 0.75  # of float32's time, at most: a closer race would be decided by noise, and by another machine's load
ROUNDS = 3

Build = Callable[[torch.dtype], nn.Module]


def fastest(build: Build, images: Tensor) -> tuple[nn.Module, torch.dtype]:
    """The network in bfloat16 where forward and backward then take at most three quarters of float32's time, else in
    float32; on a GPU in bfloat16 if it computes that natively.

    Measured, as no list of processors tells: without instructions for bfloat16 the same network took 1.1 to 4 times as
    long as in float32, least where its convolutions are depthwise.

    Args:
        build: makes the network in a dtype, on the device of `images`.
        images: a batch (N, ...) as the network reads it, float32.
    """
    if images.device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False) is True
        return _built(build, torch.bfloat16 if native else torch.float32)
    if not _runs_bfloat16():
        return _built(build, torch.float32)
    networks = {dtype: build(dtype) for dtype in (torch.float32, torch.bfloat16)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [
            [_seconds(network, images.to(dtype)) for dtype, network in networks.items()] for _ in range(1 + ROUNDS)
        ]
    except (UnsupportedModelError, RuntimeError):
        return networks[torch.float32], torch.float32
    finally:
        torch.set_num_threads(threads)
    single, half = (min(seconds) for seconds in zip(*rounds[1:], strict=True))  # the first round compiles and allocates
    chosen = torch.bfloat16 if half <= WORTHWHILE * single else torch.float32
    return networks[chosen], chosen


def _runs_bfloat16() -> bool:
    """Whether oneDNN has bfloat16 here, be it emulated."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _built(build: Build, dtype: torch.dtype) -> tuple[nn.Module, torch.dtype]:
    return build(dtype), dtype


def _seconds(network: nn.Module, images: Tensor) -> float:
    """Processor time of this thread, which other work on the machine disturbs least."""
    images = images.detach().requires_grad_()
    start = time.thread_time()
    scores: Tensor = network(images)
    torch.autograd.grad(scores.float().sum(), images)
    return time.thread_time() - start
