"""Times the kernels against PyTorch, SciPy and plain copies: python -m tests.bench.kernels > docs/results/kernels.md

Every candidate of a table runs once a round, and the least time of all rounds counts, so that a busy machine disturbs
all alike. Before each a pause lets the threads of the one before, which spin for more work, go to sleep. The first
calls, with their compilation, are not counted.
"""

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from scipy.stats import median_abs_deviation

import nc_kernels
from nc_kernels import numba_backend
from nc_kernels.intrinsics import take
from nc_kernels.jit import split

SHAPES = (10, 32, 3, 224, 224), (10, 64, 3, 32, 32)
SCAN_SHAPES = (16, 8, 3, 32, 32), (80, 8, 3, 32, 32)
"""Searches x batch x image of one pass of the network on a CPU, and of a whole step: ten labels from eight starts."""
ROWS = (100_000, 10), (10_000, 1000)
FIRST_CALL = """
import time, numpy as np
start = time.perf_counter()
import nc_kernels
a = np.ones((2, 3, 8, 8), np.float32)
nc_kernels.apply_trigger(a, a[:, :1], a); nc_kernels.mad(a.reshape(2, -1))
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Candidate:
    name: str
    run: Callable[[], object]
    gigabytes: float = 0.0


def least_times(candidates: list[Candidate], rounds: int) -> list[float]:
    times: list[list[float]] = [[] for _ in candidates]
    for candidate in candidates:
        candidate.run()
        candidate.run()
    for _ in range(rounds):
        for taken, candidate in zip(times, candidates, strict=True):
            time.sleep(0.01)
            start = time.perf_counter()
            candidate.run()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def print_table(title: str, candidates: list[Candidate], rounds: int) -> None:
    """Times, and each time relative to that of the candidates `eager`, `compiled` and the last one."""
    times = least_times(candidates, rounds)
    by_name = dict(zip((c.name for c in candidates), times, strict=True))
    against = [name for name in by_name if name.startswith(("torch", "scipy", "copy", "read"))]
    print(f"\n### {title}\n")
    print("|".join(["", "candidate", "ms", "GB/s", *(f"x of {name}" for name in against), ""]))
    print("|".join(["", "---", *["---:"] * (2 + len(against)), ""]))
    for candidate, seconds in zip(candidates, times, strict=True):
        speed = f"{candidate.gigabytes / seconds:.1f}" if candidate.gigabytes else ""
        ratios = [f"{seconds / by_name[name]:.3f}" for name in against]
        print("|".join(["", candidate.name, f"{1000 * seconds:.3f}", speed, *ratios, ""]))


def blend(images: torch.Tensor, masks: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
    m = masks[:, None]
    return (1 - m) * images[None] + m * patterns[:, None]


def blend_for_a_model(images: torch.Tensor, masks: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
    """Scaled and channels last, as a scan needs it."""
    blended = blend(images, masks, patterns) * 2.0 - 1.0
    batch = blended.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return batch.view(blended.shape)


def random_inputs(shape: tuple[int, ...]) -> list[torch.Tensor]:
    labels, count, channels, height, width = shape
    sizes = (count, channels, height, width), (labels, 1, height, width), (labels, channels, height, width)
    return [torch.rand(size) for size in sizes]


def bench_forward(shape: tuple[int, ...], rounds: int) -> None:
    images, masks, patterns = random_inputs(shape)
    compiled = torch.compile(blend)
    target, out = torch.rand(shape), torch.rand(shape)
    vectors = np.ones(shape[2], np.float32), np.zeros(shape[2], np.float32)
    inputs = *(t.numpy() for t in (images, masks, patterns)), *vectors
    bytes_ = out.nbytes / 1e9

    def apply(**options: Any) -> Callable[[], object]:
        return lambda: nc_kernels.apply_trigger(images, masks, patterns, **options)

    print_table(
        f"Forward, {' x '.join(map(str, shape))}, float32",
        [
            Candidate("kernel (numba)", lambda: numba_backend.blend(*inputs, out.numpy()), bytes_),
            Candidate("copy into given memory", lambda: target.copy_(out), 2 * bytes_),
            Candidate("apply_trigger, new memory", apply(), bytes_),
            Candidate("the same, channels last", apply(channels_last=True), bytes_),
            Candidate("the same, bfloat16", apply(dtype=torch.bfloat16), bytes_ / 2),
            Candidate("the same, bfloat16, channels last", apply(dtype=torch.bfloat16, channels_last=True), bytes_ / 2),
            Candidate("torch eager", lambda: blend(images, masks, patterns), bytes_),
            Candidate("torch compiled", lambda: compiled(images, masks, patterns), bytes_),
            Candidate("copy into new memory", lambda: out.clone(), 2 * bytes_),
        ],
        rounds,
    )


@numba.njit(nogil=True, fastmath=True)
def sum_rows(values: Any, sums: Any, counter: Any) -> None:
    row = take(counter)
    while row < len(values):
        total = np.float32(0)
        for i in range(values.shape[1]):
            total += values[row, i]
        sums[row] = total
        row = take(counter)


def read_once(values: np.ndarray) -> None:
    """Sum values (rows, ...) on the threads of the kernels."""
    rows = values.reshape(len(values), -1)
    sums = np.empty(len(rows), np.float32)
    split(lambda counter: sum_rows(rows, sums, counter), len(rows), values.size)


def bench_backward(shape: tuple[int, ...], rounds: int) -> None:
    images, masks, patterns = random_inputs(shape)
    compiled, grad = torch.compile(blend), torch.rand(shape)
    arrays = [t.numpy() for t in (images, masks, patterns)]
    results = np.empty_like(arrays[1]), np.empty_like(arrays[2])
    grads = {
        "kernel (numba)": grad,
        "the same, channels last": grad.flatten(0, 1).contiguous(memory_format=torch.channels_last).view(shape),
        "the same, bfloat16": grad.bfloat16(),
    }
    m, p = masks.clone().requires_grad_(), patterns.clone().requires_grad_()
    scale = np.ones(shape[2], np.float32)

    def kernel(g: torch.Tensor) -> Callable[[], object]:
        bits = g.view(torch.uint16).numpy() if g.dtype == torch.bfloat16 else g.numpy()
        return lambda: numba_backend.blend_backward(bits, *arrays, scale, *results)

    def backward(output: torch.Tensor) -> Callable[[], object]:
        return lambda: torch.autograd.grad(output, (m, p), grad, retain_graph=True)

    print_table(
        f"Backward, {' x '.join(map(str, shape))}, float32",
        [
            *(Candidate(name, kernel(g), g.nbytes / 1e9) for name, g in grads.items()),
            Candidate("apply_trigger", backward(nc_kernels.apply_trigger(images, m, p)), grad.nbytes / 1e9),
            Candidate("torch eager", backward(blend(images, m, p)), grad.nbytes / 1e9),
            Candidate("torch compiled", backward(compiled(images, m, p)), grad.nbytes / 1e9),
            Candidate("read once (numba)", lambda: read_once(grad.numpy()), grad.nbytes / 1e9),
            Candidate("read once (torch.sum)", grad.sum, grad.nbytes / 1e9),
        ],
        rounds,
    )


def bench_scan(shape: tuple[int, ...], rounds: int) -> None:
    """What a scan does: forward with the model's scaling into channels last, and backward from there."""
    images, masks, patterns = random_inputs(shape)
    m, p = masks.requires_grad_(), patterns.requires_grad_()
    compiled = torch.compile(blend_for_a_model)
    functions: dict[str, Callable[..., torch.Tensor]] = {
        "apply_trigger": lambda *inputs: nc_kernels.apply_trigger(*inputs, scale=2.0, offset=-1.0, channels_last=True),
        "torch eager": blend_for_a_model,
        "torch compiled": compiled,
    }
    grad = blend_for_a_model(*random_inputs(shape))

    def step(function: Callable[..., torch.Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(function(images, m, p), (m, p), grad)

    print_table(
        f"Forward and backward as in a scan, {' x '.join(map(str, shape))}, float32, scaled, channels last",
        [Candidate(name, step(function), 2 * grad.nbytes / 1e9) for name, function in functions.items()],
        rounds,
    )


def bench_mad(shape: tuple[int, int], dtype: type, rounds: int) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    print_table(
        f"mad, {shape[0]} x {shape[1]}, {np.dtype(dtype)}",
        [
            Candidate("mad", lambda: nc_kernels.mad(values), values.nbytes / 1e9),
            Candidate("scipy median_abs_deviation", lambda: median_abs_deviation(values, axis=1), values.nbytes / 1e9),
        ],
        rounds,
    )


def processor() -> str:
    information = Path("/proc/cpuinfo")
    names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.processor()


def first_call(without_scipy: bool) -> float:
    """Seconds in a new process; Numba imports SciPy where it is installed, which a scanner's user need not have."""
    hidden = "import sys; sys.modules['scipy'] = None\n" if without_scipy else ""
    command = [sys.executable, "-c", hidden + FIRST_CALL]
    return min(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    print("# Kernels\n\nWritten by `python -m tests.bench.kernels`.\n")
    print(f"{processor()}, {torch.get_num_threads()} threads; Python {platform.python_version()}, ", end="")
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__}; least of {rounds} rounds.")
    for shape in SHAPES:
        bench_forward(shape, rounds)
        bench_backward(shape, rounds)
    for shape in SCAN_SHAPES:
        bench_scan(shape, rounds)
    for rows in ROWS:
        for dtype in (np.float32, np.float64):
            bench_mad(rows, dtype, rounds)
    print("\n### First calls of `apply_trigger` and `mad` in a new process, importing `nc_kernels` and Numba\n")
    print(f"{first_call(True):.2f} s, or {first_call(False):.2f} s where SciPy is installed, which Numba then imports.")


if __name__ == "__main__":
    main()
