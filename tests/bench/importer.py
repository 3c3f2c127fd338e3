"""What an imported network costs: python -m tests.bench.importer

Ratios of forward plus input gradient against the same network in torch, each the median over rounds in which both run
one after the other; and time and memory of importing a model of 100 MB.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from tests.scanner.graph.models import ResNet, SimpleCnn, ViT, build, export
from torch import nn

from nc_scan.graph import to_torch

ROUNDS = 15


def _seconds(module: nn.Module, images: torch.Tensor) -> float:
    images = images.detach().requires_grad_()
    start = time.perf_counter()
    torch.autograd.grad(module(images)[:, 0].sum(), images)
    return time.perf_counter() - start


def ratio(network: type[nn.Module], image: int = 32, batch: int = 64, **options: int) -> float:
    """Seconds of the imported network by those of the native one, on square images of `image` pixels a side."""
    native = build(network, **options).requires_grad_(False)
    imported = to_torch(export(build(network, **options), size=image))
    images = torch.rand(batch, 3, image, image)
    for module in (native, imported):
        _seconds(module, images)
    return statistics.median(_seconds(imported, images) / _seconds(native, images) for _ in range(ROUNDS))


def import_cost() -> tuple[float, float]:
    """Seconds, and growth of the peak memory by the file's size, of importing a model of 100 MB in a fresh process."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 14 * 14, 8000), nn.Linear(8000, 1600))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        onnx.save(export(network.eval()), path)
        command = [sys.executable, "-m", "tests.bench.importer", str(path)]
        seconds, growth = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return float(seconds), float(growth) / path.stat().st_size


def _import(path: str) -> None:
    import nc_scan.graph.module  # noqa: F401  (its own import time is not the model's)

    def peak() -> int:
        # getrusage would count the parent process in.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    before, start = peak(), time.perf_counter()
    to_torch(path)
    print(time.perf_counter() - start, peak() - before)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _import(sys.argv[1])
    else:
        cases: dict[str, Callable[[], float]] = {
            "Simple-CNN": lambda: ratio(SimpleCnn, image=16),
            "ResNet": lambda: ratio(ResNet, width=32),
            "ViT": lambda: ratio(ViT, size=32, width=128, depth=4),
        }
        for name, measure in cases.items():
            print(f"{name}: {measure():.3f} times the native network")
        print("import of 100 MB: {:.2f} s, {:.2f} times its size in memory".format(*import_cost()))
