"""How long a scan may take and how much memory it may hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

READING = 600.0  # seconds until a model's contract is known, for those of ordinary size
READING_RATE = 1e6  # bytes a second more, of large files
LEAST, MOST = 1800.0, 86400.0  # seconds for the whole scan
SECONDS_A_LABEL = 60.0  # for images of REFERENCE_PIXELS; larger ones take as much longer as they have more pixels
REFERENCE_PIXELS = 32 * 32
MEMORY = 8 << 30  # bytes, beside what the file asks for
COPIES = 6  # of the weights: as read, in onnxruntime, twice in torch, and while one becomes the other
SPARED = 0.9  # of the machine's memory, at most
SOFT = 0.9  # of the time: then the scan ends by itself and says what it has found so far


@dataclass(frozen=True)
class Limits:
    """What the user allows; None leaves it to the size of the model. `timeout` in seconds, `memory` in bytes.

    `sharing` are the scans at a time that the machine's memory is for.
    """

    timeout: float | None = None
    memory: int | None = None
    sharing: int = 1

    def reading_seconds(self, size: int) -> float:
        """Until the contract of a file of `size` bytes is known."""
        return self.timeout if self.timeout is not None else READING + size / READING_RATE

    def scan_seconds(self, work: int) -> float:
        """For the whole scan, from its start; `work` is the number of labels times that of pixels."""
        if self.timeout is not None:
            return self.timeout
        return min(MOST, LEAST + SECONDS_A_LABEL * work / REFERENCE_PIXELS)

    def memory_bytes(self, size: int) -> int:
        """For a file of `size` bytes with its external data."""
        if self.memory is not None:
            return self.memory
        return min(MEMORY + COPIES * size, int(SPARED * _physical() / self.sharing))


def size_on_disk(path: Path) -> int:
    """Bytes of the file and of everything beside it that may hold its weights; 0 where it cannot be read."""
    try:
        own = path.stat().st_size
        beside = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.is_file())
        data = sum(file.stat().st_size for file in path.parent.glob("*.data") if file.is_file())
        return max(own, beside + data)
    except (OSError, ValueError):
        return 0


def _physical() -> int:
    """The machine's memory, or that of the container; a generous guess where nobody says."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 64 << 30
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(file).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            whole = min(whole, int(text))
    return whole
