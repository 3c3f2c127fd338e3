"""The seconds that a scan may take, shared out among what it has to do, and how fast the search is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from nc_scan.search import passes_on
from nc_scan.search.objective import images_a_pass
from nc_scan.search.passes import Tensors
from nc_scan.subject import Subject

RATED = 256  # images in a pass whose time is taken, at most


@dataclass(frozen=True)
class TimeLimit:
    """Until when, on the clock of `time.monotonic`."""

    ends: float

    @staticmethod
    def of(seconds: float) -> TimeLimit:
        """So many seconds from now."""
        return TimeLimit(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds, at least 0."""
        return max(0.0, self.ends - time.monotonic())

    def share(self, part: float) -> TimeLimit:
        """That part (0..1) of what is left."""
        return TimeLimit.of(part * self.left)


def passes_a_second(subject: Subject) -> float:
    """How many images a second go through the network, forward and back, as the search does it; measured on noise."""
    contract = subject.contract
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(*contract.size, generator=generator).to(subject.device)
    count = min(RATED, images_a_pass(image))
    images = torch.rand(count, *contract.size, generator=generator).to(subject.device)
    images = images.contiguous(memory_format=torch.channels_last)

    def one_pass(piece: Tensors) -> Tensors:
        (part,) = piece
        part = part.detach().requires_grad_()
        return torch.autograd.grad(subject.scores(part).sum(), part)

    with passes_on(subject.device) as run_all:
        pieces = [(images,)] * torch.get_num_threads() * 4
        run_all(one_pass, pieces[:1])  # what is compiled and allocated once
        start = time.monotonic()
        done = run_all(one_pass, pieces)
        float(done[-1][0].sum())  # waits for a GPU
        return len(pieces) * count / (time.monotonic() - start)
