"""What memory allows, and how the C library hands it out."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
PER_TRAINING = 2 << 30  # bytes; a Simple-CNN on CIFAR-10 takes half of it, a VGG-16 nearly all
LARGEST_BLOCK = 32 << 20  # the most that glibc accepts for M_MMAP_THRESHOLD


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks instead of returning them to the system; elsewhere nothing happens.

    A training step frees and takes the same activations again. Fresh pages for each cost a sixth of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def trainings_at_a_time() -> int:
    """One a core while each has `PER_TRAINING` bytes; one where the system does not tell its free memory."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1
    return max(1, min(os.cpu_count() or 1, free // PER_TRAINING))
