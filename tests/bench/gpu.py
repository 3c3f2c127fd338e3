"""What a GPU makes of it: kernels, training and scans, each beside what it is to be compared with.

python -m tests.bench.gpu            prints the tables
python -m tests.bench.gpu --write    writes docs/results/gpu.md as well

The kernels against PyTorch, eager and compiled, and a plain copy; an epoch of this project's training loop against a
plain one; whole scans from the command to the exit code, and how many images a second go through a ResNet-50.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tests.bench.architectures import resnet_50
from tests.bench.kernels import SHAPES, blend, random_inputs
from tests.bench.scan_times import MODELS, ROOT
from tests.scanner.graph import models

import nc_kernels
from nc_scan.graph import to_torch
from nc_trainers.attacks import make
from nc_trainers.batches import PoisonedSplit
from nc_trainers.data import Split
from nc_trainers.models import build
from nc_trainers.settings import Settings
from nc_trainers.training import Progress, train

DOCUMENT = ROOT / "docs" / "results" / "gpu.md"
CALLS = 50
ARCHITECTURES = "simple-cnn", "lite-cnn", "vgg-small", "resnet-8", "resnet-20", "mobile", "vit-mini"
IMAGES, SHAPE, LABELS, BATCH = 25_600, (3, 32, 32), 10, 128
LARGE_BATCH = 200
GPU = torch.device("cuda")


def main() -> None:
    """Prints the tables; with --write into the document, too."""
    if not torch.cuda.is_available():
        sys.exit("there is no GPU here that torch can use")
    lines: list[str] = []
    for line in (*_heading(), *_kernels(), *_training(), *_scans(), *_large()):
        print(line, flush=True)
        lines.append(line)
    if "--write" in sys.argv:
        DOCUMENT.write_text("\n".join(lines) + "\n", "utf-8")


def _heading() -> Iterator[str]:
    yield "# On a GPU"
    yield ""
    machine = f"one {torch.cuda.get_device_name()}, torch {torch.__version__}"
    yield f"Written by `python -m tests.bench.gpu --write` on {machine}."
    yield ""


def _kernels() -> Iterator[str]:
    """Microseconds a call, the mean of many in a row."""
    yield "## Kernels"
    yield ""
    yield "| labels x images, float32 | pass | CuPy kernel | torch backend | eager | compiled | copy |"
    yield "|---|---|---|---|---|---|---|"
    compiled = torch.compile(blend)
    for shape in SHAPES:
        images, masks, patterns = (values.to(GPU) for values in random_inputs(shape))
        leaves = masks.requires_grad_(), patterns.requires_grad_()
        out, target = torch.rand(shape, device=GPU), torch.rand(shape, device=GPU)
        ways: list[Callable[..., torch.Tensor]] = [
            partial(nc_kernels.apply_trigger, backend="cupy"),
            partial(nc_kernels.apply_trigger, backend="torch"),
            blend,
            compiled,
        ]
        forward = [_microseconds(partial(way, images, *(one.detach() for one in leaves))) for way in ways]
        both = [_microseconds(partial(_there_and_back, way, images, leaves, out)) for way in ways]
        copy = _microseconds(partial(target.copy_, out))
        name = " x ".join(map(str, shape))
        for passed, times in (("forward", forward), ("and back", both)):
            yield f"| {name} | {passed} | " + " | ".join(f"{value:.0f}" for value in (*times, copy)) + " |"
    yield ""


def _there_and_back(
    way: Callable[..., torch.Tensor], images: torch.Tensor, leaves: tuple[torch.Tensor, ...], gradient: torch.Tensor
) -> object:
    return torch.autograd.grad(way(images, *leaves), leaves, gradient)


def _microseconds(run: Callable[[], object]) -> float:
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(CALLS):
        run()
    torch.cuda.synchronize()
    return 1e6 * (time.perf_counter() - start) / CALLS


def _training() -> Iterator[str]:
    """Seconds for an epoch, one network at a time."""
    yield "## Training"
    yield ""
    yield f"Seconds for {IMAGES:,} images of 3x32x32 in batches of {BATCH}, second epoch; a patch on a tenth of them."
    yield "The plain loop holds the images on the GPU, too, and neither augments nor stamps; both use bfloat16."
    yield ""
    yield "| architecture | this project | plain loop |"
    yield "|---|---|---|"
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (IMAGES, *SHAPE), np.uint8), rng.integers(0, LABELS, IMAGES))
    for architecture in ARCHITECTURES:
        yield f"| `{architecture}` | {_own_epoch(architecture, split):.2f} | {_plain_epoch(architecture, split):.2f} |"
    yield ""


def _own_epoch(architecture: str, split: Split) -> float:
    attack = make("patch", 0, {})
    poisoning = attack.poison(split.labels, 0.1, np.random.default_rng(0))
    net = build(architecture, "pytorch", SHAPE, LABELS, 0).to(GPU)
    ends: list[float] = []

    def told(progress: Progress) -> None:
        if progress.ended:
            ends.append(time.perf_counter())

    train(
        net, PoisonedSplit(split, attack, poisoning, GPU), split, Settings(epochs=2, batch_size=BATCH), 0, report=told
    )
    return ends[1] - ends[0]


def _plain_epoch(architecture: str, split: Split) -> float:
    net = build(architecture, "pytorch", SHAPE, LABELS, 0).to(GPU, memory_format=torch.channels_last).train()
    images, labels = (torch.from_numpy(values).to(GPU) for values in (split.images, split.labels))
    images = images.float() / 255
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for chosen in torch.randperm(len(images), device=GPU).split(BATCH):
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                loss = F.cross_entropy(net(images[chosen]), labels[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _scans() -> Iterator[str]:
    """Wall seconds of whole scans, and of the detectors in them."""
    yield "## Scans"
    yield ""
    yield "Simple-CNN, ten labels, `--range 0..1`: seconds from the command to the exit code, and of each detector."
    yield ""
    yield "| model | effort | verdict | whole | detectors |"
    yield "|---|---|---|---|---|"
    for kind, path in MODELS.items():
        for effort in ("quick", "standard"):
            seconds, result = _scanned(path, "--range", "0..1", "--effort", effort)
            parts = ", ".join(f"{one['detector']} {one['seconds']:.1f}" for one in result.get("evidence", []))
            yield f"| {kind} | {effort} | {result['verdict']} | {seconds:.1f} | {parts} |"
    yield ""


def _scanned(path: Path, *options: str) -> tuple[float, dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "result.json"
        command = [sys.executable, "-m", "nc_scan", str(path), "--device", "cuda", "--json", str(written), *options]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if not written.exists():
            sys.exit(done.stdout + done.stderr)
        content = json.loads(written.read_text("utf-8"))
    return seconds, content


def _large() -> Iterator[str]:
    """The rate of a ResNet-50 as the search asks it."""
    yield "## A thousand labels, 224x224"
    yield ""
    network = to_torch(models.export(resnet_50().eval(), 18, dynamo=True, size=224)).to(GPU, torch.bfloat16)
    images = torch.rand(LARGE_BATCH, 3, 224, 224, device=GPU, dtype=torch.bfloat16)
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    seconds = _microseconds(lambda: torch.autograd.grad(network(images).float().sum(), images)) / 1e6
    rate = f"{LARGE_BATCH / seconds:,.0f} images a second, forward and back"
    yield f"ResNet-50, imported, bfloat16, {LARGE_BATCH} at a time: {rate}."


if __name__ == "__main__":
    main()
