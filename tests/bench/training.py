"""What training costs: `python -m tests.bench.training` prints a table for `docs/results/training.md`.

The CPU time of one thread for a thousand images of 3x32x32 in batches of 32: this project's loop, which augments and
stamps a patch on each batch, and a plain PyTorch loop over a DataLoader, which does neither. CPU time, as others may
use the machine at the same time. No data is needed: what is in the images makes no difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from nc_trainers.attacks import make
from nc_trainers.batches import PoisonedSplit
from nc_trainers.data import Split
from nc_trainers.memory import keep_freed_memory
from nc_trainers.models import ARCHITECTURES, build
from nc_trainers.settings import Settings
from nc_trainers.training import train

SHAPE, CLASSES, BATCH = (3, 32, 32), 10, 32
IMAGES = 8 * BATCH
LARGE = {"vit-b16", "vgg-16", "resnet", "vit-tiny"}  # left out: the table is one of quick networks


def main() -> None:
    """Print a row for each architecture."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (IMAGES, *SHAPE), np.uint8), rng.integers(0, CLASSES, IMAGES))
    print("| architecture | s for 1,000 images | plain loop |\n| --- | --- | --- |")
    for architecture in [name for name in ARCHITECTURES if name not in LARGE]:
        ours, plain = (cpu_seconds(partial(loop, architecture, split)) for loop in (own_loop, plain_loop))
        print(f"| `{architecture}` | {1000 * ours / IMAGES:.2f} | {1000 * plain / IMAGES:.2f} |", flush=True)


def own_loop(architecture: str, split: Split) -> None:
    """One epoch of this project's."""
    attack = make("patch", 0, {})
    poisoned = PoisonedSplit(
        split, attack, attack.poison(split.labels, 0.1, np.random.default_rng(0)), torch.device("cpu")
    )
    train(build(architecture, "pytorch", SHAPE, CLASSES, 0), poisoned, split, Settings(epochs=1, batch_size=BATCH), 0)


def plain_loop(architecture: str, split: Split) -> None:
    """One epoch as tutorials write it."""
    net = build(architecture, "pytorch", SHAPE, CLASSES, 0).to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    data = TensorDataset(torch.from_numpy(split.images).float() / 255, torch.from_numpy(split.labels))
    net.train()
    for images, labels in DataLoader(data, BATCH, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()


def cpu_seconds(run: Callable[[], None]) -> float:
    """The better of two runs; the first one warms up, too."""
    times = []
    for _ in range(2):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
