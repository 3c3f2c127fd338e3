"""What memory allows, and how the C library hands it out."""

import ctypes
import os
import sys
from collections.abc import Iterable

from nc_trainers.forward import best_device

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST_BLOCK = 32 << 20  # the most that glibc accepts for M_MMAP_THRESHOLD
MIB = 1 << 20
ANY_TRAINING = 1024  # MiB: interpreter, libraries, CIFAR-10 and what judges the model
TRAINING = {  # MiB of weights with gradients and moments, and MiB an image of the batch, measured in float32
    "simple-cnn": (23, 0.8),
    "vgg-16": (513, 1.4),
    "resnet": (43, 5.0),
    "vit-tiny": (8, 2.0),
    "vit-b16": (1310, 158.0),
    "vit-mini": (2, 1.0),
    "mlp": (13, 0.1),
    "lite-cnn": (3, 0.4),
    "vgg-small": (5, 2.0),
    "resnet-8": (2, 1.5),
    "resnet-20": (5, 4.0),
    "mobile": (1, 1.5),
}


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks instead of returning them to the system; elsewhere nothing happens.

    A training step frees and takes the same activations again. Fresh pages for each cost a sixth of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def training_memory(architecture: str, batch_size: int) -> int:
    """About how many bytes a training on CIFAR-10 takes."""
    weights, image = TRAINING[architecture]
    return round((ANY_TRAINING + weights + image * batch_size) * MIB)


def trainings_at_a_time(models: Iterable[tuple[str, int]]) -> int:
    """One a core, while memory holds as many of the largest of `models`, each an architecture and a batch size.

    One on a GPU, which a training fills, and where the system does not tell its free memory.
    """
    if best_device().type == "cuda":
        return 1
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1
    largest = max(training_memory(architecture, batch_size) for architecture, batch_size in models)
    return max(1, min(os.cpu_count() or 1, free // largest))
