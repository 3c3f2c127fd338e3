"""What an imported network costs, and what quantisation leaves of its gradient.

python -m tests.bench.importer            prints the figures
python -m tests.bench.importer --write    writes docs/results/importer.md as well

Ratios of forward plus input gradient against the same network in torch: both run in turn on one thread, whose processor
time other work on the machine disturbs least.
"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from tests.bench.architectures import ARCHITECTURES
from tests.scanner.graph import models
from torch import Tensor, nn

from nc_scan.graph import to_torch
from nc_trainers.models.pytorch import resnet, simple_cnn

DOCUMENT = Path(__file__).parents[2] / "docs" / "results" / "importer.md"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Case:
    """A network with random weights, how many images (3, side, side) it reads at once, and how often it is timed."""

    build: Callable[[], nn.Module]
    side: int
    batch: int
    rounds: int


CASES = {
    "Simple-CNN": Case(partial(simple_cnn, (3, 32, 32), 10), 32, 64, 25),
    "the paper's ResNet": Case(partial(resnet, (3, 32, 32), 10), 32, 16, 15),
    **{name: Case(build, 32 if name == "ViT" else 96, 4, 15) for name, build in ARCHITECTURES.items()},
}


@dataclass(frozen=True)
class Cost:
    """Processor seconds of forward plus input gradient: the least of all rounds, and the median of their ratios.

    `operator` is torch's operator whose own time grows most by the import, `growth` by how much of the native whole.
    """

    native: float
    imported: float
    median_ratio: float
    operator: str
    growth: float

    @property
    def ratio(self) -> float:
        """Seconds imported by seconds native."""
        return self.imported / self.native


def cost(case: Case, dtype: torch.dtype) -> Cost:
    """Measures a network in a dtype, on images in the memory format that the search gives them."""
    native = models.randomized(case.build(), seed=0).requires_grad_(False)
    imported = to_torch(models.export(native, 18, dynamo=True, size=case.side)).to(dtype)
    native = native.to(dtype)
    images = torch.rand(case.batch, 3, case.side, case.side).to(dtype, memory_format=torch.channels_last)
    for module in (native, imported):
        _seconds(module, images)
    times = [(_seconds(native, images), _seconds(imported, images)) for _ in range(case.rounds)]
    shortest = [min(column) for column in zip(*times, strict=True)]
    by_operator = [_by_operator(module, images) for module in (native, imported)]
    more = {name: seconds - by_operator[0].get(name, 0.0) for name, seconds in by_operator[1].items()}
    worst = max(more, key=more.__getitem__)
    median = statistics.median(ours / theirs for theirs, ours in times)
    return Cost(*shortest, median, worst, more[worst] / sum(by_operator[0].values()))


def _seconds(module: nn.Module, images: Tensor) -> float:
    start = time.process_time()
    _gradient(module, images)
    return time.process_time() - start


def _by_operator(module: nn.Module, images: Tensor) -> dict[str, float]:
    """The seconds that each of torch's operators takes itself, the least of three runs."""
    found: dict[str, float] = {}
    for _ in range(3):
        with torch.profiler.profile() as profile:
            _gradient(module, images)
        for event in profile.key_averages():
            seconds = event.self_cpu_time_total / 1e6
            found[event.key] = min(seconds, found.get(event.key, seconds))
    return found


def _gradient(module: nn.Module, images: Tensor) -> Tensor:
    """Of the scores of the first label by the images."""
    images = images.detach().requires_grad_()
    return torch.autograd.grad(module(images)[:, 0].float().sum(), images)[0]


def import_cost() -> tuple[float, float, float]:
    """Megabytes of a file, seconds of importing it in a fresh process, and growth of the peak memory by its size."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 14 * 14, 8000), nn.Linear(8000, 1600))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        onnx.save(models.export(network.eval()), path)
        command = [sys.executable, "-m", "tests.bench.importer", "--import", str(path)]
        seconds, growth = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return path.stat().st_size / 1e6, float(seconds), float(growth) / path.stat().st_size


def _import(path: str) -> None:
    import nc_scan.graph.module  # noqa: F401  (its own import time is not the model's)

    def peak() -> int:
        # getrusage would count the parent process in.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    before, start = peak(), time.perf_counter()
    to_torch(path)
    print(time.perf_counter() - start, peak() - before)


def cosines() -> dict[tuple[str, str], float]:
    """Cosine similarity between the input gradients of quantised models and of the float models they came from."""
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = {}
    for network in (models.SimpleCnn, models.ResNet, models.ViT, models.RowLstm):
        native = models.build(network)
        expected = _gradient(native, images)
        for form, model in _quantized(models.export(native), images.numpy()).items():
            gradient = _gradient(to_torch(model), images)
            found[network.__name__, form] = float(torch.cosine_similarity(gradient.flatten(), expected.flatten(), 0))
    return found


def _quantized(model: onnx.ModelProto, images: np.ndarray) -> dict[str, onnx.ModelProto]:
    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter([{"image": images}] * 2)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
        onnx.save(model, source)
        made = {}
        for form in QuantFormat:
            quantize_static(source, target, Images(), quant_format=form, weight_type=QuantType.QInt8, per_channel=True)
            made[f"static, {form.name}"] = onnx.load(target)
        quantize_dynamic(source, target)
        return {**made, "dynamic": onnx.load(target)}


Costs = dict[tuple[str, str], Cost]


def document(costs: Costs, imported: tuple[float, float, float], angles: dict[tuple[str, str], float]) -> str:
    """docs/results/importer.md."""
    lines = [
        "# The importer",
        "",
        "Written by `python -m tests.bench.importer --write` on two cores of "
        f"{_processor()}, torch {torch.__version__.split('+')[0]}, onnxruntime {onnxruntime.__version__}.",
        "Which operators are supported, and how many cases of ONNX's backend suite pass: "
        "[operators.md](../operators.md).",
        "",
        "## Speed",
        "",
        "Processor time of forward plus the gradient to the input, against the same network in torch, both in turn on",
        "one thread. The times are the shortest, the median is that of the rounds' ratios; `beyond native` is torch's",
        "operator whose own time grows most by the import, with its share of the native whole. Random weights, as",
        "`torch.onnx.export(dynamo=True)` writes them: the paper's networks, and blocks of those that people use",
        "(`tests/bench/architectures.py`). Without instructions for bfloat16 a processor emulates it.",
        "",
        "| network | dtype | native, ms | imported, ms | ratio | median ratio | beyond native |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {dtype} | {c.native * 1e3:.1f} | {c.imported * 1e3:.1f} | {c.ratio:.3f} | {c.median_ratio:.3f} "
        f"| {c.operator} {c.growth:+.1%} |"
        for (name, dtype), c in costs.items()
    ]
    size, seconds, growth = imported
    lines += [
        "",
        f"A model of {size:.0f} MB is imported in {seconds:.2f} s; the peak memory grows by {growth:.2f} times its",
        "size.",
        "",
        "## Gradients of quantised models",
        "",
        "Cosine similarity to the float model's gradient, on small networks with random weights and images of noise.",
        "",
        "| network | " + " | ".join(dict.fromkeys(form for _, form in angles)) + " |",
        "|---" * (1 + len({form for _, form in angles})) + "|",
    ]
    for network in dict.fromkeys(network for network, _ in angles):
        row = [f"{angle:.4f}" for (name, _), angle in angles.items() if name == network]
        lines.append(f"| {network} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _processor() -> str:
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return names[0] if names else platform.processor()


def main() -> None:
    torch.set_num_threads(1)
    costs: Costs = {}
    for (name, case), (words, dtype) in product(CASES.items(), DTYPES.items()):
        found = costs[name, words] = cost(case, dtype)
        print(f"{name}, {words}: {found.ratio:.3f} times the native network, median {found.median_ratio:.3f};", end=" ")
        print(f"{found.operator} {found.growth:+.1%}", flush=True)
    imported = import_cost()
    print("import of {:.0f} MB: {:.2f} s, {:.2f} times its size in memory".format(*imported))
    angles = cosines()
    for (network, form), angle in angles.items():
        print(f"{network}, quantised {form}: cosine {angle:.4f}")
    if "--write" in sys.argv:
        DOCUMENT.write_text(document(costs, imported, angles))


if __name__ == "__main__":
    _import(sys.argv[2]) if sys.argv[1:2] == ["--import"] else main()
